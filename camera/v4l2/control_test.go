package v4l2

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
)

// fakeDesk answers as drivers do.
type fakeDesk struct {
	controls []queryCtrl
	values   map[uint32]int32
	setErr   map[uint32]error
	stuck    map[uint32]bool // says yes and does nothing
	gone     bool
	circles  bool
}

func (d *fakeDesk) query(q *queryCtrl) error {
	if d.gone {
		return unix.ENODEV
	}
	after := q.id &^ flagNext
	for _, c := range d.controls {
		if c.id > after || d.circles {
			*q = c
			return nil
		}
	}
	return unix.EINVAL
}

func (d *fakeDesk) get(v *ctrlValue) error {
	if d.gone {
		return unix.ENODEV
	}
	n, ok := d.values[v.id]
	if !ok {
		return unix.EACCES
	}
	v.value = n
	return nil
}

func (d *fakeDesk) set(v *ctrlValue) error {
	if d.gone {
		return unix.ENODEV
	}
	if err := d.setErr[v.id]; err != nil {
		return err
	}
	if d.stuck[v.id] {
		return nil
	}
	for _, c := range d.controls {
		if c.id == v.id { // as uvcvideo does: clamped, in silence
			d.values[v.id] = min(max(v.value, c.minimum), c.maximum)
		}
	}
	return nil
}

func named(s string) (b [32]byte) { copy(b[:], s); return b }

func webcamDesk() *fakeDesk {
	return &fakeDesk{
		controls: []queryCtrl{
			{id: cidBase, kind: 6, name: named("User Controls")}, // a heading
			{id: cidBase + 1, kind: kindInteger, name: named("Brightness"), minimum: -64, maximum: 64, step: 1},
			{id: cidWhiteAuto, kind: kindBoolean, name: named("White Balance, Automatic"), maximum: 1, initial: 1},
			{id: cidPowerLine, kind: kindMenu, name: named("Power Line Frequency"), maximum: 2},
			{id: cidWhiteTemperature, kind: kindInteger, name: named("x"), minimum: 2800, maximum: 6500, flags: flagInactive},
			{id: cidBase + 40, kind: kindInteger, name: named("Broken"), flags: flagDisabled},
			{id: cidBase + 41, kind: kindInteger, name: named("Write only")},
			{id: cidBase + 42, kind: kindInteger, name: named("\x01\x02")},
			{id: cidExposureMode, kind: kindMenu, name: named("Auto Exposure"), maximum: 3, initial: 3},
			{id: cidCamera + 30, kind: kindInteger, name: named("Serial"), flags: flagReadOnly},
		},
		values: map[uint32]int32{
			cidBase + 1: 3, cidWhiteAuto: 1, cidPowerLine: 2, cidWhiteTemperature: 4000, cidBase + 42: 0,
			cidExposureMode: 3, cidCamera + 30: 9,
		},
		setErr: map[uint32]error{}, stuck: map[uint32]bool{},
	}
}

func TestControlList(t *testing.T) {
	got, err := panel{"video0", webcamDesk()}.list()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range got {
		names = append(names, c.Name)
	}
	want := []string{"brightness", camera.WhiteAuto, camera.PowerLine, camera.WhiteTemperature, "control_0098092a", camera.ExposureMode, "serial"}
	if !slices.Equal(names, want) {
		t.Errorf("controls %q, want %q", names, want)
	}
	if c := got[3]; !c.Inactive || c.Min != 2800 || c.Max != 6500 || c.Value != 4000 || c.Kind != camera.Integer {
		t.Errorf("white balance %+v", c)
	}
	if !got[6].ReadOnly || got[5].Default != 3 || got[5].Kind != camera.Menu {
		t.Errorf("controls %+v", got[5:])
	}

	d := webcamDesk()
	d.gone = true
	if _, err := (panel{"video0", d}).list(); !errors.Is(err, camera.ErrGone) {
		t.Errorf("controls of a camera that is gone: %v", err)
	}
	if _, err := (panel{"video0", &fakeDesk{}}).list(); !errors.Is(err, camera.ErrFixed) {
		t.Errorf("controls of a camera without: %v", err)
	}
	d = webcamDesk()
	d.circles = true
	if _, err := (panel{"video0", d}).list(); err != nil && !errors.Is(err, camera.ErrFixed) {
		t.Errorf("a driver that goes in circles: %v", err)
	}
}

func TestAdjust(t *testing.T) {
	d := webcamDesk()
	d.setErr[cidWhiteTemperature] = unix.EACCES
	d.stuck[cidPowerLine] = true
	d.setErr[cidExposureMode] = unix.EIO
	out, err := panel{"video0", d}.adjust([]camera.Setting{
		{Name: camera.WhiteAuto, Value: 0},
		{ID: cidBase + 1, Value: 900},
		{Name: camera.WhiteTemperature, Value: 5000},
		{Name: camera.PowerLine, Value: 1},
		{Name: camera.FocusAuto, Value: 0},
		{Name: camera.ExposureMode, Value: 3}, // fails, but it is so already
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name    string
		got     int32
		refused bool
	}{
		{camera.WhiteAuto, 0, false},
		{"brightness", 64, true},
		{camera.WhiteTemperature, 4000, true},
		{camera.PowerLine, 2, true},
		{camera.FocusAuto, 0, true},
		{camera.ExposureMode, 3, false},
	}
	for i, w := range want {
		if o := out[i]; o.Name != w.name || o.Got != w.got || (o.Refusal != "") != w.refused {
			t.Errorf("outcome %d: %+v, want %+v", i, o, w)
		}
	}
	if n := len(camera.Refused(out)); n != 4 {
		t.Errorf("%d refused, want 4", n)
	}
	d.gone = true
	if _, err := (panel{"video0", d}).adjust(nil); !errors.Is(err, camera.ErrGone) {
		t.Errorf("adjust on a camera that is gone: %v", err)
	}
}

// The kernel's numbers, from its own headers.
func TestCallNumbers(t *testing.T) {
	if callQuery != 0xc0445624 || callGet != 0xc008561b || callSet != 0xc008561c {
		t.Errorf("calls %#x %#x %#x", callQuery, callGet, callSet)
	}
}
