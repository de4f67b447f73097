#include "resample.h"

#include <string.h>

#ifdef __SSE2__
#include <tmmintrin.h>
#endif

// slack is the room behind every row, so that loops may read and write in whole
// vectors and one pixel beyond the last.
enum { slack = 64 };

// weights sum to 64: with eight bits of a pixel they fit the processor's
// multiply-and-add, and a preview's eye sees no finer.
enum { whole = 64, bits = 6 };

// tap is where a target pixel lies between two source pixels: the left one, and
// how much of the right one shows.
typedef struct {
	uint16_t at;
	uint8_t part;
} tap;

// eight is eight taps for the vector unit: where to load 16 source pixels, which
// of them are wanted in pairs, and the pairs' weights.
enum { lanes = 8 };
typedef struct {
	uint8_t pick[2 * lanes], weigh[2 * lanes];
	uint16_t at;
} eight;

// track is how a row is made into a target row of n pixels.
typedef struct {
	tap *taps;
	eight *eights; // NULL: the taps lie too far apart for vectors
	int n;
	int straight; // ≥ 0: the target row is the source row from there on
} track;

static int64_t clampl(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

static int64_t padded(int64_t n) { return (n + 2 * slack - 1) / slack * slack; }

static int64_t tapsBytes(int64_t n) { return padded(n * (int64_t)sizeof(tap)) + padded((n / lanes + 1) * (int64_t)sizeof(eight)); }

int64_t yz_work(int w, int cw, int dw) {
	int64_t half = (dw + 1) / 2;
	return padded(w) + 2 * padded(cw) + padded(2 * half) + 2 * padded(half) + tapsBytes(dw) + tapsBytes(half);
}

// lay plans the way from a row of w pixels to n pixels: the first lies at at, the
// next ones step further each, in 16.16. It returns the memory behind the plan.
static uint8_t *lay(track *t, int n, int64_t at, int64_t step, int w, int plain, uint8_t *work) {
	*t = (track){(tap *)work, NULL, n, -1};
	uint8_t *next = work + padded((int64_t)n * sizeof(tap));
	int straight = 1;
	for (int i = 0; i < n; i++) {
		int64_t s = clampl(at + i * step, 0, (int64_t)(w - 1) << 16);
		t->taps[i] = (tap){(uint16_t)(s >> 16), (uint8_t)(s >> (16 - bits) & (whole - 1))};
		straight &= t->taps[i].part == 0 && t->taps[i].at == t->taps[0].at + i;
	}
	if (straight) {
		t->straight = t->taps[0].at;
	}
	eight *e = (eight *)next;
	next += padded((n / lanes + 1) * (int64_t)sizeof(eight));
	if (plain || 7 * step + (2 << 16) > 15 << 16) {
		return next;
	}
	for (int g = 0; g < n / lanes; g++) {
		const tap *p = t->taps + g * lanes;
		e[g].at = p[0].at;
		for (int i = 0; i < lanes; i++) {
			e[g].pick[2 * i] = (uint8_t)(p[i].at - p[0].at);
			e[g].pick[2 * i + 1] = (uint8_t)(p[i].at - p[0].at + 1);
			e[g].weigh[2 * i] = (uint8_t)(whole - p[i].part);
			e[g].weigh[2 * i + 1] = p[i].part;
		}
	}
	t->eights = e;
	return next;
}

// between gives the row that s, in 16.16, lies on or between: one of the plane, or
// a mixture in out.
static const uint8_t *between(uint8_t *restrict out, const uint8_t *plane, int w, int stride, int h, int64_t s) {
	s = clampl(s, 0, (int64_t)(h - 1) << 16);
	uint16_t part = s >> (16 - bits) & (whole - 1), rest = whole - part;
	const uint8_t *restrict p = plane + (s >> 16) * stride;
	if (part == 0) {
		return p;
	}
	const uint8_t *restrict q = p + stride;
	for (int x = 0; x < w; x++) {
		out[x] = (uint8_t)((uint16_t)(p[x] * rest + q[x] * part + whole / 2) >> bits);
	}
	return out;
}

#ifdef __SSE2__
// vectors is the part of along that eights serve; it returns how many pixels.
__attribute__((target("ssse3"))) static int vectors(uint8_t *restrict out, const uint8_t *restrict row, const track *t) {
	const __m128i up = _mm_set1_epi16(whole / 2);
	int n = t->n / lanes;
	for (int g = 0; g < n; g++) {
		const eight *e = t->eights + g;
		__m128i p = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(row + e->at)), _mm_loadu_si128((const __m128i *)e->pick));
		p = _mm_maddubs_epi16(p, _mm_loadu_si128((const __m128i *)e->weigh));
		p = _mm_srli_epi16(_mm_add_epi16(p, up), bits);
		_mm_storel_epi64((__m128i *)(out + lanes * g), _mm_packus_epi16(p, p));
	}
	return n * lanes;
}
#endif

// along gives the target row that t makes of row, which may be read slack bytes
// beyond its end; out serves to make it in.
static const uint8_t *along(uint8_t *restrict out, const uint8_t *restrict row, const track *t) {
	if (t->straight >= 0) {
		return row + t->straight;
	}
	int i = 0;
#ifdef __SSE2__
	if (t->eights != NULL) {
		i = vectors(out, row, t);
	}
#endif
	for (; i < t->n; i++) {
		const tap *p = t->taps + i;
		out[i] = (uint8_t)((row[p->at] * (whole - p->part) + row[p->at + 1] * p->part + whole / 2) >> bits);
	}
	return out;
}

