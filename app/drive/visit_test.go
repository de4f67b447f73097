package drive

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jezek/xgb/xproto"

	"github.com/yunzhao-station/yunzhao/app/drive/remote"
)

// recorder is Hands that note what they do.
type recorder struct {
	did  []string
	fail error
}

func (r *recorder) note(format string, args ...any) error {
	r.did = append(r.did, fmt.Sprintf(format, args...))
	return r.fail
}

func (r *recorder) Hold(_ context.Context, x, y int, long time.Duration) error {
	return r.note("hold %d,%d %v", x, y, long)
}

func (r *recorder) Glide(_ context.Context, x, y int, took time.Duration) error {
	return r.note("glide %d,%d %v", x, y, took)
}

func (r *recorder) Key(sym Keysym) error { return r.note("key %x", sym) }

func (r *recorder) Type(_ context.Context, text string) error { return r.note("type %q", text) }

func (r *recorder) Screenshot() (*image.RGBA, error) {
	return image.NewRGBA(image.Rect(0, 0, 4, 3)), r.fail
}

// script is a Source that shows one picture after another, one a look.
type script struct {
	targets [][]remote.Target // the last one stays
	state   remote.State
	err     error
	scenes  []string
}

func (s *script) State(context.Context) (remote.State, error) { return s.state, s.err }

func (s *script) Wait(ctx context.Context, ok func(remote.State) bool) (remote.State, error) {
	if s.err != nil || ok(s.state) {
		return s.state, s.err
	}
	<-ctx.Done()
	return s.state, ctx.Err()
}

func (s *script) Targets(context.Context) ([]remote.Target, error) {
	now := s.targets[0]
	if len(s.targets) > 1 {
		s.targets = s.targets[1:]
	}
	return now, s.err
}

func (s *script) Scene(_ context.Context, cmd string) error {
	s.scenes = append(s.scenes, cmd)
	return s.err
}

func button(id string, x int) remote.Target {
	return remote.Target{ID: id, X: x, Y: 100, W: 80, H: 40, Enabled: true}
}

func off(t remote.Target) remote.Target {
	t.Enabled = false
	return t
}

func TestTap(t *testing.T) {
	for name, tc := range map[string]struct {
		targets [][]remote.Target
		kiosk   Kiosk
		want    []string
		looks   int
	}{
		"there":            {[][]remote.Target{{button("start", 10)}}, Kiosk{}, []string{"hold 50,120 60ms"}, 2},
		"appears":          {[][]remote.Target{nil, {button("other", 1)}, {button("start", 10)}}, Kiosk{}, []string{"hold 50,120 60ms"}, 4},
		"becomes enabled":  {[][]remote.Target{{off(button("start", 10))}, {button("start", 10)}}, Kiosk{}, []string{"hold 50,120 60ms"}, 3},
		"slides in":        {[][]remote.Target{{button("start", 300)}, {button("start", 90)}, {button("start", 10)}}, Kiosk{}, []string{"hold 50,120 60ms"}, 4},
		"leaves and comes": {[][]remote.Target{{button("start", 10)}, nil, {button("start", 10)}}, Kiosk{}, []string{"hold 50,120 60ms"}, 4},
		"no size yet":      {[][]remote.Target{{{ID: "start", Enabled: true}}, {{ID: "start", Enabled: true}}, {button("start", 10)}}, Kiosk{}, []string{"hold 50,120 60ms"}, 4},
		"at a pace": {
			[][]remote.Target{{button("start", 10)}},
			Kiosk{Origin: image.Pt(1000, 2000), Dwell: time.Second, Travel: 2 * time.Second},
			[]string{"glide 1050,2120 2s", "hold 1050,2120 1s"},
			2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hands := &recorder{}
				k := tc.kiosk
				k.Hands, k.Client = hands, &script{targets: tc.targets}
				start := time.Now()
				if err := k.Tap(t.Context(), "start"); err != nil {
					t.Fatalf("Tap: %v", err)
				}
				if !slices.Equal(hands.did, tc.want) {
					t.Errorf("did %q, want %q", hands.did, tc.want)
				}
				if looks := int(time.Since(start)/targetPoll) + 1; looks != tc.looks {
					t.Errorf("%d looks, want %d", looks, tc.looks)
				}
			})
		})
	}
}

func TestTapThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := button("next", 5)
		secret.Text = "张三"
		hands := &recorder{}
		k := Kiosk{
			Hands:  hands,
			Client: &script{targets: [][]remote.Target{{secret, off(button("start", 9))}}, state: remote.State{State: "idle"}},
			Shots:  filepath.Join(t.TempDir(), "shots"),
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := k.Tap(ctx, "start")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Tap = %v", err)
		}
		for _, want := range []string{"tap start", "next", "start (disabled)", `state "idle"`, filepath.Join(k.Shots, "01-failed.png")} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "张三") {
			t.Errorf("error %q names a person", err)
		}
		if len(hands.did) != 0 {
			t.Errorf("did %q", hands.did)
		}
		if _, err := os.Stat(filepath.Join(k.Shots, "01-failed.png")); err != nil {
			t.Error(err)
		}
	})
}

