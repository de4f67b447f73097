package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

var be = binary.BigEndian

// USB/IP, Documentation/usb/usbip_protocol.rst of the kernel: commands and
// replies have a header of 48 bytes, big endian.
const (
	urbHeader    = 48
	submitted    = 1 // host: a transfer
	unlink       = 2 // host: forget one
	doneSubmit   = 3
	doneUnlink   = 4
	statusStall  = -32  // -EPIPE
	statusUnlink = -104 // -ECONNRESET
)

// urb is a transfer that waits for picture data.
type urb struct {
	seq uint32
	len int
}

// device is one incarnation of the camera, from plug to unplug.
type device struct {
	cam  *cam
	conn int

	write sync.Mutex // of conn

	mu       sync.Mutex
	cond     *sync.Cond
	dead     bool
	pending  []urb
	probe    [34]byte
	commit   [34]byte
	epoch    int // counts commits and halts: a frame of an older one is dropped
	settings map[byte]map[byte]*setting
	last     uint32            // newest submit seen; they come in order
	busy     time.Time         // when the host last sent a control transfer or took one back
	held     map[uint32]uint32 // submit → unlink: vhci may send an unlink ahead of its submit
}

// attach plugs a new device into the virtual host controller.
func attach(c *cam) (*device, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	for _, fd := range pair {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<20) // faster, no more
	}
	const port, id, highSpeed = 0, 0x10001, 3
	err = os.WriteFile("/sys/devices/platform/vhci_hcd.0/attach", fmt.Appendf(nil, "%d %d %d %d", port, pair[1], id, highSpeed), 0)
	_ = unix.Close(pair[1]) // the kernel has it
	if err != nil {
		_ = unix.Close(pair[0])
		return nil, err
	}
	d := &device{cam: c, conn: pair[0], settings: settings(), held: map[uint32]uint32{}}
	d.cond = sync.NewCond(&d.mu)
	d.negotiate(&d.probe, formatMJPEG, 1, interval(rates[0]))
	d.commit = d.probe
	go d.listen()
	go d.stream()
	return d, nil
}

// Before the cable is pulled the host may finish what it is at: vhci-hcd can lose a
// control transfer that is under way when the connection ends, and the kernel then
// waits for it for ever (usb_clear_halt in usb_kill_urb, seen with Linux 6.1), which
// no controller in hardware does.
const (
	quietFor  = 300 * time.Millisecond
	quietWait = 5 * time.Second
)

// quiet waits until the host has sent no control transfer for a while.
func (d *device) quiet() {
	for end := time.Now().Add(quietWait); time.Now().Before(end); {
		d.mu.Lock()
		left := quietFor - time.Since(d.busy)
		d.mu.Unlock()
		if left <= 0 {
			return
		}
		<-time.NewTimer(left).C
	}
}

func (d *device) detach() {
	d.quiet()
	_ = unix.Shutdown(d.conn, unix.SHUT_RDWR)
}

// negotiate fills a probe or commit block with what comes closest, UVC 1.1
// table 4-47.
func (d *device) negotiate(p *[34]byte, format, frame int, want uint32) {
	if format != formatMJPEG && format != formatYUYV {
		format = formatMJPEG
	}
	if frame < 1 || frame > len(sizes) {
		frame = 1
	}
	best := interval(rates[len(rates)-1])
	for i := len(rates) - 1; i >= 0; i-- {
		if iv := interval(rates[i]); iv >= want {
			best = iv
		}
	}
	*p = [34]byte{0: 1, 2: byte(format), 3: byte(frame), 30: 3}
	s := sizes[frame-1]
	le.PutUint32(p[4:], best)
	le.PutUint32(p[18:], uint32(s.w*s.h*2))
	le.PutUint32(p[22:], maxPayload)
	le.PutUint32(p[26:], 48_000_000)
}

func (d *device) send(b []byte) {
	d.write.Lock()
	defer d.write.Unlock()
	for len(b) > 0 {
		n, err := unix.Write(d.conn, b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return // unplugged
		}
		b = b[n:]
	}
}

func (d *device) receive(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Read(d.conn, b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.EOF
		}
		b = b[n:]
	}
	return nil
}

// done answers a transfer.
func (d *device) done(seq uint32, status int32, actual int, data []byte) {
	b := make([]byte, urbHeader, urbHeader+len(data))
	be.PutUint32(b, doneSubmit)
	be.PutUint32(b[4:], seq)
	be.PutUint32(b[20:], uint32(status))
	be.PutUint32(b[24:], uint32(actual))
	d.send(append(b, data...))
}

