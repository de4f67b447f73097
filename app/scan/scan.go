// Package scan reads identity cards and codes on phones out of the camera's
// frames, while the student before it is not yet known.
//
// It knows nothing of rosters, passes or the visit: it hands on what it read and
// says what to do before the lens. Pictures of cards never leave it, and are
// overwritten as soon as nobody wants them any more.
package scan

import (
	"context"
	"fmt"
	"image"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/idcard"
	"github.com/yunzhao-station/yunzhao/pipeline/qr"
)

// Every is the pace at which frames are read: seven a second, of which one with
// a card in it takes longer.
const Every = 140 * time.Millisecond

// again is how long the same code or card that is still before the lens is not
// handed on another time.
const again = 3 * time.Second

// Hint is what stands before the lens.
type Hint int

// The hints.
const (
	Nothing Hint = iota // neither card nor code
	TooFar              // a card whose digits are too small
	Reading             // a card that is near enough
)

// Frames is where frames come from.
type Frames interface {
	Latest(ctx context.Context, after uint64, dst *camera.Frame) error
}

// Cards finds and reads cards; the package idcard does.
type Cards interface {
	Find(m *image.Gray) ([]idcard.Card, error)
	Number(m *image.Gray, c idcard.Card, valid func(string) bool) (string, error)
	Name(m *image.Gray, c idcard.Card) (string, error)
	Wipe()
	Close()
}

// Codes reads QR codes; the package qr does.
type Codes interface {
	Decode(m *image.Gray) (text string, ok bool)
	Wipe()
}

// Params are the parts of a Reader; all but Rotation are required.
type Params struct {
	Frames Frames
	// Rotation turns frames upright, degrees clockwise.
	Rotation int
	// Wanted tells for which session something is to be read now; "" = none.
	Wanted func() string
	// Valid judges a number; what it refuses was misread.
	Valid func(number string) bool
	// Cards makes the reader of cards, at the first session that wants one.
	Cards func() Cards
	Codes Codes

	Hint func(session string, h Hint)
	Card func(session, number, name string)
	Code func(session, text string)
	// Failed tells that cards cannot be read; codes still are.
	Failed func(session string, err error)
}

// Reader is the loop that reads. It owns its pictures: nothing is allocated a
// frame.
type Reader struct {
	p       Params
	cards   Cards
	broken  bool
	frame   camera.Frame
	gray    image.Gray
	turned  image.Gray
	small   image.Gray
	session string
	hint    Hint
	last    string
	lastAt  time.Time
}

// New makes a reader.
func New(p Params) *Reader { return &Reader{p: p} }

// Run reads until ctx ends.
func (r *Reader) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	defer func() {
		r.rest()
		if r.cards != nil {
			r.cards.Close()
		}
	}()
	var seq uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		session := r.p.Wanted()
		if session != r.session {
			r.rest()
			r.session = session
		}
		if session == "" {
			continue
		}
		wait, cancel := context.WithTimeout(ctx, time.Second)
		err := r.p.Frames.Latest(wait, seq, &r.frame)
		cancel()
		if err != nil {
			continue
		}
		seq = r.frame.Seq
		r.read(session)
	}
}

// rest forgets everything of the session that ended.
func (r *Reader) rest() {
	if r.session == "" {
		return
	}
	r.frame.Wipe()
	for _, m := range []*image.Gray{&r.gray, &r.turned, &r.small} {
		clear(m.Pix[:cap(m.Pix)])
	}
	r.p.Codes.Wipe()
	if r.cards != nil {
		r.cards.Wipe()
	}
	r.session, r.hint, r.last = "", Nothing, ""
}

// read looks at the frame that r holds: for a code first, which is quick.
func (r *Reader) read(session string) {
	m, err := r.upright()
	if err != nil {
		return // a damaged frame; the next one comes
	}
	if text, ok := r.p.Codes.Decode(reduce(&r.small, m)); ok {
		if r.fresh(text) {
			r.p.Code(session, text)
		}
		return
	}
	if r.broken {
		return
	}
	if r.cards == nil {
		r.cards = r.p.Cards()
	}
	if err := r.card(session, m); err != nil {
		r.broken = true
		r.p.Failed(session, err)
	}
}

