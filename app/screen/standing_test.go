package screen

import (
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

func TestStandingNoticeIsForTheDeskAlone(t *testing.T) {
	alarm := &booth.Text{ZH: "灯灭了", EN: "lamp off"}
	running := booth.CalibrationView{State: booth.CalibrationRunning, Got: 3, Want: 12, Alarm: alarm}
	for name, c := range map[string]struct {
		view booth.View
		want string
	}{
		"nothing":         {booth.View{State: booth.Idle}, ""},
		"alarm":           {booth.View{State: booth.Idle, Calibration: booth.CalibrationView{Alarm: alarm}}, "灯灭了"},
		"running":         {booth.View{State: booth.Idle, Calibration: running}, "3/12"},
		"a student":       {booth.View{State: booth.Framing, Calibration: running}, ""},
		"behind the page": {booth.View{State: booth.Idle, Calibration: running, Fault: &booth.Fault{}}, ""},
	} {
		got := standing(c.view)
		if (got != nil) != (c.want != "") || got != nil && (!strings.Contains(got.ZH, c.want) || got.EN == "") {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}