func (d *device) unlinked(seq uint32, status int32) {
	b := make([]byte, urbHeader)
	be.PutUint32(b, doneUnlink)
	be.PutUint32(b[4:], seq)
	be.PutUint32(b[20:], uint32(status))
	d.send(b)
}

// listen serves the host until the cable is pulled.
func (d *device) listen() {
	defer func() {
		d.mu.Lock()
		d.dead = true
		d.cond.Broadcast()
		d.mu.Unlock()
	}()
	h := make([]byte, urbHeader)
	for d.receive(h) == nil {
		seq, in, endpoint := be.Uint32(h[4:]), be.Uint32(h[12:]) != 0, be.Uint32(h[16:])
		switch be.Uint32(h) {
		case submitted:
			n := int(be.Uint32(h[24:]))
			var out []byte
			if !in && n > 0 {
				if out = make([]byte, n); d.receive(out) != nil {
					return
				}
			}
			d.submit(seq, endpoint, in, n, h[40:48], out)
		case unlink:
			d.unlink(seq, be.Uint32(h[20:]))
		}
	}
}

func (d *device) submit(seq, endpoint uint32, in bool, n int, setup, out []byte) {
	d.mu.Lock()
	d.last = seq
	if endpoint == 0 {
		d.busy = time.Now()
	}
	unlinker, early := d.held[seq]
	delete(d.held, seq)
	if !early && endpoint != 0 {
		d.pending = append(d.pending, urb{seq, n})
		d.cond.Broadcast()
	}
	d.mu.Unlock()
	switch {
	case early:
		d.unlinked(unlinker, statusUnlink)
	case endpoint != 0:
	default:
		data, ok := d.control(setup, out)
		switch {
		case !ok:
			d.done(seq, statusStall, 0, nil)
		case !in:
			d.done(seq, 0, n, nil)
		default:
			data = data[:min(len(data), n)]
			d.done(seq, 0, len(data), data)
		}
	}
}

func (d *device) unlink(seq, target uint32) {
	d.mu.Lock()
	d.busy = time.Now()
	status := int32(0)
	for i, u := range d.pending {
		if u.seq == target {
			d.pending = append(d.pending[:i:i], d.pending[i+1:]...)
			status = statusUnlink
			break
		}
	}
	early := status == 0 && target > d.last
	if early { // answered when its submit arrives
		d.held[target] = seq
	}
	d.mu.Unlock()
	if !early {
		d.unlinked(seq, status)
	}
}

// Requests on endpoint 0: USB 2.0 table 9-4 and UVC 1.1 table A-8.
const (
	getStatus, clearFeature, setFeature, setAddress, getDescriptor = 0, 1, 3, 5, 6
	getConfiguration, setConfiguration, getInterface, setInterface = 8, 9, 10, 11

	setCur, getCur, getMin, getMax, getRes, getLen, getInfo, getDef = 0x01, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87
)

// control answers a request on endpoint 0; false = the camera refuses.
func (d *device) control(setup, out []byte) ([]byte, bool) {
	kind, request := setup[0], setup[1]
	value, index, n := int(le.Uint16(setup[2:])), int(le.Uint16(setup[4:])), int(le.Uint16(setup[6:]))
	data, ok := []byte(nil), false
	switch kind & 0x60 {
	case 0x00:
		data, ok = d.standard(kind, request, value)
	case 0x20:
		if index&0xff == 1 {
			data, ok = d.streaming(request, value>>8, out)
		} else {
			data, ok = d.adjust(byte(index>>8), byte(value>>8), request, out)
		}
	}
	return data[:min(len(data), n)], ok
}

func (d *device) standard(kind, request byte, value int) ([]byte, bool) {
	switch request {
	case getStatus:
		return []byte{0, 0}, true
	case clearFeature:
		if kind == 2 { // halt on the bulk endpoint ends the stream
			d.mu.Lock()
			d.epoch++
			d.cond.Broadcast()
			d.mu.Unlock()
		}
		return nil, true
	case setFeature, setAddress, setConfiguration, setInterface:
		return nil, true
	case getDescriptor:
		switch value >> 8 {
		case 1:
			return deviceDescriptor, true
		case 2:
			return configDescriptor(), true
		case 3:
			return stringDescriptor(value & 0xff), true
		}
	case getConfiguration:
		return []byte{1}, true
	case getInterface:
		return []byte{0}, true
	}
	return nil, false
}

