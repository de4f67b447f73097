package station

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/scan"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/idcard"
	"github.com/yunzhao-station/yunzhao/pipeline/qr"
	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/provision"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
)

// setupFile remembers how far the first run came.
const setupFile = "setup.json"

// enrolLimit bounds an enrolment: two answers over a slow line.
const enrolLimit = time.Minute

// SetupCamera is a camera that was opened for the first run.
type SetupCamera struct {
	Open      camera.Opener
	Scene     Scene // nil: a real camera
	Simulated bool
	Close     func() error
}

// SetupParams are the parts of a first run; all are required but ListCameras.
type SetupParams struct {
	DataDir string
	Version string
	Log     *slog.Logger
	Keys    *keys.Store
	Window  Window
	// ChooseCamera opens the camera of a setting.
	ChooseCamera func(device string) (SetupCamera, error)
	ListCameras  func() ([]camera.Device, error)
	// Words says in one sentence why an enrolment failed.
	Words func(error) booth.Text
}

// Setup is the first run: it leads an admin from a computer just installed to its
// first student. What a step does is in its file before the next one begins, so
// that a crash costs nothing but the step under way.
type Setup struct {
	p      SetupParams
	log    *slog.Logger
	pins   *PINs
	cfg    config.Config
	bench  *Station // camera, calibration and test shot, as the station has them
	camera *setupCameraRun
	ctx    context.Context //nolint:containedctx // of Run, for the work that it starts
	work   sync.WaitGroup
	inputs chan any

	state    setupState
	view     booth.SetupView
	lang     booth.Lang
	scanned  *provision.Code
	reading  atomic.Bool // codes are wanted
	finished bool
}

// setupState is what is remembered from start to start.
type setupState struct {
	Version int               `json:"version"`
	Step    booth.SetupStep   `json:"step"`
	Skipped []booth.SetupStep `json:"skipped"`
	Over    bool              `json:"over"` // it was gone through: the next start is the station's
}

const setupVersion = 1

// setupSteps in their order.
var setupSteps = []struct {
	step booth.SetupStep
	name booth.Text
	risk booth.Text // of skipping it
}{
	{booth.SetupLanguage, booth.Text{ZH: "语言", EN: "Language"}, booth.Text{ZH: "先显示中文，学生可以自己切换。", EN: "Chinese comes first; students may switch."}},
	{booth.SetupName, booth.Text{ZH: "名称", EN: "Names"}, booth.Text{ZH: "本站叫“云照站”，有几台时分不清。", EN: "The station is called 云照站: several cannot be told apart."}},
	{booth.SetupCamera, booth.Text{ZH: "相机", EN: "Camera"}, booth.Text{ZH: "用第一台 USB 相机，装歪了不会自动转正。", EN: "The first USB camera is used, and its picture is not turned upright."}},
	{booth.SetupPlate, booth.Text{ZH: "空背景", EN: "Backdrop"}, booth.Text{ZH: "没有空背景就不能拍照，首页会再要求。", EN: "No photo can be taken without it; the welcome screen asks again."}},
	{booth.SetupCentral, booth.Text{ZH: "登记", EN: "Central"}, booth.Text{ZH: "没有登记就没有名单，照片也送不走：本机不能开始工作，下次启动再问。", EN: "Without it there is no roster and no delivery: the station cannot work, and asks at its next start."}},
	{booth.SetupPIN, booth.Text{ZH: "PIN", EN: "PIN"}, booth.Text{ZH: "没有 PIN，工作人员页打不开，谁也不能放行、退出或改设置；下次启动再问。", EN: "Without it staff's page stays closed: nobody can override, shut down or change settings. It is asked again at the next start."}},
	{booth.SetupShot, booth.Text{ZH: "试拍", EN: "Test"}, booth.Text{ZH: "第一位同学就是试拍。", EN: "The first student will be the test."}},
}

// NeedsSetup tells whether a station has to be led through its first run: it is
// known to no central, or nobody has an admin's PIN. Who has just gone through it
// without a PIN gets to work, and is asked at the start after that.
func NeedsSetup(dir string, store *keys.Store) (bool, error) {
	_, err := store.Enrolment()
	if errors.Is(err, keys.ErrNotEnrolled) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("station: first run: %w", err)
	}
	owners, err := OpenPINs(dir, nil).Owners()
	if err != nil {
		return false, fmt.Errorf("station: first run: %w", err)
	}
	if slices.ContainsFunc(owners, isAdmin) {
		return false, nil
	}
	st, err := readSetup(dir)
	if err != nil || !st.Over {
		return true, nil //nolint:nilerr // without a readable file it begins anew
	}
	st.Over = false
	if err := writeSetup(dir, st); err != nil {
		return false, err
	}
	return false, nil
}

