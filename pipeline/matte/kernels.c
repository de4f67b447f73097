#define _DEFAULT_SOURCE
#include "kernels.h"

#include <string.h>

#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")

#include <math.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

// On x86-64 each kernel is compiled twice; the loader takes what the machine has.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define KERNEL __attribute__((target_clones("avx2", "default")))
#else
#define KERNEL
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float f8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef double d4 __attribute__((vector_size(32), aligned(8), may_alias));

INLINE int imin(int a, int b) { return a < b ? a : b; }
INLINE int imax(int a, int b) { return a > b ? a : b; }
INLINE float fminimum(float a, float b) { return a < b ? a : b; }
INLINE float fmaximum(float a, float b) { return a > b ? a : b; }

// BOX_LINE: running means over n positions of m vectors each.
#define BOX_LINE(name, V, T, m)                                                                        \
	INLINE void name(V *restrict dst, const V *restrict src, int n, int r, int zero) {                 \
		V s[m];                                                                                        \
		for (int k = 0; k < m; k++) s[k] = src[0] - src[0];                                            \
		int cnt = imin(r, n);                                                                          \
		for (int x = 0; x < cnt; x++)                                                                  \
			for (int k = 0; k < m; k++) s[k] += src[x * m + k];                                        \
		const T full = (T)1 / (T)(2 * r + 1);                                                          \
		int x = 0;                                                                                     \
		for (; x <= r && x < n; x++) {                                                                 \
			if (x + r < n) {                                                                           \
				for (int k = 0; k < m; k++) s[k] += src[(x + r) * m + k];                              \
				cnt++;                                                                                 \
			}                                                                                          \
			const T q = zero ? full : (T)1 / (T)cnt;                                                   \
			for (int k = 0; k < m; k++) dst[x * m + k] = s[k] * q;                                     \
		}                                                                                              \
		for (; x + r < n; x++)                                                                         \
			for (int k = 0; k < m; k++) {                                                              \
				s[k] += src[(x + r) * m + k] - src[(x - r - 1) * m + k];                               \
				dst[x * m + k] = s[k] * full;                                                          \
			}                                                                                          \
		for (; x < n; x++) {                                                                           \
			cnt--;                                                                                     \
			const T q = zero ? full : (T)1 / (T)cnt;                                                   \
			for (int k = 0; k < m; k++) {                                                              \
				s[k] -= src[(x - r - 1) * m + k];                                                      \
				dst[x * m + k] = s[k] * q;                                                             \
			}                                                                                          \
		}                                                                                              \
	}

BOX_LINE(box_f8, f8, float, 1)
BOX_LINE(box_f8x2, f8, float, 2)
BOX_LINE(box_d4, d4, double, 1)
BOX_LINE(box_d4x4, d4, double, 4)

// THREE runs the passes from a through b and back; the result is in *out.
#define THREE(line, a, b, n, zero, out)                                                                \
	do {                                                                                               \
		const int rr[3] = {r0, r1, r2};                                                                \
		for (int i = 0; i < 3; i++)                                                                    \
			if (rr[i] > 0) {                                                                           \
				line(b, a, n, rr[i], zero);                                                            \
				void *t = a;                                                                           \
				a = b;                                                                                 \
				b = t;                                                                                 \
			}                                                                                          \
		out = a;                                                                                       \
	} while (0)

typedef float f4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t i4 __attribute__((vector_size(16)));

// transpose4 writes the columns of a 4x4 block as rows.
INLINE void transpose4(float *dst, size_t dstride, const float *src, size_t sstride) {
	const f4 a = *(const f4 *)src, b = *(const f4 *)(src + sstride), c = *(const f4 *)(src + 2 * sstride), d = *(const f4 *)(src + 3 * sstride);
	const f4 ab0 = __builtin_shuffle(a, b, (i4){0, 4, 1, 5}), ab1 = __builtin_shuffle(a, b, (i4){2, 6, 3, 7});
	const f4 cd0 = __builtin_shuffle(c, d, (i4){0, 4, 1, 5}), cd1 = __builtin_shuffle(c, d, (i4){2, 6, 3, 7});
	*(f4 *)dst = __builtin_shuffle(ab0, cd0, (i4){0, 1, 4, 5});
	*(f4 *)(dst + dstride) = __builtin_shuffle(ab0, cd0, (i4){2, 3, 6, 7});
	*(f4 *)(dst + 2 * dstride) = __builtin_shuffle(ab1, cd1, (i4){0, 1, 4, 5});
	*(f4 *)(dst + 3 * dstride) = __builtin_shuffle(ab1, cd1, (i4){2, 3, 6, 7});
}

