package cli

import (
	"os"
	"runtime/debug"
)

// stationHeap is the soft limit of a station's Go memory. About 100 MB are in
// use all day (models, fonts, the plate, the working memory of one photo), and
// 100 MB more for a second while the backdrop is photographed at 1080p. Left to
// itself the collector takes that second for the rule and lets garbage grow to
// twice as much, of which many a small kiosk has no room. A larger camera may
// need more: the limit is soft, and costs collections, never a photo.
const stationHeap = 192 << 20

// limitMemory keeps a station's memory flat, unless GOMEMLIMIT says otherwise.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(stationHeap)
	}
}
