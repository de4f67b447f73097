package camera

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
)

// profiled runs a supervisor on r until the test ends, and waits for frames.
func profiled(t *testing.T, r *rig, p Profiles) *Supervisor {
	t.Helper()
	s, err := NewSupervisor(SupervisorParams{Open: r.Open, Restore: func(id Identity) []Setting {
		settings, err := p.Settings(id)
		if err != nil {
			t.Error(err)
		}
		return settings
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	var f Frame
	if err := s.Latest(t.Context(), 0, &f); err != nil {
		t.Fatal(err)
	}
	return s
}

// What is held comes back with the camera and at the next start, and is held
// again without being looked for anew.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := newRig(), Profiles{Dir: t.TempDir()}
		r.lens = webcam()
		r.lens.refuse[ExposurePriority] = true
		s := profiled(t, r, p)
		before := s.Status().Seq
		h, err := Hold(t.Context(), s, HoldParams{Profiles: p, PowerLine: PowerLine50Hz, Focus: true})
		if err != nil || h.Kept || len(Refused(h.Outcomes)) != 1 || len(h.Profile.Settings) != 7 {
			t.Fatalf("%+v, %v", h, err)
		}
		if n := s.Status().Seq - before; n < DefaultSettle {
			t.Errorf("held after %d frames; the automatics had not settled", n)
		}
		kept, err := p.Load("rig")
		if err != nil || !reflect.DeepEqual(kept.Settings, h.Profile.Settings) || kept.Name != "Rig" || kept.Mode.Width != 64 {
			t.Errorf("profile %+v, %v", kept, err)
		}

		again := webcam() // without power it forgot everything
		r.set(func(r *rig) { r.gone = true })
		synctest.Wait()
		r.set(func(r *rig) { r.gone, r.lens = false, again })
		var f Frame
		if err := s.Latest(t.Context(), s.Status().Seq, &f); err != nil {
			t.Fatal(err)
		}
		if again.value(ExposureMode) != ExposureManual || again.value(ExposureTime) != 156 || again.value(PowerLine) != PowerLine50Hz {
			t.Errorf("plugged in again: %+v", again.controls)
		}
		again.refuse[ExposureTime] = true
		again.controls[2].Value = 9
		h, err = Hold(t.Context(), s, HoldParams{Profiles: p, PowerLine: PowerLine50Hz, Focus: true})
		if refused := Refused(h.Outcomes); err != nil || !h.Kept || len(refused) != 1 || refused[0].Got != 9 {
			t.Errorf("held a second time: %+v, %v", h, err)
		}
	})
}

func TestHoldAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := newRig(), Profiles{Dir: t.TempDir()}
		r.lens = webcam()
		s := profiled(t, r, p)
		if _, err := Hold(t.Context(), s, HoldParams{Profiles: p, Settle: 2, PowerLine: PowerLine50Hz}); err != nil {
			t.Fatal(err)
		}
		r.lens.controls[2].Value = 312 // what the automatic finds in another light
		h, err := Hold(t.Context(), s, HoldParams{Profiles: p, Settle: 2, PowerLine: PowerLine50Hz, Anew: true})
		if err != nil || h.Kept {
			t.Fatalf("%+v, %v", h, err)
		}
		if v, _ := p.Load("rig"); v.Settings[3] != (Setting{ID: 3, Name: ExposureTime, Value: 312}) {
			t.Errorf("kept %+v", v.Settings)
		}
		o, err := h.Change(t.Context(), s, p, Setting{ID: 3, Name: ExposureTime, Value: 200})
		if v, _ := p.Load("rig"); err != nil || o.Refusal != "" || v.Settings[3].Value != 200 {
			t.Errorf("changed to %+v, %v; kept %+v", o, err, v.Settings)
		}
		r.lens.refuse[ExposureTime] = true
		if o, err = h.Change(t.Context(), s, p, Setting{ID: 3, Name: ExposureTime, Value: 100}); err != nil || o.Refusal == "" || h.Profile.Settings[3].Value != 200 {
			t.Errorf("a refused change: %+v, %v, %+v", o, err, h.Profile.Settings)
		}
	})
}

func TestHoldFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := newRig(), Profiles{Dir: t.TempDir()}
		s := profiled(t, r, p)
		if _, err := Hold(t.Context(), s, HoldParams{Profiles: p}); !errors.Is(err, ErrFixed) {
			t.Errorf("nothing to set: %v, want %v", err, ErrFixed)
		}
		r.set(func(r *rig) { r.gone = true })
		synctest.Wait()
		if _, err := Hold(t.Context(), s, HoldParams{Profiles: p}); !errors.Is(err, ErrGone) {
			t.Errorf("no camera: %v, want %v", err, ErrGone)
		}
		r.set(func(r *rig) { r.gone, r.lens = false, webcam() })
		var f Frame
		if err := s.Latest(t.Context(), s.Status().Seq, &f); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Hold(ctx, s, HoldParams{Profiles: p}); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		if _, err := p.Load("rig"); !errors.Is(err, ErrNoProfile) {
			t.Errorf("a profile stays of what was not held: %v", err)
		}
	})
}