// readSetup is how far the first run came; fs.ErrNotExist before it began.
func readSetup(dir string) (setupState, error) {
	data, err := durable.ReadFile(filepath.Join(dir, setupFile), 64<<10)
	if err != nil {
		return setupState{}, err
	}
	var st setupState
	if err := json.Unmarshal(data, &st); err != nil || st.Version != setupVersion {
		return setupState{}, errors.New("the file of the first run is damaged or of another version")
	}
	return st, nil
}

func writeSetup(dir string, st setupState) error {
	data, err := json.Marshal(st)
	if err == nil {
		err = durable.WriteFile(filepath.Join(dir, setupFile), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("station: keep how far the first run came: %w", err)
	}
	return nil
}

func isAdmin(o PINOwner) bool { return o.Staff.Role == booth.RoleAdmin }

// NewSetup prepares the first run and finds where it stopped.
func NewSetup(p SetupParams) (*Setup, error) {
	if p.DataDir == "" || p.Keys == nil || p.Window == nil || p.ChooseCamera == nil || p.Words == nil {
		return nil, errors.New("station: first run: a part is missing")
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	cfg, err := config.Load(p.DataDir)
	if err != nil {
		return nil, fmt.Errorf("station: first run: %w", err)
	}
	maker, err := pipeline.New(pipeline.Options{})
	if err != nil {
		return nil, fmt.Errorf("station: first run: %w", err)
	}
	s := &Setup{p: p, log: p.Log, pins: OpenPINs(p.DataDir, nil), cfg: cfg, inputs: make(chan any, 64), lang: booth.Lang(cfg.Screen.Language)}
	s.bench = &Station{p: Params{DataDir: p.DataDir, Config: cfg, Version: p.Version, Log: p.Log}, log: p.Log, maker: maker, inputs: s.inputs}
	if err := s.resume(); err != nil {
		return nil, err
	}
	return s, nil
}

// resume finds where it stopped. Without a file that can be read it begins: what
// was done is found again, step by step.
func (s *Setup) resume() error {
	st, err := readSetup(s.p.DataDir)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		s.log.Warn("the first run begins anew", "err", err)
	}
	s.state = st
	s.state.Version, s.state.Over = setupVersion, false
	switch {
	case s.enrolled() && (fresh || s.index(st.Step) < 0): // set up by the command line, or gone through
		s.state.Step = booth.SetupPIN
	case st.Step == booth.SetupEnd:
		s.state.Step = booth.SetupCentral
	case s.index(st.Step) < 0:
		s.state.Step = setupSteps[0].step
	}
	owners, err := s.pins.Owners()
	if err != nil {
		return fmt.Errorf("station: first run: %w", err)
	}
	s.view.Step = s.state.Step
	if len(owners) > 0 {
		s.view.Step = booth.SetupUnlock
	}
	return nil
}

func (s *Setup) index(step booth.SetupStep) int {
	for i := range setupSteps {
		if setupSteps[i].step == step {
			return i
		}
	}
	return -1
}

func (s *Setup) enrolled() bool { _, err := s.p.Keys.Enrolment(); return err == nil }

func (s *Setup) hasAdmin() bool {
	owners, err := s.pins.Owners()
	return err == nil && slices.ContainsFunc(owners, isAdmin)
}

// Send hands an intent to the first run; any goroutine may call it.
func (s *Setup) Send(in booth.Intent) { s.inputs <- in }

// Responds tells whether the loop comes round before ctx ends.
func (s *Setup) Responds(ctx context.Context) bool {
	done := make(chan struct{})
	select {
	case s.inputs <- asked{f: func() {}, done: done}:
	case <-ctx.Done():
		return false
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Run leads through the steps until the last is over, or ctx ends. What was set is
// in the data directory.
func (s *Setup) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.ctx, s.bench.ctx = ctx, ctx
	if err := s.openCamera(); err != nil {
		s.told(booth.Bad, booth.Text{ZH: "相机没有打开：" + err.Error(), EN: "The camera was not opened: " + err.Error()})
	}
	s.enter(s.view.Step)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil && !s.finished {
		s.show()
		select {
		case <-ctx.Done():
		case <-tick.C:
		case in := <-s.inputs:
			s.handle(in)
		}
	}
	finished := s.finished
	cancel()
	s.drain()
	s.closeCamera()
	if !finished {
		return context.Cause(ctx)
	}
	return nil
}

// drain waits for the work under way while taking what it reports.
func (s *Setup) drain() {
	done := make(chan struct{})
	go func() { s.work.Wait(); s.bench.work.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		case in := <-s.inputs:
			if a, ok := in.(asked); ok {
				close(a.done)
			}
		}
	}
}

// setupCameraRun is the camera that is open now.
type setupCameraRun struct {
	chosen  SetupCamera
	sup     *camera.Supervisor
	preview *preview
	stop    context.CancelFunc
	running sync.WaitGroup
}

// openCamera opens the camera of the settings in place of the one before.
func (s *Setup) openCamera() error {
	s.closeCamera()
	chosen, err := s.p.ChooseCamera(s.cfg.Camera.Device)
	if err != nil {
		return err
	}
	sup, err := camera.NewSupervisor(camera.SupervisorParams{Open: chosen.Open, Restore: RestoreCamera(s.p.DataDir, s.log), Log: s.log})
	if err != nil {
		return errors.Join(err, chosen.Close())
	}
	ctx, stop := context.WithCancel(s.ctx)
	r := &setupCameraRun{chosen: chosen, sup: sup, stop: stop, preview: newPreview(sup, s.p.Window, s.cfg.Camera.MountRotation)}
	s.camera = r
	s.bench.p.Camera, s.bench.p.Simulated, s.bench.p.Config = sup, chosen.Simulated, s.cfg
	r.running.Go(func() { _ = sup.Run(ctx) })
	r.running.Go(func() { r.preview.run(ctx) })
	reader := scan.New(scan.Params{
		Frames: sup, Rotation: s.cfg.Camera.MountRotation, Codes: qr.New(), Cards: func() scan.Cards { return noCards{} },
		Wanted: func() string {
			if s.reading.Load() {
				return string(booth.SetupCentral)
			}
			return ""
		},
		Valid: func(string) bool { return false },
		Hint:  func(string, scan.Hint) {}, Card: func(string, string, string) {}, Failed: func(string, error) {},
		Code: func(_, text string) {
			select {
			case s.inputs <- booth.Wedge{Text: text}:
			case <-ctx.Done():
			}
		},
	})
	r.running.Go(func() { reader.Run(ctx) })
	return nil
}

func (s *Setup) closeCamera() {
	r := s.camera
	if r == nil {
		return
	}
	s.camera = nil
	s.bench.p.Camera = nil
	r.stop()
	// What it hands over meanwhile is taken, or it could not end.
	done := make(chan struct{})
	go func() { r.running.Wait(); close(done) }()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		case in := <-s.inputs:
			switch in := in.(type) {
			case asked:
				close(in.done)
			case func():
				in()
			}
		}
	}
	if err := r.chosen.Close(); err != nil {
		s.log.Error("close the camera", "err", err)
	}
}

