package station

import (
	"fmt"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/pipeline"
)

func TestHintsDoNotFlicker(t *testing.T) {
	hint := func(icon string, ready bool) pipeline.LiveResult {
		status := pipeline.Fail
		if ready {
			status = pipeline.Pass
		}
		return pipeline.LiveResult{Hint: pipeline.Hint{Icon: icon, ZH: icon, EN: icon, Status: status}, Ready: ready}
	}
	for name, c := range map[string]struct{ seen, shown string }{
		"the first at once":            {"a", "a"},
		"the same goes on":             {"aaa", "aaa"},
		"a new one when it has lasted": {"abbbb", "aaabb"},
		"one that comes and goes":      {"abababa", "aaaaaaa"},
		"two that take turns":          {"abcbcbc", "aaaaaaa"},
		"back again":                   {"abbbaaa", "aaabbba"},
	} {
		t.Run(name, func(t *testing.T) {
			var h steadyHint
			var got []string
			for icon := range strings.SplitSeq(c.seen, "") {
				v := h.view(hint(icon, false))
				if v.Hint.EN != v.Icon || v.Hint.ZH != v.Icon {
					t.Errorf("icon %q with the sentence %q", v.Icon, v.Hint.EN)
				}
				got = append(got, v.Icon)
			}
			if s := strings.Join(got, ""); s != c.shown {
				t.Errorf("shown %s, want %s", s, c.shown)
			}
		})
	}
	t.Run("never ready on an old hint or an old picture", func(t *testing.T) {
		var h steadyHint
		if !h.view(hint("ok", true)).Ready {
			t.Error("a good picture is not ready")
		}
		if h.view(hint("arrow-left", false)).Ready {
			t.Error("ready while the new picture is not")
		}
		h = steadyHint{}
		h.view(hint("arrow-left", false))
		if v := h.view(hint("ok", true)); v.Ready || v.Level != booth.Bad {
			t.Errorf("the old hint is on screen and it says %+v", v)
		}
	})
	t.Run("numbers stay fresh", func(t *testing.T) {
		var h steadyHint
		h.view(hint("a", false))
		r := hint("b", false)
		value := 3.25
		r.Checks = []pipeline.Check{{ID: "roll", Status: pipeline.Warn, Value: &value, Unit: "deg"}}
		r.Face = &pipeline.Box{X: .1, Y: .2, W: .3, H: .4}
		v := h.view(r)
		if len(v.Checks) != 1 || v.Checks[0].Value != "3.25°" || v.Face == nil || *v.Face != (booth.FaceBox{X: .1, Y: .2, W: .3, H: .4}) {
			t.Errorf("%+v", v)
		}
	})
}

func TestCheckNumber(t *testing.T) {
	const good = "11010519491231002X" // the example of GB 11643
	for name, c := range map[string]struct {
		doc     booth.DocType
		raw     string
		ok      bool
		message string
	}{
		"whole":           {booth.DocResident, good, true, ""},
		"still typing":    {booth.DocResident, good[:17], false, ""},
		"nothing yet":     {booth.DocResident, "", false, ""},
		"wrong check":     {booth.DocResident, good[:17] + "1", false, "check character"},
		"wrong date":      {booth.DocResident, "11010519491331002X", false, "wrong"},
		"letters":         {booth.DocResident, "ABCDEFGHIJKLMNOPQR", false, "wrong"},
		"too long":        {booth.DocResident, good + "1", false, "wrong"},
		"student number":  {booth.DocStudentNo, "2026", true, ""},
		"short number":    {booth.DocStudentNo, "202", false, ""},
		"long passport":   {booth.DocPassport, strings.Repeat("A", maxOtherNumber), true, ""},
		"longer passport": {booth.DocPassport, strings.Repeat("A", maxOtherNumber+1), false, ""},
		"permit":          {booth.DocHMT, "H12345678", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ok, say := checkNumber(c.doc, c.raw)
			if ok != c.ok || (say != nil) != (c.message != "") {
				t.Fatalf("%v %v", ok, say)
			}
			if say != nil && (!strings.Contains(say.EN, c.message) || say.ZH == "" || strings.Contains(say.EN+say.ZH, c.raw)) {
				t.Errorf("%+v", *say)
			}
		})
	}
}

func TestGroupNumber(t *testing.T) {
	for _, c := range []struct {
		doc       booth.DocType
		raw, want string
	}{
		{booth.DocResident, "11010519491231002X", "110105 1949 1231 002X"},
		{booth.DocResident, "110105", "110105"},
		{booth.DocResident, "1101051", "110105 1"},
		{booth.DocStudentNo, "2026123", "2026 123"},
		{booth.DocPassport, "", ""},
	} {
		got := groupNumber(c.doc, c.raw)
		if got != c.want || strings.ReplaceAll(got, " ", "") != c.raw {
			t.Errorf("%q is shown as %q, want %q", c.raw, got, c.want)
		}
	}
}

func TestCheckLinesPutTheWorstFirst(t *testing.T) {
	v := 12.345
	check := func(id string, s pipeline.Status) pipeline.Check {
		return pipeline.Check{ID: id, Status: s, TitleZH: "题" + id, TitleEN: "T" + id, MessageZH: "句" + id, MessageEN: "M" + id, Value: &v, Unit: "px"}
	}
	r := pipeline.Report{Checks: []pipeline.Check{
		check("1", pipeline.Pass), check("2", pipeline.Manual), check("3", pipeline.Unknown), check("4", pipeline.Fail),
		check("5", pipeline.Warn), check("6", pipeline.Pass), check("7", pipeline.Fail), check("8", pipeline.Manual),
	}}
	measured, manual := checkLines(r)
	ids := func(list []booth.CheckLine) (s string) {
		for _, l := range list {
			s += l.ID
			if l.Title.ZH != "题"+l.ID || l.Title.EN != "T"+l.ID || l.Message.ZH != "句"+l.ID || l.Message.EN != "M"+l.ID || l.Value != "12.3 px" {
				t.Errorf("%+v", l)
			}
		}
		return s
	}
	if got := fmt.Sprint(ids(measured), " ", ids(manual)); got != "475316 28" {
		t.Errorf("order %s, want 475316 28", got)
	}
	if measured, manual = checkLines(pipeline.Report{}); len(measured)+len(manual) != 0 {
		t.Error("lines of an empty report")
	}
}
