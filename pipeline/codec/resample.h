// Scaling, mirroring and colour conversion of a decoded picture in one pass.

#ifndef YZ_RESAMPLE_H
#define YZ_RESAMPLE_H

#include <stdint.h>

// yz_planes is a picture as JPEG stores it: full-range BT.601 luma and, hsub and
// vsub times coarser, colour, whose rows follow one another without a gap.
typedef struct {
	const uint8_t *y, *cb, *cr;
	int w, h;       // of luma, at most 65535
	int stride;     // of luma: where its next row begins
	int cw, ch;     // of each colour plane
	int hsub, vsub; // 1 or 2
} yz_planes;

// yz_work is how many bytes yz_resample works in, for luma rows of w, colour rows
// of cw and target rows of dw pixels.
int64_t yz_work(int w, int cw, int dw);

// yz_resample draws the part of p that begins at (ox, oy) into dst, dw×dh RGBA
// pixels whose rows are pitch bytes apart, at step source pixels a target pixel;
// all three in 16.16 fixed point. mirror flips left and right. Luma is bilinear;
// colour is bilinear at half the target's resolution, as finely as the eye sees
// it. plain does without the processor's wider instructions; the pixels are the
// same.
void yz_resample(const yz_planes *p, uint8_t *dst, int64_t pitch, int dw, int dh,
	int64_t ox, int64_t oy, int64_t step, int mirror, int plain, uint8_t *work);

#endif
