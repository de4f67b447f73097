package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	fyneapp "fyne.io/fyne/v2/app"
	"github.com/gofrs/flock"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/app/screen"
	"github.com/yunzhao-station/yunzhao/app/sound"
	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/app/watchdog"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// appID is the program's identity towards the desktop.
const appID = "cn.yunzhao.station"

// demoAddr is where the embedded demo server listens when it can.
const demoAddr = "127.0.0.1:8466"

// Folders of the data directory.
const (
	keysDir    = "keys"
	rosterDir  = "roster"
	outboxDir  = "outbox"
	centralDir = "central" // the embedded demo server
)

// RunCmd starts the station.
type RunCmd struct {
	DataFlag   `embed:""`
	Demo       bool   `help:"演示：内置审核中心与虚构名单 / Embedded central server with fictional students."`
	Camera     string `help:"相机标识、auto 或 scene / Camera identity, auto or scene (default: the settings)." placeholder:"ID"`
	Size       string `help:"窗口大小 / Window size (default: the settings)." placeholder:"WxH"`
	Fullscreen bool   `help:"全屏 / Full screen."`
	Automation string `help:"自动化套接字，仅限模拟相机 / Automation socket, simulated camera only." type:"path" placeholder:"SOCKET"`
	Log        string `help:"日志级别 / Log level." enum:"debug,info,warn,error" default:"info"`
}

// Run opens the window and returns when it is closed; where staff asked for a
// restart, the program takes its own place.
func (c RunCmd) Run(s *streams) error {
	heart, err := watchdog.Inherited()
	if err != nil {
		return err
	}
	again, err := c.run(s, heart)
	switch {
	case err != nil || !again:
		return err
	case heart != nil:
		return exitError(watchdog.AgainCode)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("找不到本程序 / find this program: %w", err)
	}
	return fmt.Errorf("重新启动 / restart: %w", syscall.Exec(program, os.Args, os.Environ())) //nolint:gosec // this very program, as it was called
}

// run opens the window and returns when it is closed, and whether the station is
// to be started anew.
func (c RunCmd) run(s *streams, heart *watchdog.Heart) (again bool, err error) {
	if err := forbidCoreDumps(); err != nil {
		return false, err
	}
	limitMemory()
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log)); err != nil {
		return false, fmt.Errorf("log level: %w", err)
	}
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))
	name := "yunzhao"
	if c.Demo {
		name = "yunzhao-demo" // never among a real station's photos
	}
	dir, err := c.dirOr(name)
	if err != nil {
		return false, err
	}
	cfg, err := c.settings(dir)
	if err != nil {
		return false, fmt.Errorf("设置有误 / wrong settings: %w", err)
	}
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return false, errors.New("没有显示器，打不开窗口；可以用 yunzhao demo / no display to open a window on: try yunzhao demo")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if !c.Demo && c.Automation == "" {
		switch over, err := setUp(ctx, heart, dir, cfg, log); {
		case errors.Is(err, context.Canceled):
			return false, nil
		case err != nil && heart != nil:
			return false, notStarted(ctx, heart, cfg, err)
		case err != nil || over:
			return over, err
		}
	}
	parts, err := openParts(ctx, dir, cfg, c.Demo, log)
	if err != nil && heart != nil {
		return false, notStarted(ctx, heart, cfg, err)
	}
	if err != nil {
		return false, err
	}
	defer parts.close(log)

	fyneApp := fyneapp.NewWithID(appID)
	var st *station.Station
	window, err := openFront(ctx, fyneApp, cfg.Screen, screen.Options{
		ShutterKey: cfg.Capture.ShutterKey, OperatorKey: cfg.Operator.Key, Corner: cfg.Operator.Corner,
		OnIntent: func(in booth.Intent) { st.Send(in) },
	}, log)
	if err != nil {
		return false, fmt.Errorf("window: %w", err)
	}
	params := parts.params
	params.Window = window
	if c.audible(cfg) {
		if params.Sound = listen(ctx, cfg.Sound, log); params.Sound != nil {
			log.Info("sound is on", "volume", cfg.Sound.Volume)
		}
	}
	if c.Demo {
		if err := demoPINs(dir, log); err != nil {
			return false, err
		}
	}
	st, err = station.New(params)
	if err != nil {
		return false, err
	}
	if c.Automation != "" {
		if parts.camera.booth == nil {
			return false, errors.New("自动化只能与模拟相机一起用 / automation works with the simulated camera only")
		}
		auto := &station.Automation{Station: st, Booth: parts.camera.booth, List: func() []remote.Target { return targets(window) }, Frames: window.Count}
		server, err := remote.Listen(ctx, c.Automation, auto, log)
		if err != nil {
			return false, fmt.Errorf("automation: %w", err)
		}
		defer func() { _ = server.Close() }()
	}
	ended := make(chan error, 1)
	go func() {
		err := st.Run(ctx)
		if ctx.Err() == nil {
			window.Close()
		} // else a signal, upon which the toolkit ends by itself, or the window is gone
		ended <- err
	}()
	go window.Prepare(ctx)
	beat(ctx, heart, window, st)
	window.ShowAndRun() // until the window is closed or the station ended
	stop()
	err = <-ended
	return st.Again(), err
}

