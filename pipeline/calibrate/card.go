package calibrate

import (
	"errors"
	"image"
	"math"
)

// ErrCard means that a picture shows no grey card in its middle.
var ErrCard = errors.New("calibrate: no plain grey card in the middle of the picture")

// A card must fill the square in the middle of the picture whose side is this
// part of the shorter side, evenly: a hand or an edge in it is no card.
const (
	cardPart   = .10
	cardUneven = .08 // standard deviation over mean, of any colour, noise averaged out
)

// card is the mean linear colour of a grey card that is held at the seat so that
// it covers the middle of an upright picture.
func card(m *image.RGBA) (rgb, error) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	side := int(cardPart * float64(min(w, h)))
	const grid = 6 // squares of the card that are compared
	if side < 2*grid {
		return rgb{}, ErrCard
	}
	x0, y0 := (w-side)/2, (h-side)/2
	var parts [grid * grid]rgb
	var n [grid * grid]float64
	for y := range side {
		row := m.Pix[(y0+y)*m.Stride:]
		for x := range side {
			i := (y*grid/side)*grid + x*grid/side
			q := row[4*(x0+x):]
			parts[i] = parts[i].plus(rgb{linear(float64(q[0])), linear(float64(q[1])), linear(float64(q[2]))}, 1)
			n[i]++
		}
	}
	var mean, square rgb
	for i, p := range parts {
		for c, v := range p {
			v /= n[i]
			mean[c] += v / (grid * grid)
			square[c] += v * v / (grid * grid)
		}
	}
	for c, v := range mean {
		if v < .01 || v > .95 || math.Sqrt(max(square[c]-v*v, 0)) > cardUneven*v {
			return rgb{}, ErrCard
		}
	}
	if _, _, ok := temperature(mean); !ok {
		return rgb{}, ErrCard
	}
	return mean, nil
}

// Card is the colour of the light as a grey card at the seat shows it.
type Card struct{ colour rgb }

// ReadCard reads a grey card from a picture: upright, the card held at the seat,
// facing the camera, over the middle of the picture. ErrCard means that there is
// none.
func ReadCard(m *image.RGBA) (*Card, error) {
	c, err := card(m)
	if err != nil {
		return nil, err
	}
	return &Card{c}, nil
}

// Judge says whether the light and the camera's white balance agree.
func (c *Card) Judge() Finding {
	j := Judgement{}
	k, tint, _ := temperature(c.colour) // a card has one
	k = math.Round(k/10) * 10
	good, w := castWords(k, tint)
	j.judge(Colour, "K", &k, nil, good, true, w)
	return j.Findings[0]
}

// SetCard takes the colour of the light from a grey card instead of from the
// wall, which may be coloured.
func (c *Calibrator) SetCard(k *Card) { c.card = &k.colour }
