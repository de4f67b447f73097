package matte

import (
	"bytes"
	"errors"
	"hash/crc32"
	"image"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
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
	var b PlateBuilder
	for i := range 3 {
		if err := b.Add(noisy(80, 70, 100, 2, uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.Plate(PlateInfo{TakenAt: time.Unix(0, 1_790_000_000_123_456_789), Camera: "usb:1:2:3@1-1.4"})
	if err != nil {
		t.Fatal(err)
	}
	q, err := DecodePlate(bytes.NewReader(encoded(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	if q.Camera != "usb:1:2:3@1-1.4" || !q.TakenAt.Equal(time.UnixMilli(1_790_000_000_123)) || q.Exposure != p.Exposure || q.RedGain != p.RedGain || q.BlueGain != p.BlueGain {
		t.Errorf("camera %q, time %v, exposure %v, balance %v %v", q.Camera, q.TakenAt, q.Exposure, q.RedGain, q.BlueGain)
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
	f.Add([]byte("YZPLATE2"))
	named, err := NewPlate([]*image.RGBA{image.NewRGBA(image.Rect(0, 0, 64, 64))})
	if err != nil {
		f.Fatal(err)
	}
	named.Camera, named.TakenAt = "usb:046d:0825:A1@1-2", time.UnixMilli(1_790_000_000_123).UTC()
	data := encoded(f, named)
	f.Add(data[:len(data)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		// The checksum is made right, so that mutations reach what it guards.
		sum := crc32.ChecksumIEEE(body)
		data := append(bytes.Clone(body), byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
		p, err := DecodePlate(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(p.mean) != 3*p.W*p.H || p.W < 64 || p.H < 64 || p.ID == "" || !validCamera(p.Camera) {
			t.Fatalf("accepted a plate of %d×%d with %d values, camera %q", p.W, p.H, len(p.mean), p.Camera)
		}
		again, err := DecodePlate(bytes.NewReader(encoded(t, p)))
		if err != nil || again.ID != p.ID || !again.TakenAt.Equal(p.TakenAt) {
			t.Fatalf("what was accepted does not survive storage: %v", err)
		}
		p.covariance(2)
		p.variance(1e9, -5, 2)
	})
}

// twoPass is the covariance of the log averaged over boxes as its definition has
// it: every frame against the mean of all.
func twoPass(frames []*image.RGBA, size int) sym3 {
	var sums PlateBuilder
	w, h := frames[0].Rect.Dx(), frames[0].Rect.Dy()
	sums.init(w, h)
	stride := max(size, 9)
	var values [][][3]float64 // frame, box
	for _, f := range frames {
		sums.tiles(f)
		var of [][3]float64
		for y := 0; y+size <= h; y += stride {
			for x := 0; x+size <= w; x += stride {
				v := sums.slow(float64(x)+float64(size)/2, float64(y)+float64(size)/2)
				for c := range v {
					s := 0.
					for j := y; j < y+size; j++ {
						for i := x; i < x+size; i++ {
							s += math.Log(float64(f.Pix[f.PixOffset(i, j)+c]) + logOffset)
						}
					}
					v[c] = s/float64(size*size) - v[c]
				}
				of = append(of, v)
			}
		}
		values = append(values, of)
	}
	var out sym3
	n := float64(len(frames))
	for i := range values[0] {
		var mean [3]float64
		for _, of := range values {
			for c := range mean {
				mean[c] += of[i][c] / n
			}
		}
		for _, of := range values {
			out.add(of[i][0]-mean[0], of[i][1]-mean[1], of[i][2]-mean[2])
		}
	}
	return out.scaled(1 / ((n - 1) * float64(len(values[0]))))
}

// The sums that are kept give what keeping every frame would.
func TestRunningSumsGiveTheCovariance(t *testing.T) {
	var frames []*image.RGBA
	for i := range 7 {
		f := noisy(200, 180, 150, 2, uint64(i))
		for y := range 180 { // light from one side, and an exposure that wanders
			for x := range 200 {
				for c := range 3 {
					q := &f.Pix[f.PixOffset(x, y)+c]
					*q = uint8(float64(*q) * (.8 + .3*float64(x)/200) * (1 + .01*math.Sin(float64(i))))
				}
			}
		}
		frames = append(frames, f)
	}
	p, err := NewPlate(frames)
	if err != nil {
		t.Fatal(err)
	}
	for k, size := range noiseBoxes {
		want := twoPass(frames, size)
		for i, v := range p.noise[k] {
			if math.Abs(v-want[i]) > 2e-3*(want[0]+want[3]+want[5]) {
				t.Errorf("boxes of %d px: term %d is %.4g, want %.4g", size, i, v, want[i])
			}
		}
	}
}

func TestBuilderTakesWhatItCanHold(t *testing.T) {
	var b PlateBuilder
	if _, err := b.Plate(PlateInfo{}); err == nil {
		t.Error("a plate of no frames")
	}
	white := noisy(64, 64, 255, 0, 1)
	for range MaxPlateFrames {
		if err := b.Add(white); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Add(white); err == nil || b.N() != MaxPlateFrames {
		t.Errorf("frame %d was taken: %v", MaxPlateFrames+1, err)
	}
	for _, camera := range []string{"two\nlines", strings.Repeat("x", maxCameraName+1), "\xff"} {
		if _, err := b.Plate(PlateInfo{Camera: camera}); err == nil {
			t.Errorf("camera %.20q was taken", camera)
		}
	}
	p, err := b.Plate(PlateInfo{})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range p.mean {
		if v != 255*meanUnit {
			t.Fatalf("white has become %d at %d", v, i)
		}
	}
	if b.N() != 0 {
		t.Error("the builder is not empty afterwards")
	}
	if math.Abs(p.Exposure-1) > 1e-9 || math.Abs(p.RedGain-1) > 1e-9 {
		t.Errorf("white is exposed %v with red at %v", p.Exposure, p.RedGain)
	}
	if p.covariance(1)[0] != 0 {
		t.Errorf("noise %v of frames without any", p.covariance(1))
	}
}

func TestPlateIDTellsTimeAndCamera(t *testing.T) {
	ids := map[string]string{}
	for name, info := range map[string]PlateInfo{
		"nothing": {}, "time": {TakenAt: time.Unix(1e9, 0)}, "later": {TakenAt: time.Unix(1e9+1, 0)}, "camera": {Camera: "a"}, "other": {Camera: "b"},
	} {
		var b PlateBuilder
		for i := range 2 {
			if err := b.Add(noisy(64, 64, 100, 1, uint64(i))); err != nil {
				t.Fatal(err)
			}
		}
		p, err := b.Plate(info)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := ids[p.ID]; taken {
			t.Errorf("%s and %s have the id %s", name, other, p.ID)
		}
		ids[p.ID] = name
	}
}

func TestOlderPlateFormIsRefused(t *testing.T) {
	data := encoded(t, testPlate(t))
	data[7] = '1'
	if _, err := DecodePlate(bytes.NewReader(data)); !errors.Is(err, ErrPlateForm) {
		t.Errorf("got %v", err)
	}
	if !IsPlate(data) || IsPlate([]byte("\xff\xd8\xff")) || IsPlate(nil) {
		t.Error("plate files are not told from others")
	}
}

func TestReducedPlate(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 128, 64))
	for y := range 64 {
		for x := range 128 {
			m.Pix[m.PixOffset(x, y)] = uint8(50 + 100*(x/64))
			m.Pix[m.PixOffset(x, y)+2] = uint8(y * 2)
		}
	}
	p, err := NewPlate([]*image.RGBA{m, m})
	if err != nil {
		t.Fatal(err)
	}
	got := p.Reduce(2, 2)
	for i, want := range [3][4]float32{{50, 150, 50, 150}, {}, {31, 31, 95, 95}} {
		for j, v := range got[i] {
			if math.Abs(float64(v-want[j])) > .1 {
				t.Errorf("channel %d: %v, want %v", i, got[i], want)
				break
			}
		}
	}
	row := make([]float32, 3*128)
	p.Row(row, 10)
	if row[0] != 50 || row[3*127] != 150 || row[2] != 20 {
		t.Errorf("row 10 begins %v", row[:3])
	}
}

// A calibration must not hold its frames: at 1080p each is 8 MB.
func TestPlateMemoryDoesNotGrowWithFrames(t *testing.T) {
	frame := noisy(640, 480, 120, 2, 1)
	taken := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var b PlateBuilder
		for range n {
			if err := b.Add(frame); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	few, many := taken(2), taken(40)
	if many > few+few/10 {
		t.Errorf("40 frames take %d bytes, 2 take %d", many, few)
	}
	if limit := uint64(4 * len(frame.Pix)); many > limit {
		t.Errorf("the sums take %d bytes, four frames %d", many, limit)
	}
}

func BenchmarkPlate1080p(b *testing.B) {
	frame := noisy(1920, 1080, 120, 2, 1)
	b.ReportAllocs()
	for b.Loop() {
		var pb PlateBuilder
		for range 12 {
			if err := pb.Add(frame); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := pb.Plate(PlateInfo{}); err != nil {
			b.Fatal(err)
		}
	}
}
