// Package station is the kiosk at work: it carries out what the visit's state
// machine asks for, with the real camera, pipeline, outbox and uplink, and
// reports back what came of it. The window is handed in; without one the same
// station runs headless.
//
// One goroutine owns the machine and everything of the student. Work that takes
// time runs beside it under the session's context and comes back as an event
// that carries the session's id.
package station

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
)

// Scene is the simulated booth's stage door: whether somebody sits in it.
type Scene interface{ SetOccupied(bool) }

// Listener follows the views, such as to make them heard. Show may be called
// from any goroutine and must not block.
type Listener interface{ Show(booth.View) }

// Params are the parts of a station. Window, Sound and Scene are optional.
type Params struct {
	DataDir   string
	Config    config.Config
	Version   string
	Log       *slog.Logger
	Camera    *camera.Supervisor
	Enrolment keys.Enrolment
	Key       ed25519.PrivateKey // the station's, signs packets
	Roster    *roster.Store
	Outbox    *outbox.Outbox
	Uplink    *uplink.Worker
	Window    Window
	Sound     Listener
	Scene     Scene // nil: a real camera
	// ListCameras finds what is plugged in, for a diagnostic bundle; nil leaves it
	// out.
	ListCameras func() ([]camera.Device, error)
	Simulated   bool
	Demo        bool
	// Standing is staff who need no PIN, for a station without a window; nil at
	// a kiosk.
	Standing *booth.Staff
}

// Station runs the booth. Make it with New, then Run it once.
type Station struct {
	p       Params
	log     *slog.Logger
	machine *booth.Machine
	maker   *pipeline.Standardizer
	specMu  sync.Mutex
	specs   map[string]*spec.Spec
	preview *preview
	gauge   *gauge
	audit   *auditLog
	pins    *PINs
	till    *till
	wedge   wedge
	filed   config.Config // the settings as the file had them at the start
	// settingsMu is held while the file is changed; stickPatterns are where sticks
	// are looked for.
	settingsMu    sync.Mutex
	stickPatterns []string
	stop          context.CancelFunc // ends Run
	again         atomic.Bool        // the station is to be started anew
	inputs        chan any
	plate         *pipeline.Plate
	// plateProblem is why the last calibration was refused.
	plateProblem *booth.Text
	alarm        calibrate.Alarm // what has changed since the plate
	card         lightCard       // tells the colour of the light
	ctx          context.Context //nolint:containedctx // of Run, for events the loop makes itself
	visit        *visit
	// full is the shot's frame, 8 MB at 1080p, kept from shot to shot: fresh ones
	// would raise the peak by as many as the collector lets lie. Zero between shots.
	fullMu sync.Mutex
	full   image.RGBA
	work   sync.WaitGroup

	classMu sync.Mutex // one change of the class list at a time

	bursts  chan *burst // empty ones whose buffers wait for the next shot
	judgeMu sync.Mutex
	judging *pipeline.Burst

	viewMu sync.Mutex
	view   booth.View
}

