package scan

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/idcard"
	"github.com/yunzhao-station/yunzhao/pipeline/qr"
)

// film gives the same picture again and again.
type film struct {
	jpg []byte
	seq uint64
}

func (f *film) Latest(_ context.Context, after uint64, dst *camera.Frame) error {
	f.seq = max(f.seq, after) + 1
	*dst = camera.Frame{Data: append(dst.Data[:0], f.jpg...), Format: camera.MJPEG, Width: 1280, Height: 720, Seq: f.seq}
	return nil
}

func picture(t *testing.T) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 1280, 720))
	m.Pix[0] = 200
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// table is what lies before the lens.
type table struct {
	mu      sync.Mutex
	card    float64 // height of its digits, 0 = no card
	number  string
	code    string
	err     error
	session string

	events []string
	wiped  int
	closed int
	seen   image.Rectangle
}

func (b *table) Find(m *image.Gray) ([]idcard.Card, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = m.Rect
	if b.card == 0 {
		return nil, b.err
	}
	return []idcard.Card{{DigitPx: b.card}}, b.err
}

func (b *table) Number(_ *image.Gray, _ idcard.Card, valid func(string) bool) (string, error) {
	if !valid(b.number) {
		return "", nil
	}
	return b.number, nil
}

func (b *table) Name(*image.Gray, idcard.Card) (string, error) { return "演示", nil }
func (b *table) Decode(*image.Gray) (string, bool)             { return b.code, b.code != "" }
func (b *table) Wipe()                                         { b.mu.Lock(); b.wiped++; b.mu.Unlock() }
func (b *table) Close()                                        { b.closed++ }
func (b *table) add(s string)                                  { b.mu.Lock(); b.events = append(b.events, s); b.mu.Unlock() }

func (b *table) params(t *testing.T, made *int) Params {
	return Params{
		Frames: &film{jpg: picture(t)}, Codes: b,
		Wanted: func() string { b.mu.Lock(); defer b.mu.Unlock(); return b.session },
		Valid:  func(n string) bool { return n != "bad" },
		Cards:  func() Cards { *made++; return b },
		Hint: func(s string, h Hint) {
			b.add(s + " hint " + map[Hint]string{Nothing: "nothing", TooFar: "far", Reading: "reading"}[h])
		},
		Card:   func(s, number, name string) { b.add(s + " card " + number + " " + name) },
		Code:   func(s, text string) { b.add(s + " code " + text) },
		Failed: func(s string, _ error) { b.add(s + " failed") },
	}
}

func (b *table) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *table) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.events
	b.events = nil
	return e
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: %q, want %q", what, got, want)
		}
	}
}

// pass lets time go by in the bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestReaderHandsOnWhatIsHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, made := &table{}, 0
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { New(b.params(t, &made)).Run(ctx); close(done) }()
		wait := pass

		wait(time.Second)
		same(t, "nobody asks", b.take())
		if made != 0 {
			t.Error("the reader of cards was made before anybody wanted it")
		}
		b.set(func() { b.session, b.card, b.number = "S1", 12, "42" })
		wait(time.Second)
		same(t, "too far", b.take(), "S1 hint far")
		b.set(func() { b.card = 25 })
		wait(time.Second)
		same(t, "near", b.take(), "S1 hint reading", "S1 card 42 演示")
		wait(time.Second)
		same(t, "still there", b.take())
		wait(3 * time.Second)
		same(t, "and for long", b.take(), "S1 card 42 演示")
		b.set(func() { b.number = "bad" })
		wait(time.Second)
		same(t, "misread", b.take())
		b.set(func() { b.code = "YZ2:X" })
		wait(time.Second)
		same(t, "a code", b.take(), "S1 code YZ2:X")

		// The next student: everything of the one before is gone, and the same code
		// counts anew.
		wiped := b.wiped
		b.set(func() { b.session = "S2" })
		wait(time.Second)
		same(t, "the next", b.take(), "S2 code YZ2:X")
		if b.wiped == wiped {
			t.Error("nothing was wiped between two students")
		}
		b.set(func() { b.session = "" })
		wiped = b.wiped
		wait(time.Second)
		if b.wiped == wiped {
			t.Error("nothing was wiped at the end")
		}
		cancel()
		<-done
		if b.closed != 1 {
			t.Errorf("closed %d times", b.closed)
		}
	})
}

func TestReaderWithoutTextRecognition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, made := &table{session: "S1", card: 25, err: errors.New("no data")}, 0
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { New(b.params(t, &made)).Run(ctx); close(done) }()
		pass(time.Second)
		same(t, "said once", b.take(), "S1 failed")
		b.set(func() { b.code = "K" })
		pass(time.Second)
		same(t, "codes go on", b.take(), "S1 code K")
		cancel()
		<-done
	})
}

func TestFramesAreTurnedAndReduced(t *testing.T) {
	b, made := &table{session: "S1"}, 0
	p := b.params(t, &made)
	p.Rotation = 90
	r := New(p)
	if err := p.Frames.Latest(t.Context(), 0, &r.frame); err != nil {
		t.Fatal(err)
	}
	r.read("S1")
	if b.seen != image.Rect(0, 0, 720, 1280) {
		t.Errorf("a card is looked for in %v", b.seen)
	}
	src := &image.Gray{Pix: []uint8{1, 2, 3, 4, 5, 6}, Stride: 3, Rect: image.Rect(0, 0, 3, 2)}
	for deg, want := range map[int][]uint8{90: {4, 1, 5, 2, 6, 3}, 180: {6, 5, 4, 3, 2, 1}, 270: {3, 6, 2, 5, 1, 4}} {
		var dst image.Gray
		turn(&dst, src, deg)
		if !bytes.Equal(dst.Pix, want) {
			t.Errorf("%d°: %v, want %v", deg, dst.Pix, want)
		}
	}
	big := image.NewGray(image.Rect(0, 0, 1920, 1080))
	for i := range big.Pix {
		big.Pix[i] = 77
	}
	var small image.Gray
	if got := reduce(&small, big); max(got.Rect.Dx(), got.Rect.Dy()) > qr.Side || got.Pix[100] != 77 {
		t.Errorf("reduced to %v", got.Rect)
	}
}

// The real parts together: nothing is before the lens.
func TestRealPartsFindNothingInAnEmptyRoom(t *testing.T) {
	b, made := &table{session: "S1"}, 0
	p := b.params(t, &made)
	p.Codes, p.Cards = qr.New(), NewCards
	r := New(p)
	if err := p.Frames.Latest(t.Context(), 0, &r.frame); err != nil {
		t.Fatal(err)
	}
	r.read("S1")
	r.rest()
	r.cards.Close()
	same(t, "an empty room", b.take())
}
