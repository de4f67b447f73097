package camera

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// DefaultSettle is how many frames exposure, colour and focus get to settle
// before they are held: three seconds of an undisturbed camera.
const DefaultSettle = 90

// takeEffect is how many frames a new setting needs to show: those that the sensor
// and the driver had begun before, and as many more as cheap cameras take.
const takeEffect = 10

// Held is what became of holding a camera's automatics.
type Held struct {
	Profile  Profile   // as it is kept; its Settings are what the camera took
	Outcomes []Outcome // of everything that was asked for, in order
	Kept     bool      // it was held before, and was only set and read back again
}

// HoldParams say what Hold is to do. Profiles is required.
type HoldParams struct {
	Profiles  Profiles
	PowerLine int32 // of the lamps, as in Lock
	Focus     bool  // hold the focus too
	Settle    int   // frames; 0 = DefaultSettle
	// Anew lets the automatics loose first and holds what they find, also where a
	// camera was held before; else such a camera keeps its values.
	Anew bool
}

// Hold makes the supervised camera keep its settings and remembers them by its
// identity, so that Profiles.Settings brings them back whenever it is opened. The
// frames after it show them. It fails with ErrFixed where there is nothing to hold, and with ErrGone while no
// camera is open.
func Hold(ctx context.Context, s *Supervisor, p HoldParams) (Held, error) {
	id := s.Status().Identity.ID
	if !p.Anew {
		v, err := p.Profiles.Load(id)
		switch {
		case err == nil:
			outcomes, err := setPresent(ctx, s, v.Settings)
			if err == nil {
				err = skip(ctx, s, takeEffect)
			}
			return Held{Profile: v, Outcomes: outcomes, Kept: true}, err
		case !errors.Is(err, ErrNoProfile):
			return Held{}, err
		}
	}
	if _, err := Unlock(ctx, s); err != nil {
		return Held{}, fmt.Errorf("camera: let the automatics loose: %w", err)
	}
	if p.Settle == 0 {
		p.Settle = DefaultSettle
	}
	if err := skip(ctx, s, p.Settle); err != nil {
		return Held{}, fmt.Errorf("camera: wait for the automatics to settle: %w", err)
	}
	settings, outcomes, err := Lock(ctx, s, p.PowerLine, p.Focus)
	if err != nil {
		return Held{}, fmt.Errorf("camera: hold the automatics: %w", err)
	}
	st := s.Status()
	if st.Identity.ID != id {
		return Held{}, fmt.Errorf("%w: another one came while the settings of %s were held", ErrGone, id)
	}
	h := Held{Outcomes: outcomes, Profile: Profile{ID: id, Name: st.Identity.Name, Saved: time.Now().UTC(), Mode: st.Mode, Settings: settings}}
	if err := p.Profiles.Save(h.Profile); err != nil {
		return h, err
	}
	return h, skip(ctx, s, takeEffect)
}

// skip lets n new frames pass.
func skip(ctx context.Context, s *Supervisor, n int) error {
	var frame Frame
	defer func() { frame.Wipe() }()
	seq := s.Status().Seq
	for range n {
		if err := s.Latest(ctx, seq, &frame); err != nil {
			return err
		}
		seq = frame.Seq
	}
	return nil
}

// Change sets one control of a held camera to another value and keeps that in its
// profile, if the camera takes it. The frames after it show it.
func (h *Held) Change(ctx context.Context, s *Supervisor, p Profiles, v Setting) (Outcome, error) {
	if st := s.Status(); st.Identity.ID != h.Profile.ID {
		return Outcome{}, fmt.Errorf("%w: its place is taken by another", ErrGone)
	}
	outcomes, err := s.Adjust(ctx, []Setting{v})
	if err != nil {
		return Outcome{}, err
	}
	i := slices.IndexFunc(h.Profile.Settings, func(o Setting) bool { return o.Name == v.Name })
	if outcomes[0].Refusal != "" || i < 0 {
		return outcomes[0], nil
	}
	h.Profile.Settings = slices.Clone(h.Profile.Settings)
	h.Profile.Settings[i] = outcomes[0].Setting
	if err := p.Save(h.Profile); err != nil {
		return outcomes[0], err
	}
	return outcomes[0], skip(ctx, s, takeEffect)
}
