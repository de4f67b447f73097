package screen

import (
	"reflect"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// touched are the intents of the taps, one a second, without those that only say
// that somebody is here.
func (b *testBench) touched(t *testing.T, taps ...string) (out []booth.Intent) {
	t.Helper()
	b.take()
	for _, id := range taps {
		b.now = b.now.Add(time.Second)
		b.tap(t, id)
	}
	for _, in := range b.take() {
		if _, here := in.(booth.Stay); !here {
			out = append(out, in)
		}
	}
	return out
}

func TestStaffPagesAboutTheExchange(t *testing.T) {
	digits := []string{"code-1", "code-2", "code-3", "code-4", "code-5", "code-6", "code-7"}
	for _, c := range []struct {
		name, sample string
		taps         []string
		want         []booth.Intent
	}{
		{"try now", "40-staff-sync", []string{"sync-now"}, []booth.Intent{booth.SyncNow{}}},
		{"back from the queue", "40-staff-sync", []string{"staff-back"}, []booth.Intent{booth.OpenPage{Page: booth.PageMenu}}},
		{"back from the worklist", "42-staff-retakes", []string{"staff-back"}, []booth.Intent{booth.OpenPage{Page: booth.PageMenu}}},
		{"a code", "44-staff-paycode", append(digits[:7:7], "code-0", "code-check"), []booth.Intent{booth.PayCode{Code: "12345670"}}},
		{"a digit taken back", "44-staff-paycode", append(digits[:7:7], "code-9", "code-back", "code-8", "code-check"), []booth.Intent{booth.PayCode{Code: "12345678"}}},
		{"seven digits", "44-staff-paycode", append(digits[:7:7], "code-check"), nil},
		{"nine digits", "44-staff-paycode", append(digits[:7:7], "code-8", "code-9", "code-check"), []booth.Intent{booth.PayCode{Code: "12345678"}}},
		{"cleared", "44-staff-paycode", append(digits[:7:7], "code-8", "code-clear", "code-check"), nil},
		{"from the visit", "operator-visit", []string{"op-paycode"}, []booth.Intent{booth.OpenPage{Page: booth.PagePayCode}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, fyne.NewSize(1280, 800))
			b.w.Show(sample(t, false, c.sample))
			if got := b.touched(t, c.taps...); !reflect.DeepEqual(got, c.want) {
				t.Errorf("sent %#v, want %#v", got, c.want)
			}
		})
	}
}

func TestTheCodeIsGoneWithThePage(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "44-staff-paycode"))
	b.touched(t, "code-1", "code-2", "code-3", "code-4")
	b.w.Show(sample(t, false, "operator-visit"))
	b.w.Show(sample(t, false, "44-staff-paycode"))
	if got := b.touched(t, "code-5", "code-6", "code-7", "code-8", "code-check"); len(got) != 0 {
		t.Errorf("digits of another time were sent: %#v", got)
	}
	// While one is judged, and where nothing is to be paid, none is taken.
	v := sample(t, false, "44-staff-paycode")
	o := *v.Operator
	o.Proving = true
	v.Operator = &o
	b.w.Show(v)
	if got := b.touched(t, "code-1", "code-2", "code-3", "code-4", "code-check"); len(got) != 0 {
		t.Errorf("sent %#v", got)
	}
}

func TestTheSyncPageSaysWhatItKnows(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	text := func(id string) string {
		for _, tg := range b.w.Targets() {
			if tg.ID == id {
				return tg.Text
			}
		}
		t.Fatalf("no %s", id)
		return ""
	}
	b.w.Show(sample(t, false, "40-staff-sync"))
	if got := text("sync-state"); got != "离线可拍" {
		t.Errorf("the lamp says %q", got)
	}
	if got := text("sync-error"); got != sampleSync(false).LastErr.ZH {
		t.Errorf("the error is %q", got)
	}
	b.w.Show(sample(t, false, "41-staff-sync-calm"))
	if got := text("sync-error"); got != sampleSync(false).Delivery.ZH {
		t.Errorf("with nothing wrong it says %q", got)
	}
}
