package idcard_test

import (
	"image"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/held"
	"github.com/yunzhao-station/yunzhao/pipeline/idcard"
	"github.com/yunzhao-station/yunzhao/pipeline/idcard/cardtest"
	"github.com/yunzhao-station/yunzhao/pipeline/plane"
)

func fits(n string) bool { return len(n) == 18 && n[17] == cardtest.Check(n[:17]) }

// scene is a frame of 1920×1080 in which the card is held.
func scene(t testing.TB, p cardtest.Person, scale, roll, yaw, pitch float64, c held.Conditions, seed uint64) *image.Gray {
	t.Helper()
	card, err := cardtest.Draw(p)
	if err != nil {
		t.Skip(err)
	}
	rng := rand.New(rand.NewPCG(seed, 3))
	m := image.NewGray(image.Rect(0, 0, 1920, 1080))
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			m.Pix[y*m.Stride+x] = uint8(150 + 30*x/1920)
		}
	}
	c.Corners = held.Tilted(cardtest.Size.X, cardtest.Size.Y, plane.Point{X: 960, Y: 540}, scale, roll, yaw, pitch)
	held.Draw(m, card, c, rng)
	return m
}

func TestReadsACard(t *testing.T) {
	f, r := idcard.NewFinder(), idcard.New()
	defer f.Close()
	defer r.Close()
	right, names := 0, 0
	rng := rand.New(rand.NewPCG(9, 9))
	const n = 10
	for i := range n {
		p := cardtest.Invent(rng)
		m := scene(t, p, .7, .1*(rng.Float64()-.5), .3*(rng.Float64()-.5), .3*(rng.Float64()-.5), held.Conditions{Noise: 2, Blur: .7}, uint64(i))
		from := time.Now()
		cards, err := f.Find(m)
		if err != nil || len(cards) == 0 {
			t.Errorf("card %d not found: %v", i, err)
			continue
		}
		c := cards[0]
		t1 := time.Since(from)
		got, err := r.Number(m, c, fits)
		t2 := time.Since(from)
		if err != nil {
			t.Fatal(err)
		}
		name, err := r.Name(m, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("found after %v, number after %v, name %v after %v", t1, t2, name == p.Name, time.Since(from))
		if got != "" && got != p.Number {
			t.Errorf("card %d: a wrong number was accepted", i)
		}
		if got == p.Number {
			right++
		}
		if name == p.Name {
			names++
		}
	}
	t.Logf("of %d cards %d numbers and %d names are right", n, right, names)
	if right < n-1 || names < n/2 {
		t.Errorf("of %d cards %d numbers and %d names read", n, right, names)
	}
}

// The guilloche of a card that is held far away is as fine as its print is apart,
// and must not tie the rows together.
func TestReadsACardFarAway(t *testing.T) {
	f, r := idcard.NewFinder(), idcard.New()
	defer f.Close()
	defer r.Close()
	for _, c := range []struct {
		name                   string
		scale, roll, yaw, tilt float64
	}{
		{"level", .46, 0, 0, 0},
		{"rolled", .46, .07, .06, .15},
		{"turned, so that the number measures below the least", .455, -.05, -.33, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 5))
			for i := range 3 {
				p := cardtest.Invent(rng)
				m := scene(t, p, c.scale, c.roll, c.yaw, c.tilt, held.Conditions{Noise: 2.5, Blur: .5}, uint64(i))
				cards, err := f.Find(m)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				for _, card := range cards {
					if got == "" && card.Near() {
						if got, err = r.Number(m, card, fits); err != nil {
							t.Fatal(err)
						}
					}
				}
				if got != p.Number {
					t.Errorf("card %d: its number was not read", i)
				}
			}
		})
	}
}