func TestKioskPassesFailuresOn(t *testing.T) {
	broken := errors.New("broken")
	k := Kiosk{Hands: &recorder{}, Client: &script{targets: [][]remote.Target{nil}, err: broken}}
	_, waitErr := k.WaitState(t.Context(), "idle")
	for what, err := range map[string]error{"Tap": k.Tap(t.Context(), "a"), "Scene": k.Scene(t.Context(), "enter"), "WaitState": waitErr} {
		if !errors.Is(err, broken) {
			t.Errorf("%s with a dead kiosk: %v", what, err)
		}
	}
	k = Kiosk{Hands: &recorder{fail: broken}, Client: &script{targets: [][]remote.Target{{button("a", 1)}}}, Shots: t.TempDir()}
	_, shotErr := k.Shot("a")
	for what, err := range map[string]error{"Tap": k.Tap(t.Context(), "a"), "Scan": k.Scan(t.Context(), "a"), "Shot": shotErr} {
		if !errors.Is(err, broken) {
			t.Errorf("%s with a dead display: %v", what, err)
		}
	}
}

func TestTypeNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hands := &recorder{}
		var told []string
		k := Kiosk{
			Hands:   hands,
			Client:  &script{targets: [][]remote.Target{{button("key-1", 0), button("key-X", 200)}}},
			Narrate: func(step, what string) { told = append(told, step+" "+what) },
		}
		if err := k.TypeNumber(t.Context(), "1x"); err != nil {
			t.Fatal(err)
		}
		if want := []string{"hold 40,120 60ms", "hold 240,120 60ms"}; !slices.Equal(hands.did, want) {
			t.Errorf("did %q", hands.did)
		}
		if want := []string{"type 2 keys"}; !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := k.TypeNumber(ctx, "1177")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "key 3 of") || strings.Contains(err.Error(), "key-7") {
			t.Errorf("a key that is not there: %v", err)
		}
	})
}

func TestScanAndScene(t *testing.T) {
	hands, client := &recorder{}, &script{}
	k := Kiosk{Hands: hands, Client: client}
	if err := k.Scan(t.Context(), "370802"); err != nil {
		t.Error(err)
	}
	if err := k.Scene(t.Context(), "unplug"); err != nil {
		t.Error(err)
	}
	if !slices.Equal(hands.did, []string{`type "370802\n"`}) || !slices.Equal(client.scenes, []string{"unplug"}) {
		t.Errorf("did %q, scenes %q", hands.did, client.scenes)
	}
}

func TestWaitState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := Kiosk{
			Hands:  &recorder{},
			Client: &script{state: remote.State{State: "identify", Toast: "校验码不对"}},
			Shots:  t.TempDir(),
		}
		if s, err := k.WaitState(t.Context(), "idle", "identify"); err != nil || s.State != "identify" {
			t.Errorf("WaitState = %+v, %v", s, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := k.WaitState(ctx, "eligible", "consent")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("WaitState = %v", err)
		}
		for _, want := range []string{"eligible or consent", `"identify"`, "校验码不对", "01-failed.png"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
	})
}

func TestShot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shots")
	k := Kiosk{Hands: &recorder{}, Shots: dir}
	for i, name := range []string{"idle", "identify-2"} {
		want := filepath.Join(dir, fmt.Sprintf("%02d-%s.png", i+1, name))
		if path, err := k.Shot(name); err != nil || path != want {
			t.Errorf("Shot(%s) = %q, %v", name, path, err)
		}
	}
	for _, name := range []string{"", "../up", "A", "-a", "张", strings.Repeat("a", 65)} {
		if path, err := k.Shot(name); err == nil {
			t.Errorf("Shot(%q) = %q", name, path)
		}
	}
	if path, err := (&Kiosk{Hands: &recorder{}}).Shot("../no folder"); path != "" || err != nil {
		t.Errorf("without a folder: %q, %v", path, err)
	}
}

// window is the automation side of the small test program.
type window struct{ at image.Point }

func (w window) State() any { return remote.State{State: "idle"} }

func (w window) Targets() []remote.Target {
	return []remote.Target{{ID: "start", X: w.at.X, Y: w.at.Y, W: 20, H: 10, Enabled: true}}
}

func (w window) Scene(string) error { return errors.New("no booth here") }

// TestVisitOfARealWindow joins all parts: a private X server, a program on it,
// its automation socket, and a finger.
func TestVisitOfARealWindow(t *testing.T) {
	d := privateDisplay(t, 640, 480)
	c := newClient(t, d)
	path := filepath.Join(t.TempDir(), "kiosk.sock")
	server, err := remote.Listen(t.Context(), path, window{at: image.Pt(50, 60)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	remoteEnd, err := remote.DialWait(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer remoteEnd.Close()
	w, err := d.WaitWindow(t.Context(), clientTitle)
	if err != nil {
		t.Fatal(err)
	}
	bounds, err := d.Bounds(w)
	if err != nil {
		t.Fatal(err)
	}
	k := Kiosk{Hands: d, Client: remoteEnd, Origin: bounds.Min, Shots: t.TempDir(), Dwell: time.Millisecond}
	if _, err := k.WaitState(t.Context(), "idle"); err != nil {
		t.Error(err)
	}
	if err := k.Tap(t.Context(), "start"); err != nil {
		t.Fatal(err)
	}
	if e := next[xproto.ButtonPressEvent](t, c); e.EventX != 60 || e.EventY != 65 {
		t.Errorf("the finger came down at %d,%d of the window", e.EventX, e.EventY)
	}
	next[xproto.ButtonReleaseEvent](t, c)
	if _, err := k.Shot("tapped"); err != nil {
		t.Error(err)
	}
	if err := k.Scene(t.Context(), "unplug"); !errors.Is(err, remote.ErrRefused) {
		t.Errorf("Scene = %v", err)
	}
}
