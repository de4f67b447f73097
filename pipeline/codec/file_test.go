package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"unicode"
)

func TestDensity(t *testing.T) {
	jpg := encode(t, picture(48, 64), 90, S420)
	if x, y, err := Density(jpg); err != nil || x != 0 && x != 1 || y != x {
		t.Errorf("fresh file: %d %d %v", x, y, err)
	}
	for _, dpi := range []int{1, 300, 350, 65535} {
		out, err := SetDensity(jpg, dpi)
		if err != nil {
			t.Fatal(err)
		}
		if x, y, err := Density(out); x != dpi || y != dpi || err != nil {
			t.Errorf("%d dpi reads %d %d %v", dpi, x, y, err)
		}
		if len(out)-len(jpg) != DensityBytes {
			t.Errorf("grew by %d bytes, DensityBytes says %d", len(out)-len(jpg), DensityBytes)
		}
		again, err := SetDensity(out, dpi)
		if err != nil || !bytes.Equal(again, out) {
			t.Errorf("setting twice is not setting once: %v", err)
		}
		// EXIF alone says the same.
		list, err := segments(out)
		if err != nil {
			t.Fatal(err)
		}
		e := parseEXIF(list[1].body(out)[6:])
		if e.xdpi != dpi || e.ydpi != dpi {
			t.Errorf("EXIF says %d %d", e.xdpi, e.ydpi)
		}
		var a, b image.RGBA
		if err := errors.Join(DecodeRGBA(&a, jpg, Options{}), DecodeRGBA(&b, out, Options{})); err != nil || !bytes.Equal(a.Pix, b.Pix) {
			t.Errorf("pixels changed: %v", err)
		}
	}
	for name, in := range map[string][]byte{"nil": nil, "text": []byte("not a jpeg at all"), "cut": jpg[:30], "soi": {0xFF, 0xD8, 0xFF, 0xD9, 0, 0}} {
		if _, err := SetDensity(in, 300); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDensityPerCentimetre(t *testing.T) {
	jpg := encode(t, picture(8, 8), 90, S444)
	list, err := segments(jpg)
	if err != nil || list[0].marker != mAPP0 {
		t.Fatalf("%v %v", list, err)
	}
	b := list[0].body(jpg)
	b[7], b[8], b[9], b[10], b[11] = 2, 0, 118, 0, 118
	if x, y, err := Density(jpg); x != 300 || y != 300 || err != nil {
		t.Errorf("118 dots per cm reads %d %d %v", x, y, err)
	}
}

// exif is a minimal TIFF structure with an orientation.
func exif(o binary.AppendByteOrder, magic string, orientation uint16) []byte {
	b := []byte(magic)
	b = o.AppendUint32(b, 8)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0x0112)
	b = o.AppendUint16(b, 3)
	b = o.AppendUint32(b, 1)
	b = o.AppendUint16(b, orientation)
	return append(b, 0, 0, 0, 0, 0, 0)
}

func withEXIF(jpg, tiff []byte) []byte {
	out := append([]byte{0xFF, mSOI, 0xFF, mAPP1}, binary.BigEndian.AppendUint16(nil, uint16(2+6+len(tiff)))...)
	out = append(append(out, "Exif\x00\x00"...), tiff...)
	return append(out, jpg[2:]...)
}

// corners reads which quarter of the picture is bright: 0 top left, then clockwise.
func corner(m *image.RGBA) int {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	best, at := -1, 0
	for i, p := range []image.Point{{w / 4, h / 4}, {3 * w / 4, h / 4}, {3 * w / 4, 3 * h / 4}, {w / 4, 3 * h / 4}} {
		if v := int(m.RGBAAt(p.X, p.Y).G); v > best {
			best, at = v, i
		}
	}
	return at
}

func TestOrientation(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 64, 32))
	for y := range 16 {
		for x := range 32 {
			src.SetRGBA(x, y, color.RGBA{255, 255, 255, 255}) // top left
		}
	}
	jpg := encode(t, src, 95, S444)
	var pngBytes bytes.Buffer
	if err := png.Encode(&pngBytes, src); err != nil {
		t.Fatal(err)
	}
	// Where the stored top left belongs, by the EXIF standard.
	want := map[uint16]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 3, 5: 0, 6: 1, 7: 2, 8: 3, 9: 0, 65535: 0}
	for o, at := range want {
		for name, tiff := range map[string][]byte{"MM": exif(binary.BigEndian, "MM\x00\x2a", o), "II": exif(binary.LittleEndian, "II\x2a\x00", o)} {
			chunk := binary.BigEndian.AppendUint32(nil, uint32(len(tiff)))
			chunk = append(append(append(chunk, "eXIf"...), tiff...), 0, 0, 0, 0)
			p := bytes.Clone(pngBytes.Bytes()[:33])
			p = append(append(p, chunk...), pngBytes.Bytes()[33:]...)
			if got := pngOrientation(p); o >= 1 && o <= 8 && got != int(o) {
				t.Errorf("PNG orientation %d reads %d", o, got)
			}
			m, err := LoadBytes(withEXIF(jpg, tiff))
			if err != nil {
				t.Fatal(err)
			}
			size := image.Pt(64, 32)
			if o >= 5 && o <= 8 {
				size = image.Pt(32, 64)
			}
			if m.Rect.Size() != size || corner(m) != at {
				t.Errorf("%s orientation %d: %v bright at %d, want %v at %d", name, o, m.Rect.Size(), corner(m), size, at)
			}
		}
	}
	for deg, at := range map[int]int{0: 0, 90: 1, 180: 2, 270: 3} {
		m, err := Rotate(src, deg)
		if err != nil || corner(m) != at {
			t.Errorf("rotated %d° clockwise: bright at %d, want %d (%v)", deg, corner(m), at, err)
		}
	}
}

