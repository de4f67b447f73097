package mjpeg_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"github.com/yunzhao-station/yunzhao/camera/mjpeg"
)

// picture encodes noise, which fills the scan with every kind of byte.
func picture(tb testing.TB, w, h int) []byte {
	tb.Helper()
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range [][]byte{m.Y, m.Cb, m.Cr} {
		for i := range p {
			p[i] = byte(r.Uint32())
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// segment returns the offset and length, marker included, of the first segment
// with marker m.
func segment(tb testing.TB, b []byte, m byte) (int, int) {
	tb.Helper()
	for i := 2; i+4 <= len(b); {
		n := 2 + int(b[i+2])<<8 + int(b[i+3])
		if b[i+1] == m {
			return i, n
		}
		i += n
	}
	tb.Fatalf("no segment %#x", m)
	return 0, 0
}

func without(tb testing.TB, b []byte, m byte) []byte {
	tb.Helper()
	i, n := segment(tb, b, m)
	return append(append([]byte(nil), b[:i]...), b[i+n:]...)
}

func TestParse(t *testing.T) {
	whole := picture(t, 64, 48)
	sof, _ := segment(t, whole, 0xc0)
	sos, sosLen := segment(t, whole, 0xda)
	edit := func(f func(b []byte) []byte) []byte { return f(append([]byte(nil), whole...)) }
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"whole", whole, nil},
		{"padded with zeros", append(append([]byte(nil), whole...), make([]byte, 100)...), nil},
		{"fill bytes before a marker", edit(func(b []byte) []byte {
			return append(b[:2:2], append([]byte{0xff, 0xff}, b[2:]...)...)
		}), nil},
		{"no tables", without(t, whole, 0xc4), nil},
		{"empty", nil, mjpeg.ErrEmpty},
		{"zeros", make([]byte, 4096), mjpeg.ErrNoStart},
		{"start only", []byte{0xff, 0xd8}, mjpeg.ErrNoStart},
		{"cut in half", whole[:len(whole)/2], mjpeg.ErrTruncated},
		{"cut in the header", whole[:sof+5], mjpeg.ErrTruncated},
		{"last byte missing", whole[:len(whole)-1], mjpeg.ErrTruncated},
		{"no scan data", append(append([]byte(nil), whole[:sos+sosLen]...), 0xff, 0xd9), mjpeg.ErrTruncated},
		{"zero height", edit(func(b []byte) []byte { b[sof+5], b[sof+6] = 0, 0; return b }), mjpeg.ErrMalformed},
		{"twelve bits", edit(func(b []byte) []byte { b[sof+4] = 12; return b }), mjpeg.ErrUnsupported},
		{"arithmetic coding", edit(func(b []byte) []byte { b[sof+1] = 0xc9; return b }), mjpeg.ErrUnsupported},
		{"no quantisation", without(t, whole, 0xdb), mjpeg.ErrMalformed},
		{"no frame header", without(t, whole, 0xc0), mjpeg.ErrMalformed},
		{"junk between segments", edit(func(b []byte) []byte { return append(b[:2:2], append([]byte{7}, b[2:]...)...) }), mjpeg.ErrMalformed},
		{"two pictures in one", append(append([]byte(nil), whole[:len(whole)-2]...), whole...), mjpeg.ErrMalformed},
		{"zero hole", edit(func(b []byte) []byte { clear(b[sos+sosLen+20 : sos+sosLen+20+300]); return b }), mjpeg.ErrZeroFilled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info, err := mjpeg.Parse(tt.data)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Parse = %v, want %v", err, tt.want)
			}
			if err == nil && (info.Width != 64 || info.Height != 48 || info.Components != 3) {
				t.Errorf("Parse = %+v, want 64×48 in 3 components", info)
			}
		})
	}
}

func TestAppendMakesPicturesDecodable(t *testing.T) {
	whole := picture(t, 64, 48)
	want, err := jpeg.Decode(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string][]byte{
		"own tables":        whole,
		"no tables":         without(t, whole, 0xc4),
		"no tables, padded": append(without(t, whole, 0xc4), 0, 0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			info, err := mjpeg.Parse(src)
			if err != nil {
				t.Fatal(err)
			}
			got := mjpeg.Append([]byte("x"), src, info)
			if got[0] != 'x' {
				t.Fatal("Append overwrote dst")
			}
			if again, err := mjpeg.Parse(got[1:]); err != nil || !again.Huffman || again.Len != len(got)-1 {
				t.Errorf("result parses as %+v, %v; want its own tables and no padding", again, err)
			}
			m, err := jpeg.Decode(bytes.NewReader(got[1:]))
			if err != nil {
				t.Fatalf("result does not decode: %v", err)
			}
			for y := range 48 {
				for x := range 64 {
					if color.YCbCrModel.Convert(m.At(x, y)) != color.YCbCrModel.Convert(want.At(x, y)) {
						t.Fatalf("pixel %d,%d differs", x, y)
					}
				}
			}
		})
	}
}

// A black frame coded with tables of its own may be zeros throughout; only
// with the standard tables do zeros prove a loss.
func TestZerosWithOwnTablesAreAPicture(t *testing.T) {
	whole := picture(t, 64, 48)
	dht, _ := segment(t, whole, 0xc4)
	sos, sosLen := segment(t, whole, 0xda)
	b := append([]byte(nil), whole...)
	b[dht+4+1+16]++ // first value of the first table
	clear(b[sos+sosLen+20 : sos+sosLen+20+300])
	if _, err := mjpeg.Parse(b); err != nil {
		t.Errorf("Parse = %v, want a valid picture", err)
	}
}

func TestNoAllocation(t *testing.T) {
	src := without(t, picture(t, 64, 48), 0xc4)
	dst := make([]byte, 0, 2*len(src)+1024)
	if n := testing.AllocsPerRun(100, func() {
		info, err := mjpeg.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		dst = mjpeg.Append(dst[:0], src, info)
	}); n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

func FuzzParse(f *testing.F) {
	whole := picture(f, 16, 16)
	f.Add(whole)
	f.Add(without(f, whole, 0xc4))
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{0xff, 0xd8, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := mjpeg.Parse(b)
		if err != nil {
			return
		}
		if info.Width <= 0 || info.Height <= 0 || info.Len > len(b) || info.Scan >= info.Len {
			t.Fatalf("accepted with %+v of %d bytes", info, len(b))
		}
		out := mjpeg.Append(nil, b, info)
		again, err := mjpeg.Parse(out)
		if err != nil {
			// The picture was judged with its tables missing; with them its
			// zeros may be judged, nothing else.
			t.Fatalf("result of Append is refused: %v", err)
		}
		if !again.Huffman || again.Len != len(out) || again.Width != info.Width || again.Height != info.Height {
			t.Fatalf("Append changed %+v into %+v", info, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	src := picture(b, 1280, 720)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := mjpeg.Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}