KERNEL void yz_boxes_rows(float *dst, const float *src, int w, int y0, int y1, int r0, int r1, int r2, int zero) {
	float buf[16 * (size_t)w];
	for (int y = y0; y < y1; y += 8) {
		// Eight rows beside each other: eight running sums in one register.
		const int n = imin(8, y1 - y);
		int x = 0;
		if (n == 8)
			for (; x + 4 <= w; x += 4) {
				transpose4(buf + 8 * x, 8, src + (size_t)y * w + x, w);
				transpose4(buf + 8 * x + 4, 8, src + (size_t)(y + 4) * w + x, w);
			}
		for (; x < w; x++)
			for (int j = 0; j < 8; j++) buf[8 * x + j] = src[(size_t)(y + imin(j, n - 1)) * w + x];
		f8 *a = (f8 *)buf, *b = (f8 *)(buf + 8 * (size_t)w), *out;
		THREE(box_f8, a, b, w, zero, out);
		const float *o = (const float *)out;
		x = 0;
		if (n == 8)
			for (; x + 4 <= w; x += 4) {
				transpose4(dst + (size_t)y * w + x, w, o + 8 * x, 8);
				transpose4(dst + (size_t)(y + 4) * w + x, w, o + 8 * x + 4, 8);
			}
		for (; x < w; x++)
			for (int j = 0; j < n; j++) dst[(size_t)(y + j) * w + x] = o[8 * x + j];
	}
	explicit_bzero(buf, sizeof buf); // pictures of a person
}

KERNEL void yz_boxes_columns(float *dst, const float *src, int w, int h, int x0, int x1, int r0, int r1, int r2, int zero) {
	float buf[32 * (size_t)h];
	for (; x0 < x1; x0 += 16) {
		const int n = imin(16, x1 - x0);
		if (n == 16) {
			for (int y = 0; y < h; y++) memcpy(buf + 16 * y, src + (size_t)y * w + x0, 16 * sizeof(float));
		} else {
			for (int y = 0; y < h; y++) {
				memset(buf + 16 * y, 0, 16 * sizeof(float));
				memcpy(buf + 16 * y, src + (size_t)y * w + x0, n * sizeof(float));
			}
		}
		f8 *a = (f8 *)buf, *b = (f8 *)(buf + 16 * (size_t)h), *out;
		THREE(box_f8x2, a, b, h, zero, out);
		const float *o = (const float *)out;
		if (n == 16) {
			for (int y = 0; y < h; y++) memcpy(dst + (size_t)y * w + x0, o + 16 * y, 16 * sizeof(float));
		} else {
			for (int y = 0; y < h; y++) memcpy(dst + (size_t)y * w + x0, o + 16 * y, n * sizeof(float));
		}
	}
	explicit_bzero(buf, sizeof buf); // pictures of a person
}

KERNEL void yz_cells_rows(double *dst, const double *src, int w, int y0, int y1, int lanes, int r0, int r1, int r2) {
	const size_t row = (size_t)w * lanes;
	double buf[2 * row];
	for (int y = y0; y < y1; y++) {
		memcpy(buf, src + y * row, row * sizeof(double));
		d4 *a = (d4 *)buf, *b = (d4 *)(buf + row), *out;
		if (lanes == 16) {
			THREE(box_d4x4, a, b, w, 1, out);
		} else {
			THREE(box_d4, a, b, w, 1, out);
		}
		memcpy(dst + y * row, out, row * sizeof(double));
	}
	explicit_bzero(buf, sizeof buf); // pictures of a person
}

KERNEL void yz_cells_columns(double *dst, const double *src, int doubles, int h, int x0, int x1, int r0, int r1, int r2) {
	double buf[32 * (size_t)h];
	for (; x0 < x1; x0 += 16) {
		const int n = imin(16, x1 - x0);
		if (n == 16) {
			for (int y = 0; y < h; y++) memcpy(buf + 16 * y, src + (size_t)y * doubles + x0, 16 * sizeof(double));
		} else {
			memset(buf, 0, 16 * sizeof(double) * h);
			for (int y = 0; y < h; y++) memcpy(buf + 16 * y, src + (size_t)y * doubles + x0, n * sizeof(double));
		}
		d4 *a = (d4 *)buf, *b = (d4 *)(buf + 16 * (size_t)h), *out;
		THREE(box_d4x4, a, b, h, 1, out);
		const double *o = (const double *)out;
		if (n == 16) {
			for (int y = 0; y < h; y++) memcpy(dst + (size_t)y * doubles + x0, o + 16 * y, 16 * sizeof(double));
		} else {
			for (int y = 0; y < h; y++) memcpy(dst + (size_t)y * doubles + x0, o + 16 * y, n * sizeof(double));
		}
	}
	explicit_bzero(buf, sizeof buf); // pictures of a person
}

KERNEL void yz_least_rows(float *dst, const float *src, int w, int y0, int y1, int r) {
	for (int y = y0; y < y1; y++) {
		const float *s = src + (size_t)y * w;
		float *d = dst + (size_t)y * w;
		for (int x = 0; x < w; x++) d[x] = s[x];
		for (int k = 1; k <= r && k < w; k++) {
			for (int x = 0; x < w - k; x++) d[x] = fminimum(d[x], s[x + k]);
			for (int x = k; x < w; x++) d[x] = fminimum(d[x], s[x - k]);
		}
	}
}

