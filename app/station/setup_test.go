package station

import (
	"context"
	"errors"
	"image"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/provision"
)

// setupDesk is a first run with the simulated booth and a real central.
type setupDesk struct {
	t    *testing.T
	dir  string
	run  *Setup
	win  *shownViews
	end  chan error
	stop context.CancelFunc
	code provision.Code
}

// shownViews is a window that keeps the last view and has no picture.
type shownViews struct {
	mu      sync.Mutex
	view    booth.View
	changed chan struct{}
}

func (w *shownViews) Show(v booth.View) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.view = v
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *shownViews) last() (booth.View, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.view, w.changed
}

func (*shownViews) PreviewSize() (w, h int)     { return 0, 0 }
func (*shownViews) Buffer(int, int) *image.RGBA { return nil }
func (*shownViews) Offer(*image.RGBA, uint64)   {}
func (*shownViews) Still(*image.RGBA, uint64)   {}
func (*shownViews) Count() uint64               { return 0 }
func (*shownViews) Shown() uint64               { return 0 }

// newSetupDesk starts the first run of a fresh computer.
func newSetupDesk(t *testing.T) *setupDesk {
	t.Helper()
	d := &setupDesk{t: t, dir: t.TempDir()}
	srv, err := central.Open(t.TempDir(), central.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	info, err := srv.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv.Handler())
	t.Cleanup(web.Close)
	d.code = provision.Code{URL: web.URL, Enrol: info.EnrolCode, Name: "东门一号", School: "示例大学", Settings: map[string]string{"sound.volume": "30"}}
	d.start()
	return d
}

func (d *setupDesk) store() *keys.Store {
	d.t.Helper()
	store, err := keys.Open(filepath.Join(d.dir, "keys"))
	if err != nil {
		d.t.Fatal(err)
	}
	return store
}

