package calibrate

import (
	"image"
	"math"
	"slices"
	"sync"
	"time"
)

// cell is the side, in pixels, of the squares whose brightness is followed from
// frame to frame: large enough that noise averages out, small enough that a hand
// covers many.
const cell = 16

// strips are the upright parts of the picture whose rows are followed apart:
// stripes of a flickering lamp go through all of them, a person does not.
const strips = 4

// looks are what is kept of every frame.
type looks struct {
	w, h, cols, rows int
	at               []time.Time
	cells            [][]float32 // per frame: log level of each cell
	bands            [][]float32 // per frame: log level of each row of each strip, strip by strip
}

// add measures one frame.
func (l *looks) add(f *image.RGBA, at time.Time) {
	if l.w == 0 {
		l.w, l.h = f.Rect.Dx(), f.Rect.Dy()
		l.cols, l.rows = l.w/cell, l.h/cell
	}
	cells, bands := make([]float32, l.cols*l.rows), make([]float32, strips*l.h)
	var wg sync.WaitGroup
	for part := range 2 {
		wg.Go(func() {
			for j := part * l.rows / 2; j < (part+1)*l.rows/2; j++ {
				l.line(f, j, cells[j*l.cols:(j+1)*l.cols], bands)
			}
		})
	}
	wg.Wait()
	for y := l.rows * cell; y < l.h; y++ { // what no whole cell covers
		for s := range strips {
			bands[s*l.h+y] = bands[s*l.h+y-1]
		}
	}
	l.at, l.cells, l.bands = append(l.at, at), append(l.cells, cells), append(l.bands, bands)
}

// line measures the rows of pixels that line j of the cells covers. The level is
// (R + 2G + B)/4, which is luminance enough.
func (l *looks) line(f *image.RGBA, j int, cells, bands []float32) {
	sums := make([]int, l.cols)
	for y := j * cell; y < (j+1)*cell; y++ {
		row := f.Pix[y*f.Stride:]
		var band, n [strips]int
		for c := range sums {
			s := 0
			q := row[4*c*cell : 4*(c+1)*cell]
			for i := 0; i < len(q); i += 4 {
				s += int(q[i]) + 2*int(q[i+1]) + int(q[i+2])
			}
			sums[c] += s
			k := c * strips / l.cols
			band[k] += s
			n[k] += cell
		}
		for k, v := range band {
			bands[k*l.h+y] = logLevel(float64(v) / float64(4*max(n[k], 1)))
		}
	}
	for c, s := range sums {
		cells[c] = logLevel(float64(s) / (4 * cell * cell))
	}
}

// logLevel is the logarithm of an 8-bit level, with the offset that the matte
// uses too: differences are parts of the light except in the dark.
func logLevel(v float64) float32 { return float32(math.Log(v + 4)) }

func median(v []float32) float32 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}

// Limits of a light that counts as steady. Stripes of 1 % are seen in a smooth
// wall by people who look for them; the matte fits a smooth change of light, but
// not one that is elsewhere in every frame.
const (
	bandWarn    = 1. // per cent of the light, amplitude
	bandFail    = 2.5
	flickerWarn = 1. // per cent of the light, rms
	flickerFail = 2.5
)

// gamma turns small parts of an sRGB level into parts of the light.
const gamma = 2.2

// judgeLamps looks for lamps that flicker with the mains. A rolling shutter
// turns the 100 Hz of a lamp on 50 Hz mains into a few horizontal stripes that
// wander from frame to frame; short exposures at a global shutter or a rate that
// beats with the lamp make the whole picture flicker instead.
func (c *Calibrator) judgeLamps(j *Judgement) {
	l := &c.looks
	n := len(l.bands)
	if n < 3 {
		j.add(Finding{ID: Banding, Status: Unknown, Unit: "%"}, words{"帧数太少，判断不了灯光是否频闪。", "There are too few frames to tell whether the lamps flicker."})
		return
	}
	band := 100 * gamma * l.stripes()
	w := words{"灯光没有频闪条纹。", "The lamps cause no stripes."}
	if band > bandWarn {
		w = words{
			"灯光频闪，画面有横条纹（50 Hz 市电）。请换无频闪灯，或把相机防频闪设为 50 Hz、曝光时间设为 1/100 或 1/50 秒。",
			"The lamps flicker with the mains (50 Hz) and stripe the picture. Use flicker-free lamps, or set the camera's anti-flicker to 50 Hz and its exposure to 1/100 or 1/50 s.",
		}
	}
	j.judge(Banding, "%", &band, ptr(bandFail), band <= bandWarn, band <= bandFail, w)
	level := 100 * gamma * l.unsteady()
	w = words{"亮度稳定。", "The brightness is steady."}
	if level > flickerWarn {
		w = words{
			"亮度忽明忽暗。请检查灯和插头；关掉相机的自动曝光；旁边有窗户时拉上窗帘，然后再拍。",
			"The brightness goes up and down. Check the lamps and plugs, switch the camera's automatic exposure off, draw the curtains, then try again.",
		}
	}
	j.judge(Flicker, "%", &level, ptr(flickerFail), level <= flickerWarn, level <= flickerFail, w)
}

// bandsFrom and bandsTo bound the stripes looked for, in periods to the height
// of the picture: 100 Hz and a readout of 10 to 66 ms give 1 to 7, faster lamps
// more.
const (
	bandsFrom = 1.
	bandsTo   = 20.
)

