package codec

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
)

// picture draws smooth gradients with a detail that is different at each side,
// so that mirroring, rotation and crops show.
func picture(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{uint8(255 * x / w), uint8(255 * y / h), uint8(64 + 40*math.Sin(float64(x)/17)), 255})
		}
	}
	return m
}

func encode(t testing.TB, m *image.RGBA, q int, s Subsampling) []byte {
	t.Helper()
	b, err := EncodeRGBA(nil, m, q, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rms is the root mean square difference of the colour values of two pictures.
func rms(t testing.TB, a, b *image.RGBA) float64 {
	t.Helper()
	if a.Rect.Size() != b.Rect.Size() {
		t.Fatalf("sizes %v and %v", a.Rect.Size(), b.Rect.Size())
	}
	var sum float64
	w, h := a.Rect.Dx(), a.Rect.Dy()
	for y := range h {
		for x := range w {
			p, q := a.Pix[y*a.Stride+4*x:], b.Pix[y*b.Stride+4*x:]
			for c := range 3 {
				d := float64(p[c]) - float64(q[c])
				sum += d * d
			}
		}
	}
	return math.Sqrt(sum / float64(3*w*h))
}

func TestRoundTrip(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {7, 5}, {16, 16}, {161, 97}, {480, 640}} {
		for _, s := range []Subsampling{S444, S422, S420} {
			m := picture(size.X, size.Y)
			jpg := encode(t, m, 95, s)
			in, err := Header(jpg)
			if err != nil || in.Width != size.X || in.Height != size.Y || in.Subsampling != s || in.CMYK {
				t.Fatalf("%v %v: header %+v, %v", size, s, in, err)
			}
			var got image.RGBA
			if err := DecodeRGBA(&got, jpg, Options{}); err != nil {
				t.Fatalf("%v %v: %v", size, s, err)
			}
			if d := rms(t, m, &got); d > 4 && size.X > 16 {
				t.Errorf("%v %v: differs by %.1f", size, s, d)
			}
			for i := 3; i < len(got.Pix); i += 4 {
				if got.Pix[i] != 255 {
					t.Fatalf("%v %v: not opaque", size, s)
				}
			}
			if ref, err := jpeg.Decode(bytes.NewReader(jpg)); err != nil || ref.Bounds().Size() != size {
				t.Errorf("%v %v: another decoder says %v", size, s, err)
			}
		}
	}
}

func TestEncodeIsDeterministicAndReusesItsBuffer(t *testing.T) {
	m := picture(320, 240)
	a := encode(t, m, 80, S420)
	buf := make([]byte, 0, 1<<20)
	b, err := EncodeRGBA(buf, m, 80, S420)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("equal input gave other bytes")
	}
	if &b[0] != &buf[:1][0] {
		t.Error("a large enough buffer was not reused")
	}
}

func TestDecodeScaled(t *testing.T) {
	jpg := encode(t, picture(321, 243), 90, S420)
	for n := 1; n <= 8; n++ {
		var m image.RGBA
		if err := DecodeRGBA(&m, jpg, Options{Eighths: n, FastDCT: true, FastUpsampling: true}); err != nil {
			t.Fatal(err)
		}
		w, h := Scaled(321, 243, n)
		if m.Rect.Dx() != w || m.Rect.Dy() != h {
			t.Errorf("%d/8: %v, want %dx%d", n, m.Rect, w, h)
		}
		var g image.Gray
		if err := DecodeGray(&g, jpg, Options{Eighths: n}); err != nil || g.Rect != m.Rect {
			t.Errorf("%d/8 gray: %v %v", n, g.Rect, err)
		}
		x, y := w/3, h/3
		c := m.RGBAAt(x, y)
		want := (19595*int(c.R) + 38470*int(c.G) + 7471*int(c.B)) >> 16
		if d := int(g.GrayAt(x, y).Y) - want; d < -6 || d > 6 {
			t.Errorf("%d/8: luma is off by %d", n, d)
		}
	}
}