static inline uint8_t fit(int v) {
	v >>= 6;
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

// The colour conversion of JPEG (ITU-T T.871) with its factors in 64ths: within
// two steps of the exact one, and every sum fits into 16 bits.
enum { crR = 90, cbG = 22, crG = 46, cbB = 113 };

// colour converts w pixels, two of them for each of cb and cr, and writes them
// from right to left where mirror is set.
static void colour(uint8_t *restrict out, const uint8_t *restrict y, const uint8_t *restrict cb,
		const uint8_t *restrict cr, int w, int mirror, int plain) {
	int x = 0;
#ifdef __SSE2__
	const __m128i zero = _mm_setzero_si128(), mid = _mm_set1_epi16(128), up = _mm_set1_epi16(32), opaque = _mm_set1_epi8(-1);
	for (; !plain && x + 16 <= w; x += 16) {
		__m128i u = _mm_sub_epi16(_mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(cb + x / 2)), zero), mid);
		__m128i v = _mm_sub_epi16(_mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(cr + x / 2)), zero), mid);
		__m128i r = _mm_add_epi16(_mm_mullo_epi16(v, _mm_set1_epi16(crR)), up);
		__m128i g = _mm_sub_epi16(up, _mm_add_epi16(_mm_mullo_epi16(u, _mm_set1_epi16(cbG)), _mm_mullo_epi16(v, _mm_set1_epi16(crG))));
		__m128i b = _mm_add_epi16(_mm_mullo_epi16(u, _mm_set1_epi16(cbB)), up);
		__m128i l = _mm_loadu_si128((const __m128i *)(y + x));
		__m128i l0 = _mm_slli_epi16(_mm_unpacklo_epi8(l, zero), 6), l1 = _mm_slli_epi16(_mm_unpackhi_epi8(l, zero), 6);
#define BOTH(c) _mm_packus_epi16(_mm_srai_epi16(_mm_add_epi16(l0, _mm_unpacklo_epi16(c, c)), 6), \
		_mm_srai_epi16(_mm_add_epi16(l1, _mm_unpackhi_epi16(c, c)), 6))
		r = BOTH(r);
		g = BOTH(g);
		b = BOTH(b);
#undef BOTH
		__m128i rg0 = _mm_unpacklo_epi8(r, g), ba0 = _mm_unpacklo_epi8(b, opaque);
		__m128i rg1 = _mm_unpackhi_epi8(r, g), ba1 = _mm_unpackhi_epi8(b, opaque);
		__m128i p[4] = {_mm_unpacklo_epi16(rg0, ba0), _mm_unpackhi_epi16(rg0, ba0), _mm_unpacklo_epi16(rg1, ba1), _mm_unpackhi_epi16(rg1, ba1)};
		if (mirror) {
			__m128i *o = (__m128i *)(out + 4 * (w - x - 16));
			for (int i = 0; i < 4; i++) {
				_mm_storeu_si128(o + 3 - i, _mm_shuffle_epi32(p[i], _MM_SHUFFLE(0, 1, 2, 3)));
			}
		} else {
			__m128i *o = (__m128i *)(out + 4 * x);
			for (int i = 0; i < 4; i++) {
				_mm_storeu_si128(o + i, p[i]);
			}
		}
	}
#else
	(void)plain;
#endif
	for (; x < w; x++) {
		int u = cb[x / 2] - 128, v = cr[x / 2] - 128, l = y[x] << 6;
		uint8_t *o = out + 4 * (mirror ? w - 1 - x : x);
		o[0] = fit(l + crR * v + 32);
		o[1] = fit(l + 32 - cbG * u - crG * v);
		o[2] = fit(l + cbB * u + 32);
		o[3] = 255;
	}
}

void yz_resample(const yz_planes *p, uint8_t *dst, int64_t pitch, int dw, int dh,
		int64_t ox, int64_t oy, int64_t step, int mirror, int plain, uint8_t *work) {
#ifdef __SSE2__
	int narrow = plain || !__builtin_cpu_supports("ssse3");
#else
	int narrow = 1;
#endif
	int half = (dw + 1) / 2;
	track lt, ct;
	// Centres of pixels map to centres. A colour pixel serves two target pixels and
	// lies between them.
	work = lay(&lt, dw, ox + step / 2 - (1 << 15), step, p->w, narrow, work);
	work = lay(&ct, half, (ox + step) / p->hsub - (1 << 15), 2 * step / p->hsub, p->cw, narrow, work);
	uint8_t *mixed = work, *mixedB = mixed + padded(p->w), *mixedR = mixedB + padded(p->cw);
	uint8_t *luma = mixedR + padded(p->cw), *cb = luma + padded(2 * half), *cr = cb + padded(half);
	const uint8_t *b = NULL, *r = NULL;
	for (int y = 0; y < dh; y++) {
		if (y % 2 == 0) {
			int64_t at = (oy + (y + 1) * step) / p->vsub - (1 << 15);
			b = along(cb, between(mixedB, p->cb, p->cw, p->cw, p->ch, at), &ct);
			r = along(cr, between(mixedR, p->cr, p->cw, p->cw, p->ch, at), &ct);
		}
		const uint8_t *l = along(luma, between(mixed, p->y, p->w, p->stride, p->h, oy + y * step + step / 2 - (1 << 15)), &lt);
		colour(dst + y * pitch, l, b, r, dw, mirror, plain);
	}
}
