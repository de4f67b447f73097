package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/keys/swtpm"
)

// copyDir is what a thief, or an imaging program, makes of a data directory.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if err := os.Chmod(filepath.Join(to, e.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func openWith(t *testing.T, dir string, o keys.Options) *keys.Store {
	t.Helper()
	s, err := keys.OpenWith(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeysStayWithTheirTPM(t *testing.T) {
	mine, other := swtpm.Start(t), swtpm.Start(t)
	dir := filepath.Join(t.TempDir(), "keys")
	s := openWith(t, dir, keys.Options{TPM: mine, Protect: keys.Auto})
	if err := s.CheckTPM(); err != nil {
		t.Fatal(err)
	}
	key, err := s.StationKey()
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.CreateDataKey("")
	if err != nil {
		t.Fatal(err)
	}
	sealed := data.Seal("roster", []byte("secret"))

	t.Run("this machine", func(t *testing.T) {
		// Many times: nothing may stay behind in the TPM, which holds three keys.
		for range 5 {
			s := openWith(t, dir, keys.Options{TPM: mine})
			again, err := s.StationKey()
			if err != nil || !again.Equal(key) {
				t.Fatalf("another station key: %v", err)
			}
			data, err := s.DataKey("")
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := data.Open("roster", sealed); err != nil || string(plain) != "secret" {
				t.Fatalf("%q %v", plain, err)
			}
		}
		if mode, err := s.StationKeyMode(); mode != keys.TPM || err != nil {
			t.Errorf("station key: %q %v", mode, err)
		}
		if mode, err := s.DataKeyMode(); mode != keys.TPM || err != nil {
			t.Errorf("data key: %q %v", mode, err)
		}
	})
	t.Run("nothing on the disk", func(t *testing.T) {
		for _, name := range []string{"station.key", "data.key"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, key.Seed()) {
				t.Errorf("%s holds the seed", name)
			}
		}
	})
	for name, tc := range map[string]struct {
		tpm  string
		want error
	}{
		"another machine":       {other, keys.ErrOtherTPM},
		"machine without a TPM": {filepath.Join(t.TempDir(), "none"), keys.ErrNoTPM},
		"no TPM but a file":     {filepath.Join(dir, "data.key"), keys.ErrNoTPM},
	} {
		t.Run(name, func(t *testing.T) {
			s := openWith(t, copyDir(t, dir), keys.Options{TPM: tc.tpm, Protect: keys.Auto})
			if _, err := s.StationKey(); !errors.Is(err, tc.want) {
				t.Errorf("station key: %v", err)
			}
			if _, err := s.DataKey("anything"); !errors.Is(err, tc.want) {
				t.Errorf("data key: %v", err)
			}
			if mode, err := s.StationKeyMode(); mode != keys.TPM || !errors.Is(err, tc.want) {
				t.Errorf("mode %q, %v", mode, err)
			}
			if _, err := s.CreateDataKey(""); !errors.Is(err, keys.ErrHaveDataKey) {
				t.Errorf("a key that does not open must not be replaced: %v", err)
			}
		})
	}
}

func TestDamagedSealedKeys(t *testing.T) {
	tpm := swtpm.Start(t)
	dir := filepath.Join(t.TempDir(), "keys")
	s := openWith(t, dir, keys.Options{TPM: tpm, Protect: keys.TPM})
	key, err := s.StationKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "station.key")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A bit in every thirtieth byte of the file: the same key or none, never another.
	for at := 0; at < len(whole); at += 30 {
		b := bytes.Clone(whole)
		b[at] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.StationKey(); err == nil && !got.Equal(key) {
			t.Fatalf("byte %d: another key", at)
		}
	}
}

