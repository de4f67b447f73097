package face

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
)

// finder is a cascade of decision trees on pixel comparisons that answers for
// one square window whether it is a face (Markuš et al., "Object detection with
// pixel intensity comparisons organized in decision trees", 2013).
//
// The binary form is little-endian: 8 bytes of no interest, depth uint32, trees
// uint32; then tree by tree (2^depth − 1) nodes of four int8 (row, column, row,
// column, in 1/256 of the window), 2^depth leaves float32, and the threshold
// float32 that the sum so far must exceed.
//
// pigo reads the same files; this evaluator gives its answers bit for bit, in
// less than half the time: the places that the first trees compare are worked
// out once a window size, rows are shared between two goroutines, and a turned
// picture is searched only where it shows something.
type finder struct {
	depth, trees int
	nodes        []int8    // 4 a node, (2^depth − 1) nodes a tree
	leaves       []float32 // 2^depth a tree
	thresholds   []float32 // 1 a tree
}

// earlyTrees have their places worked out in advance: hardly one window in
// fifty gets past them.
const earlyTrees = 24

var errFinder = errors.New("not a face finder")

// parseFinder reads a model and refuses anything that does not fit its own
// header exactly.
func parseFinder(b []byte) (*finder, error) {
	const header = 16
	if len(b) < header {
		return nil, fmt.Errorf("%w: %d bytes", errFinder, len(b))
	}
	depth, trees := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if depth == 0 || depth > maxDepth || trees == 0 || trees > maxTrees {
		return nil, fmt.Errorf("%w: %d trees of depth %d", errFinder, trees, depth)
	}
	leaves, n := 1<<depth, int(trees)
	if want := n * (4*(leaves-1) + 4*leaves + 4); len(b)-header != want {
		return nil, fmt.Errorf("%w: %d bytes of trees, want %d", errFinder, len(b)-header, want)
	}
	f := &finder{
		depth: int(depth), trees: n,
		nodes:  make([]int8, 0, n*4*(leaves-1)),
		leaves: make([]float32, 0, n*leaves), thresholds: make([]float32, 0, n),
	}
	b = b[header:]
	float := func() (float32, error) {
		v := math.Float32frombits(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if v != v || math.Abs(float64(v)) > 1e6 {
			return 0, fmt.Errorf("%w: a tree votes %v", errFinder, v)
		}
		return v, nil
	}
	for range n {
		for _, v := range b[:4*(leaves-1)] {
			f.nodes = append(f.nodes, int8(v))
		}
		b = b[4*(leaves-1):]
		for range leaves {
			v, err := float()
			if err != nil {
				return nil, err
			}
			f.leaves = append(f.leaves, v)
		}
		v, err := float()
		if err != nil {
			return nil, err
		}
		f.thresholds = append(f.thresholds, v)
	}
	return f, nil
}

// hit is a window that the finder likes: its middle pixel, its side in pixels
// and by how much its score exceeds the last threshold.
type hit struct {
	row, col, size int
	score          float32
}

// Steps of a search, in shares of the window: how far it moves, how fast it grows.
const (
	searchShift = .1
	searchGrow  = 1.1
)

// search returns every window of v with a side from lo to hi pixels that the
// finder likes. inside tells which columns [from, to) of a row may hold a
// window's middle; nil is all of them. early is scratch.
func (f *finder) search(v view, lo, hi int, inside func(row int) (from, to int), early *[]place) []hit {
	var hits []hit
	for size := max(lo, 1); size <= hi; {
		places := f.places(early, size, v.stride)
		step := max(int(searchShift*float64(size)), 1)
		margin := size/2 + 1
		rows := max((v.h-2*margin)/step+1, 0)
		if v.h < 2*margin || v.w < 2*margin {
			rows = 0
		}
		part := func(first, last int) (found []hit) {
			for i := first; i < last; i++ {
				row := margin + i*step
				from, to := margin, v.w-margin
				if inside != nil {
					a, b := inside(row)
					from += max(a-from+step-1, 0) / step * step
					to = min(to, b)
				}
				for col := from; col <= to; col += step {
					if q := f.score(v, row, col, size, places); q > 0 {
						found = append(found, hit{row, col, size, q})
					}
				}
			}
			return found
		}
		if v.w*rows/step < fewWindows {
			hits = append(hits, part(0, rows)...)
		} else {
			var lower []hit
			var done sync.WaitGroup
			done.Go(func() { lower = part(rows/2, rows) })
			hits = append(hits, part(0, rows/2)...)
			done.Wait()
			hits = append(hits, lower...)
		}
		// Small windows must grow by whole pixels, two at least, or never would.
		size += max(2, int(float64(size)*searchGrow)-size)
	}
	return hits
}

// fewWindows are not worth a second goroutine.
const fewWindows = 1000

// place is where a node looks, as offsets into the pixels from the middle of
// the window.
type place struct{ a, b int32 }

// places works out where the early trees look in windows of one size.
func (f *finder) places(buf *[]place, size, stride int) []place {
	n := min(earlyTrees, f.trees) * (1<<f.depth - 1)
	if cap(*buf) < n {
		*buf = make([]place, n)
	}
	out := (*buf)[:n]
	for i := range out {
		c := f.nodes[4*i : 4*i+4 : 4*i+4]
		out[i] = place{
			int32(int(c[0])*size>>8*stride + int(c[1])*size>>8),
			int32(int(c[2])*size>>8*stride + int(c[3])*size>>8),
		}
	}
	return out
}

// score is how much the window's score exceeds the last threshold, or negative
// from the tree on that it fails at. The window must lie inside v.
func (f *finder) score(v view, row, col, size int, early []place) float32 {
	nodes, leaves := 1<<f.depth-1, 1<<f.depth
	middle := row*v.stride + col
	var sum float32
	for t := range min(earlyTrees, f.trees) {
		tree := early[t*nodes : (t+1)*nodes]
		i := 0
		for range f.depth {
			p := tree[i]
			i = 2*i + 1
			if v.pix[middle+int(p.a)] <= v.pix[middle+int(p.b)] {
				i++
			}
		}
		sum += f.leaves[t*leaves+i-nodes]
		if sum <= f.thresholds[t] {
			return -1
		}
	}
	for t := earlyTrees; t < f.trees; t++ {
		tree := f.nodes[4*t*nodes : 4*(t+1)*nodes]
		i := 0
		for range f.depth {
			c := tree[4*i : 4*i+4 : 4*i+4]
			a := middle + int(c[0])*size>>8*v.stride + int(c[1])*size>>8
			b := middle + int(c[2])*size>>8*v.stride + int(c[3])*size>>8
			i = 2*i + 1
			if v.pix[a] <= v.pix[b] {
				i++
			}
		}
		sum += f.leaves[t*leaves+i-nodes]
		if sum <= f.thresholds[t] {
			return -1
		}
	}
	return sum - f.thresholds[f.trees-1]
}
