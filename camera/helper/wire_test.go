package helper

import (
	"errors"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/camera"
)

func TestFrameRecord(t *testing.T) {
	good := notice{
		slot: 2, size: 300_000, format: camera.MJPEG, width: 1920, height: 1080, seq: 77, captured: -5,
		count: camera.Counters{Dropped: 1, Invalid: 2, Repeated: 3},
	}
	yuyv := good
	yuyv.format, yuyv.width, yuyv.height, yuyv.size = camera.YUYV, 64, 48, 2*64*48
	tests := []struct {
		name string
		edit func(n *notice)
		ok   bool
	}{
		{"whole", func(*notice) {}, true},
		{"raw", func(n *notice) { *n = yuyv }, true},
		{"raw of another size", func(n *notice) { *n = yuyv; n.size-- }, false},
		{"largest", func(n *notice) { n.size = slotSize }, true},
		{"too large", func(n *notice) { n.size = slotSize + 1 }, false},
		{"empty", func(n *notice) { n.size = 0 }, false},
		{"slot", func(n *notice) { n.slot = slots }, false},
		{"negative slot", func(n *notice) { n.slot = -1 }, false},
		{"no width", func(n *notice) { n.width = 0 }, false},
		{"too high", func(n *notice) { n.height = maxSide + 1 }, false},
		{"format", func(n *notice) { n.format = "H264" }, false},
		{"no number", func(n *notice) { n.seq = 0 }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := good
			tt.edit(&n)
			var b [frameSize]byte
			putFrame(b[:], n)
			kind, body, err := split(b[:])
			if err != nil || kind != kindFrame {
				t.Fatalf("split = %d, %v", kind, err)
			}
			got, err := parseFrame(body)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, errProtocol) {
				t.Fatalf("parseFrame = %v, want ok %v", err, tt.ok)
			}
			if err == nil && got != n {
				t.Errorf("parseFrame = %+v, want %+v", got, n)
			}
			if _, err := parseFrame(body[1:]); !errors.Is(err, errProtocol) {
				t.Errorf("a short record: %v", err)
			}
		})
	}
}

func TestHeader(t *testing.T) {
	whole, err := pack(kindReply, reply{Number: 3})
	if err != nil {
		t.Fatal(err)
	}
	if kind, body, err := split(whole); err != nil || kind != kindReply || len(body) != len(whole)-headerSize {
		t.Errorf("split = %d, %d bytes, %v", kind, len(body), err)
	}
	edit := func(i int, v byte) []byte { b := append([]byte(nil), whole...); b[i] = v; return b }
	for name, b := range map[string][]byte{
		"nothing": nil, "short": whole[:headerSize-1], "cut": whole[:len(whole)-1], "long": append(append([]byte(nil), whole...), 0),
		"version": edit(1, 2), "reserved": edit(2, 1), "length": edit(7, 0xff),
	} {
		if _, _, err := split(b); !errors.Is(err, errProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pack(kindReply, reply{Text: strings.Repeat("x", maxMessage)}); err == nil {
		t.Error("a message without end was packed")
	}
}

func TestFaultsOnTheWire(t *testing.T) {
	for _, want := range []error{camera.ErrGone, camera.ErrStalled, camera.ErrBusy, camera.ErrFixed, camera.ErrDriver, errors.New("x")} {
		var r reply
		r.Fault, r.Text = faultOf(want)
		got := r.err()
		if got.Error() != want.Error() {
			t.Errorf("%v became %v", want, got)
		}
		if is := errors.Is(got, want); !is && !errors.Is(got, camera.ErrDriver) {
			t.Errorf("%v became another kind: %v", want, got)
		}
	}
	if err := (&reply{Fault: "never heard of", Text: "\n\x00"}).err(); !errors.Is(err, camera.ErrDriver) || err.Error() != camera.ErrDriver.Error() {
		t.Errorf("an unknown fault: %v", err)
	}
	if got := printable("a\nb\x1b" + strings.Repeat("长", 400)); len(got) > maxText || strings.ContainsAny(got, "\n\x1b") {
		t.Errorf("printable = %q", got)
	}
}

// FuzzStation feeds the station what a mad helper could say.
func FuzzStation(f *testing.F) {
	var frame [frameSize]byte
	putFrame(frame[:], notice{slot: 1, size: 100, format: camera.MJPEG, width: 64, height: 48, seq: 1, captured: 1})
	f.Add(frame[:])
	for _, r := range []reply{{Number: 1}, {Fault: faultGone, Text: "gone"}, {Devices: fakeDevices}, {Controls: []camera.Control{{ID: 1}}}} {
		b, err := pack(kindReply, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		b[0] = kindEnd
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &process{answer: make(chan reply, 1)}
		s := &Source{p: p, open: true, fresh: make(chan struct{}, 1), stop: make(chan struct{})}
		p.stream = s
		err := p.take(b)
		if err != nil {
			if !errors.Is(err, camera.ErrDriver) && !errors.As(err, new(told)) {
				t.Fatalf("error of an unknown kind: %v", err)
			}
			return
		}
		if s.isNew && (s.pending.size < 1 || s.pending.size > slotSize || s.pending.slot < 0 || s.pending.slot >= slots) {
			t.Fatalf("accepted a frame of %d bytes in slot %d", s.pending.size, s.pending.slot)
		}
	})
}

// FuzzHelper feeds the helper's parsers.
func FuzzHelper(f *testing.F) {
	var release [releaseSize]byte
	putRelease(release[:], 3)
	f.Add(release[:])
	b, err := pack(kindRequest, request{Number: 1, Op: opOpen, ID: "usb:1:1:@1-1:1.0"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, body, err := split(b)
		if err != nil {
			return
		}
		switch kind {
		case kindRelease:
			if slot, err := parseRelease(body); err == nil && (slot < 0 || slot >= slots) {
				t.Fatalf("accepted slot %d", slot)
			}
		case kindRequest:
			_, _ = parseRequest(body)
		}
	})
}
