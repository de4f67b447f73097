package face

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// forest is a cascade of regression trees that moves a point step by step to a
// landmark (Markuš et al., "Eye pupil localization with an ensemble of
// randomized trees", 2014). Each stage adds up the moves its trees vote for,
// in units of the window, and the next stage looks at a smaller window.
//
// The binary form is little-endian: stages uint32, shrink float32, trees
// uint32, depth uint32; then stage by stage, tree by tree, (2^depth − 1) nodes
// of four int8 (row, column, row, column, in 1/256 of the window), and 2^depth
// leaves of two float32 (rows, columns, in windows).
//
// pigo reads the same files, but draws its starting points from the global
// random source and answers in whole pixels: the same photo would measure
// differently from one run to the next. This evaluator is deterministic,
// sub-pixel, and can look along a tilted face.
type forest struct {
	stages, trees, depth int
	shrink               float64
	nodes                []int8    // 4 a node, (2^depth − 1) nodes a tree
	leaves               []float32 // 2 a leaf, 2^depth leaves a tree
}

// Limits on what a model may claim to be, so that a damaged file is refused
// instead of exhausting memory.
const (
	maxStages = 64
	maxTrees  = 1024
	maxDepth  = 16
)

var errModel = errors.New("not a regression forest")

// parseForest reads a model and refuses anything that does not fit its own
// header exactly.
func parseForest(b []byte) (*forest, error) {
	const header = 16
	if len(b) < header {
		return nil, fmt.Errorf("%w: %d bytes", errModel, len(b))
	}
	stages := binary.LittleEndian.Uint32(b)
	shrink := float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4:])))
	trees := binary.LittleEndian.Uint32(b[8:])
	depth := binary.LittleEndian.Uint32(b[12:])
	if stages == 0 || stages > maxStages || trees == 0 || trees > maxTrees || depth == 0 || depth > maxDepth {
		return nil, fmt.Errorf("%w: %d stages of %d trees of depth %d", errModel, stages, trees, depth)
	}
	if !(shrink > 0 && shrink <= 1) {
		return nil, fmt.Errorf("%w: shrinks by %v", errModel, shrink)
	}
	n := int(stages) * int(trees)
	leaves := 1 << depth
	treeBytes := 4*(leaves-1) + 8*leaves
	if len(b)-header != n*treeBytes {
		return nil, fmt.Errorf("%w: %d bytes of trees, want %d", errModel, len(b)-header, n*treeBytes)
	}
	f := &forest{
		stages: int(stages), trees: int(trees), depth: int(depth), shrink: shrink,
		nodes:  make([]int8, 0, n*4*(leaves-1)),
		leaves: make([]float32, 0, n*2*leaves),
	}
	b = b[header:]
	for range n {
		for _, v := range b[:4*(leaves-1)] {
			f.nodes = append(f.nodes, int8(v))
		}
		b = b[4*(leaves-1):]
		for range 2 * leaves {
			v := math.Float32frombits(binary.LittleEndian.Uint32(b))
			if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 16 {
				return nil, fmt.Errorf("%w: a leaf moves by %v windows", errModel, v)
			}
			f.leaves = append(f.leaves, v)
			b = b[4:]
		}
	}
	return f, nil
}

// view is a grey picture as the forests read it: outside pixels repeat the edge.
type view struct {
	pix           []uint8
	w, h, stride  int
	sin, cos      float64 // the face's roll: local x runs along (cos, sin)
	mirror        float64 // −1 reads (and answers) as in a mirror
	fixSin, fixCo int     // sin and cos in 1/256, for the pixel tests
}

// at returns the view for a face rolled by the angle (radians, clockwise in
// the picture), mirrored or not.
func (v view) at(roll float64, mirror bool) view {
	v.sin, v.cos = math.Sincos(roll)
	v.fixSin, v.fixCo = int(math.Round(v.sin*256)), int(math.Round(v.cos*256))
	v.mirror = 1
	if mirror {
		v.mirror = -1
	}
	return v
}

