package drive

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/yunzhao-station/yunzhao/app/drive/remote"
)

// DefaultDwell is how long a finger rests on a button: a quick human tap.
const DefaultDwell = 60 * time.Millisecond

// targetPoll is how often Tap looks for a button that is not there yet.
const targetPoll = 25 * time.Millisecond

// failureTimeout bounds the screenshot taken when something did not happen in
// time, because the caller's own time is over by then.
const failureTimeout = 5 * time.Second

// Hands are the pointer, the keyboard and the eyes of whoever operates the
// kiosk; *Display has them.
type Hands interface {
	Hold(ctx context.Context, x, y int, long time.Duration) error
	Glide(ctx context.Context, x, y int, took time.Duration) error
	Key(sym Keysym) error
	Type(ctx context.Context, text string) error
	Screenshot() (*image.RGBA, error)
}

// Source answers what the kiosk shows; *remote.Client does.
type Source interface {
	State(ctx context.Context) (remote.State, error)
	Wait(ctx context.Context, ok func(remote.State) bool) (remote.State, error)
	Targets(ctx context.Context) ([]remote.Target, error)
	Scene(ctx context.Context, cmd string) error
}

// Kiosk is a running kiosk with someone before it. Only Hands and Client are
// required. Its methods are for one goroutine.
type Kiosk struct {
	Hands  Hands
	Client Source

	Origin image.Point   // the window's corner on the screen, zero when it fills the screen
	Dwell  time.Duration // how long a tap lasts; 0 = DefaultDwell
	Travel time.Duration // how long the pointer takes to a button; 0 = at once
	Shots  string        // folder for Shot, which makes it; "" = take none

	// Narrate, where set, is told each step in order, such as "tap" and
	// "start". It never hears what was typed.
	Narrate func(step, what string)

	shots int // taken so far
}

func (k *Kiosk) narrate(step, what string) {
	if k.Narrate != nil {
		k.Narrate(step, what)
	}
}

// Tap waits until the target is on screen and enabled, and taps its centre.
func (k *Kiosk) Tap(ctx context.Context, id string) error {
	k.narrate("tap", id)
	if err := k.press(ctx, id, k.dwell()); err != nil {
		return fmt.Errorf("tap %s: %w", id, err)
	}
	return nil
}

// Hold is Tap with a finger that stays for the time, such as on the button that
// reveals a name.
func (k *Kiosk) Hold(ctx context.Context, id string, long time.Duration) error {
	k.narrate("hold", id)
	if err := k.press(ctx, id, long); err != nil {
		return fmt.Errorf("hold %s: %w", id, err)
	}
	return nil
}

func (k *Kiosk) dwell() time.Duration {
	if k.Dwell > 0 {
		return k.Dwell
	}
	return DefaultDwell
}

func (k *Kiosk) press(ctx context.Context, id string, long time.Duration) error {
	t, err := k.Find(ctx, id)
	if err != nil {
		return err
	}
	x, y := k.Origin.X+t.X+t.W/2, k.Origin.Y+t.Y+t.H/2
	if k.Travel > 0 {
		if err := k.Hands.Glide(ctx, x, y, k.Travel); err != nil {
			return err
		}
	}
	return k.Hands.Hold(ctx, x, y, long)
}

// Find waits until the target is on screen, enabled, and has stood still from
// one look to the next, so that a screen still sliding in is not missed. When
// ctx ends first the error tells what was there instead and where the
// screenshot is.
func (k *Kiosk) Find(ctx context.Context, id string) (remote.Target, error) {
	tick := time.NewTicker(targetPoll)
	defer tick.Stop()
	var before *remote.Target
	var seen []remote.Target
	for {
		targets, err := k.Client.Targets(ctx)
		switch {
		case err == nil:
			seen = targets
		case ctx.Err() == nil:
			return remote.Target{}, err
		}
		if err == nil {
			i := slices.IndexFunc(targets, func(t remote.Target) bool {
				return t.ID == id && t.Enabled && t.W > 0 && t.H > 0
			})
			switch {
			case i < 0:
				before = nil
			case before != nil && *before == targets[i]:
				return targets[i], nil
			default:
				before = &targets[i]
			}
		}
		select {
		case <-ctx.Done():
			return remote.Target{}, k.late(ctx, "on screen are "+describe(seen))
		case <-tick.C:
		}
	}
}

