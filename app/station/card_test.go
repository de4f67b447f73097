package station

import (
	"context"
	"image/color"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
)

// A coloured wall cannot tell the colour of the light; the card that was held up
// before it can, and the page about the light says so.
func TestGreyCardAtTheKiosk(t *testing.T) {
	blue := scene.Options{Width: 1280, Height: 720, Backdrop: color.RGBA{67, 142, 219, 255}}
	st := newStage(t, blue)
	r := newRigOn(t, t.TempDir(), st.open)
	r.wait("question for a plate", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate })
	colour := func(v booth.View) booth.Level {
		t.Helper()
		for _, l := range v.Calibration.Lines {
			if l.ID == calibrate.Colour {
				return l.Level
			}
		}
		t.Fatalf("no line about the colour: %+v", v.Calibration.Lines)
		return ""
	}
	if l := colour(r.recalibrate(booth.Recalibrate{}, booth.CalibrationAccepted)); l != booth.Note {
		t.Errorf("a blue wall alone: %q", l)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if said, l := r.st.readCard(short); l != booth.Warn || !strings.Contains(said.ZH, "没有看到灰卡") || r.st.card.recent(time.Now()) != nil {
		t.Errorf("a blue wall is a card: %q %s", l, said.ZH)
	}
	st.rebuild(t, scene.Options{Width: 1280, Height: 720, Backdrop: color.RGBA{120, 120, 120, 255}}) // the card fills the picture
	r.cameraPage()
	if c := r.job(booth.CameraCard); c.Level != booth.OK || !strings.Contains(c.Told.ZH, "无偏色") {
		t.Fatalf("%s: %s", c.Level, c.Told.ZH)
	}
	r.st.Send(booth.CloseOperator{})
	st.rebuild(t, blue)
	if l := colour(r.recalibrate(booth.Recalibrate{Fresh: true}, booth.CalibrationAccepted)); l != booth.OK {
		t.Errorf("a blue wall after a card: %q", l)
	}
	r.wait("the page of before closed", func(v booth.View) bool { return v.Operator == nil })
	r.unlock("4071")
	r.st.Send(booth.OpenPage{Page: booth.PageLight})
	v := r.wait("the page about the light", func(v booth.View) bool { return v.Operator != nil && v.Operator.Light != nil })
	if l := v.Operator.Light; !l.Accepted || l.At.IsZero() || len(l.Lines) < 10 {
		t.Errorf("%+v", l)
	}
}

func TestCardIsForgottenInTime(t *testing.T) {
	var l lightCard
	now := time.Now()
	l.keep(&calibrate.Card{}, now)
	for after, want := range map[time.Duration]bool{0: true, cardLife: true, cardLife + 1: false, -time.Second: false} {
		if got := l.recent(now.Add(after)) != nil; got != want {
			t.Errorf("after %v: %v", after, got)
		}
	}
}