KERNEL void yz_least_columns(float *dst, const float *src, int w, int h, int y0, int y1, int r) {
	for (int y = y0; y < y1; y++) {
		float *restrict d = dst + (size_t)y * w;
		memcpy(d, src + (size_t)y * w, sizeof(float) * w);
		for (int j = imax(0, y - r); j <= imin(h - 1, y + r); j++) {
			const float *restrict s = src + (size_t)j * w;
			for (int x = 0; x < w; x++) d[x] = fminimum(d[x], s[x]);
		}
	}
}

KERNEL void yz_morph_rows(uint8_t *dst, const uint8_t *src, int w, int y0, int y1, int r, int grow) {
	for (int y = y0; y < y1; y++) {
		const uint8_t *restrict s = src + (size_t)y * w;
		uint8_t *restrict d = dst + (size_t)y * w;
		for (int x = 0; x < w; x++) d[x] = s[x] != 0;
		for (int k = 1; k <= r && k < w; k++) {
			if (grow) {
				for (int x = 0; x < w - k; x++) d[x] |= s[x + k] != 0;
				for (int x = k; x < w; x++) d[x] |= s[x - k] != 0;
			} else {
				for (int x = 0; x < w - k; x++) d[x] &= s[x + k] != 0;
				for (int x = k; x < w; x++) d[x] &= s[x - k] != 0;
			}
		}
	}
}

KERNEL void yz_morph_columns(uint8_t *dst, const uint8_t *src, int w, int h, int y0, int y1, int r, int grow) {
	for (int y = y0; y < y1; y++) {
		uint8_t *restrict d = dst + (size_t)y * w;
		memcpy(d, src + (size_t)y * w, w);
		for (int j = imax(0, y - r); j <= imin(h - 1, y + r); j++) {
			const uint8_t *restrict s = src + (size_t)j * w;
			if (grow) {
				for (int x = 0; x < w; x++) d[x] |= s[x];
			} else {
				for (int x = 0; x < w; x++) d[x] &= s[x];
			}
		}
	}
}

// Distances along a row depend on their neighbour; those from the row before do
// not, and are vectorised.
KERNEL static void chamfer_plain(float *dist, int w, int h, float straight, float diagonal) {
	for (int pass = 0; pass < 2; pass++) {
		for (int k = 0; k < h; k++) {
			const int y = pass ? h - 1 - k : k;
			float *d = dist + (size_t)y * w;
			if (k > 0) {
				const float *restrict s = dist + (size_t)(pass ? y + 1 : y - 1) * w;
				float *restrict o = d;
				for (int x = 0; x < w; x++) o[x] = fminimum(o[x], s[x] + straight);
				for (int x = 1; x < w; x++) o[x] = fminimum(o[x], s[x - 1] + diagonal);
				for (int x = 0; x < w - 1; x++) o[x] = fminimum(o[x], s[x + 1] + diagonal);
			}
			float last = d[0];
			for (int x = 1; x < w; x++) d[x] = last = fminimum(d[x], last + straight);
			for (int x = w - 2; x >= 0; x--) d[x] = last = fminimum(d[x], last + straight);
		}
	}
}

INLINE void nearer(float *d, int32_t *n, float v, int32_t from) {
	const int less = v < *d;
	*d = less ? v : *d;
	*n = less ? from : *n;
}

KERNEL static void chamfer_near(float *dist, int32_t *near, int w, int h, float straight, float diagonal) {
	for (int pass = 0; pass < 2; pass++) {
		for (int k = 0; k < h; k++) {
			const int y = pass ? h - 1 - k : k;
			float *d = dist + (size_t)y * w;
			int32_t *n = near + (size_t)y * w;
			if (k > 0) {
				const size_t from = (size_t)(pass ? y + 1 : y - 1) * w;
				const float *restrict s = dist + from;
				const int32_t *restrict sn = near + from;
				float *restrict od = d;
				int32_t *restrict on = n;
				for (int x = 0; x < w; x++) nearer(od + x, on + x, s[x] + straight, sn[x]);
				for (int x = 1; x < w; x++) nearer(od + x, on + x, s[x - 1] + diagonal, sn[x - 1]);
				for (int x = 0; x < w - 1; x++) nearer(od + x, on + x, s[x + 1] + diagonal, sn[x + 1]);
			}
			for (int x = 1; x < w; x++) nearer(d + x, n + x, d[x - 1] + straight, n[x - 1]);
			for (int x = w - 2; x >= 0; x--) nearer(d + x, n + x, d[x + 1] + straight, n[x + 1]);
		}
	}
}

void yz_chamfer(float *dist, int32_t *near, int w, int h, float straight, float diagonal) {
	if (near)
		chamfer_near(dist, near, w, h, straight, diagonal);
	else
		chamfer_plain(dist, w, h, straight, diagonal);
}

INLINE void dual_down(float *restrict py, const float *restrict bar, const float *restrict next, const float *restrict wy,
	const float *restrict down, float step, int n) {
	for (int x = 0; x < n; x++) py[x] = fmaximum(fminimum(py[x] + step * (next[x] - bar[x]), wy[x]), -down[x]);
}

