package matte

import (
	"bytes"
	"errors"
	"hash/crc32"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// noisy makes a flat frame with Gaussian noise.
func noisy(w, h int, level, sigma float64, seed uint64) *image.RGBA {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		for c := range 3 {
			m.Pix[4*i+c] = uint8(min(max(level+sigma*rng.NormFloat64()+.5, 0), 255))
		}
		m.Pix[4*i+3] = 255
	}
	return m
}

func TestPlateRefuses(t *testing.T) {
	ok := noisy(64, 64, 100, 1, 1)
	for name, frames := range map[string][]*image.RGBA{
		"none":       nil,
		"nil":        {ok, nil},
		"mixed size": {ok, noisy(65, 64, 100, 1, 1)},
		"tiny":       {noisy(20, 64, 100, 1, 1)},
	} {
		if _, err := NewPlate(frames); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPlateKnowsItsNoise(t *testing.T) {
	const level, sigma = 120, 3.
	var frames []*image.RGBA
	for i := range 6 {
		frames = append(frames, noisy(300, 240, level, sigma, uint64(i)))
	}
	for name, n := range map[string]int{"six frames": 6, "one frame": 1} {
		p, err := NewPlate(frames[:n])
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(p.mean[3*(120*300+150)]) / meanUnit; math.Abs(got-level) > 12 {
			t.Errorf("%s: mean %v", name, got)
		}
		for _, size := range []float64{1, 2, 4} {
			// A box of size² white samples, plus what is left in the mean; the
			// 8-bit steps add a twelfth.
			want := math.Sqrt((sigma*sigma + 1./12) / (size * size) * (1 + 1/float64(n)))
			v := p.variance(150, 120, size)
			got := math.Sqrt(float64(v[1]))
			if got < .75*want || got > 1.4*want {
				t.Errorf("%s: noise of boxes of %v px is %.2f, want about %.2f", name, size, got, want)
			}
		}
	}
}

func TestPlateOfTextureIsNotAllNoise(t *testing.T) {
	m := noisy(320, 320, 128, 2, 3)
	for y := range 320 { // a strong weave over the left third
		for x := range 100 {
			if (x+y)%2 == 0 {
				m.Pix[m.PixOffset(x, y)] = 255
				m.Pix[m.PixOffset(x, y)+1] = 255
			}
		}
	}
	p, err := NewPlate([]*image.RGBA{m})
	if err != nil {
		t.Fatal(err)
	}
	v := p.variance(200, 160, 1)
	if got := math.Sqrt(float64(v[0])); got > 5 {
		t.Errorf("noise %.1f beside the weave, want about 3", got)
	}
}

func TestPlateReadsSubImages(t *testing.T) {
	big := noisy(200, 200, 90, 2, 5)
	sub := big.SubImage(image.Rect(30, 40, 130, 140)).(*image.RGBA)
	p, err := NewPlate([]*image.RGBA{sub})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.mean[0], uint16(big.RGBAAt(30, 40).R)*meanUnit; p.W != 100 || got != want {
		t.Errorf("width %d, first value %d, want 100 and %d", p.W, got, want)
	}
}

func testPlate(t testing.TB) *Plate {
	t.Helper()
	p, err := NewPlate([]*image.RGBA{noisy(80, 70, 100, 2, 1), noisy(80, 70, 100, 2, 2)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encoded(t testing.TB, p *Plate) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPlateSurvivesStorage(t *testing.T) {
	p := testPlate(t)
	q, err := DecodePlate(bytes.NewReader(encoded(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	if q.ID != p.ID || q.W != p.W || q.H != p.H || q.Frames != p.Frames {
		t.Errorf("got %v %dx%d of %d, want %v %dx%d of %d", q.ID, q.W, q.H, q.Frames, p.ID, p.W, p.H, p.Frames)
	}
	if q.covariance(3) != p.covariance(3) || q.variance(5, 5, 2) != p.variance(5, 5, 2) {
		t.Error("noise differs")
	}
	for i := range p.mean {
		if p.mean[i] != q.mean[i] {
			t.Fatalf("mean differs at %d", i)
		}
	}
}

func TestPlateIDsDiffer(t *testing.T) {
	a := testPlate(t)
	b, err := NewPlate([]*image.RGBA{noisy(80, 70, 100, 2, 1), noisy(80, 70, 100, 2, 3)})
	if err != nil {
		t.Fatal(err)
	}
	if a.ID == b.ID || len(a.ID) != 12 {
		t.Errorf("ids %q and %q", a.ID, b.ID)
	}
}

func TestDamagedPlateIsRefused(t *testing.T) {
	good := encoded(t, testPlate(t))
	for i := 0; i < len(good); i += 97 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if _, err := DecodePlate(bytes.NewReader(bad)); err == nil {
			t.Errorf("a flipped bit at %d went unseen", i)
		}
	}
	for _, n := range []int{0, 7, 100, len(good) / 2, len(good) - 1} {
		if _, err := DecodePlate(bytes.NewReader(good[:n])); err == nil {
			t.Errorf("a file cut at %d was accepted", n)
		}
	}
	// A valid checksum over a size that the data cannot fill.
	bad := bytes.Clone(good[:len(good)-4])
	bad[9], bad[13] = 0x3f, 0x3f
	bad = append(bad, 0, 0, 0, 0)
	sum := crc32.ChecksumIEEE(bad[:len(bad)-4])
	bad[len(bad)-4], bad[len(bad)-3], bad[len(bad)-2], bad[len(bad)-1] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	if _, err := DecodePlate(bytes.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "cut short") && !strings.Contains(err.Error(), "claims") {
		t.Errorf("inflated size: %v", err)
	}
}

type failingWriter struct{}

var errFull = errors.New("disk full")

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

func TestPlateEncodeReportsWriteErrors(t *testing.T) {
	if err := testPlate(t).Encode(failingWriter{}); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodePlate(f *testing.F) {
	p, err := NewPlate([]*image.RGBA{image.NewRGBA(image.Rect(0, 0, 64, 64))})
	if err != nil {
		f.Fatal(err)
	}
	good := encoded(f, p)
	f.Add(good[:len(good)-4])
	f.Add(good[:40])
	f.Add([]byte("YZPLATE1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		// The checksum is made right, so that mutations reach what it guards.
		sum := crc32.ChecksumIEEE(body)
		data := append(bytes.Clone(body), byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
		p, err := DecodePlate(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(p.mean) != 3*p.W*p.H || p.W < 64 || p.H < 64 || p.ID == "" {
			t.Fatalf("accepted a plate of %d×%d with %d values", p.W, p.H, len(p.mean))
		}
		p.covariance(2)
		p.variance(1e9, -5, 2)
	})
}
