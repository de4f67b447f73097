package pipeline

import (
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/quality"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// judge turns numbers into checks under one standard.
type judge struct {
	spec  *spec.Spec
	texts spec.Texts
}

// text of a check; one without any is still named.
func (j judge) text(id string) spec.Text {
	if t, ok := j.texts[id]; ok {
		return t
	}
	return spec.Text{
		Title:   spec.Sentence{ZH: id, EN: id},
		OK:      spec.Sentence{ZH: "符合要求。", EN: "Meets the rule."},
		Low:     spec.Sentence{ZH: "低于要求。", EN: "Below the limit."},
		High:    spec.Sentence{ZH: "超出要求。", EN: "Above the limit."},
		Unknown: spec.Sentence{ZH: "无法判断，请工作人员确认。", EN: "Cannot be judged; staff, please look."},
	}
}

// hintAbove is from where on a manual rule's hint is worth showing.
const hintAbove = .5

// measured judges one measurement; ok is false when the standard leaves the
// check out.
func (j judge) measured(m quality.Measurement) (c Check, ok bool) {
	l := j.spec.Limit(m.ID)
	if l.Level == spec.LevelOff {
		return Check{}, false
	}
	if m.Manual {
		c = j.base(m.ID, Manual)
		t := j.text(m.ID)
		if m.Hint > hintAbove {
			c.MessageZH, c.MessageEN = t.High.ZH, t.High.EN
		} else {
			c.MessageZH, c.MessageEN = t.Unknown.ZH, t.Unknown.EN
		}
		return c, true
	}
	c = j.value(m.ID, m.Value, m.Known)
	if o, ok := m.OFIQ(); ok {
		c.OFIQ = &OFIQ{Name: o.Name, Native: rounded(o.Native), Quality: rounded(o.Quality)}
	}
	if m.Broken {
		c.Status = Fail
		c.say(j.text(m.ID).Low)
	}
	return c, true
}

func (j judge) base(id string, s Status) Check {
	t := j.text(id)
	return Check{ID: id, TitleZH: t.Title.ZH, TitleEN: t.Title.EN, Status: s, Unit: t.Unit, Rule: t.Rule}
}

func (c *Check) say(s spec.Sentence) { c.MessageZH, c.MessageEN = s.ZH, s.EN }

// value judges a number that may be unknown.
func (j judge) value(id string, v float64, known bool) Check {
	l, t := j.spec.Limit(id), j.text(id)
	c := j.base(id, Pass)
	shown := l.Fail
	if l.Fail.IsOpen() {
		shown = l.Warn
	}
	c.Min, c.Max = shown.Bounds()
	if !known || math.IsNaN(v) || math.IsInf(v, 0) {
		c.Status = Unknown
		c.say(t.Unknown)
		if l.Level == spec.LevelManual {
			c.Status = Manual
		}
		return c
	}
	// Judged is the value itself, so that rounding never moves one across a limit.
	shownValue := rounded(v)
	c.Value = &shownValue
	c.say(t.OK)
	side := 0
	if d := l.Warn.Compare(v); d != 0 {
		side, c.Status = d, Warn
		c.Min, c.Max = l.Warn.Bounds()
	}
	if d := l.Fail.Compare(v); d != 0 {
		side, c.Status = d, Fail
		c.Min, c.Max = l.Fail.Bounds()
		if l.Level == spec.LevelWarn {
			c.Status = Warn
		}
	}
	switch {
	case side < 0:
		c.say(t.Low)
		c.Icon = directions[id].low
	case side > 0:
		c.say(t.High)
		c.Icon = directions[id].high
	}
	if l.Level == spec.LevelManual {
		c.Status = Manual
		if side == 0 {
			c.say(t.Unknown)
		}
	}
	return c
}

// rounded keeps four decimals, beyond every measure's own accuracy.
func rounded(v float64) float64 { return math.Round(v*1e4) / 1e4 }

// directions are the drawings that say which way to go when a value is too low
// or too high. Left and right are the student's own, and the mirror shows them
// on the same side: whoever looks to their right is sent left, by an arrow to
// the left.
var directions = map[string]struct{ low, high string }{
	quality.Yaw:              {"arrow-left", "arrow-right"},
	quality.Roll:             {"tilt-left", "tilt-right"},
	quality.Pitch:            {"arrow-up", "arrow-down"},
	quality.InterEyeDistance: {"closer", "further"},
	quality.EyeLine:          {"arrow-down", "arrow-up"},
	quality.CrownMargin:      {"arrow-down", "arrow-up"},
	quality.ChinMargin:       {"arrow-up", "arrow-down"},
	quality.FaceWidth:        {"closer", "further"},
	quality.HeadHeight:       {"closer", "further"},
	quality.Centred:          {"arrow-left", "arrow-right"},
	quality.ShouldersLevel:   {"tilt-left", "tilt-right"},
}

// find returns the check with an id, or nil.
func (r *Report) find(id string) *Check {
	for i := range r.Checks {
		if r.Checks[i].ID == id {
			return &r.Checks[i]
		}
	}
	return nil
}

// fail makes check id fail with its own sentence, adding it if it is absent.
func (r *Report) fail(j judge, id string, value *float64, s spec.Sentence) {
	c := r.find(id)
	if c == nil {
		r.Checks = append(r.Checks, j.base(id, Fail))
		c = &r.Checks[len(r.Checks)-1]
		c.Min, c.Max = j.spec.Limit(id).Fail.Bounds()
	}
	c.Status = Fail
	if value != nil {
		c.Value = value
	}
	c.say(s)
}
