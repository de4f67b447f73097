package station

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/yunzhao-station/yunzhao/camera"
)

// lens is a camera whose focus may refuse to come back.
type lens struct {
	now     map[string]int32
	refuse  bool
	err     error
	applied int
}

func (l *lens) Adjust(_ context.Context, settings []camera.Setting) ([]camera.Outcome, error) {
	if l.err != nil {
		return nil, l.err
	}
	l.applied++
	var out []camera.Outcome
	for _, v := range settings {
		o := camera.Outcome{Setting: v, Got: v.Value}
		if l.refuse {
			o.Got, o.Refusal = l.now[v.Name], "not taken"
		} else {
			l.now[v.Name] = v.Value
		}
		out = append(out, o)
	}
	return out, nil
}

var held = []camera.Setting{{Name: camera.FocusAuto, Value: 0}, {Name: camera.FocusDistance, Value: 120}}

func TestFocusIsReleasedForACardAndComesBack(t *testing.T) {
	l := &lens{now: map[string]int32{camera.FocusAuto: 0, camera.FocusDistance: 120}}
	session := ""
	var ready []bool
	settings := held
	f := focus{
		wanted: func() string { return session }, camera: l, settings: func() []camera.Setting { return settings },
		ready: func(ok bool) { ready = append(ready, ok) }, log: func(string, ...any) {},
	}
	ctx := t.Context()
	f.step(ctx)
	if l.applied != 0 {
		t.Fatal("touched before anybody asked")
	}
	session = "S1"
	f.step(ctx)
	f.step(ctx)
	if l.now[camera.FocusAuto] != 1 || l.applied != 1 {
		t.Fatalf("not released once: %v after %d", l.now, l.applied)
	}
	l.now[camera.FocusDistance] = 14 // the automatic finds the card

	session = ""
	l.refuse = true
	f.step(ctx)
	f.step(ctx)
	if !slices.Equal(ready, []bool{false}) {
		t.Fatalf("a focus that does not come back: %v", ready)
	}
	l.refuse, l.err = false, errors.New("gone")
	f.step(ctx)
	l.err = nil
	f.step(ctx)
	if !slices.Equal(ready, []bool{false, true}) || l.now[camera.FocusAuto] != 0 || l.now[camera.FocusDistance] != 120 {
		t.Fatalf("restored: %v %v", ready, l.now)
	}
	n := l.applied
	f.step(ctx)
	if l.applied != n {
		t.Error("restored twice")
	}

	// A camera that is not held focuses by itself.
	settings, session = nil, "S2"
	f.step(ctx)
	if l.applied != n {
		t.Error("a camera without a profile was touched")
	}
}