// noCards reads no cards: before the first student there is none to read.
type noCards struct{}

func (noCards) Find(*image.Gray) ([]idcard.Card, error) { return nil, nil }
func (noCards) Number(*image.Gray, idcard.Card, func(string) bool) (string, error) {
	return "", nil
}
func (noCards) Name(*image.Gray, idcard.Card) (string, error) { return "", nil }
func (noCards) Wipe()                                         {}
func (noCards) Close()                                        {}

// told says what came of what was asked.
func (s *Setup) told(l booth.Level, t booth.Text) { s.view.Level, s.view.Told = l, t }

// enter begins a step and remembers it.
func (s *Setup) enter(step booth.SetupStep) {
	s.view.Step, s.view.Busy, s.view.Scanned, s.view.Shot, s.scanned = step, false, nil, nil, nil
	s.told("", booth.Text{})
	if step != booth.SetupUnlock {
		s.state.Step = step
		s.keep()
	}
	if step == booth.SetupCamera && s.p.ListCameras != nil {
		s.listCameras()
	}
}

// keep writes how far it came; a disk that fails costs the place, nothing else.
func (s *Setup) keep() {
	if err := writeSetup(s.p.DataDir, s.state); err != nil {
		s.log.Error("first run", "err", err)
	}
}

// note puts a step on record.
func (s *Setup) note(event, detail, value string) {
	key, err := s.p.Keys.StationKey()
	if err == nil {
		err = NoteAudit(s.p.DataDir, key, s.log, AuditEntry{At: time.Now(), Role: "setup", Event: event, Detail: detail, Value: value})
	}
	if err != nil {
		s.log.Error("audit entry not written", "event", event, "err", err)
	}
}

