package checks

import (
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// guard is the environment variable without which only a part is measured.
const guard = "YUNZHAO_BENCH"

// examiner measures shots as the station would.
type examiner struct {
	maker  *pipeline.Standardizer
	spec   *spec.Spec
	plates plates
}

func newExaminer(t testing.TB) *examiner {
	t.Helper()
	z, err := pipeline.New(pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Load("chsi")
	if err != nil {
		t.Fatal(err)
	}
	return &examiner{maker: z, spec: s}
}

// finding is what was said about one photo.
type finding struct {
	report pipeline.Report
	frame  *image.RGBA
}

func (e *examiner) look(t testing.TB, s shot) finding {
	t.Helper()
	frame := s.frame(t)
	r, err := e.maker.Standardize(t.Context(), pipeline.Input{Frame: frame, Plate: e.plates.of(t, s), Spec: e.spec})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Wipe()
	return finding{r.Report, frame}
}

func (f finding) check(id string) *pipeline.Check {
	for i := range f.report.Checks {
		if f.report.Checks[i].ID == id {
			return &f.report.Checks[i]
		}
	}
	return nil
}

// flagged are the ids that warn or fail; a refused photo has no file whose
// checks could be known.
func (f finding) flagged() (ids []string) {
	for _, c := range f.report.Checks {
		if c.Status == pipeline.Warn || c.Status == pipeline.Fail {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func (f finding) flags(id string) bool { return slices.Contains(f.flagged(), id) }

// nobody tells whether no face was found at all: that is an answer to any fault.
func (f finding) nobody() bool {
	c := f.check("single_face")
	return c != nil && c.Status == pipeline.Fail && c.Value != nil && *c.Value == 0
}

// describe is one check's status and value.
func (f finding) describe(id string) string {
	c := f.check(id)
	switch {
	case c == nil:
		return "absent"
	case c.Value == nil:
		return string(c.Status)
	}
	return fmt.Sprintf("%s %.3g", c.Status, *c.Value)
}

// outcome of one ladder on one person.
type outcome struct {
	ladder       *ladder
	who          string
	values       []float64 // NaN: unknown
	status       []pipeline.Status
	low, high    float64 // the check's limits on the good photo; NaN: none
	warns, fails float64 // the step from which on it is noticed; NaN: never
	beyond       int     // steps one and more beyond the limit
	falseAlarms  []string
	misses       []string
	wrong        []string // other checks that complain and have nothing to do with it
}

// climb takes every step of a ladder, or with coarse every third one, or with
// end the last one alone.
func (e *examiner) climb(t testing.TB, l *ladder, p *person, coarse, end bool) outcome {
	t.Helper()
	climbed := *l
	switch {
	case end:
		climbed.steps = l.steps[len(l.steps)-1:]
	case coarse:
		climbed.steps = nil
		for i, s := range l.steps {
			if i%3 == 0 || i == len(l.steps)-1 {
				climbed.steps = append(climbed.steps, s)
			}
		}
	}
	o := outcome{ladder: l, who: p.name, warns: math.NaN(), fails: math.NaN(), low: math.NaN(), high: math.NaN()}
	o.values, o.status = make([]float64, len(l.steps)), make([]pipeline.Status, len(l.steps))
	for i := range o.values {
		o.values[i] = math.NaN()
	}
	var before finding
	for i, step := range climbed.steps {
		s := good(p)
		l.apply(&s, step)
		f := e.look(t, s)
		at := fmt.Sprintf("%s at %g %s", l.name, step, l.unit)
		n := slices.Index(l.steps, step)
		o.status[n] = pipeline.Unknown
		if c := f.check(l.id); c != nil {
			o.status[n] = c.Status
			if c.Value != nil {
				o.values[n] = *c.Value
			}
			if i == 0 && c.Min != nil {
				o.low = *c.Min
			}
			if i == 0 && c.Max != nil {
				o.high = *c.Max
			}
		}
		noticed := f.flags(l.id) || f.nobody()
		if noticed && math.IsNaN(o.warns) {
			o.warns = step
		}
		if o.status[n] == pipeline.Fail && math.IsNaN(o.fails) {
			o.fails = step
		}
		if noticed && l.harmless(step) {
			o.falseAlarms = append(o.falseAlarms, fmt.Sprintf("%s: %s %s", at, l.id, f.describe(l.id)))
		}
		// One step beyond the limit, not on it.
		if n > 0 && l.beyond(l.steps[n-1]) && l.beyond(step) {
			o.beyond++
			if !noticed {
				o.misses = append(o.misses, fmt.Sprintf("%s: %s %s", at, l.id, f.describe(l.id)))
			}
		}
		for _, id := range f.flagged() {
			if id == l.id || p.has(id) || before.flags(id) || i > 0 && slices.Contains(l.also, id) || end && slices.Contains(l.also, id) {
				continue
			}
			o.wrong = append(o.wrong, fmt.Sprintf("%s: %s %s", at, id, f.describe(id)))
		}
		if i == 0 {
			before = f
		}
	}
	return o
}

func step(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%g", v)
}

// TestTable climbs every ladder and prints the table; with YUNZHAO_DOCS it
// writes it, and the plot, into docs/checks.md. YUNZHAO_LADDER names ladders,
// separated by semicolons, to measure alone; their rows are replaced.
func TestTable(t *testing.T) {
	if os.Getenv(guard) == "" {
		t.Skipf("nothing is measured without %s=1: see make bench-checks", guard)
	}
	e := newExaminer(t)
	only := os.Getenv("YUNZHAO_LADDER")
	people := append([]*person{newStudent(t)}, others(t)...)
	all := ladders()
	var outcomes []outcome
	for i := range all {
		l := &all[i]
		if only != "" && !slices.Contains(strings.Split(only, ";"), l.name) {
			continue
		}
		for j, p := range people {
			if j > 0 && (!l.real || p.has(l.id)) {
				continue
			}
			o := e.climb(t, l, p, j > 0, false)
			outcomes = append(outcomes, o)
			for _, m := range o.falseAlarms {
				t.Logf("FALSE ALARM, %s: %s", o.who, m)
			}
			for _, m := range o.misses {
				t.Logf("MISS, %s: %s", o.who, m)
			}
			for _, m := range o.wrong {
				t.Logf("ALSO, %s: %s", o.who, m)
			}
			t.Logf("%s, %s: warns from %s, fails from %s; %.3g", l.name, p.name, step(o.warns), step(o.fails), o.values)
		}
	}
	climbed := table(outcomes)
	fmt.Println(climbed)
	docs := filepath.Join("..", "..", "..", "docs")
	write := os.Getenv("YUNZHAO_DOCS") != ""
	if only != "" {
		if write {
			if err := amend(filepath.Join(docs, "checks.md"), outcomes); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if write {
		if err := plot(filepath.Join(docs, "images", "checks-ladders.png"), outcomes); err != nil {
			t.Fatal(err)
		}
		if err := fill(filepath.Join(docs, "checks.md"), "ladders", climbed); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVariety and TestTimes print their tables, and write them likewise.
func TestVariety(t *testing.T) {
	if os.Getenv(guard) == "" {
		t.Skipf("nothing is measured without %s=1: see make bench-checks", guard)
	}
	publish(t, "variety", newExaminer(t).variety(t, goodFrames).String())
}

func TestTimes(t *testing.T) {
	if os.Getenv(guard) == "" {
		t.Skipf("nothing is measured without %s=1: see make bench-checks", guard)
	}
	publish(t, "times", times(t, newExaminer(t)))
}

func publish(t *testing.T, name, text string) {
	t.Helper()
	fmt.Println(text)
	if os.Getenv("YUNZHAO_DOCS") == "" {
		return
	}
	if err := fill(filepath.Join("..", "..", "..", "docs", "checks.md"), name, text); err != nil {
		t.Fatal(err)
	}
}

// fill replaces what stands between the marks of a name in a document.
func fill(path, name, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), "<!-- "+name+" -->\n")
	_, after, ok2 := strings.Cut(rest, "<!-- /"+name+" -->\n")
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for %s", path, name)
	}
	return os.WriteFile(path, []byte(before+"<!-- "+name+" -->\n"+strings.TrimSpace(text)+"\n<!-- /"+name+" -->\n"+after), 0o644)
}

const tableHead = "| 故障 / fault | 检查 / check | 人 / person | 应提示于 / limit | 提示 / warns from | 不通过 / fails from | 误报 / false alarms | 漏报 / misses | 其他 / other ids |\n|---|---|---|---|---|---|---|---|---|\n"

func (o outcome) row() string {
	return fmt.Sprintf("| %s | `%s` | %s | %g %s | %s | %s | %d | %d of %d | %d |", o.ladder.name, o.ladder.id, o.who,
		o.ladder.limit, o.ladder.unit, step(o.warns), step(o.fails), len(o.falseAlarms), len(o.misses), o.beyond, len(o.wrong))
}

func table(outcomes []outcome) string {
	var rows []string
	for _, o := range outcomes {
		rows = append(rows, o.row())
	}
	return total(rows)
}

// total is a table of rows with their sums; pitch, which is weak by nature and
// never fails a photo, is also counted apart.
func total(rows []string) string {
	var alarms, misses, beyond, wrong, weakMisses, weakBeyond int
	for _, r := range rows {
		c := strings.Split(r, "|")
		var a, m, n, w int
		fmt.Sscan(c[7], &a)
		fmt.Sscanf(c[8], " %d of %d", &m, &n)
		fmt.Sscan(c[9], &w)
		alarms, misses, beyond, wrong = alarms+a, misses+m, beyond+n, wrong+w
		if strings.Contains(c[2], "pitch") {
			weakMisses, weakBeyond = weakMisses+m, weakBeyond+n
		}
	}
	share := func(a, b int) string {
		return fmt.Sprintf("%d of %d (%.1f %%)", a, b, 100*float64(a)/float64(max(b, 1)))
	}
	return tableHead + strings.Join(rows, "\n") + fmt.Sprintf("\n| 合计 / all | | | | | | %d | %s | %d |\n| 不计 `pitch` / without `pitch` | | | | | | | %s | |\n",
		alarms, share(misses, beyond), wrong, share(misses-weakMisses, beyond-weakBeyond))
}

// amend replaces the rows of ladders that were measured again.
func amend(path string, outcomes []outcome) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(b), "<!-- ladders -->\n")
	old, _, ok := strings.Cut(rest, "<!-- /ladders -->\n")
	if !ok {
		return fmt.Errorf("%s has no table of ladders", path)
	}
	var rows []string
	for _, r := range strings.Split(strings.TrimSpace(old), "\n") {
		c := strings.Split(r, "|")
		if len(c) != 11 || !strings.Contains(c[2], "`") {
			continue
		}
		for _, o := range outcomes {
			if strings.TrimSpace(c[1]) == o.ladder.name && strings.TrimSpace(c[3]) == o.who {
				r = o.row()
			}
		}
		rows = append(rows, r)
	}
	return fill(path, "ladders", total(rows))
}

// TestEnds looks at the hopeless end of every ladder: its own check names it,
// and no other complains. That good photos pass is TestGoodFrames.
func TestEnds(t *testing.T) {
	e := newExaminer(t)
	p := newStudent(t)
	all := ladders()
	for i := range all {
		o := e.climb(t, &all[i], p, false, true)
		for _, m := range slices.Concat(o.falseAlarms, o.misses, o.wrong) {
			t.Error(m)
		}
	}
}
