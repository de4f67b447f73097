package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cam is the camera through all its incarnations: its pictures and its faults.
type cam struct {
	pictures map[int][][][]byte // by format, size and photo

	mu                    sync.Mutex
	dev                   *device // nil = unplugged
	freeze, stall         bool
	err, trunc, empty     int // frames still to be spoiled
	nocommit              int // streams that still fail to start
	still                 bool
	photo                 int
	garbage, wrong, nohuf int
}

func (c *cam) load(dir string) error {
	c.pictures = map[int][][][]byte{}
	for _, format := range []int{formatMJPEG, formatYUYV} {
		for _, s := range sizes {
			var set [][]byte
			for n := range photos {
				b, err := os.ReadFile(pictureFile(dir, s, format, n))
				if err != nil {
					return fmt.Errorf("pictures: run uvcsim render first: %w", err)
				}
				set = append(set, b)
			}
			c.pictures[format] = append(c.pictures[format], set)
		}
	}
	return nil
}

// plug attaches a new incarnation; the port may still be going down.
func (c *cam) plug() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dev != nil {
		return errors.New("plugged in already")
	}
	var err error
	for range 20 {
		if c.dev, err = attach(c); err == nil {
			return nil
		}
		c.dev = nil
		<-time.After(100 * time.Millisecond)
	}
	return err
}

// refusesCommit tells, once for each failure that was asked for, that the
// stream must not start.
func (c *cam) refusesCommit() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nocommit == 0 {
		return false
	}
	c.nocommit--
	return true
}

// frame is what is sent next.
type frame struct {
	data    []byte
	bad     bool // flagged as faulty by the camera itself
	halted  bool // nothing is sent
	stalled bool // and the endpoint says so
}

// frame number n of a stream, with the faults of the hour.
func (c *cam) frame(n, format, size int) frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freeze || c.stall {
		return frame{halted: true, stalled: c.stall}
	}
	if c.still {
		n = c.photo
	}
	f := frame{data: c.pictures[format][size-1][n%photos]}
	take := func(left *int) bool {
		if *left == 0 {
			return false
		}
		*left--
		return true
	}
	f.bad = take(&c.err)
	switch {
	case take(&c.trunc):
		f.data = f.data[:len(f.data)/2]
	case take(&c.empty):
		f.data = nil
	case take(&c.garbage):
		f.data = spoiled(f.data, n)
	case take(&c.wrong):
		f.data = c.pictures[format][0][n%photos]
	case take(&c.nohuf):
		f.data = withoutTables(f.data)
	}
	return f
}

// spoiled is noise where picture data was.
func spoiled(b []byte, n int) []byte {
	out := make([]byte, len(b))
	v := uint32(n)*2654435761 + 1
	for i := range out {
		v = v*1664525 + 1013904223
		out[i] = byte(v >> 24)
	}
	return out
}

// withoutTables drops a JPEG's Huffman tables, as many cameras do: ITU-T T.81
// annex B.
func withoutTables(b []byte) []byte {
	const dht, sos = 0xc4, 0xda
	out := append([]byte(nil), b[:2]...)
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		n := 2 + int(b[i+2])<<8 + int(b[i+3])
		if b[i+1] == sos || i+n > len(b) {
			return append(out, b[i:]...)
		}
		if b[i+1] != dht {
			out = append(out, b[i:i+n]...)
		}
		i += n
	}
	return b
}

// command does what the tests say:
//
//	plug, unplug       the cable
//	freeze, thaw       the camera sends nothing, and goes on (also after stall)
//	stall              the endpoint halts
//	err N, trunc N, empty N, garbage N, wrong N
//	                   the next N frames are flagged faulty, cut in half, empty,
//	                   noise, or of the smallest size
//	nohuffman N        the next N pictures lack their Huffman tables
//	nocommit N         the next N streams fail to start
//	photo N, run       always the same picture, or in turns
//	quit
func (c *cam) command(line string) (quit bool, err error) {
	f := strings.Fields(line)
	if len(f) == 0 {
		return false, errors.New("no command")
	}
	n := 1
	if len(f) > 1 {
		if n, err = strconv.Atoi(f[1]); err != nil || n < 0 {
			return false, errors.New("no such number")
		}
	}
	if f[0] == "plug" {
		return false, c.plug()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f[0] {
	case "unplug":
		if c.dev == nil {
			return false, errors.New("not plugged in")
		}
		d := c.dev
		c.mu.Unlock() // the host's transfers need it
		d.detach()
		c.mu.Lock()
		c.dev = nil
	case "freeze":
		c.freeze = true
	case "thaw":
		c.freeze, c.stall = false, false
	case "stall":
		c.stall = true
	case "err":
		c.err = n
	case "trunc":
		c.trunc = n
	case "empty":
		c.empty = n
	case "garbage":
		c.garbage = n
	case "wrong":
		c.wrong = n
	case "nohuffman":
		c.nohuf = n
	case "nocommit":
		c.nocommit = n
	case "photo":
		c.still, c.photo = true, n
	case "run":
		c.still = false
	case "quit":
		return true, nil
	default:
		return false, errors.New("no such command")
	}
	return false, nil
}