func TestProtectMovesTheSameKey(t *testing.T) {
	tpm := swtpm.Start(t)
	dir := filepath.Join(t.TempDir(), "keys")
	s := openWith(t, dir, keys.Options{TPM: tpm})
	key, err := s.StationKey()
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.CreateDataKey("")
	if err != nil {
		t.Fatal(err)
	}
	sealed := data.Seal("x", []byte("y"))
	old := ""
	for _, step := range []struct {
		mode   keys.Mode
		phrase string
	}{{keys.TPM, ""}, {keys.Passphrase, "开学第一天早晨好"}, {keys.TPM, ""}, {keys.Plain, ""}} {
		if err := s.ProtectData(old, step.mode, step.phrase); err != nil {
			t.Fatalf("%s: %v", step.mode, err)
		}
		old = step.phrase
		if mode, err := s.DataKeyMode(); err != nil || mode != step.mode {
			t.Fatalf("mode %q %v", mode, err)
		}
		data, err := s.DataKey(step.phrase)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := data.Open("x", sealed); err != nil || string(plain) != "y" {
			t.Errorf("%s: %v", step.mode, err)
		}
	}
	for _, mode := range []keys.Mode{keys.TPM, keys.Plain} {
		if err := s.ProtectStation(mode); err != nil {
			t.Fatal(err)
		}
		got, err := s.StationKey()
		if err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

func TestHowNewKeysAreKept(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, tc := range map[string]struct {
		protect       keys.Mode
		tpm           bool
		phrase        string
		station, data keys.Mode // "" = refused
		err           error
	}{
		"auto with a TPM":              {protect: keys.Auto, tpm: true, station: keys.TPM, data: keys.TPM},
		"auto without":                 {protect: keys.Auto, station: keys.Plain, data: keys.Plain},
		"auto, TPM and passphrase":     {protect: keys.Auto, tpm: true, phrase: "eight characters", station: keys.TPM, data: keys.Passphrase},
		"tpm demanded, none there":     {protect: keys.TPM, err: keys.ErrNoTPM},
		"passphrase":                   {protect: keys.Passphrase, phrase: "eight characters", station: keys.Plain, data: keys.Passphrase},
		"passphrase demanded, none":    {protect: keys.Passphrase, station: keys.Plain, err: keys.ErrNeedsPhrase},
		"plain in spite of a TPM":      {protect: keys.Plain, tpm: true, station: keys.Plain, data: keys.Plain},
		"passphrase that is too short": {protect: keys.Auto, phrase: "short", station: keys.Plain, err: keys.ErrShortPhrase},
	} {
		t.Run(name, func(t *testing.T) {
			o := keys.Options{TPM: none, Protect: tc.protect}
			if tc.tpm {
				o.TPM = swtpm.Start(t)
			}
			s := openWith(t, filepath.Join(t.TempDir(), "keys"), o)
			var key ed25519.PrivateKey
			key, err := s.StationKey()
			if tc.station == "" && !errors.Is(err, tc.err) || tc.station != "" && (err != nil || key == nil) {
				t.Fatalf("station key: %v", err)
			}
			if mode, _ := s.StationKeyMode(); mode != tc.station {
				t.Errorf("station key is kept as %q, want %q", mode, tc.station)
			}
			if _, err := s.CreateDataKey(tc.phrase); !errors.Is(err, tc.err) {
				t.Fatalf("data key: %v, want %v", err, tc.err)
			}
			if mode, _ := s.DataKeyMode(); mode != tc.data {
				t.Errorf("data key is kept as %q, want %q", mode, tc.data)
			}
		})
	}
}

// FuzzKeyFiles reads key files as a copied or damaged directory holds them,
// where there is no TPM: an error or a key, never a crash.
func FuzzKeyFiles(f *testing.F) {
	f.Add([]byte(`{"mode":"tpm","tpm":{"public":"AE4ACAALAAAEUg==","private":"AAA="}}`))
	f.Add([]byte(`{"mode":"plain","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`))
	f.Add([]byte("-----BEGIN YUNZHAO STATION ED25519 SEED SEALED TO TPM-----\neyJwdWJsaWMiOiJBRTRBQ0FBTEFBQUVVZz09IiwicHJpdmF0ZSI6IkFBQT0ifQ==\n-----END YUNZHAO STATION ED25519 SEED SEALED TO TPM-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		for _, name := range []string{"station.key", "data.key"} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := openWith(t, dir, keys.Options{TPM: filepath.Join(dir, "none")})
		if key, err := s.StationKey(); err == nil && len(key) != ed25519.PrivateKeySize {
			t.Error("half a station key")
		}
		if k, err := s.DataKey(""); err == nil && k == nil {
			t.Error("no data key and no error")
		}
	})
}