INLINE void dual_across(float *restrict px, const float *restrict bar, const float *restrict wx, float step, int n) {
	for (int x = 0; x < n; x++) px[x] = fmaximum(fminimum(px[x] + step * (bar[x + 1] - bar[x]), wx[x]), -wx[x]);
}

INLINE void primal(float *restrict u, float *restrict bar, const float *restrict f, const float *restrict px,
	const float *restrict left, const float *restrict py, const float *restrict above, float step, int n) {
	for (int x = 0; x < n; x++) {
		const float was = u[x], d = px[x] + py[x] - left[x] - above[x];
		const float v = fminimum(fmaximum(was + step * (d - f[x]), 0.f), 1.f);
		bar[x] = 2 * v - was;
		u[x] = v;
	}
}

KERNEL void yz_cut_sweep(const float *f, const float *wx, const float *wy, const float *down, float *u, float *bar, float *px, float *py,
	const float *edge_bar, const float *edge_py, const float *still, const int32_t *spans, const int32_t *first,
	int w, int h, int y0, int y1, int mid, int tile, float step, int passes) {
	for (int pass = 0; pass < passes; pass++) {
		for (int y = y0; y < y1; y++) {
			const size_t o = (size_t)y * w;
			const int32_t *s0 = spans + 3 * first[y / tile], *s1 = spans + 3 * first[y / tile + 1];
			for (const int32_t *s = s0; s < s1; s += 3) {
				const int x0 = s[0], x1 = s[1];
				// The tile above does not iterate: its lower duals are ours.
				for (int j = y - (s[2] && y % tile == 0); j <= y; j++) {
					if (j + 1 >= h) continue;
					const size_t p = (size_t)j * w;
					const float *next = j + 1 == mid ? edge_bar : bar + p + w;
					dual_down(py + p + x0, bar + p + x0, next + x0, wy + p + x0, down + p + x0, step, x1 - x0);
				}
				const int xa = imax(x0 - 1, 0), xb = imin(x1, w - 1);
				if (xb > xa) dual_across(px + o + xa, bar + o + xa, wx + o + xa, step, xb - xa);
			}
			const float *above = y == mid ? edge_py : y > 0 ? py + o - w : still;
			for (const int32_t *s = s0; s < s1; s += 3) {
				int x0 = s[0];
				const int x1 = s[1];
				if (x0 == 0) { // nothing flows in from beside the image
					const float none = 0;
					primal(u + o, bar + o, f + o, px + o, &none, py + o, above, step, 1);
					x0 = 1;
				}
				primal(u + o + x0, bar + o + x0, f + o + x0, px + o + x0, px + o + x0 - 1, py + o + x0, above + x0, step, x1 - x0);
			}
		}
	}
}

// roots replaces n values by their square roots; a call of sqrtf, which may set
// errno, would keep the loop from being vectorised.
INLINE void roots(float *v, int n) {
	int i = 0;
#if defined(__SSE__)
	for (; i + 4 <= n; i += 4) _mm_storeu_ps(v + i, _mm_sqrt_ps(_mm_loadu_ps(v + i)));
#endif
	for (; i < n; i++) v[i] = sqrtf(v[i]);
}

INLINE float norm2(const float *m, float r, float g, float b) {
	const float x = m[0] * r + m[1] * g + m[2] * b, y = m[1] * r + m[3] * g + m[4] * b, z = m[2] * r + m[4] * g + m[5] * b;
	return x * x + y * y + z * z;
}

KERNEL void yz_evidence(float *restrict z, float *restrict z1, const float *restrict r, const float *restrict g, const float *restrict b,
	const float *restrict dark, const float *restrict light, const float *restrict tint, const float *here, const float *fine, int i0, int i1) {
	float a[6], c[6];
	memcpy(a, here, sizeof a);
	memcpy(c, fine, sizeof c);
	enum { BLOCK = 256 };
	float root[BLOCK];
	for (; i0 < i1; i0 += BLOCK) {
		const int n = imin(BLOCK, i1 - i0);
		for (int k = 0; k < n; k++) {
			const int i = i0 + k;
			const float l = (r[i] + g[i] + b[i]) / 3, d0 = r[i] - l, d1 = g[i] - l, d2 = b[i] - l;
			root[k] = d0 * d0 + d1 * d1 + d2 * d2;
		}
		roots(root, n);
		for (int k = 0; k < n; k++) {
			const int i = i0 + k;
			float l = (r[i] + g[i] + b[i]) / 3;
			const float d0 = r[i] - l, d1 = g[i] - l, d2 = b[i] - l;
			l = fmaximum(l - light[i], 0.f) + fminimum(l + dark[i], 0.f);
			const float s = fmaximum(root[k] - tint[i], 0.f) / fmaximum(root[k], 1e-12f);
			const float e0 = d0 * s + l, e1 = d1 * s + l, e2 = d2 * s + l;
			z[i] = norm2(a, e0, e1, e2) - 3;
			z1[i] = norm2(c, e0, e1, e2);
		}
	}
}

