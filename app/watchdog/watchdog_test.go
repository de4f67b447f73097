package watchdog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// roleVariable makes the test's own binary play the program that is watched.
const roleVariable = "WATCHDOG_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Getenv("WATCHDOG_TEST_RUNS")))
	}
	os.Exit(m.Run())
}

// play is one run of the watched program. runs is a file that gets a line a run.
func play(role, runs string) int {
	f, err := os.OpenFile(runs, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 90
	}
	_, _ = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	_ = f.Close()
	data, _ := os.ReadFile(runs)
	run := bytes.Count(data, []byte("\n"))
	heart, err := Inherited()
	if err != nil || heart == nil {
		return 91
	}
	if os.Getenv(FDVariable) != "" {
		return 92 // would reach the program's own children
	}
	switch role {
	case "crash-then-end":
		if run < 4 {
			panic("crash")
		}
		return 0
	case "again-then-end":
		if run < 6 {
			return AgainCode
		}
		return 0
	case "hang-then-end":
		if run == 1 {
			_, _ = heart.f.Write([]byte{1})
			select {} // hangs on purpose: it holds the pipe open and is silent
		}
		return 0
	case "never-beats":
		if run == 1 {
			<-make(chan int)
		}
		return 0
	case "slow": // beats once the test has made this file
		for {
			if _, err := os.Stat(runs + ".born"); err == nil {
				_, _ = heart.f.Write([]byte{1})
				return 0
			}
			<-time.After(time.Millisecond)
		}
	case "serve":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		heart.Beat(ctx, func(context.Context) bool { return true })
		return 7
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		heart.Beat(context.Background(), func(context.Context) bool { return true })
	}
	return 93
}

// options play role; delays collects what would have been waited.
func options(t *testing.T, role string, delays *[]time.Duration) (Options, string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	runs := filepath.Join(t.TempDir(), "runs")
	return Options{
		Command: []string{exe}, Env: append(os.Environ(), roleVariable+"="+role, "WATCHDOG_TEST_RUNS="+runs, FDVariable+"=9"),
		Start: time.Minute, Silence: time.Minute, Stop: time.Minute,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		wait: func(ctx context.Context, d time.Duration) error {
			if delays != nil {
				*delays = append(*delays, d)
			}
			return ctx.Err()
		},
	}, runs
}

func countRuns(t *testing.T, runs string) []string {
	t.Helper()
	data, err := os.ReadFile(runs)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

func TestACrashedProgramIsBackAtOnceAndAnEndedOneIsLeftInPeace(t *testing.T) {
	var delays []time.Duration
	o, runs := options(t, "crash-then-end", &delays)
	if err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := countRuns(t, runs); len(got) != 4 {
		t.Errorf("runs %v, want 4", got)
	}
	if len(delays) != 3 || delays[0] != 0 || delays[1] != 0 || delays[2] != time.Second {
		t.Errorf("pauses %v, want 0, 0, 1s", delays)
	}
}

func TestAProgramThatAsksIsStartedAnewWithoutAPause(t *testing.T) {
	var delays []time.Duration
	o, runs := options(t, "again-then-end", &delays)
	if err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(runs)
	if err != nil || bytes.Count(data, []byte("\n")) != 6 || len(delays) != 0 {
		t.Errorf("runs %q, pauses %v, %v", data, delays, err)
	}
}

func TestAHungProgramIsKilledAndStartedAgain(t *testing.T) {
	for _, role := range []string{"hang-then-end", "never-beats"} {
		t.Run(role, func(t *testing.T) {
			o, runs := options(t, role, nil)
			if role == "never-beats" {
				o.Start = 2 * time.Second
			} else {
				o.Silence = 50 * time.Millisecond
			}
			if err := Run(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			got := countRuns(t, runs)
			if len(got) != 2 {
				t.Fatalf("runs %v, want 2", got)
			}
			pid, _ := strconv.Atoi(got[0])
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("the hung program is still there: %v", err)
			}
		})
	}
}

// A computer that takes longer than anybody thought is waited for longer each
// time, instead of being restarted for ever.
func TestASlowStartIsGivenMoreTime(t *testing.T) {
	o, runs := options(t, "slow", nil)
	o.Start = 100 * time.Millisecond
	starts := 0
	o.wait = func(ctx context.Context, _ time.Duration) error {
		if starts++; starts == 3 {
			if err := os.WriteFile(runs+".born", nil, 0o600); err != nil {
				t.Error(err)
			}
		}
		return ctx.Err()
	}
	var said bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&said, nil))
	if err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var ran []time.Duration
	for line := range strings.Lines(said.String()) {
		if _, after, ok := strings.Cut(line, " ran="); ok {
			d, err := time.ParseDuration(strings.Fields(after)[0])
			if err != nil {
				t.Fatal(err)
			}
			ran = append(ran, d)
		}
	}
	for i, want := range []time.Duration{o.Start, 2 * o.Start, 4 * o.Start} {
		if i >= len(ran) || ran[i] < want { // no upper bound: the machine may be busy
			t.Fatalf("the starts were given %v; number %d must have at least %v", ran, i+1, want)
		}
	}
}