// start is a start of the program.
func (d *setupDesk) start() {
	d.t.Helper()
	d.win = &shownViews{changed: make(chan struct{})}
	b, err := scene.New(scene.Options{Encode: codec.EncodeYCbCr})
	if err != nil {
		d.t.Fatal(err)
	}
	d.run, err = NewSetup(SetupParams{
		DataDir: d.dir, Version: "test", Keys: d.store(), Window: d.win,
		ChooseCamera: func(string) (SetupCamera, error) {
			return SetupCamera{Open: b.Open, Scene: b, Simulated: true, Close: func() error { return nil }}, nil
		},
		Words: func(err error) booth.Text { return booth.Text{ZH: "没有登记上", EN: err.Error()} },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(d.t.Context())
	d.stop, d.end = stop, make(chan error, 1)
	go func() { d.end <- d.run.Run(ctx) }()
	d.t.Cleanup(func() { stop() })
}

// kill ends the program between two steps.
func (d *setupDesk) kill() {
	d.stop()
	<-d.end
}

// wait waits until the view is as ok says.
func (d *setupDesk) wait(what string, ok func(v booth.SetupView) bool) booth.SetupView {
	d.t.Helper()
	limit := time.After(2 * time.Minute) // hangs fail; nothing is timed
	for {
		v, changed := d.win.last()
		if v.Setup != nil && ok(*v.Setup) {
			return *v.Setup
		}
		select {
		case <-changed:
		case <-limit:
			d.t.Fatalf("never: %s; the view is %+v", what, v.Setup)
		}
	}
}

func (d *setupDesk) at(step booth.SetupStep) booth.SetupView {
	d.t.Helper()
	return d.wait("step "+string(step), func(v booth.SetupView) bool { return v.Step == step && !v.Busy })
}

func (d *setupDesk) do(in ...booth.Intent) {
	for _, i := range in {
		d.run.Send(i)
	}
}

func (d *setupDesk) needed() bool {
	d.t.Helper()
	due, err := NeedsSetup(d.dir, d.store())
	if err != nil {
		d.t.Fatal(err)
	}
	return due
}

func TestFirstRunFromAnEmptyComputerToReady(t *testing.T) {
	d := newSetupDesk(t)
	if !d.needed() {
		t.Fatal("an empty computer needs no set-up")
	}
	d.at(booth.SetupLanguage)
	d.do(booth.SetupLang{Lang: booth.EN}, booth.SetupGo{})
	d.at(booth.SetupName)
	d.do(booth.SetupNames{Station: strings.Repeat("x", 41)})
	d.wait("a name that is too long is refused", func(v booth.SetupView) bool { return v.Level == booth.Bad })
	d.do(booth.SetupNames{Station: "西门", School: "示例学院"}, booth.SetupGo{})
	d.at(booth.SetupCamera)
	d.wait("the camera gives a picture", func(v booth.SetupView) bool { return v.Done })
	d.kill() // a power cut: it goes on where it was
	d.start()
	d.at(booth.SetupCamera)
	d.wait("the camera again", func(v booth.SetupView) bool { return v.Done })
	d.do(booth.SetupGo{})
	if v := d.at(booth.SetupPlate); v.Done || v.Station != "西门" {
		t.Errorf("%+v", v)
	}
	d.do(booth.SetupGo{}) // not before it is done
	d.do(booth.SetupTake{})
	d.wait("the backdrop", func(v booth.SetupView) bool { return v.Step == booth.SetupPlate && v.Done && !v.Busy })
	d.do(booth.SetupGo{})
	d.at(booth.SetupCentral)
	d.do(booth.Wedge{Text: "https://example.com/poster"})
	d.wait("a poster is no set-up code", func(v booth.SetupView) bool { return v.Level == booth.Warn })
	text, err := d.code.Encode()
	if err != nil {
		t.Fatal(err)
	}
	d.do(booth.Wedge{Text: text})
	v := d.wait("the code is shown", func(v booth.SetupView) bool { return v.Scanned != nil })
	if v.Scanned.Compare != d.code.Compare() || v.Done || d.run.enrolled() {
		t.Errorf("something was done with a code that nobody compared: %+v", v.Scanned)
	}
	d.do(booth.SetupDrop{})
	d.wait("it is dropped", func(v booth.SetupView) bool { return v.Scanned == nil })
	if d.run.enrolled() {
		t.Error("a dropped code was used")
	}
	d.do(booth.Wedge{Text: text}, booth.SetupTrust{})
	d.wait("enrolled", func(v booth.SetupView) bool { return v.Done && v.Level == booth.OK })
	d.do(booth.SetupGo{})
	d.at(booth.SetupPIN)
	for bad, why := range map[string]string{"12": "6 to 12", "123456": "easy"} {
		d.do(booth.SetupSecret{PIN: bad})
		d.wait("a bad PIN is refused", func(v booth.SetupView) bool { return strings.Contains(v.Told.EN, why) && !v.Busy })
	}
	d.do(booth.SetupSecret{PIN: "908172"})
	d.wait("the PIN is set", func(v booth.SetupView) bool { return v.Done && !v.Busy })
	d.do(booth.SetupGo{})
	d.at(booth.SetupShot)
	d.do(booth.SetupTry{})
	d.wait("a test shot", func(v booth.SetupView) bool { return v.Shot != nil })
	d.do(booth.SetupGo{})
	v = d.at(booth.SetupEnd)
	for _, m := range v.Marks {
		if m.Level != booth.OK {
			t.Errorf("%s is not done: %s", m.Step, m.Level)
		}
	}
	d.do(booth.SetupGo{})
	if err := <-d.end; err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(d.dir)
	if err != nil || c.Station != (config.Station{Name: "东门一号", School: "示例大学"}) || c.Sound.Volume != 30 || c.Screen.Language != "en" {
		t.Errorf("%+v %v", c, err)
	}
	if d.needed() {
		t.Error("a station that is set up is to be set up again")
	}
	log, err := os.ReadFile(filepath.Join(d.dir, auditFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"setup.enrolled", "pin.set", "plate.made", d.code.Compare()} {
		if !strings.Contains(string(log), want) {
			t.Errorf("%s is not on record", want)
		}
	}
	if strings.Contains(string(log), "908172") || strings.Contains(string(log), strings.Split(d.code.Enrol, ".")[0]) {
		t.Error("a secret is on record")
	}
}

func TestSkippedStepsAreAskedForAgain(t *testing.T) {
	d := newSetupDesk(t)
	for _, s := range setupSteps {
		d.at(s.step)
		if v := d.at(s.step); v.Risk == (booth.Text{}) {
			t.Errorf("%s is skipped without a word about what follows", s.step)
		}
		d.do(booth.SetupSkip{})
	}
	if v := d.at(booth.SetupEnd); v.Done || v.Marks[4].Level != booth.Warn {
		t.Errorf("a station that nobody knows is ready: %+v", v)
	}
	d.do(booth.SetupGo{})
	d.at(booth.SetupCentral)
	d.do(booth.SetupEnrol{URL: d.code.URL, Code: "WRNG-WRNG-WRNG.0123456789abcdef"})
	d.wait("a wrong code", func(v booth.SetupView) bool { return v.Level == booth.Bad && !v.Busy })
	d.do(booth.SetupEnrol{URL: d.code.URL, Code: d.code.Enrol})
	d.wait("enrolled by hand", func(v booth.SetupView) bool { return v.Done && !v.Busy })
	d.do(booth.SetupGo{}, booth.SetupSkip{}, booth.SetupSkip{})
	d.at(booth.SetupEnd)
	d.do(booth.SetupGo{})
	if err := <-d.end; err != nil {
		t.Fatal(err)
	}
	if d.needed() {
		t.Error("who has just gone through it does not get to work")
	}
	if !d.needed() {
		t.Error("the start after that does not ask for the PIN")
	}
	d.start()
	d.at(booth.SetupPIN)
	d.kill()
}

// TestAPINGuardsTheFirstRun holds that a poster and a keyboard are not enough to
// lead a kiosk elsewhere once somebody has a PIN.
func TestAPINGuardsTheFirstRun(t *testing.T) {
	d := newSetupDesk(t)
	d.at(booth.SetupLanguage)
	d.kill()
	pins := OpenPINs(d.dir, nil)
	if err := errors.Join(pins.Set(booth.Staff{Role: booth.RoleAdmin}, "908172"), pins.Set(booth.Staff{Role: booth.RoleOperator}, "4071")); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.at(booth.SetupUnlock)
	text, err := d.code.Encode()
	if err != nil {
		t.Fatal(err)
	}
	d.do(booth.SetupGo{}, booth.SetupSkip{}, booth.Wedge{Text: text}, booth.SetupTrust{}, booth.SetupEnrol{URL: d.code.URL, Code: d.code.Enrol}, booth.SetupSecret{PIN: "555444"})
	if v := d.wait("the PIN is wrong", func(v booth.SetupView) bool { return v.Level == booth.Bad && !v.Busy }); v.Step != booth.SetupUnlock || d.run.enrolled() {
		t.Errorf("%+v", v)
	}
	d.do(booth.SetupSecret{PIN: "4071"})
	d.wait("an operator's PIN does not do", func(v booth.SetupView) bool { return strings.Contains(v.Told.EN, "admin") && !v.Busy })
	d.do(booth.SetupSecret{PIN: "908172"})
	d.at(booth.SetupLanguage)
	d.kill()
}

func TestADamagedPlaceBeginsAnew(t *testing.T) {
	d := newSetupDesk(t)
	d.at(booth.SetupLanguage)
	d.do(booth.SetupGo{})
	d.at(booth.SetupName)
	d.kill()
	for _, data := range []string{"{", `{"version":7,"step":"pin"}`, `{"version":1,"step":"nothing"}`} {
		writeFile(t, filepath.Join(d.dir, setupFile), []byte(data))
		d.start()
		d.at(booth.SetupLanguage)
		d.kill()
	}
}