// show publishes the view.
func (s *Setup) show() {
	v := s.view
	v.Marks = nil
	for _, m := range setupSteps {
		mark := booth.SetupMark{Step: m.step, Name: m.name, Level: booth.Note}
		switch {
		case slices.Contains(s.state.Skipped, m.step):
			mark.Level = booth.Warn
		case s.index(m.step) < s.index(v.Step) || v.Step == booth.SetupEnd:
			mark.Level = booth.OK
		}
		v.Marks = append(v.Marks, mark)
		if m.step == v.Step {
			v.Risk = m.risk
		}
	}
	v.Station, v.School, v.Device, v.Rotation = s.cfg.Station.Name, s.cfg.Station.School, s.cfg.Camera.Device, s.cfg.Camera.MountRotation
	v.Done = s.done(v.Step)
	watching := v.Step == booth.SetupCamera || v.Step == booth.SetupPlate || v.Step == booth.SetupShot || v.Step == booth.SetupCentral
	s.reading.Store(v.Step == booth.SetupCentral && s.scanned == nil && !v.Busy && !v.Done)
	view := booth.View{State: booth.Idle, Lang: s.lang, Now: time.Now(), Setup: &v}
	if r := s.camera; r != nil {
		st := r.sup.Status()
		v.Camera = cameraLamp(st)
		if st.State == camera.Streaming && !r.chosen.Simulated {
			v.Camera.Text = booth.Text{ZH: "相机正常：" + st.Identity.Name, EN: "Camera OK: " + st.Identity.Name}
		}
		r.preview.set(watching)
		if r.chosen.Scene != nil {
			r.chosen.Scene.SetOccupied(v.Step == booth.SetupShot)
		}
		view.Simulated = r.chosen.Simulated
	} else {
		v.Camera = booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "没有相机", EN: "No camera"}}
	}
	s.p.Window.Show(view)
}

// done tells whether what a step is for is there.
func (s *Setup) done(step booth.SetupStep) bool {
	switch step {
	case booth.SetupCamera:
		return s.camera != nil && s.camera.sup.Status().State == camera.Streaming
	case booth.SetupPlate:
		_, err := LoadPlate(s.p.DataDir)
		return err == nil && !s.view.Busy
	case booth.SetupCentral:
		return s.enrolled()
	case booth.SetupPIN:
		return s.hasAdmin()
	case booth.SetupUnlock:
		return false
	case booth.SetupEnd:
		return s.enrolled()
	case booth.SetupLanguage, booth.SetupName, booth.SetupShot:
	}
	return true
}

func (s *Setup) handle(in any) {
	switch in := in.(type) {
	case asked:
		in.f()
		close(in.done)
	case booth.CalibrationProgress:
		s.view.Got, s.view.Want = in.Got, in.Want
	case plateMade:
		s.plateArrived(in)
	case booth.CameraDone:
		s.view.Busy, s.view.Shot = false, in.Shot
		s.told(in.Level, in.Text)
	case func():
		in()
	case booth.Intent:
		if s.view.Step == booth.SetupUnlock {
			s.locked(in)
			return
		}
		s.intent(in)
	}
}

// later runs work beside the loop and its end, with the answer, on the loop.
func (s *Setup) later(work func(ctx context.Context) func()) {
	s.view.Busy = true
	s.told("", booth.Text{})
	s.work.Go(func() {
		end := work(s.ctx)
		select {
		case s.inputs <- func() { s.view.Busy = false; end() }:
		case <-s.ctx.Done():
		}
	})
}

