package cli

import (
	"testing"

	"github.com/yunzhao-station/yunzhao/app/config"
)

func TestTheStationIsHeardWhereItShould(t *testing.T) {
	for name, c := range map[string]struct {
		run  RunCmd
		mode string
		want bool
	}{
		"a station":            {RunCmd{}, "auto", true},
		"a demonstration":      {RunCmd{Demo: true}, "auto", false},
		"driven from outside":  {RunCmd{Automation: "/tmp/socket"}, "auto", false},
		"a demo that is asked": {RunCmd{Demo: true}, "on", true},
		"a station that hums":  {RunCmd{}, "off", false},
	} {
		cfg := config.Default()
		cfg.Sound.Mode = c.mode
		if got := c.run.audible(cfg); got != c.want {
			t.Errorf("%s: heard %v, want %v", name, got, c.want)
		}
	}
}