func (r *Reader) card(session string, m *image.Gray) error {
	cards, err := r.cards.Find(m)
	if err != nil {
		return fmt.Errorf("look for a card: %w", err)
	}
	hint := Nothing
	for _, c := range cards {
		if c.Near() {
			hint = Reading
		} else if hint == Nothing {
			hint = TooFar
		}
	}
	if hint != r.hint {
		r.hint = hint
		r.p.Hint(session, hint)
	}
	for _, c := range cards {
		if !c.Near() {
			continue
		}
		number, err := r.cards.Number(m, c, r.p.Valid)
		if err != nil {
			return fmt.Errorf("read a card's number: %w", err)
		}
		if number == "" {
			continue
		}
		if !r.fresh(number) {
			return nil
		}
		name, err := r.cards.Name(m, c)
		if err != nil {
			return fmt.Errorf("read a card's name: %w", err)
		}
		r.p.Card(session, number, name)
		return nil
	}
	return nil
}

// fresh tells whether text was not handed on a moment ago.
func (r *Reader) fresh(text string) bool {
	now := time.Now()
	if text == r.last && now.Sub(r.lastAt) < again {
		return false
	}
	r.last, r.lastAt = text, now
	return true
}

// upright decodes the luma of the frame, upright.
func (r *Reader) upright() (*image.Gray, error) {
	var err error
	if r.frame.Format == camera.YUYV {
		err = codec.GrayYUYV(&r.gray, r.frame.Data, r.frame.Width, r.frame.Height)
	} else {
		err = codec.DecodeGray(&r.gray, r.frame.Data, codec.Options{})
	}
	if err != nil {
		return nil, fmt.Errorf("decode the frame: %w", err)
	}
	if r.p.Rotation == 0 {
		return &r.gray, nil
	}
	turn(&r.turned, &r.gray, r.p.Rotation)
	return &r.turned, nil
}

// turn turns src clockwise by 90, 180 or 270 degrees into dst.
func turn(dst, src *image.Gray, degrees int) {
	w, h := src.Rect.Dx(), src.Rect.Dy()
	if degrees == 180 {
		codec.ResizeGray(dst, w, h)
	} else {
		codec.ResizeGray(dst, h, w)
	}
	for y := range dst.Rect.Dy() {
		row := dst.Pix[y*dst.Stride:][:dst.Rect.Dx()]
		for x := range row {
			sx, sy := w-1-x, h-1-y // 180
			switch degrees {
			case 90:
				sx, sy = y, h-1-x
			case 270:
				sx, sy = w-1-y, x
			}
			row[x] = src.Pix[sy*src.Stride+sx]
		}
	}
}

// reduce averages blocks of pixels until the longer side is at most qr.Side.
func reduce(dst, src *image.Gray) *image.Gray {
	w, h := src.Rect.Dx(), src.Rect.Dy()
	k := (max(w, h) + qr.Side - 1) / qr.Side
	if k <= 1 {
		return src
	}
	codec.ResizeGray(dst, w/k, h/k)
	for y := range dst.Rect.Dy() {
		row := dst.Pix[y*dst.Stride:][:dst.Rect.Dx()]
		for x := range row {
			sum := 0
			for dy := range k {
				for _, v := range src.Pix[(y*k+dy)*src.Stride+x*k:][:k] {
					sum += int(v)
				}
			}
			row[x] = uint8(sum / (k * k))
		}
	}
	return dst
}

// desk joins idcard's finder and reader.
type desk struct {
	*idcard.Finder
	*idcard.Reader
}

// NewCards makes the reader of cards. What it needs of Tesseract is loaded with
// the first card.
func NewCards() Cards { return desk{idcard.NewFinder(), idcard.New()} }

func (d desk) Wipe() { d.Finder.Wipe(); d.Reader.Wipe() }

func (d desk) Close() {
	d.Finder.Close()
	_ = d.Reader.Close() // gosseract's has nothing to report
}