KERNEL void yz_add_u8(float *restrict acc, const uint8_t *restrict row, float weight, int n) {
	for (int i = 0; i < n; i++) acc[i] += weight * (float)row[i];
}

KERNEL void yz_add_table(float *restrict acc, const uint8_t *restrict row, const float *restrict table, float weight, int n) {
	for (int i = 0; i < n; i++) acc[i] += weight * table[row[i]];
}

KERNEL void yz_tabled(float *restrict p, const float *restrict table, int steps, int i0, int i1) {
	for (int i = i0; i < i1; i++) {
		const float v = fminimum(fmaximum(p[i], 0), 1) * (float)steps;
		const int k = (int)v;
		p[i] = table[k] + (table[k + 1] - table[k]) * (v - (float)k);
	}
}

KERNEL void yz_add_u16(float *restrict acc, const uint16_t *restrict row, float weight, int n) {
	for (int i = 0; i < n; i++) acc[i] += weight * (float)row[i];
}

KERNEL void yz_across(float *restrict r, float *restrict g, float *restrict b, const float *restrict line, int stride,
	const int32_t *restrict first, const int32_t *restrict at, const float *restrict weights, int w) {
	for (int x = 0; x < w; x++) {
		float s0 = 0, s1 = 0, s2 = 0;
		const float *p = line + (size_t)stride * first[x];
		for (int k = at[x]; k < at[x + 1]; k++, p += stride) {
			s0 += weights[k] * p[0];
			s1 += weights[k] * p[1];
			s2 += weights[k] * p[2];
		}
		r[x] = s0;
		g[x] = s1;
		b[x] = s2;
	}
}

KERNEL void yz_fit_reduce(double *restrict wt, double *restrict v0, double *restrict v1, double *restrict v2, const float *restrict r,
	const float *restrict g, const float *restrict b, const uint8_t *restrict back, int w, int h, int lw, int y0, int y1) {
	for (int y = y0; y < y1; y++)
		for (int x = 0; x < lw; x++) {
			double n = 0, s0 = 0, s1 = 0, s2 = 0;
			for (int j = 2 * y; j < imin(2 * y + 2, h); j++)
				for (int i = 2 * x; i < imin(2 * x + 2, w); i++) {
					const size_t p = (size_t)j * w + i;
					const double k = back[p] != 0;
					n += k;
					s0 += k * r[p];
					s1 += k * g[p];
					s2 += k * b[p];
				}
			const size_t p = (size_t)y * lw + x;
			const double k = n > 1 ? 1 / n : 1;
			wt[p] = n / 4;
			v0[p] = s0 * k;
			v1[p] = s1 * k;
			v2[p] = s2 * k;
		}
}

KERNEL void yz_fit_moments(double *restrict mom, const double *restrict wt, const double *restrict v0, const double *restrict v1,
	const double *restrict v2, int w, int y0, int y1) {
	for (int y = y0; y < y1; y++)
		for (int x = 0; x < w; x++) {
			const size_t p = (size_t)y * w + x;
			double *m = mom + 16 * p;
			const double k = wt[p], kx = k * x, ky = k * y, a = k * v0[p], b = k * v1[p], c = k * v2[p];
			m[0] = k;
			m[1] = kx;
			m[2] = ky;
			m[3] = kx * x;
			m[4] = ky * y;
			m[5] = kx * y;
			m[6] = a;
			m[7] = a * x;
			m[8] = a * y;
			m[9] = b;
			m[10] = b * x;
			m[11] = b * y;
			m[12] = c;
			m[13] = c * x;
			m[14] = c * y;
			m[15] = 0;
		}
}

INLINE double dmin(double a, double b) { return a < b ? a : b; }
INLINE double dmax(double a, double b) { return a > b ? a : b; }
INLINE double share(double m) { return dmin(dmax((m - .06) / .2, 0), 1); }
INLINE float bounded(double v, float base, float floor, float ceil) {
	return base + fminimum(fmaximum((float)v - base, floor), ceil);
}

KERNEL void yz_fit_blend(float *restrict o0, float *restrict o1, float *restrict o2, float *restrict seen, const double *restrict mom,
	const float *base, int w, int y0, int y1, double ridge, float floor, float ceil) {
	for (int y = y0; y < y1; y++)
		for (int x = 0; x < w; x++) {
			const size_t p = (size_t)y * w + x;
			const double *m = mom + 16 * p;
			const float k = (float)share(m[0]);
			if (seen) seen[p] = k;
			if (k <= 0) continue;
			const double i = 1 / (m[0] + 1e-9), mx = m[1] * i, my = m[2] * i;
			const double sxx = m[3] * i - mx * mx + ridge, syy = m[4] * i - my * my + ridge, sxy = m[5] * i - mx * my;
			const double id = 1 / (sxx * syy - sxy * sxy), dx = x - mx, dy = y - my;
			// The plane's value here is a weighted sum of the three moments.
			const double qx = (syy * dx - sxy * dy) * id, qy = (sxx * dy - sxy * dx) * id;
			float *o[3] = {o0, o1, o2};
			for (int c = 0; c < 3; c++) {
				const double mv = m[6 + 3 * c] * i, cx = m[7 + 3 * c] * i - mx * mv, cy = m[8 + 3 * c] * i - my * mv;
				const float v = bounded(mv + cx * qx + cy * qy, base[c], floor, ceil);
				o[c][p] += k * (v - o[c][p]);
			}
		}
}

