package spec

import (
	"errors"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const minimal = `id = "school"
version = "1"
title_zh = "校内照片"
title_en = "School photo"
width = 300
height = 400
dpi = 300
background = "#64C5FF"
[geometry]
face_width = [100, 180]
eye_line = [120, 190]
`

func TestBuiltInStandards(t *testing.T) {
	ids := IDs()
	if len(ids) < 20 {
		t.Fatalf("only %d standards", len(ids))
	}
	for _, id := range ids {
		s, err := Load(id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if s.ID != id || s.Source == "" {
			t.Errorf("%s: id %q, source %q", id, s.ID, s.Source)
		}
		for _, c := range []string{"single_face", "pixels", "dpi", "inter_eye_distance"} {
			if s.Limit(c).Level == LevelOff {
				t.Errorf("%s does not check %s", id, c)
			}
		}
	}
}

// The figures of the notice, as a photo of the default standard is held to them.
func TestDefaultStandard(t *testing.T) {
	s, err := Load("chsi")
	if err != nil {
		t.Fatal(err)
	}
	if s.Width != 480 || s.Height != 640 || s.DPI != 300 || s.MinKB != 20 || s.MaxKB != 40 || s.JPEGMinQuality < 60 || s.AllowRotate {
		t.Errorf("%+v", s)
	}
	if s.Background.Color != (color.RGBA{100, 197, 255, 255}) {
		t.Errorf("background %v", s.Background)
	}
	if lo, hi, ok := s.SizeWindow(); lo != 20480 || hi != 40000 || !ok {
		t.Errorf("file of %d to %d bytes", lo, hi)
	}
	for id, want := range map[string]Range{CrownMargin: {50, 110}, EyeLine: {200, 300}, FaceWidth: {180, 300}, Pixels: {307200, 307200}, DPI: {300, 300}, FileSize: {20.48, 40}} {
		if l := s.Limit(id); l.Fail != want || l.Level != LevelFail {
			t.Errorf("%s: %+v, want %v", id, l, want)
		}
	}
	if l := s.Limit("single_face"); l.Fail.Max != .1 || !math.IsNaN(l.Fail.Min) {
		t.Errorf("single_face %+v", l)
	}
	if s.Limit("makeup").Level != LevelManual || s.Limit("no_such_check").Level != LevelOff {
		t.Error("levels")
	}
}

// A file that names no checks is still held to one person and to its own fields.
func TestLeastChecks(t *testing.T) {
	s, err := Parse([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.CheckIDs(), " "); got != "dpi eye_line face_width pixels single_face upscale" {
		t.Errorf("checks %s", got)
	}
	for id, want := range map[string]Range{EyeLine: {120, 190}, FaceWidth: {100, 180}, Pixels: {120000, 120000}} {
		if l := s.Limit(id); l.Level != LevelFail || l.Fail != want {
			t.Errorf("%s: %+v", id, l)
		}
	}
	if l := s.Limit(Upscale); l.Fail.Max != DefaultMaxUpscale || l.Level != LevelFail {
		t.Errorf("upscale %+v", l)
	}
	s, err = Parse([]byte(minimal + "[limits.single_face]\nlevel = \"off\"\n"))
	if err != nil || s.Limit("single_face").Level != LevelOff {
		t.Errorf("turned off by name: %+v %v", s.Limit("single_face"), err)
	}
}

func TestInheritedLimits(t *testing.T) {
	s, err := Load("id-card")
	if err != nil {
		t.Fatal(err)
	}
	if l := s.Limit(EyeLine); l.Fail.Max != 234 || !math.IsNaN(l.Fail.Min) {
		t.Errorf("eye line %+v: the window of another standard", l)
	}
	if l := s.Limit(CrownMargin); l.Level != LevelWarn {
		t.Errorf("the crown margin yields but is judged %q", l.Level)
	}
	if l := s.Limit("roll"); l.Fail != (Range{-5, 5}) {
		t.Errorf("roll %+v", l)
	}
	p, err := Load("passport-cn")
	if err != nil {
		t.Fatal(err)
	}
	if l := p.Limit(HeadHeight); l.Level != LevelFail || l.Fail.Min != 331 {
		t.Errorf("head height %+v", l)
	}
}

func TestBackgrounds(t *testing.T) {
	s, err := Load("chsi")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]color.RGBA{"": {100, 197, 255, 255}, "white": {255, 255, 255, 255}, "grey": {240, 240, 240, 255}} {
		b, err := s.WithBackground(name)
		if err != nil || b.Background.Color != want || b.Background.Keep {
			t.Errorf("%q: %v %v", name, b, err)
		}
	}
	if k, err := s.WithBackground("keep"); err != nil || !k.Background.Keep || s.Background.Keep {
		t.Errorf("keep: %v", err)
	}
	if _, err := s.WithBackground("pink"); err == nil || !strings.Contains(err.Error(), "grey") {
		t.Errorf("pink: %v", err)
	}
}

// Every standard can be asked for the five usual backdrops, and says which of
// them are not its own.
func TestUsualBackgroundsOfEveryStandard(t *testing.T) {
	for _, id := range IDs() {
		s, err := Load(id)
		if err != nil {
			t.Fatal(err)
		}
		own := 0
		for _, name := range []string{"blue", "white", "grey", "red", "keep"} {
			b, err := s.WithBackground(name)
			if err != nil || b.Background.Name != name || b.Background.Keep != (name == "keep") {
				t.Errorf("%s %s: %+v %v", id, name, b, err)
				continue
			}
			if !b.Background.Keep && colourName(b.Background.Color) != name {
				t.Errorf("%s: %s is %v", id, name, b.Background.Color)
			}
			if !b.Background.Foreign {
				own++
			}
			if again, err := b.WithBackground(""); err != nil || again.Background != b.Background {
				t.Errorf("%s: the backdrop changed by asking for none", id)
			}
		}
		if own < 2 { // keep, and at least its own colour
			t.Errorf("%s has %d backdrops of its own", id, own)
		}
	}
	s, err := Load("chsi")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.WithBackground("blue"); err != nil || b.Background.Color != (color.RGBA{100, 197, 255, 255}) || b.Background.Foreign {
		t.Errorf("the blue of chsi is its own: %+v %v", b.Background, err)
	}
	if b, err := s.WithBackground("red"); err != nil || !b.Background.Foreign {
		t.Errorf("chsi knows no red: %+v %v", b.Background, err)
	}
}

func TestRefusedStandards(t *testing.T) {
	if _, err := Parse([]byte(minimal)); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		old, new string
		want     []string // the message names the key and what is allowed
	}{
		"not TOML":          {"width = 300", "width = = 3", []string{"line 5"}},
		"unknown key":       {"dpi = 300", "dpi = 300\ncolour = 3", []string{"colour: unknown key", "line 8"}},
		"wrong type":        {"width = 300", `width = "wide"`, []string{"line 5"}},
		"no id":             {`id = "school"`, "", []string{"id:"}},
		"id with a path":    {`id = "school"`, `id = "../etc"`, []string{"id:"}},
		"too wide":          {"width = 300", "width = 100000", []string{"width: 100000 is not within 32 to 4096"}},
		"negative":          {"height = 400", "height = -1", []string{"height: -1 is not within 32 to 4096"}},
		"print dpi 0":       {"dpi = 300", "dpi = 300\nprint_dpi = 0", []string{"print_dpi: 0 is not within 1 to 2400"}},
		"dpi 0":             {"dpi = 300", "dpi = 0", []string{"dpi: 0 is not within 1 to 2400"}},
		"KB crossed":        {"dpi = 300", "dpi = 300\nmin_kb = 50\nmax_kb = 40", []string{"min_kb: 50 is not within 0 to 38"}},
		"KB windows empty":  {"dpi = 300", "dpi = 300\nmin_kb = 40\nmax_kb = 40", []string{"min_kb"}},
		"quality":           {"dpi = 300", "dpi = 300\njpeg_min_quality = 0", []string{"jpeg_min_quality: 0 is not within 1 to 100"}},
		"upscale":           {"dpi = 300", "dpi = 300\nmax_upscale = nan", []string{"max_upscale", "0.1 to 4"}},
		"colour":            {`"#64C5FF"`, `"blue"`, []string{"background", "#RRGGBB", "keep"}},
		"alternate":         {"dpi = 300", "dpi = 300\nalternates = { white = \"FFF\" }", []string{"alternates.white"}},
		"alternate keep":    {"dpi = 300", "dpi = 300\nalternates = { keep = \"#FFFFFF\" }", []string{"alternates.keep"}},
		"geometry key":      {"face_width", "face_size", []string{"geometry.face_size"}},
		"window crossed":    {"[100, 180]", "[180, 100]", []string{"geometry.face_width: min 180 is above max 100"}},
		"window of one":     {"[100, 180]", "[100]", []string{"geometry.face_width", "[min, max]"}},
		"window of words":   {"[100, 180]", `["a", "b"]`, []string{"geometry.face_width", "numbers"}},
		"window outside":    {"[100, 180]", "[100, 900]", []string{"geometry.face_width", "0 to 300"}},
		"window too narrow": {"[100, 180]", "[100, 101]", []string{"geometry.face_width: [100, 101] is narrower than 2 px"}},
		"window a number":   {"[100, 180]", "100", []string{"geometry.face_width"}},
		"nothing to size":   {"face_width = [100, 180]", "", []string{"geometry: needs face_width"}},
		"no height":         {"eye_line = [120, 190]", "", []string{"geometry: needs eye_line"}},
		"yield unknown":     {"[geometry]", "[geometry]\nyield = [\"nose\"]", []string{"geometry.yield"}},
		"level":             {"[geometry]", "[limits.roll]\nlevel = \"maybe\"\n[geometry]", []string{"limits.roll.level", "manual or off"}},
		"limit key":         {"[geometry]", "[limits.roll]\nmax = 3\n[geometry]", []string{"limits.roll.max: unknown key"}},
		"check id":          {"[geometry]", "[limits.\"Roll!\"]\n[geometry]", []string{"limits.Roll!"}},
		"warn outside fail": {"[geometry]", "[limits.roll]\nfail=[-3,3]\nwarn=[-5,5]\n[geometry]", []string{"limits.roll.warn"}},
		"fail twice":        {"[geometry]", "[limits.eye_line]\nfail=[1,2]\n[geometry]", []string{"limits.eye_line.fail"}},
		"huge limit":        {"[geometry]", "[limits.roll]\nfail=[-1e300,3]\n[geometry]", []string{"limits.roll.fail"}},
		"mirror":            {"dpi = 300", "dpi = 300\nallow_mirror = true", []string{"allow_mirror: must be false"}},
		"base":              {"dpi = 300", "dpi = 300\nlimits_from = \"nothing\"", []string{"limits_from", "chsi"}},
		"two at once":       {"width = 300", "width = 0", []string{"width: 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(strings.Replace(minimal, tc.old, tc.new, 1)))
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v, want ErrInvalid", err)
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	_, err := Parse([]byte(strings.NewReplacer("width = 300", "width = 3", "dpi = 300", "dpi = 0").Replace(minimal)))
	if err == nil || !strings.Contains(err.Error(), "width:") || !strings.Contains(err.Error(), "dpi:") {
		t.Errorf("%v", err)
	}
}

func TestLoadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "school.toml")
	if err := os.WriteFile(path, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadFile(path)
	if err != nil || s.ID != "school" {
		t.Errorf("%v %v", s, err)
	}
	if _, err := LoadFile(filepath.Join(dir, "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, maxFileBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFile(path); !errors.Is(err, ErrInvalid) {
		t.Errorf("huge file: %v", err)
	}
	if _, err := Load("../chsi"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a path as an id: %v", err)
	}
}

func TestRange(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		r    Range
		v    float64
		want int
	}{
		{Range{1, 2}, 1, 0},
		{Range{1, 2}, 2, 0},
		{Range{1, 2}, .9, -1},
		{Range{1, 2}, 2.1, 1},
		{Range{nan, 2}, -1e9, 0},
		{Range{nan, 2}, 3, 1},
		{Range{1, nan}, 1e9, 0},
		{Range{1, nan}, 0, -1},
		{Open(), 5, 0},
	} {
		if got := tc.r.Compare(tc.v); got != tc.want {
			t.Errorf("%v in %v: %d, want %d", tc.v, tc.r, got, tc.want)
		}
	}
	lo, hi := Range{1, nan}.Bounds()
	if lo == nil || *lo != 1 || hi != nil {
		t.Errorf("bounds %v %v", lo, hi)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(minimal)
	f.Add(minimal + "[limits.roll]\nfail=[nan,inf]\nlevel=\"manual\"\n")
	f.Add(strings.Replace(minimal, "dpi = 300", "dpi = 300\nlimits_from = \"chsi\"", 1))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse([]byte(text))
		if (s == nil) == (err == nil) {
			t.Fatal("neither a standard nor an error, or both")
		}
		if err != nil {
			return
		}
		if s.Width < 1 || s.Height < 1 || s.DPI < 1 || s.JPEGMinQuality < 1 || !(s.MaxUpscale > 0) {
			t.Fatalf("accepted %+v", s)
		}
		if lo, hi, ok := s.SizeWindow(); ok && lo > hi {
			t.Fatalf("accepted a file window of %d to %d bytes", lo, hi)
		}
	})
}
