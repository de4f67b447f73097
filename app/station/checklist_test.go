package station

import (
	"errors"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
)

func TestLastBegunIsTheNewestEntry(t *testing.T) {
	at := func(s string) string {
		return `{"n":7,"at":"2026-09-0` + s + `T08:00:00Z","event":"day.begun","detail":"roster: reported","prev":""}` + "\n"
	}
	other := `{"n":8,"at":"2026-09-09T08:00:00Z","event":"session.begin","prev":""}` + "\n"
	quoted := `{"n":9,"at":"2026-09-09T08:00:00Z","event":"x","detail":"\"event\":\"day.begun\"","prev":""}` + "\n"
	for name, c := range map[string]struct {
		log string
		day int
	}{
		"empty":           {"", 0},
		"never":           {other + quoted, 0},
		"the newer":       {at("1") + other + at("2") + other + quoted, 2},
		"torn":            {at("1") + at("2")[:60], 1},
		"torn in the tag": {at("3") + `{"event":"day.begun`, 3},
		"noise":           {"\"event\":\"day.begun\"\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := lastBegun([]byte(c.log))
			if (c.day == 0) != got.IsZero() || c.day != 0 && got.Day() != c.day {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestStartLampsSayHowItStands(t *testing.T) {
	admin := PINOwner{Staff: booth.Staff{ID: "wang", Role: booth.RoleAdmin}, SetAt: time.Now()}
	li := PINOwner{Staff: booth.Staff{ID: "li", Role: booth.RoleOperator}}
	loud := config.Sound{Mode: "auto", Volume: 70}
	for name, c := range map[string]struct {
		lamp booth.Lamp
		want booth.Level
	}{
		"PINs":         {pinLamp([]PINOwner{admin, li}, nil), booth.OK},
		"no admin":     {pinLamp([]PINOwner{li}, nil), booth.Warn},
		"no PIN":       {pinLamp(nil, nil), booth.Bad},
		"PINs damaged": {pinLamp(nil, errors.New("x")), booth.Bad},
		"sound":        {soundLamp(loud, true), booth.OK},
		"no player":    {soundLamp(loud, false), booth.Warn},
		"volume 0":     {soundLamp(config.Sound{Mode: "on"}, true), booth.Warn},
		"sound off":    {soundLamp(config.Sound{Mode: "off"}, false), booth.OK},
	} {
		if c.lamp.Level != c.want || c.lamp.Text.ZH == "" || c.lamp.Text.EN == "" {
			t.Errorf("%s: %+v", name, c.lamp)
		}
	}
}

// beginDay ends the checklist that is open, with a reason for what is red.
func (r *rig) beginDay() {
	r.t.Helper()
	v := r.wait("the lines", func(v booth.View) bool { return v.Operator.Checklist != nil && len(v.Operator.Checklist.Items) >= 11 })
	for _, it := range v.Operator.Checklist.Items {
		if it.Lamp.Level == booth.Bad {
			r.st.Send(booth.ExcuseCheck{ID: it.ID, Reason: "approved"})
		}
	}
	r.wait("nothing red", func(v booth.View) bool { return v.Operator.Checklist.Ready() })
	r.st.Send(booth.BeginDay{})
	r.wait("the home page", func(v booth.View) bool { return v.Operator.Page == booth.PageHome })
}

// The checklist of a real station: its lamps, a reason, the day begun, and what a
// restart remembers of it.
func TestChecklistOfARealStation(t *testing.T) {
	r := newRig(t)
	v := r.unlock("4071")
	if v.Operator.Page != booth.PageChecklist {
		t.Fatalf("the first to unlock finds page %q", v.Operator.Page)
	}
	r.beginDay()
	if e := r.audited(booth.EventDayBegun); len(e) != 1 || e[0].By == "" {
		t.Fatalf("on record: %+v", e)
	}
	if at, err := r.st.dayBegun(); err != nil || time.Since(at) > time.Hour {
		t.Errorf("a restart remembers %v (%v)", at, err)
	}
}
