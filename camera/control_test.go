package camera

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// lens is a camera whose controls behave as those of webcams: automatics make
// others inactive, values are clamped, some are refused.
type lens struct {
	Source
	controls []Control
	refuse   map[string]bool
	err      error
	hang     bool
	asked    []Setting
}

func webcam() *lens {
	return &lens{refuse: map[string]bool{}, controls: []Control{
		{ID: 1, Name: PowerLine, Kind: Menu, Max: 2, Value: PowerLine60Hz},
		{ID: 2, Name: ExposureMode, Kind: Menu, Max: 3, Value: ExposureAperture},
		{ID: 3, Name: ExposureTime, Kind: Integer, Min: 3, Max: 2047, Step: 1, Value: 156, Inactive: true},
		{ID: 4, Name: ExposurePriority, Kind: Boolean, Max: 1, Value: 1},
		{ID: 5, Name: WhiteAuto, Kind: Boolean, Max: 1, Value: 1},
		{ID: 6, Name: WhiteTemperature, Kind: Integer, Min: 2800, Max: 6500, Step: 100, Value: 4730, Inactive: true},
		{ID: 7, Name: FocusAuto, Kind: Boolean, Max: 1, Value: 1},
		{ID: 8, Name: FocusDistance, Kind: Integer, Max: 250, Step: 5, Value: 300, Inactive: true}, // a broken report
		{ID: 9, Name: "brightness", Kind: Integer, Min: -64, Max: 64, Value: 7},
		{ID: 10, Name: Gain, Kind: Integer, Max: 100, Value: 20, ReadOnly: true},
	}}
}

func (l *lens) Controls(context.Context) ([]Control, error) {
	return slices.Clone(l.controls), l.err
}

func (l *lens) Adjust(ctx context.Context, settings []Setting) ([]Outcome, error) {
	if l.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if l.err != nil {
		return nil, l.err
	}
	var out []Outcome
	for _, s := range settings {
		l.asked = append(l.asked, s)
		o := Outcome{Setting: s, Refusal: "no such control"}
		for i := range l.controls {
			if c := &l.controls[i]; c.Name == s.Name {
				if !l.refuse[s.Name] {
					c.Value = s.Value
				}
				o.Got, o.Refusal = c.Value, ""
				if c.Value != s.Value {
					o.Refusal = "the camera took another value"
				}
			}
		}
		out = append(out, o)
	}
	return out, nil
}

func (l *lens) value(name string) int32 {
	for _, c := range l.controls {
		if c.Name == name {
			return c.Value
		}
	}
	return -1
}

