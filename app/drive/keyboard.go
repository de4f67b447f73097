package drive

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Keysym is an X key symbol: the code point for Latin-1 characters, 0x01000000
// plus the code point for others, and numbers of their own for keys that write
// nothing (X11 protocol, appendix A).
type Keysym uint32

// The keys a kiosk reacts to beside characters.
const (
	KeyBackspace Keysym = 0xff08
	KeyTab       Keysym = 0xff09
	KeyReturn    Keysym = 0xff0d
	KeyEscape    Keysym = 0xff1b
	KeyLeft      Keysym = 0xff51
	KeyUp        Keysym = 0xff52
	KeyRight     Keysym = 0xff53
	KeyDown      Keysym = 0xff54
	KeyF11       Keysym = 0xffc8
	KeyDelete    Keysym = 0xffff

	keyShift Keysym = 0xffe1
)

// keysymOf gives the symbol that writes r.
func keysymOf(r rune) Keysym {
	switch {
	case r == '\n' || r == '\r':
		return KeyReturn
	case r == '\t':
		return KeyTab
	case r == '\b':
		return KeyBackspace
	case r >= 0x20 && r <= 0x7e, r >= 0xa0 && r <= 0xff:
		return Keysym(r)
	}
	return 0x01000000 + Keysym(r)
}

// Key presses and releases the key that has the symbol, with Shift where the
// keyboard asks for it.
func (d *Display) Key(sym Keysym) error {
	d.gesture.Lock()
	defer d.gesture.Unlock()
	return d.key(sym)
}

// Type types the text with no pause between its characters, as a scanner or a
// card reader does. A character that the keyboard does not have is an error,
// and nothing is typed. The error does not repeat the text.
func (d *Display) Type(ctx context.Context, text string) error {
	d.gesture.Lock()
	defer d.gesture.Unlock()
	var syms []Keysym
	for _, r := range text {
		sym := keysymOf(r)
		if _, err := d.keys.find(d.conn, sym); err != nil {
			return fmt.Errorf("type text: %w", err)
		}
		syms = append(syms, sym)
	}
	for _, sym := range syms {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("type text: %w", err)
		}
		if err := d.key(sym); err != nil {
			return fmt.Errorf("type text: %w", err)
		}
	}
	return nil
}

func (d *Display) key(sym Keysym) (err error) {
	k, err := d.keys.find(d.conn, sym)
	if err != nil {
		return fmt.Errorf("press a key: %w", err)
	}
	codes := []xproto.Keycode{k.code}
	if k.shift {
		shift, err := d.keys.find(d.conn, keyShift)
		if err != nil {
			return fmt.Errorf("press a key: %w", err)
		}
		codes = []xproto.Keycode{shift.code, k.code}
	}
	for _, code := range codes {
		// Deferred, so released in reverse order and after a failure too: a key
		// left down would repeat for ever.
		if e := d.fake(xproto.KeyPress, byte(code), 0, 0); e != nil {
			return fmt.Errorf("press a key: %w", e)
		}
		defer func() {
			if e := d.fake(xproto.KeyRelease, byte(code), 0, 0); e != nil {
				err = errors.Join(err, fmt.Errorf("release a key: %w", e))
			}
		}()
	}
	return nil
}

// stroke is how a symbol is typed.
type stroke struct {
	code  xproto.Keycode
	shift bool
}

// keymap says which key writes which symbol on this server.
type keymap struct {
	mu      sync.Mutex
	strokes map[Keysym]stroke // nil = ask the server again
}

func (k *keymap) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.strokes = nil
}

func (k *keymap) find(conn *xgb.Conn, sym Keysym) (stroke, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.strokes == nil {
		if err := k.loadLocked(conn); err != nil {
			return stroke{}, err
		}
	}
	s, ok := k.strokes[sym]
	if !ok {
		return stroke{}, errors.New("this keyboard has no key for one of the characters")
	}
	return s, nil
}

func (k *keymap) load(conn *xgb.Conn) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.loadLocked(conn)
}

func (k *keymap) loadLocked(conn *xgb.Conn) error {
	setup := xproto.Setup(conn)
	count := int(setup.MaxKeycode) - int(setup.MinKeycode) + 1
	reply, err := xproto.GetKeyboardMapping(conn, setup.MinKeycode, byte(count)).Reply()
	if err != nil {
		return fmt.Errorf("read the keyboard's layout: %w", ended(err))
	}
	k.strokes = strokesOf(setup.MinKeycode, int(reply.KeysymsPerKeycode), reply.Keysyms)
	return nil
}

// strokesOf turns a keyboard mapping around. Column 0 of a key is what it
// writes alone, column 1 what it writes with Shift; further columns belong to
// other layouts, which nobody has switched to. A key whose column 1 is empty
// writes a letter's capital with Shift.
func strokesOf(first xproto.Keycode, columns int, syms []xproto.Keysym) map[Keysym]stroke {
	strokes := make(map[Keysym]stroke)
	add := func(sym Keysym, s stroke) {
		if old, ok := strokes[sym]; sym != 0 && (!ok || old.shift && !s.shift) {
			strokes[sym] = s
		}
	}
	for i := 0; columns > 0 && (i+1)*columns <= len(syms); i++ {
		key := syms[i*columns : (i+1)*columns]
		code := first + xproto.Keycode(i)
		add(Keysym(key[0]), stroke{code: code})
		switch {
		case columns > 1 && key[1] != 0:
			add(Keysym(key[1]), stroke{code: code, shift: true})
		case key[0] >= 'a' && key[0] <= 'z':
			add(Keysym(key[0]-'a'+'A'), stroke{code: code, shift: true})
		}
	}
	return strokes
}
