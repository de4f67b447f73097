package camera

import (
	"context"
	"errors"
	"testing"
)

func TestOpen(t *testing.T) {
	small := Device{Identity{ID: "usb:1:1:@1-1:1.0"}, []Mode{{MJPEG, 640, 480, 30}}}
	large := Device{Identity{ID: "usb:2:2:@1-2:1.0"}, []Mode{{MJPEG, 640, 480, 30}, {MJPEG, 1920, 1080, 30}}}
	opened := errors.New("")
	mark := func(s string) Opener {
		return func(context.Context) (Source, error) { opened = errors.New(s); return nil, opened }
	}
	device := func(id string, _ Mode) Opener { return mark("device " + id) }
	tests := []struct {
		name   string
		found  []Device
		id     string
		demo   bool
		scene  bool
		want   string
		reason Reason
	}{
		{"one camera", []Device{small}, "", false, true, "device " + small.ID, Found},
		{"the larger picture", []Device{small, large}, "", false, true, "device " + large.ID, Found},
		{"the first of equals", []Device{large, {Identity{ID: "other"}, large.Modes}}, "", false, true, "device " + large.ID, Found},
		{"named, among others", []Device{large, small}, small.ID, false, true, "device " + small.ID, Pinned},
		{"named, but away", []Device{large}, small.ID, false, true, "device " + small.ID, Pinned},
		{"named, nothing there", nil, small.ID, false, true, "device " + small.ID, Pinned},
		{"nothing there", nil, "", false, true, "scene", NoneFound},
		{"nothing there, no simulation", nil, "", false, false, "device ", NoneFound},
		{"simulation asked for", []Device{large}, large.ID, true, true, "scene", Requested},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := OpenParams{
				List:   func() ([]Device, error) { return tt.found, nil },
				Device: device, ID: tt.id, Demo: tt.demo,
			}
			if tt.scene {
				p.Scene = mark("scene")
			}
			open, d, err := Open(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := open(t.Context()); err.Error() != tt.want {
				t.Errorf("opens %q, want %q", err, tt.want)
			}
			if d.Reason != tt.reason || d.Simulated != (tt.want == "scene") || d.Simulated == (d.ID != "") && tt.want != "device " {
				t.Errorf("decision %+v, want reason %q", d, tt.reason)
			}
		})
	}
	t.Run("no simulation to ask for", func(t *testing.T) {
		if _, _, err := Open(OpenParams{Demo: true}); err == nil {
			t.Error("accepted")
		}
	})
	t.Run("cannot list", func(t *testing.T) {
		fail := errors.New("no /dev")
		_, _, err := Open(OpenParams{Device: device, List: func() ([]Device, error) { return nil, fail }, Scene: mark("scene")})
		if !errors.Is(err, fail) {
			t.Errorf("Open = %v, want %v", err, fail)
		}
	})
}