func TestLock(t *testing.T) {
	l := webcam()
	l.refuse[ExposurePriority] = true
	settings, outcomes, err := Lock(t.Context(), l, PowerLine50Hz, true)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int32{
		PowerLine: PowerLine50Hz, ExposureMode: ExposureManual, ExposureTime: 156, WhiteAuto: 0,
		WhiteTemperature: 4700, FocusAuto: 0, FocusDistance: 250, "brightness": 7, ExposurePriority: 1,
	} {
		if got := l.value(name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if r := Refused(outcomes); len(r) != 1 || r[0].Name != ExposurePriority {
		t.Errorf("refused %+v, want the exposure priority alone", r)
	}
	if slices.ContainsFunc(settings, func(s Setting) bool { return s.Name == ExposurePriority || s.Name == Gain || s.ID == 0 }) || len(settings) != 7 {
		t.Errorf("settings to keep: %+v", settings)
	}
	order := func(name string) int {
		return slices.IndexFunc(l.asked, func(s Setting) bool { return s.Name == name })
	}
	if order(ExposureMode) > order(ExposureTime) || order(WhiteAuto) > order(WhiteTemperature) || order(FocusAuto) > order(FocusDistance) {
		t.Errorf("a value was set while its automatic had it: %+v", l.asked)
	}

	free := webcam()
	if _, _, err := Lock(t.Context(), free, -1, false); err != nil || free.value(FocusAuto) != 1 || free.value(PowerLine) != PowerLine60Hz || free.value(WhiteAuto) != 0 {
		t.Errorf("Lock without focus and lamps: %v, %+v", err, free.controls)
	}

	if _, err := Unlock(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if l.value(ExposureMode) != ExposureAperture || l.value(WhiteAuto) != 1 || l.value(FocusAuto) != 1 {
		t.Errorf("after Unlock: %+v", l.controls)
	}
}

func TestLockWithoutControls(t *testing.T) {
	l := &lens{}
	if s, o, err := Lock(t.Context(), l, PowerLine50Hz, true); s != nil || o != nil || err != nil {
		t.Errorf("Lock = %v, %v, %v; want nothing", s, o, err)
	}
	l.err = ErrGone
	if _, _, err := Lock(t.Context(), l, PowerLine50Hz, true); !errors.Is(err, ErrGone) {
		t.Errorf("Lock = %v, want %v", err, ErrGone)
	}
	if _, err := Unlock(t.Context(), l); !errors.Is(err, ErrGone) {
		t.Errorf("Unlock = %v, want %v", err, ErrGone)
	}
}

// A camera that comes back is set as it was; one that refuses or hangs streams
// all the same.
func TestSupervisorRestores(t *testing.T) {
	settings := []Setting{{ID: 3, Name: ExposureTime, Value: 99}, {Name: PowerLine, Value: 1}, {Name: "of another camera", Value: 1}}
	var l *lens
	p := SupervisorParams{Restore: func(id Identity) []Setting {
		if id.ID != "rig" {
			return nil
		}
		return settings
	}}
	supervised(t, p, func(t *testing.T, r *rig, s *Supervisor) {
		// The rig may be open by now, and has nothing to adjust yet.
		if _, err := s.Controls(t.Context()); err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, ErrFixed) {
			t.Errorf("Controls before anything is open: %v", err)
		}
		l = webcam()
		r.set(func(r *rig) { r.lens = l; r.gone = true })
		pass(time.Second)
		if _, err := s.Adjust(t.Context(), nil); !errors.Is(err, ErrGone) {
			t.Errorf("Adjust without a camera: %v", err)
		}
		for range 3 { // every time, not once
			l = webcam()
			l.refuse[PowerLine] = true
			r.set(func(r *rig) { r.lens = l; r.gone = false })
			pass(3 * time.Second)
			wantState(t, s, Streaming)
			if l.value(ExposureTime) != 99 {
				t.Errorf("exposure time %d after the camera came back, want 99", l.value(ExposureTime))
			}
			if refused := s.Status().Refused; len(refused) != 1 || refused[0].Name != PowerLine {
				t.Errorf("refused %+v", refused)
			}
			r.set(func(r *rig) { r.gone = true })
			pass(time.Second)
		}
		l = webcam()
		l.hang = true
		r.set(func(r *rig) { r.lens = l; r.gone = false })
		pass(restoreLimit + 3*time.Second)
		wantState(t, s, Streaming)
		if got, err := s.Controls(t.Context()); err != nil || len(got) != len(l.controls) {
			t.Errorf("Controls = %d, %v", len(got), err)
		}
	})
}

func TestProfiles(t *testing.T) {
	p := Profiles{Dir: filepath.Join(t.TempDir(), "cameras")}
	const id = "usb:046d:0825:A1@1-2:1.0"
	if _, err := p.Load(id); !errors.Is(err, ErrNoProfile) {
		t.Errorf("Load of nothing = %v", err)
	}
	first := Profile{ID: id, Name: "Cam", Saved: time.Unix(1_800_000_000, 0).UTC(), Mode: Mode{MJPEG, 1920, 1080, 30}, Settings: []Setting{{ID: 1, Name: Gain, Value: 5}}}
	for _, v := range []Profile{first, {ID: id, Settings: []Setting{{Name: Gain, Value: 6}}}, first} {
		if err := p.Save(v); err != nil {
			t.Fatal(err)
		}
	}
	want := first
	want.Version = profileVersion
	if got, err := p.Load(id); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Load = %+v, %v; want %+v", got, err, want)
	}
	if got, err := p.Settings(Identity{ID: id}); err != nil || !slices.Equal(got, first.Settings) {
		t.Errorf("Settings = %+v, %v", got, err)
	}
	if got, err := p.Settings(Identity{ID: "bus:new"}); err != nil || len(got) != 2 || got[0].Name != PowerLine {
		t.Errorf("Settings of an unknown camera = %+v, %v", got, err)
	}
	moved := "usb:046d:0825:A1@1-4:1.0"
	if got, err := p.Load(moved); err != nil || got.ID != id {
		t.Errorf("the same camera in another port: %+v, %v", got, err)
	}
	for _, other := range []string{"usb:046d:0825:A2@1-2:1.0", "bus:loop", "../../etc/passwd"} {
		if _, err := p.Load(other); !errors.Is(err, ErrNoProfile) {
			t.Errorf("Load of %s = %v", other, err)
		}
	}
	// Two of one model without serial numbers: neither is guessed at.
	for _, twin := range []string{"usb:1:1:@1-1:1.0", "usb:1:1:@1-2:1.0"} {
		if err := p.Save(Profile{ID: twin}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Load("usb:1:1:@1-3:1.0"); !errors.Is(err, ErrNoProfile) {
		t.Errorf("one of two was guessed: %v", err)
	}
	files, err := os.ReadDir(p.Dir)
	if err != nil || len(files) != 3 {
		t.Errorf("%d files, %v; want one a camera and nothing left over", len(files), err)
	}
	if err := p.Save(Profile{}); err == nil {
		t.Error("a profile of nobody was saved")
	}
	for name, damage := range map[string]string{
		"cut": `{"version":1,`, "other version": `{"version":2,"id":"` + id + `"}`, "another's": `{"version":1,"id":"x"}`,
		"huge": strings.Repeat(" ", maxProfile+1),
	} {
		if err := os.WriteFile(p.file(id), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Load(id); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got, err := p.Settings(Identity{ID: id}); err == nil || len(got) != 2 {
			t.Errorf("%s: Settings = %+v, %v", name, got, err)
		}
	}
	for range 2 {
		if err := p.Remove(id); err != nil {
			t.Errorf("Remove = %v", err)
		}
	}
	if _, err := p.Load(id); !errors.Is(err, ErrNoProfile) {
		t.Errorf("Load after Remove = %v", err)
	}
	if err := (Profiles{Dir: filepath.Join(p.file("usb:1:1:@1-1:1.0"), "x")}).Save(first); err == nil {
		t.Error("saved below a file")
	}
}

func FuzzProfile(f *testing.F) {
	f.Add([]byte(`{"version":1,"id":"x","settings":[{"id":1,"name":"gain","value":5}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := parseProfile(data); err == nil && (v.ID == "" || v.Version != profileVersion) {
			t.Fatalf("accepted %+v", v)
		}
	})
}
