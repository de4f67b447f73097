package cli

import (
	"os"
	"runtime/debug"
)

// stationHeap is the soft limit of a station's Go memory. About 90 MB are in use
// before the first photo (models, fonts, the plate), 150 MB from then on (the
// working memory of one photo), and 180 MB for a second while the backdrop is
// photographed at 1080p. Left to itself the collector takes that second for the
// rule and lets garbage grow to twice as much, which many a small kiosk has no
// room for. A larger camera may need more: the limit is soft, and costs
// collections, never a photo.
const stationHeap = 192 << 20

// limitMemory keeps a station's memory flat, unless GOMEMLIMIT says otherwise.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(stationHeap)
	}
}