// New checks the parts and prepares a station. It starts nothing.
func New(p Params) (*Station, error) {
	switch {
	case p.DataDir == "":
		return nil, errors.New("station: no data directory")
	case p.Camera == nil, len(p.Key) != ed25519.PrivateKeySize, p.Roster == nil, p.Outbox == nil, p.Uplink == nil:
		return nil, errors.New("station: camera, key, roster, outbox and uplink are required")
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	maker, err := pipeline.New(pipeline.Options{})
	if err != nil {
		return nil, fmt.Errorf("station: prepare the pipeline: %w", err)
	}
	audit, err := openAudit(p.DataDir, p.Key, p.Log)
	if err != nil {
		return nil, err
	}
	till, err := openTill(p.DataDir, p.Enrolment, p.Roster, time.Now())
	if err != nil {
		return nil, errors.Join(err, audit.close())
	}
	pattern, err := p.Config.Scan.Wedge()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("station: %w", err), audit.close())
	}
	filed, err := config.Load(p.DataDir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("station: %w", err), audit.close())
	}
	s := &Station{
		wedge: wedge{pattern}, filed: filed, stickPatterns: stickPatterns,
		p: p, log: p.Log, maker: maker, audit: audit, pins: OpenPINs(p.DataDir, nil), till: till,
		specs: map[string]*spec.Spec{}, inputs: make(chan any, 64), bursts: make(chan *burst, 2), judging: maker.NewBurst(),
	}
	t := p.Config.Times
	timing := booth.DefaultTiming
	timing.Identify = config.Seconds(t.Identify)
	timing.Read = config.Seconds(t.Read)
	timing.Pose = config.Seconds(t.Pose)
	timing.Decide = config.Seconds(t.Decide)
	timing.Done = config.Seconds(t.Done)
	timing.Countdown = config.Seconds(t.Countdown)
	operator, err := s.operatorConfig()
	err = errors.Join(err, s.noteSettings())
	if err != nil {
		return nil, errors.Join(err, audit.close())
	}
	s.machine, err = booth.New(booth.Config{
		Operator: operator,
		Timing:   timing, NewID: func() string { return ulid.Make().String() },
		Check: checkNumber, Group: groupNumber,
		ScanCamera: p.Config.Scan.Camera, DefaultLang: booth.Lang(p.Config.Screen.Language), Large: p.Config.Screen.LargeText, Simulated: p.Simulated, Demo: p.Demo,
		Auto: p.Config.Capture.Auto, Lens: booth.Lens(p.Config.Capture.Lens),
	})
	if err != nil {
		return nil, errors.Join(err, audit.close())
	}
	// The door opens with the first look around, not before.
	starting := booth.FaultPage(booth.FaultStarting, booth.Text{})
	s.machine.Report(time.Now(), booth.GuardChanged{Fault: &starting})
	if p.Window != nil {
		s.preview = newPreview(p.Camera, p.Window, p.Config.Camera.MountRotation)
	}
	s.gauge = newGauge(s)
	s.view = s.machine.View()
	return s, nil
}

// Send hands an intent to the booth; any goroutine may call it. It never
// blocks for long: the loop does no slow work.
func (s *Station) Send(in booth.Intent) { s.inputs <- in }

// Again tells whether Run ended because staff asked for a restart.
func (s *Station) Again() bool { return s.again.Load() }

// View is the latest snapshot.
func (s *Station) View() booth.View {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	return s.view
}

// Run works until ctx ends, then waits for what is under way: a packet being
// sealed is finished, never torn.
func (s *Station) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.ctx, s.stop = ctx, stop
	if err := s.markRunning(); err != nil {
		return errors.Join(err, s.audit.close())
	}
	var bg sync.WaitGroup
	start := func(f func(context.Context)) {
		bg.Go(func() { f(ctx) })
	}
	start(func(ctx context.Context) { _ = s.p.Camera.Run(ctx) })
	start(func(ctx context.Context) { _ = s.p.Uplink.Run(ctx) })
	start(s.watchCamera)
	start(s.watchHouse)
	start(s.purge)
	start(s.coach)
	start(s.watchPlate)
	start(s.watchReceipts)
	start(s.gauge.run)
	if p := s.p.Config.Scan; p.Camera {
		start(s.readDesk)
		start(s.watchFocus)
	}
	if s.preview != nil {
		start(s.preview.run)
	}
	s.loadPlate(ctx)
	s.listClass("") // one that was called when the program ended is called on
	s.show()

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		if next := s.machine.NextTick(); next.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
		case <-timer.C:
			s.carryOut(ctx, s.machine.Report(time.Now(), booth.Tick{}))
		case in := <-s.inputs:
			s.handle(ctx, in)
		}
		s.show()
	}
	stop()
	s.endVisit()
	s.drainWork()
	bg.Wait()
	return errors.Join(s.audit.close(), s.markEnded())
}

// drainWork waits for session work while taking what it reports off the
// channel, so that nobody waits for the other.
func (s *Station) drainWork() {
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		case in := <-s.inputs:
			switch in := in.(type) {
			case asked:
				close(in.done)
			case *shotDone:
				s.discard(in)
			}
		}
	}
}

// asked runs a function on the loop's goroutine.
type asked struct {
	f    func()
	done chan struct{}
}