// streaming negotiates the mode, UVC 1.1 chapter 4.3.1.1.
func (d *device) streaming(request byte, selector int, out []byte) ([]byte, bool) {
	const probe, commit = 1, 2
	d.mu.Lock()
	defer d.mu.Unlock()
	p := &d.probe
	switch selector {
	case probe:
	case commit:
		p = &d.commit
	default:
		return nil, false
	}
	switch request {
	case setCur:
		if len(out) < 26 || selector == commit && d.cam.refusesCommit() {
			return nil, false
		}
		d.negotiate(p, int(out[2]), int(out[3]), le.Uint32(out[4:]))
		if selector == commit {
			d.epoch++
			d.cond.Broadcast()
		}
		return nil, true
	case getCur:
		return append([]byte(nil), p[:]...), true
	case getMin, getMax, getDef:
		fps := rates[0]
		if request == getMax {
			fps = rates[len(rates)-1]
		}
		var q [34]byte
		d.negotiate(&q, int(p[2]), int(p[3]), interval(fps))
		return q[:], true
	case getLen:
		return []byte{byte(len(p)), 0}, true
	case getInfo:
		return []byte{infoPlain}, true
	}
	return nil, false
}

// adjust serves the camera's controls.
func (d *device) adjust(unit, selector, request byte, out []byte) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.settings[unit][selector]
	if c == nil {
		return nil, false
	}
	value := func(v int) ([]byte, bool) { return le32(uint32(v))[:c.bytes], true }
	switch request {
	case setCur:
		if len(out) < c.bytes {
			return nil, false
		}
		var v int
		switch c.bytes {
		case 1:
			v = int(out[0])
		case 2:
			v = int(int16(le.Uint16(out)))
		default:
			v = int(int32(le.Uint32(out)))
		}
		held := c.auto != 0 && d.settings[unit][c.auto].cur == c.when
		mode := unit == unitCamera && selector == selExposureMode
		if held || v < c.min || v > c.max || mode && v&c.step == 0 {
			return nil, false
		}
		if c.most != 0 {
			v = min(v, c.most)
		}
		c.cur = v
		return nil, true
	case getCur:
		return value(c.cur)
	case getMin:
		return value(c.min)
	case getMax:
		return value(c.max)
	case getRes:
		return value(c.step)
	case getDef:
		return value(c.def)
	case getLen:
		return le16(c.bytes), true
	case getInfo:
		return []byte{c.info}, true
	}
	return nil, false
}

// stream paces frames into the transfers that wait for them.
func (d *device) stream() {
	toggle := byte(0)
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	wait := func(t time.Duration) {
		if t > 0 {
			timer.Reset(t)
			<-timer.C
		}
	}
	<-timer.C
	for n := 0; ; n++ {
		d.mu.Lock()
		for len(d.pending) == 0 && !d.dead {
			d.cond.Wait()
		}
		dead, epoch, commit := d.dead, d.epoch, d.commit
		d.mu.Unlock()
		if dead {
			return
		}
		every := time.Duration(le.Uint32(commit[4:])) * 100
		if now := time.Now(); next.Before(now.Add(-4 * every)) { // idle until now: do not catch up
			next = now
		}
		f := d.cam.frame(n, int(commit[2]), int(commit[3]))
		if f.halted {
			if f.stalled {
				d.stallAll()
			}
			wait(every)
			next = time.Now()
			continue
		}
		wait(time.Until(next))
		next = next.Add(every)
		d.payloads(f, epoch, toggle)
		toggle ^= 1
	}
}

// stallAll answers every waiting transfer as a halted endpoint does.
func (d *device) stallAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, u := range d.pending {
		d.done(u.seq, statusStall, 0, nil)
	}
	d.pending = nil
}

// payloads sends a frame, UVC 1.1 chapter 2.4.3.2.
func (d *device) payloads(f frame, epoch int, toggle byte) {
	const header, endOfFrame, bad, endOfHeader = 2, 0x02, 0x40, 0x80
	data := f.data
	for first := true; first || len(data) > 0; first = false {
		d.mu.Lock()
		for len(d.pending) == 0 && !d.dead && d.epoch == epoch {
			d.cond.Wait()
		}
		if d.dead || d.epoch != epoch {
			d.mu.Unlock()
			return
		}
		u := d.pending[0]
		d.pending = d.pending[1:]
		n := min(len(data), max(min(u.len, maxPayload)-header, 0))
		flags := byte(endOfHeader) | toggle
		if f.bad {
			flags |= bad
		}
		if n == len(data) {
			flags |= endOfFrame
		}
		// Answered under the lock: an unlink of this transfer must be answered
		// later, or vhci drops the device.
		d.done(u.seq, 0, n+header, append([]byte{header, flags}, data[:n]...))
		d.mu.Unlock()
		if n == 0 && len(data) > 0 {
			return // a transfer too short for anything
		}
		data = data[n:]
	}
}
