package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// TestEverySettingIsExplained fails when a field of Config has no line in the
// table of settings, or a line has no field: the settings page, the command line
// and Validate know nothing else.
func TestEverySettingIsExplained(t *testing.T) {
	kinds := map[Kind][]reflect.Kind{
		KindText: {reflect.String}, KindNumber: {reflect.Int}, KindFlag: {reflect.Bool}, KindChoice: {reflect.String, reflect.Int},
	}
	known := map[string]bool{}
	fields(reflect.ValueOf(Default()), func(key string, v reflect.Value) {
		known[key] = true
		s, ok := SettingOf(key)
		if !ok {
			t.Errorf("%s has no line in settings.go: name, what it does, range", key)
			return
		}
		fits := false
		for _, k := range kinds[s.Kind] {
			fits = fits || k == v.Kind()
		}
		if !fits {
			t.Errorf("%s: a %s cannot be kept in a Go %s", key, s.Kind, v.Kind())
		}
	})
	sectionsKnown := map[string]bool{}
	for _, s := range Sections() {
		sectionsKnown[s.ID] = s.Name.ZH != "" && s.Name.EN != ""
	}
	seen := map[string]bool{}
	for _, s := range Settings() {
		switch {
		case !known[s.Key]:
			t.Errorf("%s is explained but no setting", s.Key)
		case seen[s.Key]:
			t.Errorf("%s is explained twice", s.Key)
		case !sectionsKnown[s.Section()]:
			t.Errorf("%s: its section has no name", s.Key)
		}
		seen[s.Key] = true
		for _, text := range []Text{s.Name, s.About, s.Allowed()} {
			if len([]rune(text.ZH)) < 1 || len(text.EN) < 2 {
				t.Errorf("%s lacks words: %+v", s.Key, text)
			}
		}
		if s.Kind == KindNumber && s.Min >= s.Max || s.Kind == KindChoice && len(s.Choices) < 2 || s.Kind == KindText && s.Max < 1 {
			t.Errorf("%s has no range: %+v", s.Key, s)
		}
	}
}

// TestLimitsAreKept tries both ends of every setting's range and what lies beyond.
func TestLimitsAreKept(t *testing.T) {
	for _, s := range Settings() {
		try := func(value string, good bool) {
			t.Helper()
			from := Default()
			if s.Key == "capture.shutter_key" {
				from.Operator.Key = "" // no key is taken yet
			}
			c, err := from.With(s.Key, value)
			if good != (err == nil) {
				t.Errorf("%s = %.30q: error %v", s.Key, value, err)
				return
			}
			if got, _ := c.Value(s.Key); good && got != value {
				t.Errorf("%s = %q was kept as %q", s.Key, value, got)
			}
			if !good && !strings.Contains(err.Error(), s.Key) {
				t.Errorf("the error does not name %s: %v", s.Key, err)
			}
		}
		switch s.Kind {
		case KindNumber:
			try(strconv.Itoa(s.Min), true)
			try(strconv.Itoa(s.Max), true)
			try(strconv.Itoa(s.Min-1), false)
			try(strconv.Itoa(s.Max+1), false)
			try("many", false)
		case KindFlag:
			try("true", true)
			try("false", true)
			try("perhaps", false)
		case KindChoice:
			for _, c := range s.Choices {
				try(c.Value, true)
			}
			if !s.Typed {
				try("12345", false)
			}
		case KindText:
			try(strings.Repeat("x", s.Max+1), false)
			if s.Min > 0 {
				try("", false)
			}
		}
	}
	if _, err := Default().With("camera.colour", "blue"); err == nil {
		t.Error("a setting that does not exist was changed")
	}
}

func TestSavedSettingsAreReadBack(t *testing.T) {
	dir := t.TempDir()
	mine := "# 我的笔记\n[sound]\nvolume = 30\n"
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Station.Name, c.Camera.MountRotation, c.Scan.WedgePattern = `东门"一号"\`, 90, `ID=([0-9X]{18})`
	if err := Save(dir, c); err != nil {
		t.Fatal(err)
	}
	if again, err := Load(dir); err != nil || again != c {
		t.Errorf("%+v %v", again, err)
	}
	if before, err := os.ReadFile(filepath.Join(dir, FileName+earlier)); err != nil || string(before) != mine {
		t.Errorf("the file before: %q %v", before, err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	c.Times.Countdown = 99
	if err := Save(dir, c); err == nil {
		t.Error("wrong settings were saved")
	}
	if again, err := Load(dir); err != nil || again.Times.Countdown != 3 {
		t.Errorf("a refused change is in the file: %v", err)
	}
}

func TestExportLeavesOutWhatBelongsToOneComputer(t *testing.T) {
	from := Default()
	from.Station = Station{Name: "东门一号", School: "示例大学"}
	from.Camera.Device, from.Times.Countdown = "usb:1234:5678:A", 5
	data := from.Export()
	for _, never := range []string{"东门", "usb:1234"} {
		if strings.Contains(string(data), never) {
			t.Errorf("the export has %s", never)
		}
	}
	to := Default()
	to.Station.Name, to.Camera.Device, to.Camera.MountRotation = "西门", "usb:9", 90
	got, err := to.Import(data)
	if err != nil || got.Station != (Station{"西门", "示例大学"}) || got.Camera.Device != "usb:9" || got.Camera.MountRotation != 90 || got.Times.Countdown != 5 {
		t.Errorf("%+v %v", got, err)
	}
	if ch := Changed(to, got); len(ch) != 2 || ch[0] != "station.school" || ch[1] != "times.countdown_s" {
		t.Errorf("changed: %v", ch)
	}
	if _, err := to.Import([]byte("[times]\ncountdown_s = 0\n")); err == nil {
		t.Error("a wrong value was imported")
	}
	if _, err := to.Import(make([]byte, MaxFile+1)); err == nil {
		t.Error("a file of any size was imported")
	}
}

func FuzzImport(f *testing.F) {
	f.Add(Default().Export())
	f.Add([]byte("[station]\nname = \"\\u0007\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Default().Import(data)
		if err != nil {
			return
		}
		if again, err := Default().Import(c.Export()); err != nil || again != c {
			t.Fatalf("what was imported is not exported the same: %v", err)
		}
	})
}
