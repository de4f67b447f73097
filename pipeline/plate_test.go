package pipeline

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// named is a plate of the usual booth by a camera, at a time.
func named(t *testing.T, camera string, at time.Time) *Plate {
	t.Helper()
	var b matte.PlateBuilder
	for i := range 2 {
		if err := b.Add(scene{w: 1920, h: 1080, nobody: true, seed: uint64(100 + i)}.render(t)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.Plate(matte.PlateInfo{Camera: camera, TakenAt: at})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlateOfAnotherCameraIsRefused(t *testing.T) {
	at := time.Date(2026, 9, 1, 7, 30, 0, 0, time.UTC)
	plate, frame, s := named(t, "usb:1", at), booth().render(t), standard(t, "chsi")
	for name, c := range map[string]struct {
		camera  string
		refused bool
	}{
		"the same": {"usb:1", false}, "another": {"usb:2", true}, "nobody knows": {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := maker(t).Standardize(context.Background(), Input{Frame: frame, Plate: plate, Camera: c.camera, Spec: s})
			if err != nil {
				t.Fatal(err)
			}
			if (r.JPEG == nil) != c.refused || (status(t, r.Report, checkPlate) == Fail) != c.refused || c.refused && r.Report.Verdict != Fail {
				t.Errorf("photo %v, plate %s, verdict %s", r.JPEG != nil, status(t, r.Report, checkPlate), r.Report.Verdict)
			}
			m := r.Report.find(checkPlate).MessageZH
			if c.refused != (strings.Contains(m, "usb:1") && strings.Contains(m, "usb:2")) {
				t.Errorf("it says %s", m)
			}
			if r.Report.Plate != plate.ID || r.Report.PlateCamera != "usb:1" || r.Report.PlateTakenAt == nil || !r.Report.PlateTakenAt.Equal(at) {
				t.Errorf("plate %s of %s at %v", r.Report.Plate, r.Report.PlateCamera, r.Report.PlateTakenAt)
			}
			if (r.Report.Drift == nil) != c.refused {
				t.Errorf("drift %+v", r.Report.Drift)
			}
			data, err := json.Marshal(r.Report)
			if err != nil || !strings.Contains(string(data), `"plate_taken_at":"2026-09-01T07:30:00Z"`) {
				t.Errorf("%.200s %v", data, err)
			}
		})
	}
}

// The report names what has changed since the plate.
func TestDriftIsNamed(t *testing.T) {
	frame, s := booth().render(t), standard(t, "chsi")
	for name, c := range map[string]struct {
		plate *Plate
		cause string
		words string
	}{
		"nothing":       {booth().plate(t), "none", ""},
		"dimmer":        {coloured(t, 1.11, 1.11, 1.11), "none", ""},
		"brighter":      {coloured(t, .7, .7, .7), "brighter", "亮了"},
		"white balance": {coloured(t, .93, 1, 1.04), "white_balance", "白平衡"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := maker(t).Standardize(context.Background(), Input{Frame: frame, Plate: c.plate, Spec: s})
			if err != nil {
				t.Fatal(err)
			}
			d := r.Report.Drift
			if d == nil || d.Cause != c.cause {
				t.Fatalf("drift %+v, want %s", d, c.cause)
			}
			check := r.Report.find(checkPlate)
			if (check.Status == Warn) != (c.cause != "none") || c.words != "" && !strings.Contains(check.MessageZH, c.words) {
				t.Errorf("%s %s", check.Status, check.MessageZH)
			}
		})
	}
	r, err := maker(t).Standardize(context.Background(), Input{Frame: frame, Spec: s})
	if err != nil || r.Report.Drift != nil || r.Report.PlateTakenAt != nil {
		t.Errorf("without a plate: %+v %v %v", r.Report.Drift, r.Report.PlateTakenAt, err)
	}
}