func TestDecodeReusesPixels(t *testing.T) {
	jpg := encode(t, picture(320, 200), 90, S422)
	var m image.RGBA
	var g image.Gray
	if err := errors.Join(DecodeRGBA(&m, jpg, Options{}), DecodeGray(&g, jpg, Options{})); err != nil {
		t.Fatal(err)
	}
	p, q := &m.Pix[0], &g.Pix[0]
	n := testing.AllocsPerRun(20, func() {
		if errors.Join(DecodeRGBA(&m, jpg, Options{}), DecodeGray(&g, jpg, Options{Eighths: 4})) != nil {
			t.Error("decode failed")
		}
	})
	if &m.Pix[0] != p || &g.Pix[0] != q || n > 0 {
		t.Errorf("pixels were not reused: %v allocations a decode", n)
	}
}

func TestBadInput(t *testing.T) {
	good := encode(t, picture(64, 48), 90, S420)
	huge := bytes.Clone(good)
	at := bytes.Index(huge, []byte{0xFF, 0xC0})
	copy(huge[at+5:], []byte{0x4E, 0x20, 0x4E, 0x20}) // 20000 × 20000
	broken := bytes.Clone(good)
	sos := bytes.Index(broken, []byte{0xFF, 0xDA})
	for i := sos + 40; i < len(broken)-2; i++ {
		broken[i] = 0
	}
	for name, tc := range map[string]struct {
		in   []byte
		want error
	}{
		"nil":             {nil, ErrNotJPEG},
		"short":           {[]byte{0xFF, 0xD8, 0xFF}, ErrNotJPEG},
		"text":            {[]byte("hello, this is a text"), ErrNotJPEG},
		"zeroes":          {make([]byte, 4000), ErrNotJPEG},
		"header only":     {good[:sos], ErrDamaged},
		"truncated":       {good[:len(good)*2/3], ErrDamaged},
		"last byte gone":  {good[:len(good)-9], ErrDamaged},
		"20000x20000":     {huge, ErrTooLarge},
		"zero-filled":     {broken, ErrDamaged},
		"only start, end": {[]byte{0xFF, 0xD8, 0xFF, 0xD9}, ErrDamaged},
	} {
		var m image.RGBA
		if err := DecodeRGBA(&m, tc.in, Options{}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		var g image.Gray
		if err := DecodeGray(&g, tc.in, Options{}); !errors.Is(err, tc.want) {
			t.Errorf("%s gray: %v, want %v", name, err, tc.want)
		}
		if err := PreviewInto(image.NewRGBA(image.Rect(0, 0, 32, 24)), tc.in, true); !errors.Is(err, tc.want) {
			t.Errorf("%s preview: %v, want %v", name, err, tc.want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	m := picture(16, 16)
	jpg := encode(t, m, 90, S420)
	short := &image.RGBA{Pix: m.Pix[:100], Stride: 64, Rect: image.Rect(0, 0, 16, 16)}
	yc := image.NewYCbCr(image.Rect(0, 0, 16, 16), image.YCbCrSubsampleRatio410)
	cut := image.NewYCbCr(image.Rect(0, 0, 16, 16), image.YCbCrSubsampleRatio420)
	cut.Cr = cut.Cr[:3]
	_, e1 := EncodeRGBA(nil, m, 0, S444)
	_, e2 := EncodeRGBA(nil, m, 101, S444)
	_, e3 := EncodeRGBA(nil, m, 90, SOther)
	_, e4 := EncodeRGBA(nil, short, 90, S444)
	_, e5 := EncodeRGBA(nil, &image.RGBA{}, 90, S444)
	_, e6 := EncodeYCbCr(nil, yc, 90)
	_, e7 := EncodeYCbCr(nil, cut, 90)
	_, e8 := SetDensity(jpg, 0)
	_, e9 := Rotate(m, 45)
	for i, err := range []error{
		e1, e2, e3, e4, e5, e6, e7, e8, e9,
		DecodeRGBA(&image.RGBA{}, jpg, Options{Eighths: 9}), DecodeRGBA(&image.RGBA{}, jpg, Options{Eighths: -1}),
		PreviewInto(&image.RGBA{}, jpg, false), PreviewInto(short, jpg, false),
		DecodeYUYV(&image.RGBA{}, nil, 3, 2), DecodeYUYV(&image.RGBA{}, nil, -2, 2), ScaleInto(m, short, false),
	} {
		if !errors.Is(err, ErrOption) {
			t.Errorf("case %d: %v, want ErrOption", i+1, err)
		}
	}
}

func TestEncodeYCbCr(t *testing.T) {
	src := picture(161, 97)
	for _, r := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420} {
		m := image.NewYCbCr(src.Rect, r)
		for y := range 97 {
			for x := range 161 {
				c := src.RGBAAt(x, y)
				yy, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
				m.Y[m.YOffset(x, y)], m.Cb[m.COffset(x, y)], m.Cr[m.COffset(x, y)] = yy, cb, cr
			}
		}
		jpg, err := EncodeYCbCr(nil, m, 95)
		if err != nil {
			t.Fatal(err)
		}
		var got image.RGBA
		if err := DecodeRGBA(&got, jpg, Options{}); err != nil {
			t.Fatal(err)
		}
		if d := rms(t, src, &got); d > 4 {
			t.Errorf("%v: differs by %.1f", r, d)
		}
	}
}

// withoutTables removes the Huffman tables, as many USB cameras do.
func withoutTables(t *testing.T, jpg []byte) []byte {
	list, err := segments(jpg)
	if err != nil {
		t.Fatal(err)
	}
	out := []byte{0xFF, mSOI}
	for _, s := range list {
		if s.marker == mSOS {
			return append(out, jpg[s.start:]...)
		}
		if s.marker != 0xC4 {
			out = append(out, jpg[s.start:s.end]...)
		}
	}
	return nil
}

func TestMotionJPEGWithoutHuffmanTables(t *testing.T) {
	m := picture(64, 48)
	jpg := withoutTables(t, encode(t, m, 95, S422))
	var got image.RGBA
	if err := DecodeRGBA(&got, jpg, Options{}); err != nil {
		t.Fatal(err)
	}
	if d := rms(t, m, &got); d > 4 {
		t.Errorf("differs by %.1f", d)
	}
}

func TestPaddedFrameIsWhole(t *testing.T) {
	jpg := encode(t, picture(64, 48), 90, S420)
	padded := append(bytes.Clone(jpg[:len(jpg)-2]), 0, 0, 0, 0, 0xFF, 0xD9)
	var m image.RGBA
	if err := DecodeRGBA(&m, padded, Options{}); err != nil {
		t.Error(err)
	}
	if err := DecodeRGBA(&m, append(bytes.Clone(jpg), make([]byte, 500)...), Options{}); err != nil {
		t.Error(err)
	}
}

func TestPreview(t *testing.T) {
	src := picture(640, 360)
	jpg := encode(t, src, 95, S420)
	for _, size := range []image.Point{{640, 360}, {320, 180}, {480, 270}, {300, 300}, {100, 300}, {1280, 720}, {7, 3}, {601, 360}, {320, 91}, {200, 180}} {
		for _, mirror := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v mirror=%v", size, mirror), func(t *testing.T) {
				dst := image.NewRGBA(image.Rectangle{Max: size})
				if err := PreviewInto(dst, jpg, mirror); err != nil {
					t.Fatal(err)
				}
				// Every target pixel shows the source at the place that covers it.
				scale := math.Min(640/float64(size.X), 360/float64(size.Y))
				for _, p := range []image.Point{{0, 0}, {size.X - 1, 0}, {size.X / 3, size.Y / 2}, {size.X - 1, size.Y - 1}} {
					x := p.X
					if mirror {
						x = size.X - 1 - x
					}
					sx := 320 + (float64(x)+.5-float64(size.X)/2)*scale
					sy := 180 + (float64(p.Y)+.5-float64(size.Y)/2)*scale
					got := dst.RGBAAt(p.X, p.Y)
					if math.Abs(float64(got.R)-255*sx/640) > 9 || math.Abs(float64(got.G)-255*sy/360) > 9 || got.A != 255 {
						t.Errorf("pixel %v is %v, want red %.0f green %.0f", p, got, 255*sx/640, 255*sy/360)
					}
				}
			})
		}
	}
}