func TestEXIFPointingNowhereIsIgnored(t *testing.T) {
	jpg := encode(t, picture(16, 16), 90, S420)
	for _, tiff := range [][]byte{
		[]byte("MM\x00\x2a\xFF\xFF\xFF\xFF\x00\x00"), []byte("MM\x00\x2a\x00\x00\x00\x08\xFF\xFF"), []byte("XX\x00\x2a\x00\x00\x00\x08\x00\x01"),
		append([]byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x1a\x00\x05\x00\x00\x00\x01"), 0xFF, 0xFF, 0xFF, 0xF0),
	} {
		if _, err := LoadBytes(withEXIF(jpg, tiff)); err != nil {
			t.Errorf("%q: %v", tiff, err)
		}
	}
}

func TestLoadImageKinds(t *testing.T) {
	src := picture(60, 40)
	var rgba, deep, pal, gray, nrgba bytes.Buffer
	d := image.NewNRGBA64(src.Rect)
	p := image.NewPaletted(src.Rect, color.Palette{color.Black, color.White, color.RGBA{200, 0, 0, 255}})
	g := image.NewGray(src.Rect)
	c := image.NewNRGBA(src.Rect)
	for y := range 40 {
		for x := range 60 {
			d.Set(x, y, src.At(x, y))
			p.SetColorIndex(x, y, 2)
			g.SetGray(x, y, color.Gray{90})
		}
	}
	for w, m := range map[*bytes.Buffer]image.Image{&rgba: src, &deep: d, &pal: p, &gray: g, &nrgba: c} {
		if err := png.Encode(w, m); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		data []byte
		want color.RGBA
	}{
		"png":             {rgba.Bytes(), src.RGBAAt(30, 20)},
		"16 bit png":      {deep.Bytes(), src.RGBAAt(30, 20)},
		"palette png":     {pal.Bytes(), color.RGBA{200, 0, 0, 255}},
		"gray png":        {gray.Bytes(), color.RGBA{90, 90, 90, 255}},
		"transparent png": {nrgba.Bytes(), color.RGBA{255, 255, 255, 255}},
		"jpeg":            {encode(t, src, 98, S444), src.RGBAAt(30, 20)},
		"gray jpeg":       {encode(t, src, 98, SGray), color.RGBA{}},
	} {
		path := filepath.Join(t.TempDir(), "named.webp") // the content decides
		if err := os.WriteFile(path, tc.data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := LoadImage(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := m.RGBAAt(30, 20)
		if m.Rect != src.Rect || got.A != 255 || tc.want.A != 0 && (absDiff(got.R, tc.want.R) > 3 || absDiff(got.G, tc.want.G) > 3 || absDiff(got.B, tc.want.B) > 3) {
			t.Errorf("%s: %v %v, want %v", name, m.Rect, got, tc.want)
		}
	}
}

func absDiff(a, b uint8) int { return max(int(a), int(b)) - min(int(a), int(b)) }

// cmyk is a four-ink JPEG made from a common one: the same scan read as ink.
func TestFourInkJPEG(t *testing.T) {
	data, err := os.ReadFile("testdata/cmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	in, err := Header(data)
	if err != nil || !in.CMYK {
		t.Fatalf("header %+v %v", in, err)
	}
	if err := DecodeRGBA(&image.RGBA{}, data, Options{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("direct decode: %v", err)
	}
	m, err := LoadBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	if c := m.RGBAAt(8, 8); c.R < 180 || c.G > 70 || c.B > 70 || c.A != 255 {
		t.Errorf("the red picture loads as %v", c)
	}
}

func TestLoadImageRefusals(t *testing.T) {
	good := encode(t, picture(64, 48), 90, S420)
	huge := bytes.Clone(good)
	copy(huge[bytes.Index(huge, []byte{0xFF, 0xC0})+5:], []byte{0x4E, 0x20, 0x4E, 0x20})
	deep := bytes.Clone(good)
	deep[bytes.Index(deep, []byte{0xFF, 0xC0})+4] = 12
	var pb bytes.Buffer
	if err := png.Encode(&pb, picture(30, 30)); err != nil {
		t.Fatal(err)
	}
	pngCut := pb.Bytes()[:pb.Len()/2]
	pngHuge := bytes.Clone(pb.Bytes())
	binary.BigEndian.PutUint32(pngHuge[16:], 20000)
	binary.BigEndian.PutUint32(pngHuge[20:], 20000)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, tc := range map[string]struct {
		path string
		want error
		word string // what the sentence must contain
	}{
		"missing":     {filepath.Join(dir, "none.jpg"), os.ErrNotExist, "no such file"},
		"folder":      {dir, os.ErrInvalid, "folder"},
		"0 byte":      {write("a.jpg", nil), ErrDamaged, "0 bytes"},
		"text":        {write("b.jpg", []byte("姓名,学号\n")), ErrUnsupported, "text"},
		"webp":        {write("c.jpg", []byte("RIFF\x10\x00\x00\x00WEBPVP8 ....")), ErrUnsupported, "WebP"},
		"heic":        {write("d.jpg", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00")), ErrUnsupported, "HEIC"},
		"gif":         {write("e.jpg", []byte("GIF89a..........")), ErrUnsupported, "GIF"},
		"noise":       {write("f.jpg", []byte{0x80, 0, 0xC1, 0xF0, 7, 0, 0, 0x9C}), ErrUnsupported, "not a photo"},
		"truncated":   {write("g.jpg", good[:len(good)/2]), ErrDamaged, "truncated"},
		"20000x20000": {write("h.jpg", huge), ErrTooLarge, "64 megapixels"},
		"12 bit":      {write("i.jpg", deep), ErrUnsupported, "8-bit"},
		"png cut":     {write("j.png", pngCut), ErrDamaged, "truncated"},
		"png huge":    {write("k.png", pngHuge), ErrTooLarge, "64 megapixels"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := LoadImage(tc.path)
			var fe *FileError
			if m != nil || !errors.As(err, &fe) || !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
			if !bytes.Contains([]byte(fe.EN), []byte(tc.word)) {
				t.Errorf("%q does not say %q", fe.EN, tc.word)
			}
			if !bytes.ContainsFunc([]byte(fe.ZH), func(r rune) bool { return unicode.Is(unicode.Han, r) }) || fe.Error() != fe.EN {
				t.Errorf("no Chinese sentence: %q", fe.ZH)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	var pb bytes.Buffer
	if err := png.Encode(&pb, picture(20, 20)); err != nil {
		f.Fatal(err)
	}
	f.Add(pb.Bytes())
	f.Add(withEXIF(encode(f, picture(24, 16), 80, S420), exif(binary.LittleEndian, "II\x2a\x00", 6)))
	f.Add([]byte("RIFF....WEBP"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 24 && bytes.HasPrefix(b, []byte("\x89PNG")) && uint64(binary.BigEndian.Uint32(b[16:]))*uint64(binary.BigEndian.Uint32(b[20:])) > 1<<20 {
			return // keep the fuzzer's memory small
		}
		if in, err := Header(b); err == nil && in.Width*in.Height > 1<<20 {
			return
		}
		m, err := LoadBytes(b)
		if (m == nil) == (err == nil) {
			t.Fatal("neither a picture nor an error, or both")
		}
	})
}
