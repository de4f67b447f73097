package station

import (
	"fmt"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/pipeline"
)

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
