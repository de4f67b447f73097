package matte

/*
#cgo CFLAGS: -O3 -Wall
#cgo LDFLAGS: -lm
#include "kernels.h"
*/
import "C"

import "unsafe"

// The loops over whole planes are in C (kernels.c), where the compiler
// vectorises them; here are the Go functions that check the lengths and split
// the work. C keeps none of the pointers.

func f32(p []float32) *C.float   { return (*C.float)(unsafe.Pointer(unsafe.SliceData(p))) }
func f64(p []float64) *C.double  { return (*C.double)(unsafe.Pointer(unsafe.SliceData(p))) }
func i32(p []int32) *C.int32_t   { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(p))) }
func u16(p []uint16) *C.uint16_t { return (*C.uint16_t)(unsafe.Pointer(unsafe.SliceData(p))) }
func u8(p []uint8) *C.uint8_t    { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(p))) }

func mixed(p []C.yz_mixture) *C.yz_mixture { return unsafe.SliceData(p) }

func cBool(b bool) C.int { return C.int(b2u(b)) }

// boxes runs box means of up to three radii, one after the other; 0 is none.
func boxes(dst, src []float32, w, h int, r [3]int, zero bool) {
	dst, src = dst[:w*h], src[:w*h]
	r0, r1, r2, z := C.int(r[0]), C.int(r[1]), C.int(r[2]), cBool(zero)
	split(h, 8, func(lo, hi int) {
		C.yz_boxes_rows(f32(dst), f32(src), C.int(w), C.int(lo), C.int(hi), r0, r1, r2, z)
	})
	split(w, 16, func(lo, hi int) {
		C.yz_boxes_columns(f32(dst), f32(dst), C.int(w), C.int(h), C.int(lo), C.int(hi), r0, r1, r2, z)
	})
}

// gaussianCells is gaussian for w×h cells of lanes values (4 or 16), in place,
// outside counting as zeros.
func gaussianCells(p []float64, w, h, lanes int, sigma float64) {
	p = p[:w*h*lanes]
	r := gaussianRadii(sigma)
	r0, r1, r2 := C.int(r[0]), C.int(r[1]), C.int(r[2])
	split(h, 8, func(lo, hi int) {
		C.yz_cells_rows(f64(p), f64(p), C.int(w), C.int(lo), C.int(hi), C.int(lanes), r0, r1, r2)
	})
	split(w*lanes, 16, func(lo, hi int) {
		C.yz_cells_columns(f64(p), f64(p), C.int(w*lanes), C.int(h), C.int(lo), C.int(hi), r0, r1, r2)
	})
}

// erodeMin writes the minimum over (2r+1)² windows. dst may be src; tmp is neither.
func erodeMin(dst, src, tmp []float32, w, h, r int) {
	dst, src, tmp = dst[:w*h], src[:w*h], tmp[:w*h]
	halves(h, func(lo, hi int) {
		C.yz_least_rows(f32(tmp), f32(src), C.int(w), C.int(lo), C.int(hi), C.int(r))
	})
	halves(h, func(lo, hi int) {
		C.yz_least_columns(f32(dst), f32(tmp), C.int(w), C.int(h), C.int(lo), C.int(hi), C.int(r))
	})
}

// grow sets dst where src is non-zero anywhere in the (2r+1)² window; shrink
// where it is non-zero everywhere in it (outside the image counts as set).
// dst may be src; tmp is neither.
func grow(dst, src, tmp []uint8, w, h, r int)   { morph(dst, src, tmp, w, h, r, true) }
func shrink(dst, src, tmp []uint8, w, h, r int) { morph(dst, src, tmp, w, h, r, false) }

func morph(dst, src, tmp []uint8, w, h, r int, growing bool) {
	dst, src, tmp = dst[:w*h], src[:w*h], tmp[:w*h]
	halves(h, func(lo, hi int) {
		C.yz_morph_rows(u8(tmp), u8(src), C.int(w), C.int(lo), C.int(hi), C.int(r), cBool(growing))
	})
	halves(h, func(lo, hi int) {
		C.yz_morph_columns(u8(dst), u8(tmp), C.int(w), C.int(h), C.int(lo), C.int(hi), C.int(r), cBool(growing))
	})
}

// Optimal 3×3 weights (Borgefors 1986).
const (
	chamferStraight = .9551
	chamferDiagonal = 1.3693
)

// chamfer writes to dist the distance in pixels of every pixel to the nearest
// non-zero pixel of seed (3×3 chamfer weights, within 5 % of Euclid) and to
// near, unless nil, that pixel's index (-1: no seed).
func chamfer(dist []float32, near []int32, seed []uint8, w, h int) {
	const inf = 1e9
	dist, seed = dist[:w*h], seed[:w*h]
	for i, s := range seed {
		dist[i] = inf
		if s != 0 {
			dist[i] = 0
		}
	}
	if near != nil {
		near = near[:w*h]
		for i, s := range seed {
			near[i] = -1
			if s != 0 {
				near[i] = int32(i)
			}
		}
	}
	C.yz_chamfer(f32(dist), i32(near), C.int(w), C.int(h), chamferStraight, chamferDiagonal)
}
