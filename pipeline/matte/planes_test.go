package matte

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"
)

func randomPlane(w, h int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 2))
	p := make([]float32, w*h)
	for i := range p {
		p[i] = rng.Float32()*10 - 5
	}
	return p
}

func TestBoxIsTheWindowMean(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {5, 3}, {40, 70}, {130, 33}} {
		w, h := size[0], size[1]
		src := randomPlane(w, h, 1)
		for _, r := range []int{0, 1, 3, 15, 50} {
			for _, zero := range []bool{false, true} {
				dst := make([]float32, w*h)
				box(dst, src, w, h, r, zero)
				for i := 0; i < w*h; i += 7 {
					x, y := i%w, i/w
					var sum, cnt float64
					for j := max(y-r, 0); j <= min(y+r, h-1); j++ {
						for k := max(x-r, 0); k <= min(x+r, w-1); k++ {
							sum += float64(src[j*w+k])
							cnt++
						}
					}
					if zero {
						cnt = float64((2*r + 1) * (2*r + 1))
					}
					if d := math.Abs(sum/cnt - float64(dst[i])); d > 1e-3 {
						t.Fatalf("%dx%d r=%d zero=%v at %d: %v, want %v", w, h, r, zero, i, dst[i], sum/cnt)
					}
				}
			}
		}
	}
}

func TestGaussianHasItsVariance(t *testing.T) {
	const w, h = 201, 64
	for _, sigma := range []float64{1, 1.5, 2.5, 6, 10} {
		p := make([]float32, w*h)
		for y := range h {
			p[y*w+w/2] = 1 // a line: the profile across it is the kernel
		}
		gaussian(p, p, w, h, sigma, false)
		var m0, m2 float64
		for x := range w {
			v := float64(p[h/2*w+x])
			m0 += v
			m2 += v * float64((x-w/2)*(x-w/2))
		}
		if got := math.Sqrt(m2 / m0); math.Abs(got-sigma) > max(.16, .08*sigma) || math.Abs(m0-1) > 1e-5 {
			t.Errorf("σ %v: got %v, sum %v", sigma, got, m0)
		}
	}
}

func TestChamferIsNearEuclid(t *testing.T) {
	const w, h = 61, 47
	seed := make([]uint8, w*h)
	rng := rand.New(rand.NewPCG(4, 4))
	for range 12 {
		seed[rng.IntN(w*h)] = 1
	}
	dist, near := make([]float32, w*h), make([]int32, w*h)
	chamfer(dist, near, seed, w, h)
	for i := range dist {
		best := math.Inf(1)
		for j, s := range seed {
			if s != 0 {
				best = min(best, math.Hypot(float64(i%w-j%w), float64(i/w-j/w)))
			}
		}
		if d := math.Abs(float64(dist[i]) - best); d > .07*best+.05 {
			t.Fatalf("at %d: %v, Euclid %v", i, dist[i], best)
		}
		n := int(near[i])
		if own := math.Hypot(float64(i%w-n%w), float64(i/w-n/w)); seed[n] == 0 || own > 1.12*best+.05 {
			t.Fatalf("at %d: nearest is %d at %v, best %v", i, n, own, best)
		}
	}
	clear(seed)
	chamfer(dist, near, seed, w, h)
	if near[5] != -1 || dist[5] < 1e8 {
		t.Errorf("no seed: %v, %v", near[5], dist[5])
	}
}

func TestComponentsCountAndBound(t *testing.T) {
	rows := []string{
		"##..#",
		"##.#.",
		".....",
		"####.",
	}
	const w, h = 5, 4
	mask := make([]uint8, w*h)
	for y, r := range rows {
		for x, c := range r {
			mask[y*w+x] = b2u(c == '#')
		}
	}
	label, stack := make([]int32, w*h), make([]int32, w*h)
	four := components(label, stack, nil, mask, w, h, false)
	if len(four)-1 != 4 || four[1].area != 4 || four[4] != (blob{4, 0, 3, 3, 3}) {
		t.Errorf("four-connected: %+v", four)
	}
	if eight := components(label, stack, nil, mask, w, h, true); len(eight)-1 != 3 {
		t.Errorf("eight-connected: %+v", eight)
	}
}

func TestGrowAndShrink(t *testing.T) {
	const w, h = 9, 40
	m, tmp := make([]uint8, w*h), make([]uint8, w*h)
	m[20*w+4] = 1
	grow(m, m, tmp, w, h, 2)
	n := 0
	for _, v := range m {
		n += int(v)
	}
	if n != 25 || m[18*w+2] == 0 || m[17*w+4] != 0 {
		t.Errorf("grown to %d pixels", n)
	}
	shrink(m, m, tmp, w, h, 2)
	for i, v := range m {
		if v != b2u(i == 20*w+4) {
			t.Fatalf("pixel %d is %d after shrinking back", i, v)
		}
	}
	for i := range m {
		m[i] = 1
	}
	shrink(m, m, tmp, w, h, 3)
	if m[0] == 0 {
		t.Error("outside the image must count as set")
	}
}

