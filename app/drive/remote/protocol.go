// Package remote lets a test or a demonstration ask a running kiosk what it
// shows and where, and lets it direct the simulated booth.
//
// A kiosk opens it only when told to (yunzhao run --automation PATH) and only
// with the simulated camera. It is a Unix socket that answers the same user
// alone, one JSON object a line in each direction:
//
//	{"op":"state"}                      → {"ok":true,"state":{"state":"idle",…}}
//	{"op":"targets"}                    → {"ok":true,"targets":[{"id":"start","x":…}]}
//	{"op":"scene","cmd":"unplug"}       → {"ok":true}
//	anything else                       → {"ok":false,"error":"…"}
//
// There is no request that presses a button: fingers belong to the X server
// (package drive), so that what is tried is what a student's finger reaches.
//
// The package must not know what the states, targets and scene commands mean,
// and a Handler must put nothing into a state that tells who the student is.
package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the protocol. A request is a few dozen bytes; an answer may list
// every widget of a screen.
const (
	MaxRequestBytes  = 4 << 10
	MaxResponseBytes = 4 << 20
	MaxSceneBytes    = 128
)

// Op names a request.
type Op string

// The requests there are.
const (
	OpState   Op = "state"
	OpTargets Op = "targets"
	OpScene   Op = "scene"
)

// Request is one line to the kiosk.
type Request struct {
	Op  Op     `json:"op"`
	Cmd string `json:"cmd,omitempty"` // scene only: what the booth should do, such as "unplug"
}

// Target is a region of the kiosk's window that can be found by name: a button,
// a key, or a region worth looking at such as the portrait.
type Target struct {
	ID      string `json:"id"`
	X       int    `json:"x"` // physical pixels from the window's left edge
	Y       int    `json:"y"` // physical pixels from the window's top edge
	W       int    `json:"w"`
	H       int    `json:"h"`
	Text    string `json:"text,omitempty"`
	Enabled bool   `json:"enabled"` // a tap does something
}

// State is the part of a kiosk's state that every driver needs. What else the
// kiosk reports stays in Raw and is read with Field.
type State struct {
	State   string          `json:"state"`             // booth state, such as "framing"
	Session string          `json:"session,omitempty"` // "" when nobody is here
	Lang    string          `json:"lang,omitempty"`
	Toast   string          `json:"toast,omitempty"` // the last refusal, as shown
	Lamps   map[string]Lamp `json:"lamps,omitempty"` // camera, central, outbox, disk, plate
	Raw     json.RawMessage `json:"-"`               // the whole object as the kiosk sent it
}

// Lamp is one status light as the staff see it.
type Lamp struct {
	Level string `json:"level"` // ok, note, warn, bad
	Text  string `json:"text,omitempty"`
}

// Field finds a value by its path of object keys, such as "saved.seq". It
// reports false when there is none. Numbers are json.Number.
func (s State) Field(path string) (any, bool) {
	dec := json.NewDecoder(bytes.NewReader(s.Raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, false
	}
	for key := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[key]; !ok {
			return nil, false
		}
	}
	return value, true
}

// response is one line from the kiosk.
type response struct {
	OK      bool            `json:"ok"`
	Error   string          `json:"error,omitempty"`
	State   json.RawMessage `json:"state,omitempty"`
	Targets []Target        `json:"targets,omitempty"`
}

// ParseRequest reads one request line. The line comes from outside: anything
// that is not exactly one known request is an error, never a guess.
func ParseRequest(line []byte) (Request, error) {
	if len(line) > MaxRequestBytes {
		return Request{}, fmt.Errorf("request of %d bytes is longer than %d", len(line), MaxRequestBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var req Request
	if err := dec.Decode(&req); err != nil {
		return Request{}, fmt.Errorf("request is not a JSON object of op and cmd: %w", err)
	}
	if dec.InputOffset() != int64(len(bytes.TrimRight(line, " \t\r\n"))) {
		return Request{}, errors.New("request has something after its JSON object")
	}
	switch req.Op {
	case OpState, OpTargets:
		if req.Cmd != "" {
			return Request{}, fmt.Errorf("request %q takes no cmd", req.Op)
		}
	case OpScene:
		if err := checkScene(req.Cmd); err != nil {
			return Request{}, err
		}
	default:
		return Request{}, fmt.Errorf("request op is none of %q, %q, %q", OpState, OpTargets, OpScene)
	}
	return req, nil
}

// checkScene bounds a command so that a Handler may log it.
func checkScene(cmd string) error {
	switch {
	case cmd == "":
		return errors.New("scene request has no cmd")
	case len(cmd) > MaxSceneBytes:
		return fmt.Errorf("scene cmd of %d bytes is longer than %d", len(cmd), MaxSceneBytes)
	case !utf8.ValidString(cmd) || strings.ContainsFunc(cmd, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("scene cmd has unprintable characters")
	}
	return nil
}
