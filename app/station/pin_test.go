package station

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// pinDesk is a data directory with an operator's and an admin's PIN and a clock
// that is moved by hand.
type pinDesk struct {
	t   *testing.T
	dir string
	now time.Time
	*PINs
}

func newPINDesk(t *testing.T) *pinDesk {
	t.Helper()
	d := &pinDesk{t: t, dir: t.TempDir(), now: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}
	d.restart()
	for _, who := range []struct {
		staff booth.Staff
		pin   string
	}{{booth.Staff{ID: "li", Role: booth.RoleOperator}, "4071"}, {booth.Staff{Role: booth.RoleAdmin}, "908172"}} {
		if err := d.Set(who.staff, who.pin); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// restart is what a program that was killed and started again knows.
func (d *pinDesk) restart() { d.PINs = OpenPINs(d.dir, func() time.Time { return d.now }) }

func (d *pinDesk) check(pin string) PINResult {
	d.t.Helper()
	r, err := d.Check(pin)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func TestPINNamesItsOwner(t *testing.T) {
	d := newPINDesk(t)
	for pin, want := range map[string]booth.Staff{"4071": {ID: "li", Role: booth.RoleOperator}, "908172": {ID: "admin", Role: booth.RoleAdmin}} {
		if r := d.check(pin); !r.OK || r.Staff != want {
			t.Errorf("%+v, want %+v", r, want)
		}
	}
	for _, pin := range []string{"4072", "40711", "407", "90817", "0000", "", "4071 ", "9081729081729081"} {
		d.restart()
		if r := d.check(pin); r.OK || r.Staff != (booth.Staff{}) {
			t.Errorf("%d digits: %+v", len(pin), r)
		}
		if err := d.setLockout(lockout{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Set(booth.Staff{ID: "li", Role: booth.RoleOperator}, "6620"); err != nil {
		t.Fatal(err)
	}
	if d.check("4071").OK || !d.check("6620").OK {
		t.Error("the old PIN still counts, or the new one does not")
	}
	if err := d.Remove("li"); err != nil || d.check("6620").OK {
		t.Errorf("a removed PIN counts: %v", err)
	}
	if err := d.Remove("li"); !errors.Is(err, ErrPINUnknown) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestPINsThatAreRefused(t *testing.T) {
	d := newPINDesk(t)
	op, admin := booth.Staff{ID: "wang", Role: booth.RoleOperator}, booth.Staff{ID: "wang", Role: booth.RoleAdmin}
	for name, c := range map[string]struct {
		who  booth.Staff
		pin  string
		want error
	}{
		"short":          {op, "407", ErrPINDigits},
		"long":           {op, "4071407140714", ErrPINDigits},
		"letters":        {op, "40a1", ErrPINDigits},
		"full width":     {op, "４０７１", ErrPINDigits},
		"short of admin": {admin, "40715", ErrPINDigits},
		"same digit":     {op, "5555", ErrPINSimple},
		"up":             {op, "3456", ErrPINSimple},
		"round":          {op, "7890", ErrPINSimple},
		"down":           {admin, "654321", ErrPINSimple},
		"another's":      {op, "4071", ErrPINTaken},
		"bad id":         {booth.Staff{ID: "../wang", Role: booth.RoleOperator}, "4077", ErrPINStaff},
		"no role":        {booth.Staff{ID: "wang"}, "4077", ErrPINRole},
	} {
		t.Run(name, func(t *testing.T) {
			before := readFile(t, filepath.Join(d.dir, pinFile))
			if err := d.Set(c.who, c.pin); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if !bytes.Equal(before, readFile(t, filepath.Join(d.dir, pinFile))) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestPINFileTellsNoPIN(t *testing.T) {
	d := newPINDesk(t)
	d.check("1357")
	for _, name := range []string{pinFile, lockoutFile} {
		path := filepath.Join(d.dir, name)
		for _, pin := range []string{"4071", "908172", "1357"} {
			if bytes.Contains(readFile(t, path), []byte(pin)) && name == lockoutFile {
				t.Errorf("%s holds a PIN", name)
			}
			if bytes.Contains(readFile(t, path), []byte(`"`+pin)) {
				t.Errorf("%s holds a PIN", name)
			}
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, st.Mode(), err)
		}
	}
}

func TestWrongPINsCostTime(t *testing.T) {
	d := newPINDesk(t)
	want := []time.Duration{0, 0, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute}
	for i, w := range want {
		if r := d.check("1357"); r.OK || r.Wait != w {
			t.Fatalf("wrong PIN %d: %+v, want a wait of %v", i+1, r, w)
		}
		if w == 0 {
			continue
		}
		// During the wait the right one is not looked at either, and nothing counts.
		if r := d.check("4071"); r.OK || r.Wait != w {
			t.Fatalf("in the wait: %+v", r)
		}
		if i%2 == 0 {
			d.restart()
			if r := d.check("4071"); r.OK || r.Wait != w {
				t.Fatalf("a restart ends the wait: %+v", r)
			}
		}
		d.now = d.now.Add(w - time.Second)
		if r := d.check(""); r.Wait != time.Second {
			t.Fatalf("a second before the end: %+v", r)
		}
		d.now = d.now.Add(time.Second)
	}
	if r := d.check("4071"); !r.OK {
		t.Fatalf("after the wait: %+v", r)
	}
	if r := d.check("1357"); r.Wait != 0 {
		t.Errorf("the right PIN does not set the count back: %+v", r)
	}
}

// A try is on disk before it is judged, and a clock that lies makes no wait
// longer than it would be.
func TestLockoutSurvivesWhatItCan(t *testing.T) {
	d := newPINDesk(t)
	for range lockoutFrom {
		d.check("1357")
	}
	d.now = d.now.AddDate(-3, 0, 0) // a battery that ran out
	d.restart()
	if r := d.check("4071"); r.OK || r.Wait != lockoutFirst {
		t.Fatalf("clock set back: %+v", r)
	}
	d.now = d.now.Add(lockoutFirst)
	if r := d.check("4071"); !r.OK {
		t.Fatalf("clock set back, after the wait: %+v", r)
	}
	for name, content := range map[string]string{"no JSON": "{", "negative": `{"failures":-1}`, "large": string(bytes.Repeat([]byte("x"), 5000))} {
		writeFile(t, filepath.Join(d.dir, lockoutFile), []byte(content))
		d.restart()
		if r := d.check("4071"); r.OK || r.Wait != lockoutFirst {
			t.Errorf("%s: %+v", name, r)
		}
		d.now = d.now.Add(lockoutFirst)
	}
	// On a full disk the wait still holds while the program runs.
	if err := d.setLockout(lockout{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.dir, lockoutFile)
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range lockoutFrom {
		if r, err := d.Check("1357"); r.OK || err == nil {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if r, _ := d.Check("4071"); r.OK || r.Wait != lockoutFirst {
		t.Errorf("on a full disk tries are free: %+v", r)
	}
	d.now = d.now.Add(lockoutFirst)
	if r, _ := d.Check("4071"); !r.OK {
		t.Errorf("a full disk locks staff out: %+v", r)
	}
}

func TestNoPINIsNotAWrongPIN(t *testing.T) {
	p := OpenPINs(t.TempDir(), nil)
	for _, pin := range []string{"", "4071"} {
		if r, err := p.Check(pin); err != nil || !r.NoPIN || r.OK {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if who, err := p.Owners(); err != nil || len(who) != 0 {
		t.Errorf("%v, %v", who, err)
	}
}

func TestDamagedPINFileOpensNothing(t *testing.T) {
	d := newPINDesk(t)
	whole := readFile(t, filepath.Join(d.dir, pinFile))
	for name, data := range map[string][]byte{
		"cut":         whole[:len(whole)/2],
		"empty":       nil,
		"cost":        bytes.Replace(whole, []byte(`"time": 3`), []byte(`"time": 4000000000`), 1),
		"memory":      bytes.Replace(whole, []byte(`"memory_kib": 19456`), []byte(`"memory_kib": 4000000000`), 1),
		"no threads":  bytes.Replace(whole, []byte(`"threads": 1`), []byte(`"threads": 0`), 1),
		"other kdf":   bytes.Replace(whole, []byte(`argon2id`), []byte(`rot13`), 1),
		"super role":  bytes.Replace(whole, []byte(`"role": "operator"`), []byte(`"role": "root"`), 1),
		"empty hash":  bytes.Replace(whole, []byte(`"hash": "`), []byte(`"hash": "", "x": "`), 1),
		"too large":   append(whole, bytes.Repeat([]byte(" "), pinFileMax)...),
		"other voice": []byte(`{"version":2}`),
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, filepath.Join(d.dir, pinFile), data)
			if r, err := d.Check("4071"); !errors.Is(err, ErrPINFile) || r.OK || r.NoPIN {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func FuzzParsePINs(f *testing.F) {
	f.Add([]byte(`{"version":1,"kdf":"argon2id","time":3,"memory_kib":19456,"threads":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","people":[]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parsePINs(data)
		if err != nil {
			return
		}
		if b.Time > pinMaxTime || b.MemoryKiB > pinMaxMemory || b.Threads == 0 || len(b.Salt) < pinSaltLen {
			t.Fatalf("%+v", b)
		}
		for _, r := range b.People {
			if len(r.Hash) != pinKeyLen {
				t.Fatal("an empty hash")
			}
		}
	})
}
