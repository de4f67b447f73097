package sound

import (
	"encoding/binary"
	"errors"
	"math"
)

// PCM is sound as signed 16-bit little-endian samples of one channel.
type PCM struct {
	Rate    int // samples a second
	Samples []byte
}

// rate of the station's own tones: as much as a small loudspeaker can do.
const rate = 22050

// Tone is one of the station's own sounds.
type Tone int

// The tones.
const (
	Silence  Tone = iota
	Tick          // one second of the countdown
	LastTick      // the last of them
	Stopped       // the countdown has stopped
	Shutter
	Saved // the photo is safe
)

// note is a decaying sine with its octave, like a struck bar.
type note struct {
	hz     float64 // 0 = a click of noise
	at     float64 // seconds from the start
	length float64 // seconds
	loud   float64 // 0..1
}

func (t Tone) notes() []note {
	switch t {
	case Tick:
		return []note{{880, 0, .12, .5}}
	case LastTick:
		return []note{{1318.5, 0, .25, .6}}
	case Stopped:
		return []note{{587.3, 0, .14, .5}, {440, .15, .22, .5}}
	case Shutter:
		return []note{{0, 0, .03, .6}, {0, .07, .05, .5}}
	case Saved:
		return []note{{523.3, 0, .5, .3}, {659.3, .09, .5, .3}, {784, .18, .6, .3}}
	case Silence:
	}
	return nil
}

// PCM synthesises the tone at a volume of 0 to 100 percent. The ear's scale is
// roughly that of the square.
func (t Tone) PCM(volume int) PCM {
	notes := t.notes()
	length := 0.0
	for _, n := range notes {
		length = max(length, n.at+n.length)
	}
	gain := float64(min(max(volume, 0), 100)) / 100
	gain *= gain
	mix := make([]float64, int(length*rate))
	for _, n := range notes {
		seed := uint32(1)
		from := int(n.at * rate)
		for i := range min(int(n.length*rate), len(mix)-from) {
			s := float64(i) / rate
			// Five milliseconds up and an exponential fall to a thousandth: no clicks
			// at either end.
			shape := min(s/.005, 1) * math.Exp(-6.9*s/n.length)
			wave := math.Sin(2*math.Pi*n.hz*s) + .3*math.Sin(4*math.Pi*n.hz*s)
			if n.hz == 0 {
				seed = seed*1664525 + 1013904223
				wave = float64(int32(seed)) / (1 << 31)
				shape = math.Exp(-6.9 * s / n.length)
			}
			mix[from+i] += n.loud * shape * wave / 1.3
		}
	}
	out := make([]byte, 2*len(mix))
	for i, v := range mix {
		binary.LittleEndian.PutUint16(out[2*i:], uint16(int16(32767*gain*min(max(v, -1), 1))))
	}
	return PCM{rate, out}
}

// errWAV reports bytes that are not a WAV file of one channel of 16 bits.
var errWAV = errors.New("sound: not a WAV of one 16-bit channel")

// parseWAV takes the samples out of a WAV file (RIFF, format 1). A length that
// is longer than the data, as programs write that do not know it yet, means all
// there is.
func parseWAV(b []byte) (PCM, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return PCM{}, errWAV
	}
	var p PCM
	for rest := b[12:]; len(rest) >= 8; {
		id, n := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:8]))
		body := rest[8:]
		whole := min(n, uint64(len(body)))
		switch id {
		case "fmt ":
			if whole < 16 || binary.LittleEndian.Uint16(body) != 1 || binary.LittleEndian.Uint16(body[2:]) != 1 || binary.LittleEndian.Uint16(body[14:]) != 16 {
				return PCM{}, errWAV
			}
			p.Rate = int(binary.LittleEndian.Uint32(body[4:]))
			if p.Rate < 4000 || p.Rate > 192000 {
				return PCM{}, errWAV
			}
		case "data":
			if p.Rate == 0 {
				return PCM{}, errWAV
			}
			p.Samples = body[:whole&^1]
			return p, nil
		}
		whole = min(n+n&1, uint64(len(body))) // chunks begin at even places
		rest = body[whole:]
	}
	return PCM{}, errWAV
}
