package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

const (
	benchVisits = 10
	benchStarts = 5
)

// glance is the pause between two looks for what the window shows: it is the
// error of every time below.
const glance = 8 * time.Millisecond

// act is one thing that a person does, and what the kiosk shows upon it.
type act struct {
	name  string        // Chinese / English
	think time.Duration // what people take before they do it: assumed, the same in every visit
	tap   string        // the button; "" = nothing is touched
	scan  bool          // a scanner reads the student's number instead
	staff bool          // done by the operator
	shows []string      // the states that end it, as the window shows them
	ready string        // a button that must be usable besides; "" = none
}

// visitActs is one visit of a student who was scanned, from the operator's "next"
// on to "saved". The times before each act are assumptions, not measurements: a
// student who reads one sentence a page, at a desk where somebody is there.
func visitActs() []act {
	return []act{
		{name: "坐下，出示证件扫码 / sit down, the card is scanned", think: 5 * time.Second, scan: true, staff: true, shows: []string{"eligible"}, ready: "continue"},
		{name: "核对本人信息 / look at the record", think: 3 * time.Second, tap: "continue", shows: []string{"consent"}, ready: "consent-accept"},
		{name: "告知与同意 / consent", think: 4 * time.Second, tap: "consent-accept", shows: []string{"guide"}, ready: "continue"},
		{name: "看须知，坐正、理头发 / the rules; sit straight, tidy the hair", think: 9 * time.Second, tap: "continue", shows: []string{"framing", "countdown"}},
		{name: "保持不动，自动开始 / hold still until it starts by itself", shows: []string{"countdown"}},
		{name: "倒计时 / countdown", shows: []string{"shot", "standardising", "review"}},
		{name: "快门→标准照 / shutter to portrait", shows: []string{"review"}, ready: "manual-ok"},
		{name: "工作人员确认人工项 / staff confirm what only people can judge", think: 2 * time.Second, tap: "manual-ok", staff: true, shows: []string{"review"}, ready: "accept"},
		{name: "看照片，满意 / look at the photo, accept", think: 3 * time.Second, tap: "accept", shows: []string{"confirm"}, ready: "confirm"},
		{name: "最后确认→已安全保存 / submit to “safely saved”", think: 2 * time.Second, tap: "confirm", shows: []string{"done"}, ready: "next"},
	}
}

// farewell ends a visit; it lies between two of the intervals measured.
func farewell() act {
	return act{name: "看到已保存，叫下一位 / saved is read, the next is called", think: 2 * time.Second, tap: "next", staff: true, shows: []string{"idle"}, ready: "start"}
}

