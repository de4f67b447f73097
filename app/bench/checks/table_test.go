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
		noticed := f.flags(l.id)
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

// TestTable measures everything and prints the tables; with YUNZHAO_DOCS it
// writes them, and the plot, into docs/checks.md. YUNZHAO_LADDER names ladders
// to measure alone.
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
		if only != "" && !strings.Contains(l.name, only) {
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
	if only != "" {
		return
	}
	cost := times(t, e)
	fmt.Println(cost)
	varied := e.variety(t, goodFrames)
	fmt.Println(varied.String())
	if os.Getenv("YUNZHAO_DOCS") == "" {
		return
	}
	docs := filepath.Join("..", "..", "..", "docs")
	if err := plot(filepath.Join(docs, "images", "checks-ladders.png"), outcomes); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"ladders": climbed, "times": cost, "variety": varied.String()} {
		if err := fill(filepath.Join(docs, "checks.md"), name, text); err != nil {
			t.Fatal(err)
		}
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

func table(outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("| 故障 / fault | 检查 / check | 人 / person | 应提示于 / limit | 提示 / warns from | 不通过 / fails from | 误报 / false alarms | 漏报 / misses | 其他 / other ids |\n|---|---|---|---|---|---|---|---|---|\n")
	alarms, misses, beyond, wrong := 0, 0, 0, 0
	for _, o := range outcomes {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %g %s | %s | %s | %d | %d of %d | %d |\n", o.ladder.name, o.ladder.id, o.who,
			o.ladder.limit, o.ladder.unit, step(o.warns), step(o.fails), len(o.falseAlarms), len(o.misses), o.beyond, len(o.wrong))
		alarms, misses, beyond, wrong = alarms+len(o.falseAlarms), misses+len(o.misses), beyond+o.beyond, wrong+len(o.wrong)
	}
	fmt.Fprintf(&b, "| 合计 / all | | | | | | %d | %d of %d (%.1f %%) | %d |\n", alarms, misses, beyond, 100*float64(misses)/float64(max(beyond, 1)), wrong)
	return b.String()
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