// locked asks for the PIN that there is before anything is changed.
func (s *Setup) locked(in booth.Intent) {
	switch in := in.(type) {
	case booth.ToggleLang:
		s.toggle()
	case booth.SetupSecret:
		if s.view.Busy {
			return
		}
		s.later(func(context.Context) func() {
			r, err := s.pins.Check(in.PIN)
			admin := s.hasAdmin()
			return func() { s.unlocked(r, err, admin) }
		})
	}
}

func (s *Setup) unlocked(r PINResult, err error, admin bool) {
	s.view.RetryAt = time.Time{}
	if r.Wait > 0 {
		s.view.RetryAt = time.Now().Add(r.Wait)
	}
	switch {
	case err != nil:
		s.log.Error("PIN", "err", err)
		s.told(booth.Bad, unexpected)
	case !r.OK && r.Wait > 0:
		s.told(booth.Bad, booth.Text{ZH: fmt.Sprintf("PIN 不对，请等 %d 秒再试。", int(r.Wait.Seconds())), EN: fmt.Sprintf("Wrong PIN: wait %d s and try again.", int(r.Wait.Seconds()))})
	case !r.OK:
		s.told(booth.Bad, booth.Text{ZH: "PIN 不对，请再试一次。", EN: "Wrong PIN. Please try again."})
	case admin && r.Staff.Role != booth.RoleAdmin:
		s.told(booth.Bad, booth.Text{ZH: "要管理员的 PIN。", EN: "An admin's PIN is needed."})
	default:
		s.note("setup.unlocked", r.Staff.ID, "")
		s.enter(s.state.Step)
	}
}

func (s *Setup) toggle() {
	s.lang = map[booth.Lang]booth.Lang{booth.ZH: booth.EN, booth.EN: booth.ZH}[s.lang]
}

func (s *Setup) intent(in booth.Intent) {
	if _, ok := in.(booth.ToggleLang); ok {
		s.toggle()
		return
	}
	if s.view.Busy {
		return
	}
	switch in := in.(type) {
	case booth.SetupGo:
		if s.done(s.view.Step) || s.view.Step == booth.SetupEnd {
			s.next(false)
		}
	case booth.SetupSkip:
		s.next(true)
	case booth.SetupBack:
		if i := s.index(s.view.Step); i > 0 {
			s.enter(setupSteps[i-1].step)
		} else if s.view.Step == booth.SetupEnd {
			s.enter(setupSteps[len(setupSteps)-1].step)
		}
	case booth.SetupLang:
		if s.view.Step == booth.SetupLanguage && (in.Lang == booth.ZH || in.Lang == booth.EN) {
			s.lang = in.Lang
			s.set(map[string]string{"screen.language": string(in.Lang)})
		}
	case booth.SetupNames:
		if s.view.Step == booth.SetupName {
			s.set(map[string]string{"station.name": strings.TrimSpace(in.Station), "station.school": strings.TrimSpace(in.School)})
		}
	case booth.SetupDevice:
		if s.view.Step == booth.SetupCamera && s.set(map[string]string{"camera.device": in.Device}) {
			s.reopen()
		}
	case booth.SetupTurn:
		if s.view.Step == booth.SetupCamera && s.set(map[string]string{"camera.mount_rotation": strconv.Itoa((s.cfg.Camera.MountRotation + 90) % 360)}) {
			s.reopen()
		}
	case booth.SetupTake:
		if s.view.Step == booth.SetupPlate && s.camera != nil {
			s.view.Busy, s.view.Got, s.view.Want, s.view.Lines = true, 0, s.cfg.Camera.PlateFrames, nil
			s.told("", booth.Text{})
			s.bench.calibrate(s.ctx, true)
		}
	case booth.SetupTry:
		if s.view.Step == booth.SetupShot && s.camera != nil {
			s.view.Busy, s.view.Shot = true, nil
			s.bench.runCamera(s.ctx, booth.CameraShot)
		}
	case booth.Wedge:
		s.readCode(in.Text)
	case booth.SetupDrop:
		s.scanned, s.view.Scanned = nil, nil
	case booth.SetupTrust:
		if c := s.scanned; c != nil {
			s.enrol(*c)
		}
	case booth.SetupEnrol:
		if s.view.Step == booth.SetupCentral {
			s.view.URL = in.URL
			s.enrol(provision.Code{URL: strings.TrimSpace(in.URL), Enrol: in.Code, TLSPin: s.cfg.Central.PinSHA256})
		}
	case booth.SetupSecret:
		if s.view.Step == booth.SetupPIN {
			s.setPIN(in.PIN)
		}
	}
}

