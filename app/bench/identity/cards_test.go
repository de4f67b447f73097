package identity_test

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/held"
	"github.com/yunzhao-station/yunzhao/pipeline/idcard"
	"github.com/yunzhao-station/yunzhao/pipeline/idcard/cardtest"
	"github.com/yunzhao-station/yunzhao/pipeline/plane"
	"github.com/yunzhao-station/yunzhao/sync/roster"
)

// framesEach is for how many frames a card is held before the lens: a second
// and a half or so at the pace at which they are read.
const framesEach = 6

// holding is how somebody holds a card, and what the light does.
type holding struct {
	scale, roll, yaw, pitch float64
	at                      plane.Point
	c                       held.Conditions
}

// draw picks a way to hold a card, from good to hopeless.
func draw(rng *rand.Rand) holding {
	h := holding{
		scale: .42 + .5*rng.Float64(), roll: .24 * (rng.Float64() - .5), yaw: .7 * (rng.Float64() - .5), pitch: .7 * (rng.Float64() - .5),
		at: plane.Point{X: 960 + 160*(rng.Float64()-.5), Y: 540 + 80*(rng.Float64()-.5)},
		c:  held.Conditions{Noise: 1.5 + 2*rng.Float64(), Blur: .4 + .6*rng.Float64(), Light: .8 + .3*rng.Float64()},
	}
	switch rng.IntN(5) {
	case 0: // out of focus
		h.c.Blur = .8 + 2.6*rng.Float64()
	case 1: // a lamp in the laminate
		h.c.Glare = .15 + .25*rng.Float64()
	case 2: // low light, and the noise that comes with it
		h.c.Light, h.c.Noise = .15+.35*rng.Float64(), 3+5*rng.Float64()
	case 3: // a hand that moves
		h.c.Motion = 1 + 6*rng.Float64()
	}
	return h
}

// jitter is the hand of the next frame.
func (h holding) jitter(rng *rand.Rand) holding {
	d := func(k float64) float64 { return k * (rng.Float64() - .5) }
	h.roll, h.yaw, h.pitch = h.roll+d(.04), h.yaw+d(.1), h.pitch+d(.1)
	h.at.X, h.at.Y = h.at.X+d(20), h.at.Y+d(20)
	if h.c.Motion > 0 {
		h.c.Motion = 1 + rng.Float64()*(h.c.Motion-1)*2
	}
	return h
}

// contrast of the number's print to the card, in levels of the drawn card.
const contrast = 190

// legible is the rule by which a person is taken to be able to read the number,
// in the best of the frames: digits of 20 pixels, whose strokes blur and motion
// leave standing apart, and which stand out of the noise. What a lamp covers
// nobody reads, but the lamp wanders with the card, so that glare does not count
// as illegible.
func (h holding) legible(digitPx float64) bool {
	light := h.c.Light
	return digitPx >= idcard.MinDigitPx && h.c.Blur <= digitPx/12 && h.c.Motion <= digitPx/5 && contrast*light >= 6*h.c.Noise
}

type tally struct{ cards, legible, right, rightLegible, first, wrong, names, nameWrong int }