KERNEL void yz_fit_left(double *restrict mom, const double *restrict wt, const double *restrict v0, const double *restrict v1,
	const double *restrict v2, const float *restrict o0, const float *restrict o1, const float *restrict o2, int i0, int i1) {
	for (int i = i0; i < i1; i++) {
		const double k = wt[i];
		mom[4 * i] = k;
		mom[4 * i + 1] = k * (v0[i] - o0[i]);
		mom[4 * i + 2] = k * (v1[i] - o1[i]);
		mom[4 * i + 3] = k * (v2[i] - o2[i]);
	}
}

KERNEL void yz_fit_add(float *restrict o0, float *restrict o1, float *restrict o2, const double *restrict mom, const float *base,
	int i0, int i1, float floor, float ceil) {
	const float b0 = base[0], b1 = base[1], b2 = base[2];
	for (int i = i0; i < i1; i++) {
		const double *m = mom + 4 * i;
		const double k = share(m[0]);
		if (k <= 0) continue;
		const double q = k / m[0];
		o0[i] = bounded(o0[i] + (float)(q * m[1]), b0, floor, ceil);
		o1[i] = bounded(o1[i] + (float)(q * m[2]), b1, floor, ceil);
		o2[i] = bounded(o2[i] + (float)(q * m[3]), b2, floor, ceil);
	}
}

INLINE uint8_t to8(float v) { return (uint8_t)(int)(fminimum(fmaximum(v, 0.f), 255.f) + .5f); }

KERNEL void yz_pack(uint8_t *restrict rgba, const float *restrict r, const float *restrict g, const float *restrict b,
	const float *gain, float offset, int i0, int i1) {
	const float k0 = gain[0], k1 = gain[1], k2 = gain[2];
	const float a0 = offset * (k0 - 1), a1 = offset * (k1 - 1), a2 = offset * (k2 - 1);
	for (int i = i0; i < i1; i++) {
		const uint32_t v0 = to8(r[i] * k0 + a0), v1 = to8(g[i] * k1 + a1), v2 = to8(b[i] * k2 + a2);
		const uint32_t v = v0 | v1 << 8 | v2 << 16 | 0xffu << 24;
		memcpy(rgba + 4 * (size_t)i, &v, 4);
	}
}

KERNEL void yz_grey(uint8_t *restrict dst, const float *restrict src, int i0, int i1) {
	for (int i = i0; i < i1; i++) dst[i] = to8(src[i] * 255);
}

KERNEL void yz_stretch(float *restrict dst, const float *restrict src, int sw, const int32_t *at_x, const float *frac_x,
	const int32_t *at_y, const float *frac_y, float *restrict line, int w, int y0, int y1) {
	for (int y = y0; y < y1; y++) {
		const float *a = src + (size_t)at_y[y] * sw, *b = a + sw;
		const float f = frac_y[y];
		for (int x = 0; x < sw; x++) line[x] = a[x] + (b[x] - a[x]) * f;
		float *d = dst + (size_t)y * w;
		for (int x = 0; x < w; x++) {
			const float v = line[at_x[x]];
			d[x] = v + (line[at_x[x] + 1] - v) * frac_x[x];
		}
	}
}

KERNEL void yz_relight(float *restrict b, const float *restrict gain, float offset, int i0, int i1) {
	for (int i = i0; i < i1; i++) b[i] = fminimum(fmaximum((b[i] + offset) * gain[i] - offset, 0.f), 255.f);
}

KERNEL void yz_near(float *restrict near, const float *restrict diff, const float *restrict inv, int i0, int i1) {
	for (int i = i0; i < i1; i++) near[i] += 3 * diff[i] * diff[i] * inv[i];
}

KERNEL void yz_sub(float *restrict dst, const float *restrict a, const float *restrict b, int i0, int i1) {
	for (int i = i0; i < i1; i++) dst[i] = a[i] - b[i];
}

KERNEL void yz_edges(float *restrict gx, float *restrict gy, float *restrict gc, float *restrict gl, const float *restrict r,
	const float *restrict g, const float *restrict b, const float *m, int w, int h, int y0, int y1) {
	float a[6];
	memcpy(a, m, sizeof a);
	for (int y = y0; y < y1; y++) {
		const size_t o = (size_t)y * w;
		// The last row and column have no neighbour: their own pixel stands in.
		const size_t below = y + 1 < h ? o + w : o;
		for (int x = 0; x < w; x++) {
			const size_t i = o + x, j = o + x + (x + 1 < w), k = below + x;
			const float r0 = r[j] - r[i], g0 = g[j] - g[i], b0 = b[j] - b[i], l0 = (r0 + g0 + b0) / 3;
			const float r1 = r[k] - r[i], g1 = g[k] - g[i], b1 = b[k] - b[i], l1 = (r1 + g1 + b1) / 3;
			gx[i] = norm2(a, r0, g0, b0);
			gy[i] = norm2(a, r1, g1, b1);
			gc[i] = norm2(a, r0 - l0, g0 - l0, b0 - l0) + norm2(a, r1 - l1, g1 - l1, b1 - l1);
			gl[i] = l0 * l0 + l1 * l1;
		}
	}
}