// next goes on; a step that is left undone counts as skipped, whoever says what.
func (s *Setup) next(skip bool) {
	step := s.view.Step
	if step == booth.SetupEnd {
		if !s.enrolled() { // there is nothing to start
			s.enter(booth.SetupCentral)
			return
		}
		s.state.Over = true
		s.keep()
		s.finished = true
		return
	}
	i := s.index(step)
	if i < 0 {
		return
	}
	s.state.Skipped = slices.DeleteFunc(s.state.Skipped, func(x booth.SetupStep) bool { return x == step })
	if skip {
		s.state.Skipped = append(s.state.Skipped, step)
		s.note("setup.skipped", string(step), "")
	} else {
		s.note("setup.done", string(step), "")
	}
	if i+1 < len(setupSteps) {
		s.enter(setupSteps[i+1].step)
		return
	}
	s.enter(booth.SetupEnd)
}

// set changes settings in the file, all of them or none.
func (s *Setup) set(values map[string]string) bool {
	cfg := s.cfg
	for key, value := range values {
		var err error
		if cfg, err = cfg.With(key, value); err != nil {
			s.told(booth.Bad, booth.Text{ZH: "不行：" + plain(err), EN: "Not possible: " + plain(err)})
			return false
		}
	}
	if cfg == s.cfg {
		return true
	}
	if err := config.Save(s.p.DataDir, cfg); err != nil {
		s.log.Error("settings not saved", "err", err)
		s.told(booth.Bad, booth.Text{ZH: "没有存上，请检查磁盘。", EN: "Not saved: check the disk."})
		return false
	}
	s.note("settings.set", strings.Join(config.Changed(s.cfg, cfg), ", "), "")
	s.cfg, s.bench.p.Config = cfg, cfg
	s.told("", booth.Text{})
	return true
}

// reopen takes the camera of the settings; the plate of another camera or another
// turn is of no use, so that the backdrop's step finds it out.
func (s *Setup) reopen() {
	if err := s.openCamera(); err != nil {
		s.log.Warn("camera", "err", err)
		s.told(booth.Bad, booth.Text{ZH: "相机没有打开：" + err.Error(), EN: "The camera was not opened: " + err.Error()})
	}
}

// listCameras finds what is plugged in.
func (s *Setup) listCameras() {
	s.work.Go(func() {
		found, err := s.p.ListCameras()
		if err != nil {
			s.log.Warn("cameras", "err", err)
		}
		list := []booth.SettingOption{
			{Value: "auto", Name: booth.Text{ZH: "自动", EN: "Automatic"}}, {Value: "scene", Name: booth.Text{ZH: "模拟相机", EN: "Simulated"}},
		}
		for _, d := range found {
			list = append(list, booth.SettingOption{Value: d.ID, Name: booth.Text{ZH: d.Name, EN: d.Name}})
		}
		select {
		case s.inputs <- func() { s.view.Cameras = list }:
		case <-s.ctx.Done():
		}
	})
}

// plateArrived takes a calibration's outcome; the plate is in its file already.
func (s *Setup) plateArrived(m plateMade) {
	s.view.Busy, s.view.Lines = false, m.lines
	if m.plate == nil {
		text := booth.Text{ZH: "空背景没有拍成。", EN: "The backdrop was not taken."}
		if len(m.lines) > 0 {
			text = m.lines[0].Text
		}
		s.note("plate.refused", text.EN, "")
		s.told(booth.Bad, text)
		return
	}
	s.note("plate.made", m.plate.ID, "")
	s.told(booth.OK, booth.Text{ZH: "空背景拍好了。", EN: "The backdrop is taken."})
	if l := m.lines; len(l) > 0 && l[0].Level == booth.Warn {
		s.told(booth.Warn, l[0].Text)
	}
}