// TestCards holds fictional cards before the simulated camera. With YUNZHAO_BENCH
// it measures (YUNZHAO_CARDS of them, 400 without); without it looks at a few.
func TestCards(t *testing.T) {
	n := 12
	if os.Getenv("YUNZHAO_BENCH") != "" {
		n = 400
		if v, err := strconv.Atoi(os.Getenv("YUNZHAO_CARDS")); err == nil {
			n = v
		}
	}
	if _, err := cardtest.Draw(cardtest.Person{}); err != nil {
		t.Skip(err)
	}
	room := booth(t)
	rng := rand.New(rand.NewPCG(2026, 9))
	people := map[string]cardtest.Person{}
	for len(people) < 20000 {
		p := cardtest.Invent(rng)
		if roster.ValidResidentID(p.Number) != nil {
			t.Fatal("an invented number is not well-formed")
		}
		people[p.Number] = p
	}
	numbers := make([]string, 0, len(people))
	for number := range people {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	finder, reader := idcard.NewFinder(), idcard.New()
	defer finder.Close()
	defer func() {
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}()
	var (
		sum     tally
		times   []time.Duration
		missed  []string
		decoded image.Gray
		m       = image.NewGray(image.Rect(0, 0, 1920, 1080))
	)
	valid := func(s string) bool { return roster.ValidResidentID(s) == nil }
	for i := range n {
		p := people[numbers[i*len(numbers)/n]]
		card, err := cardtest.Draw(p)
		if err != nil {
			t.Fatal(err)
		}
		// Each card has its own chance, so that it is held the same way whatever
		// was read of the cards before it.
		rng := rand.New(rand.NewPCG(2026, uint64(i)))
		h := draw(rng)
		sum.cards++
		var took time.Duration
		legible, got, name, frames := false, "", "", 0
		best := 0.
		for f := range framesEach {
			k := h.jitter(rng)
			k.c.Corners = held.Tilted(cardtest.Size.X, cardtest.Size.Y, k.at, k.scale, k.roll, k.yaw, k.pitch)
			copy(m.Pix, room.Pix)
			held.Draw(m, card, k.c, rng)
			jpg, err := codec.EncodeYCbCr(nil, grey(m), 88)
			if err != nil {
				t.Fatal(err)
			}
			digit := 3 * k.scale * cardtest.PerMM
			best = max(best, digit)
			legible = legible || k.legible(digit)
			from := time.Now()
			if err := codec.DecodeGray(&decoded, jpg, codec.Options{}); err != nil {
				t.Fatal(err)
			}
			cards, err := finder.Find(&decoded)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cards {
				if got != "" || !c.Near() {
					continue
				}
				if got, err = reader.Number(&decoded, c, valid); err != nil {
					t.Fatal(err)
				}
				if got != "" {
					if name, err = reader.Name(&decoded, c); err != nil {
						t.Fatal(err)
					}
				}
			}
			took += time.Since(from)
			frames = f + 1
			if got != "" {
				break
			}
		}
		if legible {
			sum.legible++
		}
		row, listed := people[got]
		switch {
		case got == p.Number:
			sum.right++
			times = append(times, took)
			if legible {
				sum.rightLegible++
			}
			if frames == 1 {
				sum.first++
			}
			if name == row.Name {
				sum.names++
			} else if name != "" && !roster.SameName(name, row.Name) {
				sum.nameWrong++
			}
		case got != "" && listed:
			sum.wrong++
		case got != "":
			missed = append(missed, fmt.Sprintf("a wrong number, not on the roster: %+v", h))
		}
		if legible && got != p.Number {
			missed = append(missed, fmt.Sprintf("digits %.0f px, blur %.1f, motion %.1f, light %.2f, noise %.1f, glare %.2f", best, h.c.Blur, h.c.Motion, h.c.Light, h.c.Noise, h.c.Glare))
		}
	}
	slices.Sort(times)
	var median, p95 time.Duration
	if len(times) > 0 {
		median, p95 = times[len(times)/2], times[len(times)*95/100]
	}
	t.Logf("\n| cards | legible | number right | of the legible | right with the first frame | wrong accepted | name right, of those | name differs from the roster | median | p95 |\n|---|---|---|---|---|---|---|---|---|---|\n"+
		"| %d | %d | %d | %.1f %% | %d | %d | %d | %d | %d ms | %d ms |\nnot read though legible:\n%s",
		sum.cards, sum.legible, sum.right, 100*float64(sum.rightLegible)/float64(max(sum.legible, 1)), sum.first, sum.wrong, sum.names, sum.nameWrong,
		median.Milliseconds(), p95.Milliseconds(), strings.Join(missed, "\n"))
	if sum.wrong > 0 {
		t.Errorf("%d wrong numbers were accepted", sum.wrong)
	}
	if least := float64(sum.legible) * .8; float64(sum.rightLegible) < least {
		t.Errorf("%d of %d legible cards read", sum.rightLegible, sum.legible)
	}
}

// booth is a frame of the simulated booth with somebody in it.
func booth(t *testing.T) *image.Gray {
	t.Helper()
	src, err := scene.New(scene.Options{Occupied: true, FreeRun: true, Seed: 1, Encode: codec.EncodeYCbCr})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var f camera.Frame
	if err := src.Next(context.Background(), &f); err != nil {
		t.Fatal(err)
	}
	var m image.Gray
	if err := codec.DecodeGray(&m, f.Data, codec.Options{}); err != nil {
		t.Fatal(err)
	}
	return &m
}

// grey is m as the camera's encoder takes it.
func grey(m *image.Gray) *image.YCbCr {
	c := image.NewYCbCr(m.Rect, image.YCbCrSubsampleRatio420)
	copy(c.Y, m.Pix)
	for i := range c.Cb {
		c.Cb[i], c.Cr[i] = 128, 128
	}
	return c
}