KERNEL void yz_half_weighed(float *restrict m0, float *restrict m1, float *restrict m2, float *restrict m3, const float *restrict r,
	const float *restrict g, const float *restrict b, const uint8_t *restrict in, int w, int h, int dw, int y0, int y1) {
	for (int y = y0; y < y1; y++)
		for (int x = 0; x < dw; x++) {
			float s0 = 0, s1 = 0, s2 = 0, n = 0;
			for (int j = 2 * y; j <= 2 * y + 1; j++)
				for (int i = 2 * x; i <= 2 * x + 1; i++) {
					const size_t p = (size_t)imin(j, h - 1) * w + imin(i, w - 1);
					const float k = in[p];
					n += k;
					s0 += k * r[p];
					s1 += k * g[p];
					s2 += k * b[p];
				}
			const size_t p = (size_t)y * dw + x;
			m0[p] = s0 / 4;
			m1[p] = s1 / 4;
			m2[p] = s2 / 4;
			m3[p] = n / 4;
		}
}

// The deviation of a person's colour from a guess, 8-bit units: 6 % of full
// scale in alpha's variance, 2 % in the choice of guess; and a variance that no
// pixel beats, because the person's colour is never exact.
static const float texture_alpha = .06f * 255, texture_fit = .02f * 255, alpha_floor = 4e-4f;

INLINE void guess(const yz_mixture *m, int u, const float *f) {
	float v[3], d[3], w[3], n = 0, dot = 0, vv = 0, res = 0;
	for (int c = 0; c < 3; c++) {
		v[c] = f[c] - m[u].b[c];
		d[c] = m[u].c[c] - m[u].b[c];
		w[c] = m[u].inv[c];
		n += v[c] * v[c] * w[c];
		dot += d[c] * v[c] * w[c];
		vv += v[c] * v[c];
	}
	const float a = fminimum(fmaximum(dot / fmaximum(n, 1e-3f), 0.f), 1.f), t = a * a * texture_fit * texture_fit;
	for (int c = 0; c < 3; c++) {
		const float e = d[c] - a * v[c];
		res += e * e * w[c] / (1 + t * w[c]);
	}
	yz_mixture *o = (yz_mixture *)m + u;
	if (res >= o->res - .5f) return;
	o->res = res;
	o->alpha = a;
	o->var = fminimum(1 / fmaximum(n, 1e-3f) + a * a * (texture_alpha * texture_alpha / 3) / fmaximum(vv, 1.f) + alpha_floor, 9.f);
}

void yz_guess_means(yz_mixture *m, int u0, int u1, int w, const float *p0, const float *p1, const float *p2, const float *p3,
	int pw, int ph, float scale) {
	for (int u = u0; u < u1; u++) {
		const float sx = fminimum(fmaximum((m[u].at % w + .5f) * scale - .5f, 0.f), pw - 1);
		const float sy = fminimum(fmaximum((m[u].at / w + .5f) * scale - .5f, 0.f), ph - 1);
		const int x0 = (int)sx, y0 = (int)sy, x1 = imin(x0 + 1, pw - 1), y1 = imin(y0 + 1, ph - 1);
		const float fx = sx - x0, fy = sy - y0;
		const float k00 = (1 - fx) * (1 - fy), k10 = fx * (1 - fy), k01 = (1 - fx) * fy, k11 = fx * fy;
		const size_t a = (size_t)y0 * pw + x0, b = (size_t)y0 * pw + x1, c = (size_t)y1 * pw + x0, d = (size_t)y1 * pw + x1;
		const float wt = k00 * p3[a] + k10 * p3[b] + k01 * p3[c] + k11 * p3[d];
		if (wt <= 2e-3f) continue;
		const float f[3] = {
			(k00 * p0[a] + k10 * p0[b] + k01 * p0[c] + k11 * p0[d]) / wt,
			(k00 * p1[a] + k10 * p1[b] + k01 * p1[c] + k11 * p1[d]) / wt,
			(k00 * p2[a] + k10 * p2[b] + k01 * p2[c] + k11 * p2[d]) / wt,
		};
		guess(m, u, f);
		if (!m[u].found) memcpy(m[u].person, f, sizeof f);
		m[u].found = 1;
	}
}

void yz_guess_nearest(yz_mixture *m, int u0, int u1, const int32_t *near, const float *p0, const float *p1, const float *p2, const float *p3) {
	for (int u = u0; u < u1; u++) {
		const int j = near[m[u].at];
		if (j < 0) continue;
		const float k = 1 / fmaximum(p3[j], 1e-6f), f[3] = {p0[j] * k, p1[j] * k, p2[j] * k};
		guess(m, u, f);
	}
}