func TestTheEndOfTheWatchdogEndsTheProgram(t *testing.T) {
	for _, role := range []string{"serve", "deaf"} {
		t.Run(role, func(t *testing.T) {
			o, runs := options(t, role, nil)
			if role == "deaf" {
				o.Stop = 50 * time.Millisecond
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- Run(ctx, o) }()
			for { // until it runs
				if data, _ := os.ReadFile(runs); len(data) > 0 {
					break
				}
				select {
				case err := <-ended:
					t.Fatalf("ended early: %v", err)
				case <-time.After(5 * time.Millisecond):
				}
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
			pid, _ := strconv.Atoi(countRuns(t, runs)[0])
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("the program is still there: %v", err)
			}
		})
	}
}

func TestWhatCannotStartIsSaid(t *testing.T) {
	if err := Run(t.Context(), Options{}); err == nil {
		t.Error("no program: no error")
	}
	o := Options{Command: []string{filepath.Join(t.TempDir(), "missing")}}
	if err := Run(t.Context(), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program: %v", err)
	}
}

func TestPauses(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name string
		ran  []time.Duration
		want time.Duration
	}{
		{"first mishap", []time.Duration{time.Hour}, 0},
		{"again within a minute", []time.Duration{time.Hour, s}, 0},
		{"a third", []time.Duration{time.Hour, s, s}, s},
		{"a fourth", []time.Duration{s, s, s, s}, 2 * s},
		{"never ending", []time.Duration{s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s}, maxDelay},
		{"a good hour forgives", []time.Duration{s, s, s, s, time.Hour}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h history
			var got time.Duration
			for _, ran := range c.ran {
				got = h.next(ran)
			}
			if got != c.want {
				t.Errorf("pause %v, want %v", got, c.want)
			}
		})
	}
}

func TestNoHeartWithoutAWatchdog(t *testing.T) {
	for _, c := range []struct {
		value string
		ok    bool
	}{{"", true}, {"x", false}, {"0", false}, {"99", false}, {"-4", false}, {"70000", false}} {
		t.Run(c.value, func(t *testing.T) {
			t.Setenv(FDVariable, c.value)
			h, err := Inherited()
			if h != nil || (err == nil) != c.ok {
				t.Errorf("heart %v, error %v", h, err)
			}
		})
	}
}

func TestAHungHeartDoesNotBeat(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&Heart{f: w}).Beat(ctx, func(ctx context.Context) bool { <-ctx.Done(); return false })
	}()
	cancel()
	<-done
	var buf [8]byte
	if n, _ := r.Read(buf[:]); n != 0 {
		t.Errorf("%d beats of a program that hung", n)
	}
}