// audible tells whether the station makes itself heard: a demonstration and an
// automation do so only when the settings say it.
func (c RunCmd) audible(cfg config.Config) bool {
	switch cfg.Sound.Mode {
	case "on":
		return true
	case "off":
		return false
	}
	return !c.Demo && c.Automation == ""
}

// listen starts what is heard of the booth until ctx ends; nil where the
// computer has nothing to play with.
func listen(ctx context.Context, cfg config.Sound, log *slog.Logger) station.Listener {
	play, say, err := sound.Find(exec.LookPath)
	if err != nil {
		log.Info("the station is silent", "err", err)
		return nil
	}
	if !cfg.Voice {
		say = nil
	}
	s, err := sound.New(sound.Options{Play: play, Say: say, Volume: cfg.Volume, Log: log})
	if err != nil {
		log.Warn("the station is silent", "err", err)
		return nil
	}
	go s.Run(ctx)
	return s
}

// targets lists what is on the window in the driver's words.
func targets(w front) []remote.Target {
	list := w.Targets()
	out := make([]remote.Target, len(list))
	for i, t := range list {
		out[i] = remote.Target{ID: t.ID, X: t.X, Y: t.Y, W: t.W, H: t.H, Text: t.Text, Enabled: t.Enabled}
	}
	return out
}

// settings are the file's, with the command line's on top.
func (c RunCmd) settings(dir string) (config.Config, error) {
	cfg, err := config.Load(dir)
	if err != nil {
		return cfg, err
	}
	if c.Camera != "" {
		cfg.Camera.Device = c.Camera
	}
	if c.Fullscreen {
		cfg.Screen.Fullscreen = true
	}
	if c.Size != "" {
		w, h, ok := strings.Cut(strings.ToLower(c.Size), "x")
		width, errW := strconv.Atoi(w)
		height, errH := strconv.Atoi(h)
		if !ok || errW != nil || errH != nil {
			return cfg, fmt.Errorf("--size %q: must be like 1280x800", c.Size)
		}
		cfg.Screen.Width, cfg.Screen.Height = width, height
	}
	return cfg, cfg.Validate()
}

// parts are everything behind the window.
type parts struct {
	params station.Params
	camera chosenCamera
	closer []func() error
}

// close ends the parts, the last opened first.
func (p *parts) close(log *slog.Logger) {
	for i := len(p.closer) - 1; i >= 0; i-- {
		if err := p.closer[i](); err != nil {
			log.Error("close", "err", err)
		}
	}
}

