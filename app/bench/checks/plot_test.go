package checks

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/yunzhao-station/yunzhao/pipeline"
)

// One panel a ladder.
const panelW, panelH, columns = 300, 190, 4

var (
	paper = color.RGBA{255, 255, 255, 255}
	ink   = color.RGBA{40, 40, 40, 255}
	faint = color.RGBA{215, 215, 215, 255}
	shut  = color.RGBA{250, 232, 226, 255} // beyond the limit
)

// marks of a status: shape and colour, so that neither is needed alone.
var marks = map[pipeline.Status]color.RGBA{
	pipeline.Pass:    {30, 130, 70, 255},
	pipeline.Warn:    {205, 130, 0, 255},
	pipeline.Fail:    {190, 30, 40, 255},
	pipeline.Unknown: {130, 130, 130, 255},
	pipeline.Manual:  {130, 130, 130, 255},
}

func plot(path string, outcomes []outcome) error {
	var panels [][]outcome
	for _, o := range outcomes {
		if n := len(panels); n > 0 && panels[n-1][0].ladder == o.ladder {
			panels[n-1] = append(panels[n-1], o)
		} else {
			panels = append(panels, []outcome{o})
		}
	}
	const legend = 24
	rows := (len(panels) + columns - 1) / columns
	m := image.NewRGBA(image.Rect(0, 0, columns*panelW, rows*panelH+legend))
	draw.Draw(m, m.Rect, image.NewUniform(paper), image.Point{}, draw.Src)
	for i, p := range panels {
		panel(m, image.Pt(i%columns*panelW, i/columns*panelH), p)
	}
	x, y := 12, rows*panelH+10
	for _, s := range []struct {
		status pipeline.Status
		text   string
	}{{pipeline.Pass, "pass"}, {pipeline.Warn, "warn"}, {pipeline.Fail, "fail"}, {pipeline.Unknown, "unknown"}} {
		mark(m, x, y, s.status)
		write(m, x+8, y+5, s.text, ink)
		x += 90
	}
	write(m, x, y+5, "shaded: beyond the limit; dashed: the check's limits; one line a person", ink)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}

func panel(m *image.RGBA, at image.Point, os []outcome) {
	l := os[0].ladder
	box := image.Rect(at.X+44, at.Y+34, at.X+panelW-10, at.Y+panelH-24)
	lo, hi := math.Inf(1), math.Inf(-1)
	widen := func(v float64) {
		if !math.IsNaN(v) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	for _, o := range os {
		for _, v := range o.values {
			widen(v)
		}
		widen(o.low)
		widen(o.high)
	}
	if !(hi > lo) {
		lo, hi = lo-1, lo+1
	}
	pad := .06 * (hi - lo)
	lo, hi = lo-pad, hi+pad
	first, last := l.steps[0], l.steps[len(l.steps)-1]
	px := func(s float64) int { return box.Min.X + int((s-first)/(last-first)*float64(box.Dx())) }
	py := func(v float64) int { return box.Max.Y - int((v-lo)/(hi-lo)*float64(box.Dy())) }
	draw.Draw(m, image.Rect(px(l.limit), box.Min.Y, box.Max.X, box.Max.Y), image.NewUniform(shut), image.Point{}, draw.Src)
	line(m, box.Min.X, box.Min.Y, box.Min.X, box.Max.Y, faint)
	line(m, box.Min.X, box.Max.Y, box.Max.X, box.Max.Y, faint)
	for _, v := range []float64{os[0].low, os[0].high} {
		if !math.IsNaN(v) {
			for x := box.Min.X; x < box.Max.X; x += 8 {
				line(m, x, py(v), min(x+4, box.Max.X), py(v), ink)
			}
		}
	}
	for _, o := range os {
		last := -1 // step drawn last; on some people not every step is taken
		for i, v := range o.values {
			x := px(l.steps[i])
			switch {
			case !math.IsNaN(v):
				if last >= 0 {
					line(m, px(l.steps[last]), py(o.values[last]), x, py(v), faint)
				}
				last = i
			case o.status[i] == pipeline.Unknown:
				mark(m, x, box.Max.Y-4, pipeline.Unknown)
			}
		}
		for i, v := range o.values {
			if !math.IsNaN(v) {
				mark(m, px(l.steps[i]), py(v), o.status[i])
			}
		}
	}
	write(m, at.X+8, at.Y+14, l.name, ink)
	write(m, at.X+8, at.Y+28, l.id, color.RGBA{90, 90, 90, 255})
	write(m, at.X+4, box.Min.Y+10, short(hi), ink)
	write(m, at.X+4, box.Max.Y, short(lo), ink)
	write(m, box.Min.X, box.Max.Y+15, fmt.Sprintf("%g", first), ink)
	unit := ascii(l.unit)
	write(m, box.Min.X+box.Dx()/2-7*len(unit)/2, box.Max.Y+15, unit, ink)
	end := fmt.Sprintf("%g", last)
	write(m, box.Max.X-7*len(end), box.Max.Y+15, end, ink)
}

// ascii replaces what the built-in font lacks.
func ascii(s string) string {
	var out []rune
	for _, r := range s {
		switch r {
		case '°':
			out = append(out, []rune("deg")...)
		case 'σ':
			out = append(out, []rune("sigma")...)
		case 'Δ':
			out = append(out, 'd')
		default:
			out = append(out, r)
		}
	}
	return string(out)
}

func short(v float64) string { return fmt.Sprintf("%.3g", v) }

func write(m *image.RGBA, x, y int, s string, c color.RGBA) {
	d := font.Drawer{Dst: m, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

func line(m *image.RGBA, x0, y0, x1, y1 int, c color.RGBA) {
	n := max(max(x1-x0, x0-x1), max(y1-y0, y0-y1), 1)
	for i := range n + 1 {
		m.SetRGBA(x0+(x1-x0)*i/n, y0+(y1-y0)*i/n, c)
	}
}

func mark(m *image.RGBA, x, y int, s pipeline.Status) {
	c := marks[s]
	for j := -3; j <= 3; j++ {
		for i := -3; i <= 3; i++ {
			in := false
			switch s {
			case pipeline.Pass:
				in = i*i+j*j <= 9
			case pipeline.Warn:
				in = max(i, -i) <= (j+3)/2
			case pipeline.Fail:
				in = true
			case pipeline.Unknown, pipeline.Manual:
				in = i == j || i == -j
			}
			if in {
				m.SetRGBA(x+i, y+j, c)
			}
		}
	}
}
