package central

import (
	"bytes"
	"testing"
)

func TestWholeJPEG(t *testing.T) {
	good := testJPEG(t, 320, 180)
	scan := scanStart(good)
	if scan < 0 {
		t.Fatal("no scan in a good picture")
	}
	huge := bytes.Clone(good) // the size in the frame header, made 65,500 × 65,500
	at := bytes.Index(huge, []byte{0xff, 0xc0})
	copy(huge[at+5:], []byte{0xff, 0xdc, 0xff, 0xdc})
	for name, c := range map[string]struct {
		b    []byte
		want bool
	}{
		"good":                        {good, true},
		"padded, as cameras do":       {append(bytes.Clone(good), 0, 0, 0, 0xff), true},
		"cut in the scan":             {good[:len(good)/2], false},
		"without its last byte":       {good[:len(good)-1], false},
		"header alone":                {good[:scan], false},
		"header and the end":          {append(bytes.Clone(good[:scan]), 0xff, 0xd9), false},
		"something after the end":     {append(bytes.Clone(good), "<html>"...), false},
		"too many pixels":             {huge, false},
		"nothing":                     {nil, false},
		"something else":              {[]byte("GIF89a"), false},
		"a segment beyond the end":    {append(bytes.Clone(good[:2]), 0xff, 0xe0, 0xff, 0xff), false},
		"the end where a table ought": {append(bytes.Clone(good[:2]), 0xff, 0xd9, 0, 0), false},
	} {
		if got := wholeJPEG(c.b); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func FuzzWholeJPEG(f *testing.F) {
	f.Add([]byte{0xff, 0xd8, 0xff, 0xd9})
	f.Add([]byte("\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02x\xff\xd9"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if at := scanStart(b); at > len(b) {
			t.Fatalf("a scan at %d of %d", at, len(b))
		}
		wholeJPEG(b)
	})
}