// openParts opens a station's data directory and everything in it. Only one
// program may have it open.
func openParts(ctx context.Context, dir string, cfg config.Config, demo bool, log *slog.Logger) (_ *parts, err error) {
	p := &parts{}
	defer func() {
		if err != nil {
			p.close(log)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("数据目录 / data directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("数据目录 / data directory: %w", err)
	}
	if !got {
		return nil, errors.New("已经有一个云照站在用这个数据目录 / another station is using this data directory")
	}
	p.closer = append(p.closer, lock.Unlock)

	centralURL := ""
	if demo {
		cfg.Keys.Protect = string(keys.Plain) // invented students need no protection
	}
	store, err := openKeys(dir, cfg)
	if err != nil {
		return nil, err
	}
	if demo {
		if centralURL, err = p.serveDemo(ctx, filepath.Join(dir, centralDir), store, log); err != nil {
			return nil, err
		}
	}
	enrolment, err := store.Enrolment()
	if errors.Is(err, keys.ErrNotEnrolled) {
		return nil, errors.New("本机还没有登记：yunzhao enroll --central URL --code CODE，或先用 yunzhao run --demo 看看 / not enrolled yet: yunzhao enroll --central URL --code CODE, or have a look with yunzhao run --demo")
	}
	if err != nil {
		return nil, fmt.Errorf("本机密钥 / station keys: %w", err)
	}
	if centralURL != "" {
		enrolment.URL = centralURL // the demo's server may have had to take another port
	}
	key, err := store.StationKey()
	if err != nil {
		return nil, keyWords(err)
	}
	dataKey, err := openDataKey(store, os.Getenv(envPassphrase), log)
	if err != nil {
		return nil, err
	}
	ro, err := roster.Open(filepath.Join(dir, rosterDir), dataKey)
	if err != nil {
		return nil, fmt.Errorf("名单 / roster: %w", err)
	}
	ob, err := openOutbox(dir, key, cfg, dataKey, enrolment.Enrolled.CentralKey, log)
	if err != nil {
		return nil, err
	}
	p.closer = append(p.closer, ob.Close)
	up, err := uplink.NewWorker(uplink.Params{
		Enrolment: enrolment, Key: key, Roster: ro, Outbox: ob, Log: log, Version: Version,
		Rate: int64(cfg.Central.UploadKBs) << 10, Piece: int64(cfg.Central.InFlightKB) << 10,
		Events: uplink.Events{Recipients: func(s wire.Signed) {
			if err := store.SaveRecipients(s); err != nil {
				log.Error("central's new recipients are not taken", "err", err)
			}
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("uplink: %w", err)
	}
	p.camera, err = chooseCamera(cfg.Camera.Device)
	if err != nil {
		return nil, err
	}
	p.closer = append(p.closer, p.camera.close, serveFaults(ctx, dir, p.camera.booth, log))
	sup, err := camera.NewSupervisor(camera.SupervisorParams{Open: p.camera.open, Restore: station.RestoreCamera(dir, log), Log: log})
	if err != nil {
		return nil, err
	}
	p.params = station.Params{
		DataDir: dir, Config: cfg, Version: Version, Log: log, Camera: sup, Enrolment: enrolment, Key: key, Roster: ro, Outbox: ob, Uplink: up,
		Simulated: p.camera.booth != nil, Demo: demo, ListCameras: listCameras,
	}
	if p.camera.booth != nil {
		p.params.Scene = p.camera.booth
	}
	return p, nil
}

// serveDemo starts the embedded central server with its fictional batch and
// enrols this station there, once.
func (p *parts) serveDemo(ctx context.Context, dir string, store *keys.Store, log *slog.Logger) (string, error) {
	// A fixed port where it is free, so that a page left open on a phone or in
	// the reviewer's browser still works after a restart.
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", demoAddr)
	if err != nil {
		if ln, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return "", fmt.Errorf("demo central: %w", err)
		}
	}
	base := "http://" + ln.Addr().String()
	srv, err := central.Open(dir, central.Options{Logger: log, PublicURL: base})
	if err != nil {
		return "", errors.Join(fmt.Errorf("demo central: %w", err), ln.Close())
	}
	p.closer = append(p.closer, srv.Close)
	hs := &http.Server{Handler: srv.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = hs.Serve(ln) }()
	p.closer = append(p.closer, hs.Close)
	info, err := srv.SeedDemo(ctx)
	if err != nil {
		return "", fmt.Errorf("demo central: %w", err)
	}
	log.Info("demo central", "reviewers", base+"/review", "user", info.ReviewerUser, "password", info.ReviewerPassword)
	if _, err := store.Enrolment(); errors.Is(err, keys.ErrNotEnrolled) {
		if _, err := uplink.Enroll(ctx, uplink.EnrollParams{Keys: store, URL: base, Code: info.EnrolCode, Name: "演示站", Version: Version}); err != nil {
			return "", fmt.Errorf("demo enrolment: %w", err)
		}
	}
	return base, nil
}

// openOutbox opens the sealed packets of the station with that key. sealer
// reads and writes what reviewers said (nil: it stays closed); central is the
// key without whose word no packet is removed.
func openOutbox(dir string, key ed25519.PrivateKey, cfg config.Config, sealer outbox.Sealer, central ed25519.PublicKey, log *slog.Logger) (*outbox.Outbox, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("station key: not Ed25519")
	}
	ob, err := outbox.Open(filepath.Join(dir, outboxDir), outbox.Options{
		Log: log, Sealer: sealer,
		OpenAck: func(proof wire.Signed) (ack wire.Ack, err error) {
			err = proof.Open(central, wire.TypeAck, &ack)
			return ack, err
		},
		Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, public) },
		Limits: outbox.Limits{MinFree: uint64(cfg.Outbox.FreeFloorMB) << 20, MaxPending: cfg.Outbox.MaxPending},
	})
	if err != nil {
		return nil, fmt.Errorf("照片库 / outbox: %w", err)
	}
	return ob, nil
}