// Coefficients of a pixel that are stored: its own and those of the 12
// neighbours after it in reading order.
enum { REACH = 13 };

INLINE int offset_of(int dx, int dy) { return dy == 0 ? dx : 3 + 5 * (dy - 1) + dx + 2; }

// Of two of a window's nine pixels, the coefficient's place.
static const uint8_t pair[9][9] = {
	{0, 1, 2, 5, 6, 7, 10, 11, 12}, {0, 0, 1, 4, 5, 6, 9, 10, 11}, {0, 0, 0, 3, 4, 5, 8, 9, 10},
	{0, 0, 0, 0, 1, 2, 5, 6, 7}, {0, 0, 0, 0, 0, 1, 4, 5, 6}, {0, 0, 0, 0, 0, 0, 3, 4, 5},
	{0, 0, 0, 0, 0, 0, 0, 1, 2}, {0, 0, 0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 0, 0},
};

void yz_windows(float *coef, float *rhs, const int32_t *index, const float *alpha, const float *r, const float *g, const float *b,
	int w, int y0, int y1, double epsilon) {
	const float k = 1.f / 255;
	for (int y = y0; y < y1; y++) {
		for (int x = 1; x + 1 < w; x++) {
			const size_t i = (size_t)y * w + x;
			int u[9], open = -1;
			size_t p[9];
			for (int j = 0; j < 9; j++) {
				p[j] = i + (size_t)(j / 3) * w - w + j % 3 - 1;
				u[j] = index[p[j]];
				open = imax(open, u[j]);
			}
			if (open < 0) continue; // holds no unknown
			float c[9][3], mean[3] = {0, 0, 0};
			for (int j = 0; j < 9; j++) {
				c[j][0] = r[p[j]] * k;
				c[j][1] = g[p[j]] * k;
				c[j][2] = b[p[j]] * k;
				for (int ch = 0; ch < 3; ch++) mean[ch] += c[j][ch];
			}
			for (int ch = 0; ch < 3; ch++) mean[ch] /= 9;
			// Across a contour the window's colours lie almost on a line: the
			// inverse cancels too many digits for single precision.
			double rr = 0, rg = 0, rb = 0, gg = 0, gb = 0, bb = 0;
			for (int j = 0; j < 9; j++) {
				for (int ch = 0; ch < 3; ch++) c[j][ch] -= mean[ch];
				const double d0 = c[j][0], d1 = c[j][1], d2 = c[j][2];
				rr += d0 * d0;
				rg += d0 * d1;
				rb += d0 * d2;
				gg += d1 * d1;
				gb += d1 * d2;
				bb += d2 * d2;
			}
			const double e = epsilon / 9;
			rr = rr / 9 + e;
			gg = gg / 9 + e;
			bb = bb / 9 + e;
			rg /= 9;
			rb /= 9;
			gb /= 9;
			const double m0 = gg * bb - gb * gb, m1 = rb * gb - rg * bb, m2 = rg * gb - rb * gg;
			const double iv = 1 / (rr * m0 + rg * m1 + rb * m2);
			const float q0 = m0 * iv, q1 = m1 * iv, q2 = m2 * iv, q3 = (rr * bb - rb * rb) * iv, q4 = (rg * rb - rr * gb) * iv,
						q5 = (rr * gg - rg * rg) * iv;
			for (int j = 0; j < 9; j++) {
				const float t0 = q0 * c[j][0] + q1 * c[j][1] + q2 * c[j][2], t1 = q1 * c[j][0] + q3 * c[j][1] + q4 * c[j][2],
							t2 = q2 * c[j][0] + q4 * c[j][1] + q5 * c[j][2];
				const int uj = u[j];
				if (uj >= 0) coef[(size_t)uj * REACH] += 1 - (1 + t0 * c[j][0] + t1 * c[j][1] + t2 * c[j][2]) / 9;
				for (int l = j + 1; l < 9; l++) {
					const int ul = u[l];
					if (uj < 0 && ul < 0) continue;
					const float v = -(1 + t0 * c[l][0] + t1 * c[l][1] + t2 * c[l][2]) / 9;
					if (ul < 0)
						rhs[uj] -= v * alpha[p[l]];
					else if (uj < 0)
						rhs[ul] -= v * alpha[p[j]];
					else
						coef[(size_t)uj * REACH + pair[j][l]] += v;
				}
			}
		}
	}
}

// out = A·in; next of neighbours that are no unknowns is count, where out and in
// have a place to spare.
void yz_laplacian(float *restrict out, const float *restrict in, const float *restrict coef, const int32_t *restrict next, int count) {
	for (int u = 0; u < count; u++) out[u] = coef[(size_t)u * REACH] * in[u];
	for (int u = 0; u < count; u++) {
		const float *c = coef + (size_t)u * REACH;
		const int32_t *n = next + (size_t)u * REACH;
		const float v = in[u];
		float s = out[u];
		for (int k = 1; k < REACH; k++) {
			s += c[k] * in[n[k]];
			out[n[k]] += c[k] * v;
		}
		out[u] = s;
	}
}
