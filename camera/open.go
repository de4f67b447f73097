package camera

import (
	"errors"
	"fmt"
)

// Reason says why a camera was decided on.
type Reason string

// The reasons of a Decision.
const (
	Pinned    Reason = "pinned"    // the settings name this camera
	Found     Reason = "found"     // it is plugged in, or the best of those that are
	Requested Reason = "requested" // the settings ask for the simulation
	NoneFound Reason = "none"      // nothing is plugged in
)

// Decision tells which camera the station will use and why, so that it can be
// said plainly: nobody may take a simulated student for a real one.
type Decision struct {
	Reason    Reason   `json:"reason"`
	Simulated bool     `json:"simulated"`
	ID        string   `json:"id"`    // of the camera; "" = simulated, or whichever comes
	Found     []Device `json:"found"` // everything that was plugged in
}

// OpenParams say what there is to choose from.
type OpenParams struct {
	List   func() ([]Device, error)          // what is plugged in, as v4l2.List
	Device func(id string, want Mode) Opener // opens one of those, as v4l2.Opener
	Scene  Opener                            // opens the simulated booth; nil = never simulate
	ID     string                            // the camera the settings name; "" = none
	Want   Mode                              // zero = the best of the device
	Demo   bool                              // the settings ask for the simulation
}

// Open decides once, at the start, between a real camera and the simulated
// booth, and returns how to open it. A real camera is used when one is named or
// present, else the simulation if there is one.
//
// The decision holds: a real camera that is unplugged later is waited for,
// never replaced by a simulated student or by another camera. Without a
// simulation and without a camera, the first to be plugged in is used.
func Open(p OpenParams) (Opener, Decision, error) {
	if p.Demo {
		if p.Scene == nil {
			return nil, Decision{}, errors.New("camera: a simulated booth is asked for, but there is none")
		}
		return p.Scene, Decision{Reason: Requested, Simulated: true}, nil
	}
	if p.List == nil || p.Device == nil {
		return nil, Decision{}, errors.New("camera: open needs to list and open devices")
	}
	found, err := p.List()
	if err != nil {
		return nil, Decision{}, fmt.Errorf("camera: list devices: %w", err)
	}
	switch {
	case p.ID != "":
		return p.Device(p.ID, p.Want), Decision{Reason: Pinned, ID: p.ID, Found: found}, nil
	case len(found) > 0:
		best := best(found)
		return p.Device(best.ID, p.Want), Decision{Reason: Found, ID: best.ID, Found: found}, nil
	case p.Scene != nil:
		return p.Scene, Decision{Reason: NoneFound, Simulated: true}, nil
	}
	return p.Device("", p.Want), Decision{Reason: NoneFound}, nil
}

// best is the device with the largest picture, the first of equals: laptops
// have a small camera of their own beside the good one on the cable.
func best(found []Device) Device {
	largest := func(d Device) (area int) {
		for _, m := range d.Modes {
			area = max(area, m.Width*m.Height)
		}
		return area
	}
	b := found[0]
	for _, d := range found[1:] {
		if largest(d) > largest(b) {
			b = d
		}
	}
	return b
}