func (s *Station) handle(ctx context.Context, in any) {
	switch in := in.(type) {
	case booth.Intent:
		s.carryOut(ctx, s.machine.Do(time.Now(), in))
	case booth.Event:
		s.carryOut(ctx, s.machine.Report(time.Now(), in))
	case *shotDone:
		s.shotArrived(ctx, in)
	case plateMade:
		s.plateArrived(in)
	case asked:
		in.f()
		close(in.done)
	}
}

// report hands an event to the loop from session work.
func (s *Station) report(ctx context.Context, ev booth.Event) {
	select {
	case s.inputs <- ev:
	case <-ctx.Done():
	}
}

// show publishes the snapshot and switches what follows from the state.
func (s *Station) show() {
	v := s.machine.View()
	s.viewMu.Lock()
	s.view = v
	s.viewMu.Unlock()
	watching := false
	seated := false
	switch v.State {
	case booth.Guide, booth.Framing, booth.Countdown, booth.Shot:
		watching, seated = true, true
	case booth.Eligible, booth.Consent, booth.Standardising, booth.Review, booth.Confirm:
		seated = true
	case booth.Locked, booth.Idle, booth.Identify, booth.Sealing, booth.Done, booth.Abandoned:
	}
	aiming := v.Operator != nil && v.Operator.Camera != nil
	s.gauge.set(aiming)
	if s.preview != nil {
		s.preview.set(watching || aiming)
	}
	if s.p.Scene != nil {
		s.p.Scene.SetOccupied(seated)
	}
	if s.p.Window != nil {
		s.p.Window.Show(v)
	}
	if s.p.Sound != nil {
		s.p.Sound.Show(v)
	}
}

func (s *Station) carryOut(ctx context.Context, effects []booth.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case booth.BeginSession:
			s.beginVisit(ctx, e.Session)
		case booth.EndSession:
			s.endVisit()
		case booth.Audit:
			s.write(e)
		case booth.Lookup:
			s.lookup(ctx, e)
		case booth.StartClaim:
			s.startClaim(ctx, e)
		case booth.TakeShot:
			s.takeShot(ctx, e)
		case booth.Develop:
			s.developPicked(ctx, e)
		case booth.Seal:
			s.seal(ctx, e)
		case booth.CheckPIN:
			s.checkPIN(e)
		case booth.WriteDay:
			s.writeDay(e.Names)
		case booth.ShowPage:
			s.showPage(e.Page)
		case booth.CheckCode:
			s.checkCode(e)
		case booth.KeepStudent:
			s.keepStudent(e)
		case booth.CallClass:
			s.callClass(e.Class)
		case booth.ListClass:
			s.listClass(e.Query)
		case booth.KeepMark:
			s.keepMark(e)
		case booth.Sync:
			s.p.Uplink.Wake()
		case booth.Purge:
			s.purgeNow()
		case booth.Erase:
			s.erase(e)
		case booth.Quit:
			s.stop()
		case booth.Again:
			s.again.Store(true)
			s.stop()
		case booth.LookToday:
			s.lookToday(e)
		case booth.SaveSetting:
			s.saveSetting(e)
		case booth.WriteSettings:
			s.writeSettings(e.By)
		case booth.ReadSettings:
			s.readSettings(e.By)
		case booth.SavePayment:
			s.savePayment(e)
		case booth.Calibrate:
			s.calibrate(ctx, e.Fresh)
		case booth.RunCamera:
			s.runCamera(ctx, e.Job)
		}
	}
}

// note writes an audit entry of the station itself.
func (s *Station) note(session, event, detail string) {
	s.write(booth.Audit{Session: session, Event: event, Detail: detail})
}

// write keeps an audit entry; a session's own entries also go into its packet.
func (s *Station) write(e booth.Audit) {
	line, err := s.audit.append(AuditEntry{
		At: time.Now(), Session: SessionHash(e.Session), Event: e.Event, Detail: e.Detail,
		By: e.By.ID, Role: string(e.By.Role), Value: e.Value, Limit: e.Limit,
	})
	if err != nil {
		s.log.Error("audit entry not written", "event", e.Event, "err", err)
		return
	}
	if s.of(e.Session) {
		if e.Event == "consent.given" {
			s.visit.consent = time.Now()
		}
		s.visit.audit = append(append(s.visit.audit, line...), '\n')
	}
}