func TestResampleKeepsMeans(t *testing.T) {
	m := noisy(90, 70, 120, 30, 8)
	dst := [3][]float32{make([]float32, 30*20), make([]float32, 30*20), make([]float32, 30*20)}
	resample(dst, 30, 20, framePixels{m}, Rect{0, 0, 90, 70})
	var got, want float64
	for _, v := range dst[1] {
		got += float64(v) / 600
	}
	for i := range 90 * 70 {
		want += float64(m.Pix[4*i+1]) / 6300
	}
	if math.Abs(got-want) > .01 {
		t.Errorf("mean %v, want %v", got, want)
	}
	// Enlarging interpolates; outside repeats the border.
	ramp := image.NewRGBA(image.Rect(0, 0, 10, 4))
	for i := range 40 {
		ramp.Pix[4*i] = uint8(20 * (i % 10))
	}
	resample(dst, 30, 20, framePixels{ramp}, Rect{-5, -2, 15, 8})
	if dst[0][0] != 0 || math.Abs(float64(dst[0][10*30+20])-95) > 6 {
		t.Errorf("border %v, inside %v", dst[0][0], dst[0][10*30+20])
	}
}

func TestWhitenerMakesUnitCovariance(t *testing.T) {
	s := sym3{4e-4, 3e-4, 1e-4, 5e-4, 2e-4, 9e-4}
	m := whitener(s)
	a := [3][3]float64{{s[0], s[1], s[2]}, {s[1], s[3], s[4]}, {s[2], s[4], s[5]}}
	w := [3][3]float64{
		{float64(m.rr), float64(m.rg), float64(m.rb)},
		{float64(m.rg), float64(m.gg), float64(m.gb)},
		{float64(m.rb), float64(m.gb), float64(m.bb)},
	}
	for i := range 3 {
		for j := range 3 {
			var v float64
			for k := range 3 {
				for l := range 3 {
					v += w[i][k] * a[k][l] * w[l][j]
				}
			}
			want := 0.
			if i == j {
				want = 1
			}
			if math.Abs(v-want) > 1e-3 {
				t.Errorf("element %d,%d is %v", i, j, v)
			}
		}
	}
}

func TestLightFitFollowsLampAndShadow(t *testing.T) {
	const w, h = 120, 160
	var s scratch
	var f lightFit
	f.init(&s, w, h)
	var rho, out [3][]float32
	for c := range rho {
		rho[c], out[c] = make([]float32, w*h), make([]float32, w*h)
	}
	backdrop := make([]uint8, w*h)
	truth := func(x, y, c int) float32 {
		return .02*float32(c) + .0005*float32(x) - .0003*float32(y) - .06*float32(math.Exp(-float64((x-95)*(x-95)+(y-60)*(y-60))/800))
	}
	for i := range backdrop {
		x, y := i%w, i/w
		person := x > 40 && x < 80 && y > 40
		backdrop[i] = b2u(!person)
		for c := range rho {
			rho[c][i] = truth(x, y, c)
			if person {
				rho[c][i] = -1
			}
		}
	}
	f.run(out, rho, backdrop, w, h, [3]float32{0, .02, .04})
	for i := 0; i < w*h; i += 11 {
		x, y := i%w, i/w
		tolerance := .006
		if backdrop[i] == 0 {
			tolerance = .02 // carried under the person
		}
		for c := range out {
			if d := math.Abs(float64(out[c][i] - truth(x, y, c))); d > tolerance {
				t.Fatalf("at %d,%d channel %d: off by %v", x, y, c, d)
			}
		}
	}
}

func TestCutPrefersShortContours(t *testing.T) {
	const w, h = 64, 48
	n := w * h
	c := cutField{w: w, h: h}
	for _, p := range []*[]float32{&c.f, &c.wx, &c.wy, &c.down, &c.u, &c.bar, &c.px, &c.py} {
		*p = make([]float32, n)
	}
	c.still, c.edgeBar, c.edgePy = make([]float32, w), make([]float32, w), make([]float32, w)
	rng := rand.New(rand.NewPCG(1, 1))
	inside := func(i int) bool { return math.Hypot(float64(i%w-32), float64(i/w-24)) < 14 }
	for i := range n {
		c.wx[i], c.wy[i], c.down[i] = 2, 2, 2
		c.f[i] = 1
		if inside(i) {
			c.f[i] = -1
		}
		if rng.IntN(6) == 0 { // a sixth of the pixels lie
			c.f[i] = -c.f[i]
		}
	}
	c.iterate(200)
	wrong := 0
	for i, u := range c.u {
		if (u > .5) != inside(i) {
			wrong++
		}
	}
	if wrong > 40 {
		t.Errorf("%d pixels wrong of %d", wrong, n)
	}
}

func TestScratchIsReusedAndWiped(t *testing.T) {
	var s scratch
	a := s.f32.take(100)
	a[3] = 7
	s.reset()
	b := s.f32.take(90)
	if &a[0] != &b[0] {
		t.Error("scratch was not reused")
	}
	s.wipe()
	if a[3] != 0 {
		t.Error("wipe left a value")
	}
}
