package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, in, wantErr string }{
		{"empty", "", ""},
		{"rotation", "[camera]\nmount_rotation = 270\n", ""},
		{"bad rotation", "[camera]\nmount_rotation = 45\n", "camera.mount_rotation = 45: must be one of 0, 90, 180, 270"},
		{"range", "[times]\ncountdown_s = 0\n", "times.countdown_s = 0: must be between 1 and 10"},
		{"unknown key", "[times]\ncuntdown_s = 3\n", `unknown key "times.cuntdown_s"`},
		{"language", "[screen]\nlanguage = \"fr\"\n", `screen.language = "fr"`},
		{"pin", "[central]\npin_sha256 = \"zz\"\n", "central.pin_sha256"},
		{"by hand", "[capture]\nauto = false\nburst = 1\nlens = \"left\"\nshutter_key = \"f9\"\n", ""},
		{"burst", "[capture]\nburst = 12\n", "capture.burst = 12: must be between 1 and 9"},
		{"lens", "[capture]\nlens = \"behind\"\n", `capture.lens = "behind": must be one of above, left, right, below`},
		{"a key that scanners type", "[capture]\nshutter_key = \"b\"\n", `capture.shutter_key = "b"`},
		{"sound", "[sound]\nmode = \"loud\"\n", `sound.mode = "loud": must be one of auto, on, off`},
		{"volume", "[sound]\nvolume = 110\n", "sound.volume = 110"},
		{"operator", "[operator]\nidle_s = 30\nkey = \"f10\"\ncorner = false\nmanual_pin = true\n", ""},
		{"operator idle", "[operator]\nidle_s = 5\n", "operator.idle_s = 5: must be between 15 and 900"},
		{"operator key", "[operator]\nkey = \"A\"\n", "operator.key = \"A\""},
		{"one key for two", "[operator]\nkey = \"f9\"\n[capture]\nshutter_key = \"f9\"\n", "operator.key"},
		{"no way in", "[operator]\nkey = \"\"\ncorner = false\n", "nobody reaches the operator page"},
		{"wedge", "[scan]\ncamera = false\nwedge_pattern = 'ID=([0-9X]{18})'\n", ""},
		{"wedge that is no expression", "[scan]\nwedge_pattern = '('\n", "scan.wedge_pattern"},
		{"wedge that is too long", "[scan]\nwedge_pattern = '" + strings.Repeat("x", 201) + "'\n", "scan.wedge_pattern has 201"},
		{"keys", "[keys]\nprotect = \"tpm\"\ntpm = \"/dev/tpm0\"\n", ""},
		{"keys kept elsewhere", "[keys]\nprotect = \"cloud\"\n", `keys.protect = "cloud": must be one of auto, tpm, passphrase, plain`},
		{"tpm that is no path", "[keys]\ntpm = \"tpm0\"\n", "keys.tpm"},
		{"not toml", "[[[", "toml"},
		{"wrong type", "[times]\ncountdown_s = \"three\"\n", "toml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.in))
			switch {
			case c.wantErr == "" && err != nil:
				t.Fatal(err)
			case c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)):
				t.Fatalf("error %v, want it to say %q", err, c.wantErr)
			}
		})
	}
}

func TestFlatNamesEverySetting(t *testing.T) {
	flat, err := Default().Flat()
	if err != nil || flat["operator.idle_s"] != "90" || flat["camera.device"] != "auto" || flat["screen.fullscreen"] != "false" || len(flat) < 20 {
		t.Errorf("%v %v", flat, err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if c, err := Load(dir); err != nil || c != Default() {
		t.Fatalf("a missing file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte("[station]\nname=\"东门一号\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir)
	if err != nil || c.Station.Name != "东门一号" || c.Times != Default().Times {
		t.Fatalf("%+v %v", c, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[camera]\nmount_rotation = 90\n"))
	f.Add([]byte("[times]\ncountdown_s = 99999999999\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := Parse(data); err == nil && c.Validate() != nil {
			t.Fatal("accepted what Validate refuses")
		}
	})
}