// readCode takes a set-up code from the camera or a scanner. Nothing of it is
// done before an admin has compared its digits.
func (s *Setup) readCode(text string) {
	if s.view.Step != booth.SetupCentral || s.scanned != nil || s.enrolled() {
		return
	}
	c, err := provision.Parse(text)
	if err == nil {
		err = c.Live(time.Now())
	}
	cfg := s.cfg
	for _, key := range c.SettingKeys() {
		if err == nil {
			if cfg, err = cfg.With(key, c.Settings[key]); err != nil {
				err = fmt.Errorf("%w: %w", provision.ErrDamaged, err)
			}
		}
	}
	switch {
	case errors.Is(err, provision.ErrNotSetUp):
		s.told(booth.Warn, booth.Text{ZH: "这不是开机设置码。", EN: "This is not a set-up code."})
	case errors.Is(err, provision.ErrVersion):
		s.told(booth.Bad, booth.Text{ZH: "设置码是新版本的，请先升级本机的软件。", EN: "The code is of a newer version: upgrade this station first."})
	case errors.Is(err, provision.ErrExpired):
		s.told(booth.Bad, booth.Text{ZH: "设置码过期了，或本机日期不对。请要一个新的。", EN: "The code has expired, or this computer's date is wrong. Ask for a new one."})
	case err != nil:
		s.log.Warn("set-up code refused", "err", err)
		s.told(booth.Bad, booth.Text{ZH: "设置码不完整或被改过，没有使用。", EN: "The code is incomplete or was changed; it was not used."})
	default:
		s.scanned = &c
		v := &booth.SetupCode{Address: c.URL, Compare: c.Compare(), Station: c.Name, School: c.School}
		for _, key := range c.SettingKeys() {
			v.Settings = append(v.Settings, key+" = "+c.Settings[key])
		}
		s.view.Scanned = v
		s.told("", booth.Text{})
	}
}

// enrol makes the station known to the central of the code, then keeps the
// settings that came with it.
func (s *Setup) enrol(c provision.Code) {
	if s.enrolled() {
		return
	}
	name := c.Name
	if name == "" {
		name = s.cfg.Station.Name
	}
	s.later(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, enrolLimit)
		defer cancel()
		e, err := uplink.Enroll(ctx, uplink.EnrollParams{Keys: s.p.Keys, URL: c.URL, Code: c.Enrol, Name: name, Version: s.p.Version, Pin: c.TLSPin})
		return func() {
			if err != nil {
				s.log.Warn("enrolment", "err", err)
				s.told(booth.Bad, s.p.Words(err))
				return
			}
			_, fingerprint, _ := keys.ParseEnrollCode(c.Enrol) // it was parsed by Enroll
			s.note("setup.enrolled", e.Enrolled.StationID, provision.CompareCentral(c.URL, fingerprint, c.TLSPin))
			s.scanned, s.view.Scanned = nil, nil
			values := map[string]string{"central.pin_sha256": c.TLSPin}
			if c.Name != "" {
				values["station.name"] = c.Name
			}
			if c.School != "" {
				values["station.school"] = c.School
			}
			for key, value := range c.Settings {
				values[key] = value
			}
			if s.set(values) {
				s.told(booth.OK, booth.Text{ZH: fmt.Sprintf("登记好了，有 %d 个批次。", len(e.Enrolled.Batches)), EN: fmt.Sprintf("Enrolled, with %d batches.", len(e.Enrolled.Batches))})
			}
		}
	})
}

// setPIN gives the admin a PIN.
func (s *Setup) setPIN(pin string) {
	s.later(func(context.Context) func() {
		err := s.pins.Set(booth.Staff{ID: string(booth.RoleAdmin), Role: booth.RoleAdmin}, pin)
		return func() {
			if err != nil {
				s.told(booth.Bad, pinWords(err))
				return
			}
			s.note("pin.set", string(booth.RoleAdmin), "")
			s.told(booth.OK, booth.Text{ZH: "管理员 PIN 设好了。请记住，或封存在信封里。", EN: "The admin's PIN is set. Remember it, or seal it in an envelope."})
		}
	})
}

// pinWords says why a PIN was not taken.
func pinWords(err error) booth.Text {
	switch {
	case errors.Is(err, ErrPINDigits):
		return booth.Text{ZH: "管理员 PIN 须为 6–12 位数字。", EN: "An admin's PIN is 6 to 12 digits."}
	case errors.Is(err, ErrPINSimple):
		return booth.Text{ZH: "太简单：不能是同一个数字，也不能是顺子。", EN: "Too easy to guess: not one digit repeated, not a run."}
	case errors.Is(err, ErrPINTaken):
		return booth.Text{ZH: "这个 PIN 已有人在用，请换一个。", EN: "Somebody else has this PIN: choose another."}
	}
	return unexpected
}