// run walks one starting point (x, y in pixels, window s in pixels) to where
// the forest says the landmark is.
func (f *forest) run(v view, x, y, s float64) (float64, float64) {
	perTree := 4 * (1<<f.depth - 1)
	leaves := 1 << f.depth
	node, leaf := 0, 0
	m := int(v.mirror)
	for range f.stages {
		// 1/65536 pixel fixed point: codes are 1/256 windows, sin and cos 1/256.
		fx, fy, fs := int(x*65536), int(y*65536), int(s+0.5)
		dx, dy := 0.0, 0.0
		// No test reaches further than the window's half diagonal: mostly all of
		// it is inside, and the edges need not be looked after.
		reach := .75*s + 2
		inside := x > reach && y > reach && x < float64(v.w)-reach && y < float64(v.h)-reach
		for range f.trees {
			codes := f.nodes[node : node+perTree]
			i := 0
			for range f.depth {
				c := codes[4*i : 4*i+4 : 4*i+4]
				r1, c1, r2, c2 := int(c[0]), m*int(c[1]), int(c[2]), m*int(c[3])
				x1 := (fx + fs*(c1*v.fixCo-r1*v.fixSin)) >> 16
				y1 := (fy + fs*(c1*v.fixSin+r1*v.fixCo)) >> 16
				x2 := (fx + fs*(c2*v.fixCo-r2*v.fixSin)) >> 16
				y2 := (fy + fs*(c2*v.fixSin+r2*v.fixCo)) >> 16
				if !inside {
					x1, y1 = min(max(x1, 0), v.w-1), min(max(y1, 0), v.h-1)
					x2, y2 = min(max(x2, 0), v.w-1), min(max(y2, 0), v.h-1)
				}
				i = 2*i + 1
				if v.pix[y1*v.stride+x1] > v.pix[y2*v.stride+x2] {
					i++
				}
			}
			l := leaf + 2*(i-(leaves-1))
			dy += float64(f.leaves[l])
			dx += v.mirror * float64(f.leaves[l+1])
			node += perTree
			leaf += 2 * leaves
		}
		x += s * (dx*v.cos - dy*v.sin)
		y += s * (dx*v.sin + dy*v.cos)
		// A point that has run far off the picture will not come back, and its
		// coordinates must stay small enough for the fixed-point arithmetic.
		x = min(max(x, -float64(v.w)), 2*float64(v.w))
		y = min(max(y, -float64(v.h)), 2*float64(v.h))
		s *= f.shrink
	}
	return x, y
}

// How many starting points vote for a landmark: on a photo, and in a preview
// where a few hundredths of the eye distance more or less do not show.
const (
	manyVotes = 31
	fewVotes  = 9
)

// locate runs the forest from a fixed pattern of so many starting points around
// (x, y, s) and returns where the answers meet, and their spread: the mean
// interquartile range of the two coordinates in units of s. On a real landmark
// the answers agree; on texture they scatter.
func (f *forest) locate(v view, x, y, s float64, votes int) (px, py, spread float64) {
	// An additive recurrence on the root of x⁴ = x + 1 fills the cube of
	// (column, row, window) evenly, and is the same every time.
	const a1, a2, a3 = 0.8191725133961645, 0.6710436067037893, 0.5497004779019703
	var bufX, bufY [manyVotes]float64
	xs, ys := bufX[:votes], bufY[:votes]
	for i := range votes {
		k := float64(i) + 0.5
		_, u1 := math.Modf(k * a1)
		_, u2 := math.Modf(k * a2)
		_, u3 := math.Modf(k * a3)
		xs[i], ys[i] = f.run(v, x+s*.15*(u1-.5), y+s*.15*(u2-.5), s*(.925+.15*u3))
	}
	px, rx := midMean(xs)
	py, ry := midMean(ys)
	return px, py, (rx + ry) / (2 * s)
}

// midMean sorts v and returns the mean of its middle half (as robust as the
// median here, and finer than one answer's rounding) and its interquartile range.
func midMean(v []float64) (mean, iqr float64) {
	slices.Sort(v)
	mid := v[len(v)/4 : len(v)-len(v)/4]
	for _, x := range mid {
		mean += x
	}
	return mean / float64(len(mid)), mid[len(mid)-1] - mid[0]
}
