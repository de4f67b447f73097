package booth

import (
	"strings"
	"testing"
	"time"
)

func TestEveryFaultHasAPage(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Faults() {
		if seen[f.Code] {
			t.Errorf("two pages for %q", f.Code)
		}
		seen[f.Code] = true
		for name, text := range map[string]Text{"what happened": f.Title, "more of it": f.Body, "is the photo safe": f.Safe, "what to do now": f.Do} {
			if text.ZH == "" || text.EN == "" || strings.ContainsAny(text.EN, "，。：；") {
				t.Errorf("%s: %s is %q / %q", f.Code, name, text.ZH, text.EN)
			}
		}
		if (f.Action.ZH == "") != (f.Action.EN == "") || f.Action == (Text{}) && f.Code != FaultStarting {
			t.Errorf("%s: the button says %q / %q", f.Code, f.Action.ZH, f.Action.EN)
		}
	}
	if f := FaultPage("never heard of", Text{}); f.Code != "never heard of" || f.Title == (Text{}) || f.Do == (Text{}) {
		t.Errorf("a fault without a page shows %+v", f)
	}
}

// TestTheButtonOfEveryFaultDoesSomething presses each page's button where the
// page stands.
func TestTheButtonOfEveryFaultDoesSomething(t *testing.T) {
	for _, f := range Faults() {
		if f.Action == (Text{}) {
			continue
		}
		t.Run(f.Code, func(t *testing.T) {
			d := newDesk(t)
			switch f.Code {
			case FaultCamera:
				d.identify(rec("r", "none", "none")).do(Continue{}).do(Continue{}).do(Continue{}).want(Framing)
				d.say(CameraChanged{Problem: Text{"相机断开", "The camera is away"}})
			case FaultSeal:
				d.identify(rec("r", "none", "none")).toReview().do(Accept{}).do(ConfirmSubmit{}).say(SealFailed{Session: d.id(), Problem: Text{"写入失败", "Writing failed"}})
			default:
				d.say(GuardChanged{Fault: &f})
			}
			if v := d.view().Fault; v == nil || v.Code != f.Code || v.Do != f.Do {
				t.Fatalf("the page is %+v", v)
			}
			before := len(d.all)
			d.pass(time.Millisecond)
			d.do(FaultAction{Code: f.Code})
			if len(d.all) == before {
				t.Error("the button does nothing")
			}
			if _, asked := sent[CheckPIN](d); asked != (f.Action == textStaffDo) {
				t.Errorf("asks for a PIN: %v", asked)
			}
		})
	}
}
