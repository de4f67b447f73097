package icons

import (
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
)

func TestEveryDrawingIsWellFormedAndTints(t *testing.T) {
	if len(Names()) < 30 {
		t.Fatalf("only %d drawings are embedded", len(Names()))
	}
	for _, name := range Names() {
		data, err := SVG(name, "#123456")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), ink) {
			t.Errorf("%s: ink is left after tinting", name)
		}
		d := xml.NewDecoder(strings.NewReader(string(data)))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
		plain, err := SVG(name, "")
		tintable := !strings.HasPrefix(name, "rule-") && name != "app"
		if err != nil || strings.Contains(string(plain), ink) != tintable {
			t.Errorf("%s: ink in the drawing: want %v (%v)", name, tintable, err)
		}
	}
}

func TestAMissingDrawingIsNamed(t *testing.T) {
	if _, err := SVG("no-such", ""); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no-such") {
		t.Errorf("error %v", err)
	}
}