// TestVisits measures whole visits with a scanner through the built kiosk's real
// window: how long each step takes from what a person does to what the screen
// shows, how many taps it takes, how soon a kiosk is there after it was started,
// and what it costs while nobody comes. With YUNZHAO_DOCS=1 it writes the tables
// of docs/visit.md.
func TestVisits(t *testing.T) {
	if os.Getenv("YUNZHAO_BENCH") == "" {
		t.Skip("nothing is measured without YUNZHAO_BENCH=1: see make bench-visit")
	}
	bins := endToEnd(t)
	dir, err := os.MkdirTemp("", "yunzhao-visits-") //nolint:usetesting // Unix sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &demo{o: Options{Program: bins.kiosk, Out: dir, Extra: benchVisits, Private: true, Progress: io.Discard}, work: dir, desk: &desk{
		program: bins.kiosk, data: filepath.Join(dir, "station"), log: filepath.Join(dir, "kiosk.log"),
		socket: filepath.Join(dir, "kiosk.sock"), env: os.Environ(), width: 1280, height: 800,
	}}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	within := func(f func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := f(ctx); err != nil {
			t.Fatal(err)
		}
	}
	within(d.setUp)
	within(d.leave)
	var out strings.Builder

	begun := make([]startUp, benchStarts)
	for i := range begun {
		within(func(ctx context.Context) (err error) { begun[i], err = d.startTimed(ctx); return err })
		if i < benchStarts-1 {
			within(d.leave)
		}
	}
	atStart, _ := memoryMB(d.process.Process.Pid)
	idle, err := d.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	acts := visitActs()
	machine := make([][]time.Duration, len(acts))
	var whole, own, between []time.Duration
	for _, who := range d.more {
		began, took := time.Now(), time.Duration(0)
		for i, a := range acts {
			within(func(ctx context.Context) error {
				long, err := d.perform(ctx, a, who)
				machine[i] = append(machine[i], long)
				took += long
				return err
			})
		}
		whole, own = append(whole, time.Since(began)), append(own, took)
		within(func(ctx context.Context) error {
			long, err := d.perform(ctx, farewell(), who)
			between = append(between, long)
			return err
		})
	}
	now, peak := memoryMB(d.process.Process.Pid)

	// What the mirror costs, and how soon it is there.
	var first time.Duration
	within(func(ctx context.Context) (err error) { first, err = d.toMirror(ctx); return err })
	mirror, err := d.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	write := func(format string, a ...any) { _, _ = fmt.Fprintf(&out, format, a...) }
	write("| 步骤 / step | 谁的动作 / whose act | 人的时间（假设）/ people's time, assumed | 机器的时间，中位 / the machine's, median | 最长 / longest |\n|---|---|--:|--:|--:|\n")
	people, student, staff := time.Duration(0), 0, 0
	for i, a := range acts {
		people += a.think
		whose := "—"
		switch {
		case a.scan:
			whose = "扫码枪 / scanner"
		case a.staff && a.tap != "":
			whose = "工作人员点 1 次 / staff, 1 tap"
			staff++
		case a.tap != "":
			whose = "学生点 1 次 / student, 1 tap"
			student++
		}
		write("| %s | %s | %.1f s | %.2f s | %.2f s |\n", a.name, whose, a.think.Seconds(), median(machine[i]).Seconds(), slices.Max(machine[i]).Seconds())
	}
	write("| **“下一位”→“已安全保存” / “next” to “safely saved”** | 学生 %d 次，工作人员 %d 次 / student %d, staff %d taps | %.1f s | **%.2f s** | %.2f s |\n",
		student, staff, student, staff, people.Seconds(), median(own).Seconds(), slices.Max(own).Seconds())
	last := farewell()
	write("| %s | 工作人员点 1 次 / staff, 1 tap | %.1f s | %.2f s | %.2f s |\n\n", last.name, last.think.Seconds(), median(between).Seconds(), slices.Max(between).Seconds())
	hour := time.Hour / 100
	cycle := median(whole) + last.think + median(between)
	write("| 合计，%d 次 / altogether, %d visits | |\n|---|--:|\n", len(whole), len(whole))
	write("| “下一位”→“已安全保存”，中位 / “next” to “safely saved”, median | %.1f s |\n", median(whole).Seconds())
	write("| 最长 / longest | %.1f s |\n", slices.Max(whole).Seconds())
	write("| 加上叫下一位，一位学生 / with calling the next, one student | %.1f s = %.0f 人每小时 / an hour |\n", cycle.Seconds(), float64(time.Hour)/float64(cycle))
	write("| 每小时 100 人时留给人的时间 / what 100 an hour leave to people | %.1f s（假设用了 / assumed %.1f s） |\n\n", (hour - median(own) - median(between)).Seconds(), (people + last.think).Seconds())
	write("| 启动与开销 / start and cost | |\n|---|--:|\n")
	write("| 启动→窗口，中位 / start to window, median of %d | %.2f s |\n", benchStarts, medianOf(begun, func(s startUp) time.Duration { return s.window }).Seconds())
	frames := medianOf(begun, func(s startUp) time.Duration { return s.frames })
	write("| 启动→相机有画面 / start to the camera's frames | %.2f s |\n", frames.Seconds())
	write("| 最慢一次 / slowest | %.2f s |\n", slices.MaxFunc(begun, func(a, b startUp) int { return cmp.Compare(a.frames, b.frames) }).frames.Seconds())
	write("| 要镜子→第一幅画面 / mirror asked for to its first picture | %.2f s |\n", first.Seconds())
	write("| **启动→活动画面 / cold start to live preview** | **%.2f s** |\n", (frames + first).Seconds())
	write("| 启动→可以开始，含模拟站重拍空背景 / start to ready, the simulated booth's backdrop photographed anew | %.2f s |\n", medianOf(begun, func(s startUp) time.Duration { return s.ready }).Seconds())
	write("| 首页的 CPU / CPU of the welcome screen | 一个核的 %.0f %% / of one core |\n", 100*idle)
	write("| 镜子的 CPU / CPU of the mirror | 一个核的 %.0f %% / of one core |\n", 100*mirror)
	write("| 内存：刚启动，%d 次之后，峰值 / memory: started, after %d visits, peak | %d, %d, %d MB |\n", len(whole), len(whole), atStart, now, peak)
	fmt.Print(out.String())
	if os.Getenv("YUNZHAO_DOCS") != "" {
		within(func(context.Context) error { return rewriteTables("../../docs/visit.md", out.String()) })
	}
	within(d.leave)
}

// startUp is how soon a kiosk is there.
type startUp struct {
	window time.Duration // its window is on the screen
	frames time.Duration // the camera's frames arrive
	ready  time.Duration // the first student may come: besides, the simulated booth's backdrop was photographed
}