// stripes is the amplitude of the strongest wandering horizontal wave that goes
// through every strip, as a part of the level.
func (l *looks) stripes() float64 {
	n := len(l.bands)
	// What stays the same from frame to frame is the wall, what moves all rows
	// alike is exposure.
	move := make([][]float64, n)
	mean := make([]float64, strips*l.h)
	for f, b := range l.bands {
		move[f] = make([]float64, strips*l.h)
		for s := range strips {
			level := 0.
			for _, v := range b[s*l.h : (s+1)*l.h] {
				level += float64(v)
			}
			level /= float64(l.h)
			for y := range l.h {
				v := float64(b[s*l.h+y]) - level
				move[f][s*l.h+y] = v
				mean[s*l.h+y] += v / float64(n)
			}
		}
	}
	worst := 0.
	cos, sin := make([]float64, l.h), make([]float64, l.h)
	for k := bandsFrom; k <= bandsTo; k += .5 {
		for y := range cos {
			// A Hann window keeps the wall's slow shape out of the higher waves.
			hann := 1 - math.Cos(2*math.Pi*(float64(y)+.5)/float64(l.h))
			sn, cs := math.Sincos(2 * math.Pi * k * float64(y) / float64(l.h))
			cos[y], sin[y] = hann*cs, hann*sn
		}
		total := 0.
		for f := range move {
			least := math.Inf(1)
			for s := range strips {
				var re, im float64
				m, base := move[f][s*l.h:(s+1)*l.h], mean[s*l.h:(s+1)*l.h]
				for y, v := range m {
					re += (v - base[y]) * cos[y]
					im += (v - base[y]) * sin[y]
				}
				least = min(least, 2*math.Hypot(re, im)/float64(l.h))
			}
			total += least / float64(n)
		}
		worst = max(worst, total)
	}
	// n frames hide 1/n of the variance in their own mean.
	return worst * math.Sqrt(float64(n)/float64(n-1))
}

// unsteady is the rms of what the brightness strays from a slow drift, as a part
// of the level.
func (l *looks) unsteady() float64 {
	n := len(l.cells)
	level, at := make([]float64, n), make([]float64, n)
	for f, c := range l.cells {
		level[f] = float64(median(c))
		at[f] = l.at[f].Sub(l.at[0]).Seconds()
	}
	if !(at[n-1] > 0) { // nobody knows when
		for f := range at {
			at[f] = float64(f)
		}
	}
	for f := range at {
		at[f] = 2*at[f]/at[n-1] - 1
	}
	// A line where there are few frames, a parabola where there are enough: the
	// camera's exposure follows daylight.
	terms := 2
	if n >= MinFrames {
		terms = 3
	}
	fit := newSurface(terms)
	for f, v := range level {
		fit.add([]float64{1, at[f], at[f] * at[f]}[:terms], v, 1)
	}
	k := fit.solve()
	sum := 0.
	for f, v := range level {
		d := v - k[0] - k[1]*at[f]
		if terms > 2 {
			d -= k[2] * at[f] * at[f]
		}
		sum += d * d
	}
	return math.Sqrt(sum / float64(max(n-terms, 1)))
}

// Limits of a picture that counts as still.
const (
	moveNoise = 5.   // standard deviations of the still cells
	moveLeast = .006 // log level; less is no person
	moveWarn  = .05  // per cent of the picture
	moveFail  = .25
)

// judgeMotion looks for what changes from frame to frame beyond noise, exposure
// and stripes.
func (c *Calibrator) judgeMotion(j *Judgement) {
	l := &c.looks
	n := len(l.cells)
	if n < 2 {
		j.add(Finding{ID: Motion, Status: Unknown, Unit: "%"}, words{"只有一帧，判断不了画面里有没有东西在动。", "One frame cannot tell whether anything moves."})
		return
	}
	sum, square := make([]float64, l.cols*l.rows), make([]float64, l.cols*l.rows)
	line := make([]float32, l.cols)
	for _, cells := range l.cells {
		for r := range l.rows {
			for x := range line {
				line[x] = cells[r*l.cols+x] - l.cells[0][r*l.cols+x]
			}
			m := median(line) // exposure and stripes move the whole line
			for x, v := range line {
				d := float64(v - m)
				sum[r*l.cols+x] += d
				square[r*l.cols+x] += d * d
			}
		}
	}
	dev := make([]float32, len(sum))
	for i := range dev {
		m := sum[i] / float64(n)
		dev[i] = float32(math.Sqrt(max(square[i]/float64(n)-m*m, 0)))
	}
	limit := max(moveNoise*median(dev), moveLeast)
	moving := 0
	for _, v := range dev {
		if v > limit {
			moving++
		}
	}
	share := 100 * float64(moving) / float64(len(dev))
	w := words{"画面里没有东西在动。", "Nothing moves in the picture."}
	if share > moveWarn {
		w = words{
			"画面里有东西在动。请让人离开画面，固定好背景布和电线，然后再拍。",
			"Something moves in the picture. Have everybody leave it, fasten the backdrop and the cables, then try again.",
		}
	}
	j.judge(Motion, "%", &share, ptr(moveFail), share <= moveWarn, share <= moveFail, w)
}
