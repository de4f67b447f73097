package demo

import (
	"context"
	"errors"
	"image"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skip2/go-qrcode"

	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func state(name, raw string) remote.State {
	return remote.State{State: name, Raw: []byte(raw)}
}

func TestCaughtUp(t *testing.T) {
	on := func(text string) []remote.Target {
		return []remote.Target{{ID: "start", Text: "idle"}, {ID: "state", Text: text}}
	}
	for _, c := range []struct {
		name    string
		state   remote.State
		targets []remote.Target
		want    bool
	}{
		{"the same", state("idle", `{}`), on("idle"), true},
		{"one behind", state("consent", `{}`), on("eligible"), false},
		{"a fault covers it", state("framing", `{"fault":"camera"}`), on("fault"), true},
		{"a fault not yet shown", state("framing", `{"fault":"camera"}`), on("framing"), false},
		{"a fault still shown", state("framing", `{}`), on("fault"), false},
		{"nothing shown yet", state("idle", `{}`), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := caughtUp(c.state, c.targets); got != c.want {
				t.Errorf("caughtUp = %v", got)
			}
		})
	}
}

func TestVisibleTellsScreensApart(t *testing.T) {
	seen := map[string]string{}
	for name, s := range map[string]remote.State{
		"idle":     state("idle", `{"state":"idle"}`),
		"eligible": state("eligible", `{}`),
		"paid":     state("eligible", `{"payment":"paid"}`),
		"linked":   state("eligible", `{"payment":"paid","linked":true}`),
		"fault":    state("eligible", `{"fault":"camera"}`),
		"refusal":  {State: "eligible", Toast: "Pay first.", Raw: []byte(`{}`)},
		"English":  {State: "eligible", Lang: "en", Raw: []byte(`{}`)},
	} {
		v := visible(s)
		if other, ok := seen[v]; ok {
			t.Errorf("%s and %s look the same", name, other)
		}
		seen[v] = name
	}
	// What moves all the time must not count.
	if visible(state("framing", `{"hint":"closer","ready":false}`)) != visible(state("framing", `{"hint":"","ready":true}`)) {
		t.Error("live checks count as another screen")
	}
}

func TestDecodeQR(t *testing.T) {
	const url = "http://127.0.0.1:8480/k/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdEfGhIjKlMnOpQr"
	code, err := qrcode.New(url, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	for _, perModule := range []int{2, 3, 5} {
		if got, err := decodeQR(code.Image(-perModule)); err != nil || got != url {
			t.Errorf("%d pixels a module: %q, %v", perModule, got, err)
		}
	}
	if got, err := decodeQR(image.NewRGBA(image.Rect(0, 0, 300, 300))); err == nil {
		t.Errorf("read %q where nothing is painted", got)
	}
}

func TestMisspeltNumbersDifferInOneDigit(t *testing.T) {
	for _, n := range []string{"370899200609093020", "370899200609093099", "37089920030520301X"} {
		m := misspelt(n)
		diff := 0
		for i := range n {
			if m[i] != n[i] {
				diff++
			}
		}
		if len(m) != len(n) || diff != 1 || m[:16] != n[:16] {
			t.Errorf("%s became %s", n, m)
		}
	}
}

func TestPayingPicksStudentsWithOneRecord(t *testing.T) {
	one := wire.Student{Ref: "1", Batch: "a", IDType: wire.IDResident, IDNumber: "1"}
	d := demo{
		policies: map[string]wire.Policy{"a": wire.PayNone, "b": wire.PayBeforeSubmit},
		info: central.DemoInfo{Students: []wire.Student{
			{Ref: "twice", Batch: "a", IDType: wire.IDResident, IDNumber: "2"},
			{Ref: "twice again", Batch: "a", IDType: wire.IDResident, IDNumber: "2"},
			{Ref: "passport", Batch: "a", IDType: wire.IDPassport, IDNumber: "3"},
			{Ref: "pays", Batch: "b", IDType: wire.IDResident, IDNumber: "4"},
			one,
		}},
	}
	if got, err := d.paying(wire.PayNone, 0); err != nil || got.Ref != one.Ref {
		t.Errorf("picked %q, %v", got.Ref, err)
	}
	if got, err := d.paying(wire.PayNone, 1); err == nil {
		t.Errorf("picked %q, of whom there is none", got.Ref)
	}
}

func TestUntilLooksAgainAndEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		began := time.Now()
		err := (&desk{}).until(t.Context(), func() (bool, error) { looks++; return looks == 5, nil })
		if err != nil || time.Since(began) != 4*look {
			t.Errorf("%v after %v and %d looks", err, time.Since(began), looks)
		}
		broken := errors.New("broken")
		if err := (&desk{}).until(t.Context(), func() (bool, error) { return false, broken }); !errors.Is(err, broken) {
			t.Errorf("until = %v", err)
		}
		gone := errors.New("the kiosk is gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if err := (&desk{}).until(ctx, func() (bool, error) { return false, nil }); !errors.Is(err, gone) {
			t.Errorf("until = %v, want the cause of the end", err)
		}
	})
}

func TestAKioskThatDoesNotStartIsToldAtOnce(t *testing.T) {
	d, ctx := privateDesk(t)
	d.program = "/bin/false"
	if err := d.start(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("start = %v, and the context %v", err, ctx.Err())
	}
}

// privateDesk has a virtual screen but no kiosk yet.
func privateDesk(t *testing.T) (*desk, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	dir := t.TempDir()
	d := &desk{data: dir, log: dir + "/log", socket: dir + "/s", width: 320, height: 240, env: os.Environ()}
	t.Cleanup(func() { _ = d.stop() })
	if err := d.openDisplay(ctx, true); err != nil {
		t.Skipf("SKIPPED: needs a virtual screen: %v", err)
	}
	return d, ctx
}

func TestPeakMB(t *testing.T) {
	if now, peak := memoryMB(os.Getpid()); now < 1 || peak < now || peak > 1<<16 {
		t.Errorf("this process uses %d MB and has used %d MB", now, peak)
	}
	if now, peak := memoryMB(-1); now != 0 || peak != 0 {
		t.Errorf("a process that is not there: %d and %d MB", now, peak)
	}
}