func TestPreviewSize(t *testing.T) {
	for name, c := range map[string]struct{ w, h, dw, dh, wantW, wantH int }{
		"mirror a little larger than half":  {1920, 1080, 900, 590, 823, 540},
		"mirror a little smaller than half": {1920, 1080, 860, 520, 893, 540},
		"half itself":                       {1920, 1080, 960, 540, 960, 540},
		"upright":                           {1920, 1080, 400, 600, 360, 540},
		"much smaller than the next scale":  {1920, 1080, 620, 340, 620, 340},
		"needs the whole frame":             {1920, 1080, 1300, 850, 1300, 850},
		"larger than the frame":             {640, 480, 1920, 1080, 1920, 1080},
		"no room":                           {1920, 1080, 0, 540, 0, 540},
		"no frame":                          {0, 0, 900, 590, 900, 590},
	} {
		t.Run(name, func(t *testing.T) {
			w, h := PreviewSize(c.w, c.h, c.dw, c.dh)
			if w != c.wantW || h != c.wantH {
				t.Fatalf("%d×%d, want %d×%d", w, h, c.wantW, c.wantH)
			}
			if c.dw > 0 && math.Abs(float64(w)/float64(h)-float64(c.dw)/float64(c.dh)) > .003 {
				t.Errorf("%d×%d has other proportions than %d×%d", w, h, c.dw, c.dh)
			}
		})
	}
}

