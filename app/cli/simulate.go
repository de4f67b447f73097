package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// SimulateCmd runs whole sessions without a window: the real state machine,
// camera supervisor, pipeline and outbox, with the simulated booth.
type SimulateCmd struct {
	DataFlag `embed:""`
	Sessions int    `help:"多少个会话 / How many sessions." default:"1"`
	Central  string `help:"审核中心地址；缺省只用内置名单、不联网 / Central's address (default: fictional students, no network)." placeholder:"URL"`
	Code     string `help:"第一次连接中心时的登记码；演示中心不需要 / Enrolment code, the first time; a central with --demo needs none."`
	Seed     uint64 `help:"学生次序的种子 / Seed of the order of students."`
}

// Run prints one line `saved <packet-id> <sha256>` for each packet, strictly
// after its commit.
func (c SimulateCmd) Run(s *streams) error {
	if err := forbidCoreDumps(); err != nil {
		return err
	}
	limitMemory()
	dir, err := c.dir()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
	if err := c.enrol(ctx, dir, log); err != nil {
		return err
	}
	cfg, err := config.Load(dir)
	if err != nil {
		return err
	}
	cfg.Camera.Device = deviceScene
	cfg.Times.Countdown = 0
	cfg.Capture.Auto = false // the simulated student presses the shutter
	p, err := openParts(ctx, dir, cfg, false, log)
	if err != nil {
		return err
	}
	defer p.close(log)
	if c.Central != "" && p.params.Roster.Count() == 0 {
		if err := p.params.Uplink.Exchange(ctx); err != nil {
			return fmt.Errorf("名单没有取到 / the roster was not fetched: %w", err)
		}
	}
	// Whoever runs this has the station's files: no PIN stands between them.
	p.params.Standing = &booth.Staff{ID: "simulate", Role: booth.RoleOperator}
	st, err := station.New(p.params)
	if err != nil {
		return err
	}
	runCtx, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- st.Run(runCtx) }()
	sim := simulation{st: st, box: p.params.Outbox, students: p.params.Roster.Students(), out: s, rng: rand.New(rand.NewPCG(c.Seed, 1))}
	err = sim.run(ctx, c.Sessions)
	end()
	return errors.Join(err, <-ended)
}

// enrol makes the station known where it is not yet: to the given central, or
// to one that lives just long enough to hand out its
// fictional students.
func (c SimulateCmd) enrol(ctx context.Context, dir string, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	cfg, err := config.Load(dir)
	if err != nil {
		return err
	}
	store, err := openKeys(dir, cfg)
	if err != nil {
		return err
	}
	if _, err := store.Enrolment(); !errors.Is(err, keys.ErrNotEnrolled) {
		return err
	}
	if c.Central == "" {
		// Outside the station's directory: it holds the list in the clear, as a
		// central server must be able to read it.
		tmp, err := os.MkdirTemp("", "yunzhao-simulate-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(tmp) }()
		p := &parts{}
		defer p.close(log)
		if _, err := p.serveDemo(ctx, tmp, store, log); err != nil {
			return err
		}
		cfg.Camera.Device = deviceScene
		q, err := openParts(ctx, dir, cfg, false, log)
		if err != nil {
			return err
		}
		defer q.close(log)
		return q.params.Uplink.Exchange(ctx)
	}
	code := c.Code
	if code == "" {
		if code, err = demoCode(ctx, c.Central); err != nil {
			return fmt.Errorf("第一次连这个中心需要 --code（演示中心除外）/ the first time, --central needs --code, unless it runs with --demo: %w", err)
		}
	}
	_, err = uplink.Enroll(ctx, uplink.EnrollParams{Keys: store, URL: c.Central, Code: code, Name: "simulation", Version: Version})
	return err
}

// demoCode asks a central that shows the demonstration for an enrolment code.
// Who answers is taken for that central: nothing but invented students is at
// stake.
func demoCode(ctx context.Context, base string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+central.DemoCodePath, nil)
	if err != nil {
		return "", fmt.Errorf("demonstration's code: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("demonstration's code: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("demonstration's code: status %d", resp.StatusCode)
	}
	var c central.DemoCode
	if err := json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&c); err != nil || c.Code == "" {
		return "", errors.New("demonstration's code: the answer has none")
	}
	return c.Code, nil
}