// startTimed starts the kiosk and sees it open.
func (d *desk) startTimed(ctx context.Context) (s startUp, err error) {
	began := time.Now()
	if err := d.start(ctx); err != nil {
		return s, err
	}
	s.window = time.Since(began)
	err = d.watch(ctx, func(st remote.State, _ string, _ map[string]bool) bool { return st.Lamps["camera"].Level == "ok" })
	s.frames = time.Since(began)
	if err != nil {
		return s, err
	}
	err = d.watch(ctx, func(st remote.State, shown string, _ map[string]bool) bool {
		fault, _ := st.Field("fault")
		return shown == "idle" && fault == nil && st.Lamps["camera"].Level == "ok" && st.Lamps["plate"].Level == "ok"
	})
	s.ready = time.Since(began)
	return s, err
}

// perform has a person think, do it, and see what comes of it; it returns how
// long the kiosk took.
func (d *demo) perform(ctx context.Context, a act, who wire.Student) (time.Duration, error) {
	began := time.Now()
	var err error
	do := func() error { return nil }
	switch {
	case a.scan:
		do = func() error { return d.kiosk.Scan(ctx, who.IDNumber) }
	case a.tap != "":
		// The finger is on its way while its owner thinks.
		var t remote.Target
		if t, err = d.kiosk.Find(ctx, a.tap); err != nil {
			return 0, err
		}
		at := d.onScreen(t)
		if err := d.display.Move((at.Min.X+at.Max.X)/2, (at.Min.Y+at.Max.Y)/2); err != nil {
			return 0, err
		}
		do = func() error { return d.display.Click((at.Min.X+at.Max.X)/2, (at.Min.Y+at.Max.Y)/2) }
	}
	if err := pause(ctx, a.think-time.Since(began)); err != nil {
		return 0, err
	}
	began = time.Now()
	if err := do(); err != nil {
		return 0, err
	}
	var on string
	err = d.watch(ctx, func(_ remote.State, shown string, usable map[string]bool) bool {
		on = shown
		return slices.Contains(a.shows, shown) && (a.ready == "" || usable[a.ready])
	})
	if err != nil {
		return 0, fmt.Errorf("%s: the window shows %q: %w", a.name, on, err)
	}
	return time.Since(began), nil
}

// watch looks at the window until ok: what the kiosk says, the state that is
// shown, and the buttons that can be pressed.
func (d *desk) watch(ctx context.Context, ok func(st remote.State, shown string, usable map[string]bool) bool) error {
	for {
		st, err := d.client.State(ctx)
		if err != nil {
			return err
		}
		targets, err := d.client.Targets(ctx)
		if err != nil {
			return err
		}
		shown, usable := "", map[string]bool{}
		for _, t := range targets {
			if t.ID == "state" {
				shown = t.Text
			}
			usable[t.ID] = t.Enabled
		}
		if ok(st, shown, usable) {
			return nil
		}
		if err := pause(ctx, glance); err != nil {
			return err
		}
	}
}

// toMirror leads a student whom nothing starts by itself for to the mirror, and
// tells how long its first picture took.
func (d *demo) toMirror(ctx context.Context) (time.Duration, error) {
	who, err := d.paying(wire.PayNone, 0)
	if err != nil {
		return 0, err
	}
	for _, a := range visitActs()[:3] {
		a.think = personPace
		if _, err := d.perform(ctx, a, who); err != nil {
			return 0, err
		}
	}
	before, err := d.mirrored(ctx)
	if err != nil {
		return 0, err
	}
	long, err := d.perform(ctx, act{name: "mirror", think: time.Second, tap: "continue", shows: []string{"framing", "countdown"}}, who)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := d.watch(ctx, func(remote.State, string, map[string]bool) bool {
		n, e := d.mirrored(ctx)
		err = e
		return e != nil || n > before
	}); err != nil {
		return 0, err
	}
	long += time.Since(began)
	return long, errors.Join(err, d.byHand(ctx))
}

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

func medianOf(list []startUp, of func(startUp) time.Duration) time.Duration {
	var all []time.Duration
	for _, s := range list {
		all = append(all, of(s))
	}
	return median(all)
}

// measured is the part of a document that a measurement writes.
var measured = regexp.MustCompile(`(?s)(<!-- measured -->\n).*?(<!-- /measured -->)`)

func rewriteTables(path, tables string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !measured.Match(page) {
		return fmt.Errorf("%s has no place for tables", path)
	}
	return os.WriteFile(path, measured.ReplaceAll(page, []byte("${1}"+strings.ReplaceAll(tables, "$", "$$")+"${2}")), 0o600)
}
