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

// Soft limits of the Go memory of the commands that make photos from files: what
// models, plate and one 1080p photo's working memory take, and how much more a
// larger frame or another photo at the same time needs. Left to itself the
// collector would let garbage grow to as much again.
const (
	photoHeap    = 44 << 20
	photoPerWork = 46 << 20
	photoPerByte = 2 // of a frame's pixels beyond 1080p's
	fullHD       = 4 * 1920 * 1080
)

// limitPhotoMemory keeps workers that make photos of frameBytes of pixels each
// near what they need, unless GOMEMLIMIT says otherwise.
func limitPhotoMemory(frameBytes, workers int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(photoHeap + int64(workers)*(photoPerWork+photoPerByte*int64(max(frameBytes-fullHD, 0))))
	}
}
