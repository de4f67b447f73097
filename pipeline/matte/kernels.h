// The inner loops of the matte, in C: the Go compiler does not vectorise them.
// Nothing here allocates, keeps a pointer or fails: kernels.go checks every
// length before it calls, and scratch, half a megabyte at a side of 4096 pixels,
// is on the stack. All planes are row-major.
#ifndef YZ_MATTE_KERNELS_H
#define YZ_MATTE_KERNELS_H

#include <stdint.h>

// Box means of the given radii, one after the other (0: left out), along rows
// [y0, y1) or columns [x0, x1) of a plane. Windows shrink at the border unless
// zero is set: then outside counts as zeros.
void yz_boxes_rows(float *dst, const float *src, int w, int y0, int y1, int r0, int r1, int r2, int zero);
void yz_boxes_columns(float *dst, const float *src, int w, int h, int x0, int x1, int r0, int r1, int r2, int zero);

// The same on cells of lanes doubles (4 or 16), outside counting as zeros. The
// columns are counted in doubles.
void yz_cells_rows(double *dst, const double *src, int w, int y0, int y1, int lanes, int r0, int r1, int r2);
void yz_cells_columns(double *dst, const double *src, int doubles, int h, int x0, int x1, int r0, int r1, int r2);

// The least of windows (2r+1)², along rows and along columns.
void yz_least_rows(float *dst, const float *src, int w, int y0, int y1, int r);
void yz_least_columns(float *dst, const float *src, int w, int h, int y0, int y1, int r);

// 1 where any (grow) or every value of the window is non-zero; dst is not src.
void yz_morph_rows(uint8_t *dst, const uint8_t *src, int w, int y0, int y1, int r, int grow);
void yz_morph_columns(uint8_t *dst, const uint8_t *src, int w, int h, int y0, int y1, int r, int grow);

// Chamfer distances from dist as it stands (0 at seeds); near may be NULL.
void yz_chamfer(float *dist, int32_t *near, int w, int h, float straight, float diagonal);

// Passes of the primal-dual iteration over rows [y0, y1). spans holds x0, x1,
// open of each span; first[t] is where the spans of tile row t begin.
void yz_cut_sweep(const float *f, const float *wx, const float *wy, const float *down, float *u, float *bar, float *px, float *py,
	const float *edge_bar, const float *edge_py, const float *still, const int32_t *spans, const int32_t *first,
	int w, int h, int y0, int y1, int mid, int tile, float step, int passes);

// Evidence of pixels [i0, i1): the dead zones taken off, whitened by here, and
// by fine where z1 is given. Matrices are rr rg rb gg gb bb.
void yz_evidence(float *z, float *z1, const float *r, const float *g, const float *b, const float *dark, const float *light,
	const float *tint, const float *here, const float *fine, int i0, int i1);

// The light fit (fit.go), rows [y0, y1) or cells [i0, i1) of a level.
// Means of the backdrop's log ratio over 2x2 pixels, and its share of them.
void yz_fit_reduce(double *wt, double *v0, double *v1, double *v2, const float *r, const float *g, const float *b,
	const uint8_t *back, int w, int h, int lw, int y0, int y1);
// Cells of 16: 1 x y xx yy xy, then v vx vy of each channel, times the weight.
void yz_fit_moments(double *mom, const double *wt, const double *v0, const double *v1, const double *v2, int w, int y0, int y1);
// The planes through smoothed moments, mixed into the field by how much of the
// backdrop they see; seen, unless NULL, takes that share.
void yz_fit_blend(float *o0, float *o1, float *o2, float *seen, const double *mom, const float *base, int w, int y0, int y1,
	double ridge, float floor, float ceil);
// Cells of 4: the weight and what the field leaves over, times the weight; and
// their smoothed mean added to the field.
void yz_fit_left(double *mom, const double *wt, const double *v0, const double *v1, const double *v2, const float *o0,
	const float *o1, const float *o2, int i0, int i1);
void yz_fit_add(float *o0, float *o1, float *o2, const double *mom, const float *base, int i0, int i1, float floor, float ceil);

// acc[i] += weight * row[i].
void yz_add_u8(float *acc, const uint8_t *row, float weight, int n);
void yz_add_table(float *acc, const uint8_t *row, const float *table, float weight, int n); // table[row[i]] instead
void yz_add_u16(float *acc, const uint16_t *row, float weight, int n);
// p[i], of 0..1, becomes what a table of steps + 2 values says, lines between.
void yz_tabled(float *p, const float *table, int steps, int i0, int i1);
// One row of three planes from an interleaved line of stride floats a pixel:
// output x is the sum of weights[at[x]..at[x+1]] over pixels from first[x] on.
void yz_across(float *r, float *g, float *b, const float *line, int stride, const int32_t *first, const int32_t *at,
	const float *weights, int w);

// RGBA of planes, each times its gain with offset added before and taken off
// after; grey of a plane of 0..1.
void yz_pack(uint8_t *rgba, const float *r, const float *g, const float *b, const float *gain, float offset, int i0, int i1);
void yz_grey(uint8_t *dst, const float *src, int i0, int i1);

// Bilinear samples at columns at_x + frac_x, rows at_y + frac_y; line holds sw.
void yz_stretch(float *dst, const float *src, int sw, const int32_t *at_x, const float *frac_x, const int32_t *at_y,
	const float *frac_y, float *line, int w, int y0, int y1);
// b under another light: (b + offset)·gain - offset, within 0..255.
void yz_relight(float *b, const float *gain, float offset, int i0, int i1);
void yz_sub(float *dst, const float *a, const float *b, int i0, int i1); // a - b
void yz_near(float *near, const float *diff, const float *inv, int i0, int i1); // near += 3·diff²·inv

// Squared steps to the right and down: whitened by m, of the tint alone
// whitened, and of lightness.
void yz_edges(float *gx, float *gy, float *gc, float *gl, const float *r, const float *g, const float *b, const float *m,
	int w, int h, int y0, int y1);

// Means over 2x2 pixels of r, g and b where in is 1, times their share, and the share.
void yz_half_weighed(float *m0, float *m1, float *m2, float *m3, const float *r, const float *g, const float *b,
	const uint8_t *in, int w, int h, int dw, int y0, int y1);

// One pixel that may be a mixture of person and backdrop, levels of 0..255.
typedef struct {
	int32_t at, found;      // the pixel's index; whether person is known
	float c[3], b[3];       // as photographed, and the backdrop
	float inv[3];           // reciprocal noise variances
	float person[3];        // mean colour of the person nearby
	float alpha, var, res;  // best guess so far, its variance and squared deviation
} yz_mixture;

// Each mixture is offered the mean colour of the person around it, from planes
// of colour times share and of share, reduced by scale; or that of the nearest
// pixel that is surely person.
void yz_guess_means(yz_mixture *m, int u0, int u1, int w, const float *p0, const float *p1, const float *p2, const float *p3,
	int pw, int ph, float scale);
void yz_guess_nearest(yz_mixture *m, int u0, int u1, const int32_t *near, const float *p0, const float *p1, const float *p2, const float *p3);

// The matting Laplacian (solve.go) of the 3x3 windows whose middles are in rows
// [y0, y1), and its product with a vector.
void yz_windows(float *coef, float *rhs, const int32_t *index, const float *alpha, const float *r, const float *g, const float *b,
	int w, int y0, int y1, double epsilon);
void yz_laplacian(float *out, const float *in, const float *coef, const int32_t *next, int count);

#endif
