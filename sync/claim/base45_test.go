package claim

import (
	"bytes"
	"testing"
)

// The examples of RFC 9285, sections 4.3 and 4.4.
func TestBase45Examples(t *testing.T) {
	for plain, coded := range map[string]string{
		"AB": "BB8", "Hello!!": "%69 VD92EX0", "base-45": "UJCLQE7W581", "ietf!": "QED8WEX0", "": "",
	} {
		if got := encodeBase45([]byte(plain)); got != coded {
			t.Errorf("%q is written %q, want %q", plain, got, coded)
		}
		if got, err := decodeBase45(coded); err != nil || string(got) != plain {
			t.Errorf("%q is read %q, %v", coded, got, err)
		}
	}
	for _, bad := range []string{"A", "BB8A", "GGW", "::", ":::", "bb8", "\x00\x00\x00"} {
		if b, err := decodeBase45(bad); err == nil {
			t.Errorf("%q is read as %x", bad, b)
		}
	}
}

func FuzzBase45(f *testing.F) {
	f.Add("QED8WEX0")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := decodeBase45(s)
		if err == nil && encodeBase45(b) != s {
			t.Fatalf("%q has two spellings", s)
		}
		if again, err := decodeBase45(encodeBase45([]byte(s))); err != nil || !bytes.Equal(again, []byte(s)) {
			t.Fatalf("%q does not come back: %v", s, err)
		}
	})
}