func TestPreviewAllocatesNothing(t *testing.T) {
	jpg := encode(t, picture(640, 360), 90, S422)
	dst := image.NewRGBA(image.Rect(0, 0, 200, 112))
	yuyv := make([]byte, 2*640*360)
	n := testing.AllocsPerRun(50, func() {
		if errors.Join(PreviewInto(dst, jpg, true), PreviewYUYVInto(dst, yuyv, 640, 360, true)) != nil {
			t.Error("preview failed")
		}
	})
	if n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestPreviewKeepsNoPicture(t *testing.T) {
	if err := PreviewInto(image.NewRGBA(image.Rect(0, 0, 90, 50)), encode(t, picture(640, 360), 90, S422), true); err != nil {
		t.Fatal(err)
	}
	if len(scratches) == 0 {
		t.Fatal("no scratch buffer was kept")
	}
	for range len(scratches) {
		b := <-scratches
		if bytes.ContainsFunc(b[:cap(b)], func(r rune) bool { return r != 0 }) {
			t.Fatal("pixels stay in the scratch buffer")
		}
		scratches <- b
	}
}

// Nothing of one picture, good or bad, may reach the next: an error, or the
// Huffman tables that a frame without any would take over.
func TestPicturesDoNotTouchEachOther(t *testing.T) {
	m := picture(64, 48)
	plain := encode(t, m, 95, S422)
	bare := withoutTables(t, plain)
	own, err := os.ReadFile("testdata/cmyk.jpg") // has Huffman tables of its own
	if err != nil {
		t.Fatal(err)
	}
	for name, before := range map[string][]byte{
		"header only": plain[:200], "truncated": plain[:len(plain)/2], "text": []byte("\xFF\xD8\xFF no JPEG at all"), "own tables": own,
	} {
		_, _ = Header(before)
		_, _ = LoadBytes(before)
		_ = PreviewInto(image.NewRGBA(image.Rect(0, 0, 8, 8)), before, false)
		var got image.RGBA
		if err := DecodeRGBA(&got, bare, Options{}); err != nil {
			t.Errorf("after %s: %v", name, err)
		} else if d := rms(t, m, &got); d > 4 {
			t.Errorf("after %s: differs by %.1f", name, d)
		}
	}
}

func TestYUYV(t *testing.T) {
	// Known values of BT.601 limited range: black, white, pure red.
	frame := []byte{16, 128, 235, 128, 81, 90, 81, 240}
	var m image.RGBA
	if err := DecodeYUYV(&m, frame, 4, 1); err != nil {
		t.Fatal(err)
	}
	want := []color.RGBA{{0, 0, 0, 255}, {255, 255, 255, 255}, {254, 0, 0, 255}, {254, 0, 0, 255}}
	for x, c := range want {
		if got := m.RGBAAt(x, 0); got != c {
			t.Errorf("pixel %d is %v, want %v", x, got, c)
		}
	}
	dst := image.NewRGBA(image.Rect(0, 0, 4, 1))
	if err := PreviewYUYVInto(dst, frame, 4, 1, true); err != nil {
		t.Fatal(err)
	}
	for x, c := range want {
		if got := dst.RGBAAt(3-x, 0); got != c {
			t.Errorf("mirrored pixel %d is %v, want %v", x, got, c)
		}
	}
	var g image.Gray
	if err := GrayYUYV(&g, frame, 4, 1); err != nil || g.Pix[0] != 0 || g.Pix[1] != 255 {
		t.Errorf("luma %v, %v", g.Pix, err)
	}
	if err := DecodeYUYV(&m, frame[:7], 4, 1); !errors.Is(err, ErrDamaged) {
		t.Errorf("a short frame: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	m := picture(160, 120)
	jpg := encode(t, m, 90, S420)
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			var got image.RGBA
			for range 5 {
				if err := DecodeRGBA(&got, jpg, Options{}); err != nil {
					t.Error(err)
				}
				if _, err := EncodeRGBA(nil, &got, 80, S444); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzDecode(f *testing.F) {
	good := encode(f, picture(40, 30), 70, S420)
	f.Add(good)
	f.Add(good[:len(good)/2])
	var prog bytes.Buffer
	if err := jpeg.Encode(&prog, image.NewGray(image.Rect(0, 0, 9, 9)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(prog.Bytes())
	f.Add([]byte("\xFF\xD8\xFF\xE1\x00\x20Exif\x00\x00II\x2a\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := Header(b)
		if err != nil || in.Width*in.Height > 1<<20 {
			return
		}
		var m image.RGBA
		_ = DecodeRGBA(&m, b, Options{Eighths: 4})
		var g image.Gray
		_ = DecodeGray(&g, b, Options{})
		_ = PreviewInto(image.NewRGBA(image.Rect(0, 0, 33, 21)), b, true)
		_ = PreviewInto(image.NewRGBA(image.Rect(0, 0, in.Width+3, in.Height+1)), b, true) // by its planes
		if out, err := SetDensity(b, 300); err == nil {
			if x, y, err := Density(out); x != 300 || y != 300 || err != nil {
				t.Fatalf("density %d %d %v", x, y, err)
			}
		}
		_, _ = LoadBytes(b)
	})
}

func BenchmarkPreview(b *testing.B) {
	m := picture(1920, 1080)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix { // a sensor's noise, as a camera's frames have it
		m.Pix[i] = uint8(min(max(int(m.Pix[i])+rnd.IntN(9)-4, 0), 255))
	}
	jpg := encode(b, m, 90, S422)
	b.Logf("frame of %d bytes", len(jpg))
	var full image.RGBA
	dst := image.NewRGBA(image.Rect(0, 0, 960, 540))
	large := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	small := image.NewRGBA(image.Rect(0, 0, 480, 270))
	for name, fn := range map[string]func() error{
		"full-decode":       func() error { return DecodeRGBA(&full, jpg, Options{}) },
		"full-decode-fast":  func() error { return DecodeRGBA(&full, jpg, Options{FastDCT: true, FastUpsampling: true}) },
		"preview-960x540":   func() error { return PreviewInto(dst, jpg, true) },
		"preview-1280x720":  func() error { return PreviewInto(large, jpg, true) },
		"preview-480x270":   func() error { return PreviewInto(small, jpg, true) },
		"scaled-6-of-8":     func() error { return DecodeRGBA(&full, jpg, Options{Eighths: 6, FastDCT: true, FastUpsampling: true}) },
		"gray-half":         func() error { var g image.Gray; return DecodeGray(&g, jpg, Options{Eighths: 4, FastDCT: true}) },
		"std-image/jpeg":    func() error { _, err := jpeg.Decode(bytes.NewReader(jpg)); return err },
		"encode-1080p-422":  func() error { _, err := EncodeRGBA(nil, m, 90, S422); return err },
		"std-discard-write": func() error { return jpeg.Encode(io.Discard, m, nil) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := fn(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