// describe lists targets by name alone: their texts may name a student.
func describe(targets []remote.Target) string {
	if len(targets) == 0 {
		return "no targets"
	}
	ids := make([]string, len(targets))
	for i, t := range targets {
		ids[i] = t.ID
		if !t.Enabled {
			ids[i] += " (disabled)"
		}
	}
	return strings.Join(ids, ", ")
}

// TypeNumber taps a number on the kiosk's own keypad, whose keys are the
// targets key-0 … key-9 and key-X.
func (k *Kiosk) TypeNumber(ctx context.Context, number string) error {
	k.narrate("type", fmt.Sprintf("%d keys", len(number)))
	for i, r := range []rune(number) {
		r = unicode.ToUpper(r)
		if err := k.press(ctx, "key-"+string(r), k.dwell()); err != nil {
			// The number may be a person's: the error says which place, not
			// which digit.
			return fmt.Errorf("tap key %d of the number: %w", i+1, err)
		}
	}
	return nil
}

// Scan types the text and Enter in one burst, as a scanner or card reader on
// the keyboard port does.
func (k *Kiosk) Scan(ctx context.Context, text string) error {
	k.narrate("scan", fmt.Sprintf("%d characters", len(text)))
	if err := k.Hands.Type(ctx, text+"\n"); err != nil {
		return fmt.Errorf("scan a code: %w", err)
	}
	return nil
}

// Scene directs the simulated booth, such as "enter", "leave" or "unplug".
func (k *Kiosk) Scene(ctx context.Context, cmd string) error {
	k.narrate("scene", cmd)
	return k.Client.Scene(ctx, cmd)
}

// WaitState waits until the kiosk is in one of the states and returns the one
// it is in. When ctx ends first the error names the last state seen and the
// screenshot.
func (k *Kiosk) WaitState(ctx context.Context, states ...string) (remote.State, error) {
	what := strings.Join(states, " or ")
	k.narrate("wait", what)
	return k.WaitFor(ctx, what, func(s remote.State) bool { return slices.Contains(states, s.State) })
}

// WaitFor waits until ok holds; what says in a few words what that means.
func (k *Kiosk) WaitFor(ctx context.Context, what string, ok func(remote.State) bool) (remote.State, error) {
	s, err := k.Client.Wait(ctx, ok)
	switch {
	case err == nil:
		return s, nil
	case ctx.Err() == nil:
		return s, fmt.Errorf("wait for %s: %w", what, err)
	}
	detail := fmt.Sprintf("the kiosk is in state %q", s.State)
	if s.Toast != "" {
		detail += fmt.Sprintf(" and says %q", s.Toast)
	}
	return s, fmt.Errorf("wait for %s: %w", what, k.late(ctx, detail))
}

// late explains that ctx ended: what was the case instead, and a screenshot.
func (k *Kiosk) late(ctx context.Context, detail string) error {
	err := fmt.Errorf("%w: %s", context.Cause(ctx), detail)
	// The caller's time is over, so the last questions get a little of their own.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureTimeout)
	defer cancel()
	if s, e := k.Client.State(after); e == nil {
		err = fmt.Errorf("%w; state %q", err, s.State)
	}
	path, shotErr := k.Shot("failed")
	if shotErr != nil {
		return errors.Join(err, shotErr)
	}
	if path != "" {
		err = fmt.Errorf("%w; screenshot %s", err, path)
	}
	return err
}

// shotName is what a screenshot may be called: names go into file names.
var shotName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Shot saves what the screen shows as NN-name.png in the Shots folder, numbered
// in the order taken, and returns its path. Without a folder it does nothing
// and returns "".
func (k *Kiosk) Shot(name string) (string, error) {
	if k.Shots == "" {
		return "", nil
	}
	if !shotName.MatchString(name) {
		return "", fmt.Errorf("take screenshot: name %q is not made of a-z, 0-9 and -", name)
	}
	img, err := k.Hands.Screenshot()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(k.Shots, 0o700); err != nil {
		return "", fmt.Errorf("take screenshot: %w", err)
	}
	k.shots++
	path := filepath.Join(k.Shots, fmt.Sprintf("%02d-%s.png", k.shots, name))
	if err := SavePNG(path, img); err != nil {
		return "", err
	}
	k.narrate("shot", path)
	return path, nil
}
