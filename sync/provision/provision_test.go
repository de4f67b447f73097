package provision

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
)

const (
	testEnrol = "7Q3K-92FX-ABCD.0123456789abcdef"
	testPin   = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

func whole() Code {
	return Code{
		URL: "https://photos.example.edu/yz", Enrol: testEnrol, TLSPin: testPin, Name: "东门一号", School: "示例大学", Expires: time.Unix(1800000000, 0).UTC(),
		Settings: map[string]string{"sound.volume": "30", "scan.wedge_pattern": "ID=([0-9X]{18})&x"},
	}
}

func TestWhatIsEncodedIsReadBack(t *testing.T) {
	for name, c := range map[string]Code{"whole": whole(), "least": {URL: "https://p.example", Enrol: testEnrol}, "this machine": {URL: "http://127.0.0.1:8480", Enrol: testEnrol}} {
		text, err := c.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range text {
			if r <= ' ' || r > '~' {
				t.Fatalf("%s: a scanner cannot type %q", name, r)
			}
		}
		got, err := Parse(" " + text + "\n")
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	with := func(change func(*Code)) string {
		c := whole()
		c.Settings = maps.Clone(c.Settings)
		change(&c)
		return c.text()
	}
	good := with(func(*Code) {})
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":              {"", ErrNotSetUp},
		"another code":         {"https://photo.example/k/AAEC", ErrNotSetUp},
		"a newer version":      {"yunzhao-setup:2?u=1", ErrVersion},
		"too long":             {good + strings.Repeat("x", MaxText), ErrDamaged},
		"an unknown field":     {good + "&z=1", ErrDamaged},
		"a field twice":        {good + "&n=x", ErrDamaged},
		"not a query":          {Prefix + "u=%zz", ErrDamaged},
		"plain http":           {with(func(c *Code) { c.URL = "http://photos.example.edu" }), ErrDamaged},
		"a script":             {with(func(c *Code) { c.URL = "javascript:alert(1)" }), ErrDamaged},
		"a password in it":     {with(func(c *Code) { c.URL = "https://a:b@photos.example.edu" }), ErrDamaged},
		"a query in it":        {with(func(c *Code) { c.URL = "https://photos.example.edu/?x=1" }), ErrDamaged},
		"no address":           {with(func(c *Code) { c.URL = "" }), ErrDamaged},
		"no enrolment code":    {with(func(c *Code) { c.Enrol = "" }), ErrDamaged},
		"no fingerprint":       {with(func(c *Code) { c.Enrol = "7Q3K-92FX-ABCD" }), ErrDamaged},
		"a short fingerprint":  {with(func(c *Code) { c.Enrol = "7Q3K-92FX-ABCD.0123" }), ErrDamaged},
		"signs in the code":    {with(func(c *Code) { c.Enrol = "7Q3K;rm.0123456789abcdef" }), ErrDamaged},
		"a short pin":          {with(func(c *Code) { c.TLSPin = "00" }), ErrDamaged},
		"a long name":          {with(func(c *Code) { c.Name = strings.Repeat("名", 41) }), ErrDamaged},
		"a line break":         {with(func(c *Code) { c.School = "a\nb" }), ErrDamaged},
		"an invisible sign":    {with(func(c *Code) { c.School = "a\u202Eb" }), ErrDamaged},
		"a date that is none":  {strings.Replace(good, "x=1800000000", "x=soon", 1), ErrDamaged},
		"a setting with signs": {with(func(c *Code) { c.Settings["a b"] = "1" }), ErrDamaged},
		"a long setting":       {with(func(c *Code) { c.Settings["a.b"] = strings.Repeat("x", 201) }), ErrDamaged},
	} {
		got, err := Parse(c.text)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %+v %v, want %v", name, got, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "7Q3K") {
			t.Errorf("%s: the error shows the one-time code: %v", name, err)
		}
	}
}

// TestAnotherCentralComparesOtherwise holds that a poster which leads elsewhere
// shows other digits, and that every code of one central shows the same.
func TestAnotherCentralComparesOtherwise(t *testing.T) {
	own := whole().Compare()
	if len(own) != 24 || own != CompareCentral("https://photos.example.edu/yz/", "0123456789ABCDEF", testPin) {
		t.Errorf("%q", own)
	}
	for name, change := range map[string]func(*Code){
		"address": func(c *Code) { c.URL = "https://photos.examp1e.edu/yz" },
		"key":     func(c *Code) { c.Enrol = "7Q3K-92FX-ABCD.0123456789abcdee" },
		"TLS key": func(c *Code) { c.TLSPin = "" },
	} {
		c := whole()
		if change(&c); c.Compare() == own {
			t.Errorf("another %s compares equal", name)
		}
	}
	same := whole()
	same.Enrol, same.Name, same.Settings = "AAAA-AAAA-AAAA.0123456789abcdef", "西门", nil
	if same.Compare() != own {
		t.Error("two codes of one central compare otherwise")
	}
}

func TestExpiry(t *testing.T) {
	c := whole()
	if c.Live(c.Expires) != nil || !errors.Is(c.Live(c.Expires.Add(time.Second)), ErrExpired) {
		t.Error("the end is not kept")
	}
	if c.Expires = (time.Time{}); c.Live(time.Unix(1<<40, 0)) != nil {
		t.Error("a code without an end ends")
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range []Code{whole(), {URL: "http://localhost:1", Enrol: testEnrol}} {
		f.Add(c.text())
	}
	f.Add(Prefix + "u=%zz&&c=;x=-1")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := c.Encode()
		if err != nil {
			if len(c.text()) > MaxText { // percent signs that were not needed in what was read
				return
			}
			t.Fatalf("what was read is not written: %v", err)
		}
		if back, err := Parse(again); err != nil || !reflect.DeepEqual(back, c) || c.Compare() == "" {
			t.Fatalf("%+v is read back as %+v, %v", c, back, err)
		}
	})
}
