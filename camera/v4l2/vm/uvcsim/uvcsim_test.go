package main

import (
	"bytes"
	"image/jpeg"
	"testing"

	"github.com/yunzhao-station/yunzhao/camera/mjpeg"
)

func TestDescriptorsAddUp(t *testing.T) {
	c := configDescriptor()
	if total := int(le.Uint16(c[2:])); total != len(c) {
		t.Errorf("the configuration says %d bytes and has %d", total, len(c))
	}
	for i := 0; i < len(c); i += int(c[i]) {
		if c[i] < 2 || i+int(c[i]) > len(c) {
			t.Fatalf("descriptor at %d has length %d", i, c[i])
		}
	}
	if len(deviceDescriptor) != int(deviceDescriptor[0]) {
		t.Errorf("the device descriptor has %d bytes", len(deviceDescriptor))
	}
}

func TestNegotiate(t *testing.T) {
	var d device
	for _, tt := range []struct {
		fps  int
		want int
	}{{30, 30}, {60, 30}, {25, 15}, {15, 15}, {7, 5}, {1, 5}} {
		var p [34]byte
		d.negotiate(&p, formatYUYV, 3, interval(tt.fps))
		if got := le.Uint32(p[4:]); got != interval(tt.want) || p[2] != formatYUYV || p[3] != 3 {
			t.Errorf("%d fps: %v, want %d fps", tt.fps, p, tt.want)
		}
	}
	var p [34]byte
	d.negotiate(&p, 9, 9, 0)
	if p[2] != formatMJPEG || p[3] != 1 {
		t.Errorf("a mode that does not exist: %v", p)
	}
}

func TestPictures(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short draws no pictures")
	}
	dir := t.TempDir()
	if err := render(dir); err != nil {
		t.Fatal(err)
	}
	c := &cam{}
	if err := c.load(dir); err != nil {
		t.Fatal(err)
	}
	for i, s := range sizes {
		a, b := c.frame(0, formatMJPEG, i+1), c.frame(1, formatMJPEG, i+1)
		info, err := mjpeg.Parse(a.data)
		if err != nil || info.Width != s.w || info.Height != s.h || bytes.Equal(a.data, b.data) {
			t.Errorf("%v: %+v, %v", s, info, err)
		}
		if raw := c.frame(0, formatYUYV, i+1); len(raw.data) != 2*s.w*s.h {
			t.Errorf("%v: %d bytes of YUYV", s, len(raw.data))
		}
	}
	for command, check := range map[string]func(f frame) bool{
		"trunc 1":     func(f frame) bool { _, err := mjpeg.Parse(f.data); return err != nil },
		"empty 1":     func(f frame) bool { return len(f.data) == 0 },
		"garbage 1":   func(f frame) bool { _, err := mjpeg.Parse(f.data); return err != nil },
		"err 1":       func(f frame) bool { return f.bad },
		"wrong 1":     func(f frame) bool { info, err := mjpeg.Parse(f.data); return err == nil && info.Width == sizes[0].w },
		"nohuffman 1": func(f frame) bool { info, err := mjpeg.Parse(f.data); return err == nil && !info.Huffman },
	} {
		if _, err := c.command(command); err != nil {
			t.Fatal(err)
		}
		if !check(c.frame(0, formatMJPEG, 3)) {
			t.Errorf("%s: no such fault", command)
		}
		f := c.frame(0, formatMJPEG, 3)
		if _, err := jpeg.Decode(bytes.NewReader(f.data)); err != nil || f.bad {
			t.Errorf("%s: the frame after it: %v", command, err)
		}
	}
	for _, wrong := range []string{"", "fly", "trunc x", "trunc -1", "unplug"} {
		if _, err := c.command(wrong); err == nil {
			t.Errorf("command %q was taken", wrong)
		}
	}
}

// Controls that an automatic has are refused; values beyond the limits too.
func TestAdjust(t *testing.T) {
	d := device{settings: settings()}
	set := func(unit, selector byte, v uint32) bool {
		_, ok := d.adjust(unit, selector, setCur, le32(v))
		return ok
	}
	get := func(unit, selector byte) int {
		b, ok := d.adjust(unit, selector, getCur, nil)
		if !ok {
			return -1
		}
		return int(le.Uint32(append(b, 0, 0, 0)))
	}
	if set(unitCamera, selExposureTime, 100) || !set(unitCamera, selExposureMode, 1) || !set(unitCamera, selExposureTime, 100) || get(unitCamera, selExposureTime) != 100 {
		t.Error("the exposure time does not follow its automatic")
	}
	if set(unitCamera, selExposureMode, 2) || set(unitCamera, selExposureTime, 5000) || set(unitCamera, 0x7f, 1) {
		t.Error("what cannot be was set")
	}
	if !set(unitProcessing, selGain, 80) || get(unitProcessing, selGain) != 50 {
		t.Errorf("the gain is %d, want it clamped to 50 in silence", get(unitProcessing, selGain))
	}
}