// simulation plays students and staff by intents.
type simulation struct {
	st       *station.Station
	box      *outbox.Outbox
	students []wire.Student
	out      *streams
	rng      *rand.Rand
}

// simStep bounds every wait: a station that hangs is an error, not a long run.
const simStep = 60 * time.Second

func (s *simulation) run(ctx context.Context, sessions int) error {
	if len(s.students) == 0 {
		return errors.New("名单是空的 / the roster is empty")
	}
	known := map[string]bool{}
	for _, e := range s.box.List() {
		known[e.ID.String()] = true
	}
	for i := range sessions {
		who := s.students[s.rng.IntN(len(s.students))]
		if err := s.session(ctx, who); err != nil {
			return fmt.Errorf("session %d: %w", i+1, err)
		}
		for _, e := range s.box.List() {
			if id := e.ID.String(); !known[id] {
				known[id] = true
				if _, err := fmt.Fprintf(s.out.out, "saved %s %s\n", id, e.SHA256); err != nil {
					return err
				}
			}
		}
		s.st.Send(booth.NextStudent{})
		if _, err := s.wait(ctx, "idle", func(v booth.View) bool { return v.State == booth.Idle }); err != nil {
			return err
		}
	}
	return nil
}

// wait polls the view: the simulation is a person who looks at the screen.
func (s *simulation) wait(ctx context.Context, what string, ok func(booth.View) bool) (booth.View, error) {
	ctx, cancel := context.WithTimeout(ctx, simStep)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		v := s.st.View()
		if ok(v) {
			return v, nil
		}
		select {
		case <-ctx.Done():
			return v, fmt.Errorf("waiting for %s, the station is in %q", what, v.State)
		case <-tick.C:
		}
	}
}

func (s *simulation) session(ctx context.Context, who wire.Student) error {
	if _, err := s.wait(ctx, "an open door", func(v booth.View) bool { return v.State == booth.Idle && v.Fault == nil }); err != nil {
		return err
	}
	s.st.Send(booth.Wedge{Text: who.StudentNo})
	v, err := s.wait(ctx, "the record", func(v booth.View) bool {
		return v.State == booth.Eligible && (v.Student != nil || len(v.Candidates) > 0) || v.State == booth.Identify && v.Identify.Bad
	})
	if err != nil {
		return err
	}
	if v.State == booth.Identify {
		return errors.New("a student of the roster is not found")
	}
	if v.Student == nil {
		s.st.Send(booth.Choose{Index: 0})
		if v, err = s.wait(ctx, "the chosen record", func(v booth.View) bool { return v.Student != nil }); err != nil {
			return err
		}
	}
	if v.Payment.State == string(wire.PaymentUnpaid) {
		s.st.Send(booth.PaymentMark{State: string(wire.PaymentWaived), Reason: booth.ReasonSimulated})
	}
	s.st.Send(booth.Continue{})
	if v, err = s.wait(ctx, "consent or a refusal", func(v booth.View) bool { return v.State == booth.Consent || v.Toast != nil }); err != nil {
		return err
	}
	if v.State != booth.Consent {
		s.st.Send(booth.Override{CheckID: booth.CheckCaptured, Reason: booth.ReasonSimulated})
		if _, err = s.wait(ctx, "consent", func(v booth.View) bool { return v.State == booth.Consent }); err != nil {
			return err
		}
	}
	s.st.Send(booth.Continue{})
	s.st.Send(booth.Continue{})
	if _, err = s.wait(ctx, "live checks", func(v booth.View) bool { return v.State == booth.Framing && v.Live.Ready }); err != nil {
		return err
	}
	s.st.Send(booth.Shutter{})
	if v, err = s.wait(ctx, "the portrait", func(v booth.View) bool { return v.State == booth.Review }); err != nil {
		return err
	}
	if v.Shot == nil || v.Shot.Portrait == nil || v.Shot.Verdict == "fail" {
		return errors.New("the simulated student's photo failed its checks")
	}
	s.st.Send(booth.ManualAnswer{OK: true})
	s.st.Send(booth.Accept{})
	s.st.Send(booth.ConfirmSubmit{})
	v, err = s.wait(ctx, "the commit", func(v booth.View) bool {
		return v.State == booth.Done || v.State == booth.Confirm && v.Fault != nil
	})
	if err == nil && v.Fault != nil {
		err = fmt.Errorf("not saved: %s", v.Fault.Body.EN)
	}
	return err
}
