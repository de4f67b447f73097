package helper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
)

// Name is argv[0] of a helper process.
const Name = "yunzhao-camera-helper"

// Descriptors that a helper is started with.
const (
	socketFD = 3
	memoryFD = 4
)

// exitOrphan is a helper's exit code when nobody handed it descriptors.
const exitOrphan = 2

// Wanted tells whether the program was started as a helper. It must be asked
// before anything else is done.
func Wanted(args []string) bool { return len(args) == 1 && args[0] == Name }

// Driver is what a helper can do with cameras.
type Driver struct {
	List func() ([]camera.Device, error)
	// Open has the contract of a camera.Opener. The source may also be a
	// camera.Counter and a camera.Controller.
	Open func(ctx context.Context, id string, want camera.Mode) (camera.Source, error)
	// Untouched tells of an error of Open that no device was opened before it
	// came up; nil = never.
	Untouched func(error) bool
}

// Serve is the whole life of a helper process: it answers the station that
// started it until the station hangs up, and returns the exit code. When the
// station is gone it ends the process at once, whatever the driver is doing.
func Serve(d Driver) int {
	h, err := inherit()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: only the station starts this: %v\n", Name, err)
		return exitOrphan
	}
	requests := make(chan request)
	go func() {
		h.listen(requests)
		os.Exit(0) // the station is gone, and a driver that hangs must not keep the camera
	}()
	if err := h.serve(d, requests); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Name, err)
		return 1
	}
	return 0
}

// host is the helper's end of the connection.
type host struct {
	conn *net.UnixConn
	shm  []byte
	free chan int // slots to write to
}

// inherit takes over what the station handed down and makes the process one
// that leaves nothing behind.
func inherit() (*host, error) {
	// A picture of a student must not end up in a core file.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return nil, fmt.Errorf("forbid core files: %w", err)
	}
	_ = os.WriteFile("/proc/self/comm", []byte("yunzhao-camera"), 0) // for ps alone
	file := os.NewFile(socketFD, "station")
	if file == nil {
		return nil, errors.New("no socket")
	}
	generic, err := net.FileConn(file)
	_ = file.Close() // the connection has a copy
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	conn, ok := generic.(*net.UnixConn)
	if !ok {
		return nil, errors.New("the socket is of another kind")
	}
	shm, err := unix.Mmap(memoryFD, 0, slots*slotSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map frame memory: %w", err)
	}
	h := &host{conn: conn, shm: shm, free: make(chan int, slots)}
	for i := range slots {
		h.free <- i
	}
	return h, nil
}

// listen takes the station's messages until it hangs up or talks nonsense.
func (h *host) listen(requests chan<- request) {
	buf := make([]byte, maxMessage)
	for {
		n, err := h.conn.Read(buf)
		if err != nil {
			return
		}
		kind, body, err := split(buf[:n])
		if err != nil {
			return
		}
		switch kind {
		case kindRelease:
			slot, err := parseRelease(body)
			if err != nil {
				return
			}
			select {
			case h.free <- slot:
			default:
				return // returned twice
			}
		case kindRequest:
			r, err := parseRequest(body)
			if err != nil {
				return
			}
			requests <- r
		default:
			return
		}
	}
}

func (h *host) send(kind byte, r reply) error {
	b, err := pack(kind, r)
	if err != nil {
		return err
	}
	if _, err := h.conn.Write(b); err != nil {
		return fmt.Errorf("answer the station: %w", err)
	}
	return nil
}

// serve answers one request after another. It returns once the stream is over:
// what a driver leaves behind then goes with the process.
func (h *host) serve(d Driver, requests <-chan request) error {
	var src camera.Source
	over := make(chan error, 1)
	for {
		select {
		case err := <-over:
			var r reply
			r.Fault, r.Text = faultOf(err)
			return h.send(kindEnd, r)
		case q := <-requests:
			r := reply{Number: q.Number}
			var err error
			switch q.Op {
			case opList:
				r.Devices, err = d.List()
			case opOpen:
				if src != nil {
					return errors.New("asked to open a second camera")
				}
				if src, err = d.Open(context.Background(), q.ID, q.Want); err == nil {
					r.Identity, r.Mode = src.Identity(), src.Mode()
				}
			case opControls, opAdjust:
				c, ok := src.(camera.Controller)
				switch {
				case !ok:
					err = camera.ErrFixed
				case q.Op == opControls:
					r.Controls, err = c.Controls(context.Background())
				default:
					r.Outcomes, err = c.Adjust(context.Background(), q.Settings)
				}
			default:
				return fmt.Errorf("asked to %q", q.Op)
			}
			if err != nil {
				r.Fault, r.Text = faultOf(err)
				r.Untouched = q.Op == opOpen && d.Untouched != nil && d.Untouched(err)
			}
			if err := h.send(kindReply, r); err != nil {
				return err
			}
			if q.Op == opOpen && err == nil {
				go func() { over <- h.stream(src) }()
			}
		}
	}
}

// stream copies frames into free slots and announces them until the source
// fails. While no slot is free the source drops frames: the newest counts.
func (h *host) stream(src camera.Source) error {
	counter, _ := src.(camera.Counter)
	var f camera.Frame
	var record [frameSize]byte
	var large uint64 // frames that no slot can hold
	for slot := range h.free {
		for {
			at := slot * slotSize
			memory := h.shm[at : at : at+slotSize]
			f.Data = memory
			if err := src.Next(context.Background(), &f); err != nil {
				return err
			}
			if len(f.Data) > 0 && &f.Data[0] == &memory[:1][0] {
				break
			}
			large++ // the source had to find memory elsewhere
		}
		var count camera.Counters
		if counter != nil {
			count = counter.Counters()
		}
		count.Invalid += large
		now, err := monotonic()
		if err != nil {
			return err
		}
		putFrame(record[:], notice{
			slot: slot, size: len(f.Data), format: f.Format, width: f.Width, height: f.Height, seq: f.Seq,
			captured: now - int64(time.Since(f.Captured)), count: count,
		})
		if _, err := h.conn.Write(record[:]); err != nil {
			return fmt.Errorf("announce a frame: %w", err)
		}
	}
	return nil
}

// monotonic reads the clock that all processes share, ns.
func monotonic() (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fmt.Errorf("camera helper: read the clock: %w", err)
	}
	return ts.Nano(), nil
}
