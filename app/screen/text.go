package screen

import (
	"image/color"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/assets/han"
)

// align says where the lines of a block stand in its area.
type align int

const (
	alignLeft align = iota
	alignCentre
	alignRight
)

// textBlock is a paragraph that wraps by the rules of Chinese and Latin text
// and, when it must, shrinks down to floor so that nothing is ever cut off.
type textBlock struct {
	box    *fyne.Container
	text   string
	size   float32 // wanted, design units
	floor  float32 // smallest allowed; 0 = sizeFloor
	bold   bool
	colour color.NRGBA
	align  align
	middle bool // centre the lines vertically
	single bool // never wrap
	ui     *ui  // whose large-text mode it follows; nil = none

	laid  laidOut
	clips bool // even at floor it did not fit; tests refuse this
}

// laidOut is what the present lines were made from.
type laidOut struct {
	text   string
	size   float32
	bold   bool
	colour color.NRGBA
	align  align
	middle bool
	area   rect
	k      float32
}

func newText(size float32, bold bool, colour color.NRGBA) *textBlock {
	return &textBlock{box: group(), size: size, bold: bold, colour: colour}
}

func (t *textBlock) centre() *textBlock { t.align = alignCentre; return t }
func (t *textBlock) mid() *textBlock    { t.middle = true; return t }
func (t *textBlock) line() *textBlock   { t.single = true; return t }

func (t *textBlock) set(s string) { t.text = han.Present(s) }

// show keeps the words but takes them off the screen.
func (t *textBlock) show(on bool) { setVisible(t.box, on) }

// wanted is the size to begin with: larger than the design's in large-text mode.
func (t *textBlock) wanted() float32 { return t.size * t.ui.enlarged() }

// height is what the block would need at its wanted size in the given width.
func (t *textBlock) height(w, k float32) float32 { return t.heightAt(w, k, t.wanted()) }

// heightAt is height at another size.
func (t *textBlock) heightAt(w, k, size float32) float32 {
	if t.text == "" {
		return 0
	}
	return float32(len(t.wrap(w*k, size*k))) * size * lineHeight
}

// least is the smallest size the block may shrink to.
func (t *textBlock) least() float32 {
	if t.floor > 0 {
		return t.floor
	}
	return min(sizeFloor, t.size)
}

// layout wraps the text into r.
func (t *textBlock) layout(r rect, k float32) { t.layoutAt(r, k, t.wanted()) }

// layoutAt is layout with another size to begin with.
func (t *textBlock) layoutAt(r rect, k, size float32) {
	want := laidOut{t.text, size, t.bold, t.colour, t.align, t.middle, r, k}
	if want == t.laid {
		return
	}
	t.laid = want
	floor := t.least()
	var lines []string
	for t.text != "" {
		lines = t.wrap(r.w*k, size*k)
		fits := float32(len(lines))*size*lineHeight <= r.h+1 && t.widest(lines, size*k) <= r.w*k+0.5
		if fits || size <= floor {
			t.clips = !fits
			break
		}
		size = max(floor, size-1)
	}
	if t.text == "" {
		t.clips = false
	}
	step := size * lineHeight
	y := r.y
	used := step * float32(len(lines))
	if t.middle {
		y += (r.h - used) / 2
	}
	for i, s := range lines {
		if i == len(t.box.Objects) {
			t.box.Add(canvas.NewText("", t.colour))
		}
		line, _ := t.box.Objects[i].(*canvas.Text)
		t.apply(line, s, size*k)
		lw := t.measure(s, size*k) / k
		x := r.x
		switch t.align {
		case alignCentre:
			x += (r.w - lw) / 2
		case alignRight:
			x += r.w - lw
		case alignLeft:
		}
		place(line, rect{x, y + float32(i)*step, lw, step}, k)
		setVisible(line, true)
	}
	for _, o := range t.box.Objects[len(lines):] {
		if line, ok := o.(*canvas.Text); ok && line.Text != "" {
			line.Text = "" // nothing of one student stays in a hidden object
			line.Refresh()
		}
		setVisible(o, false)
	}
}

func (t *textBlock) apply(line *canvas.Text, s string, size float32) {
	style := fyne.TextStyle{Bold: t.bold}
	if line.Text == s && line.TextSize == size && line.TextStyle == style && line.Color == color.Color(t.colour) {
		return
	}
	line.Text, line.TextSize, line.TextStyle, line.Color = s, size, style, t.colour
	line.Refresh()
}

func (t *textBlock) measure(s string, size float32) float32 {
	return fyne.MeasureText(s, size, fyne.TextStyle{Bold: t.bold}).Width
}

func (t *textBlock) widest(lines []string, size float32) float32 {
	var w float32
	for _, s := range lines {
		w = max(w, t.measure(s, size))
	}
	return w
}

// wrap breaks the text into lines no wider than width toolkit units.
func (t *textBlock) wrap(width, size float32) []string {
	if t.single {
		return []string{t.text}
	}
	var lines []string
	for _, para := range strings.Split(t.text, "\n") {
		var line strings.Builder
		var used, space float32
		for _, tok := range tokens(para) {
			w := t.measure(tok, size)
			if tok == " " {
				if line.Len() > 0 {
					space += w
				}
				continue
			}
			if line.Len() > 0 && used+space+w > width {
				lines = append(lines, line.String())
				line.Reset()
				used, space = 0, 0
			}
			if space > 0 {
				line.WriteByte(' ')
				used, space = used+space, 0
			}
			line.WriteString(tok)
			used += w
		}
		lines = append(lines, line.String())
	}
	return lines
}

// Characters that may not begin, and that may not end, a line of Chinese
// (GB/T 15834's list, with the half-width forms).
const (
	noLineStart = "，。、；：？！）》」』】〕〉”’…—·%％,.;:?!)]}°"
	noLineEnd   = "（《「『【〔〈“‘([{¥￥"
)

// tokens splits a paragraph into what may not be broken: single Han characters
// with their punctuation, Latin words, and single spaces.
func tokens(s string) []string {
	var out []string
	var cur strings.Builder
	flush := func() {
		if cur.Len() > 0 {
			out = append(out, cur.String())
			cur.Reset()
		}
	}
	glue := false // the next character must stay with cur
	prevHan := false
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t':
			flush()
			out = append(out, " ")
			glue, prevHan = false, false
			continue
		case strings.ContainsRune(noLineStart, r):
			cur.WriteRune(r)
			prevHan = unicode.Is(unicode.Han, r) || r > 0x2000
		case strings.ContainsRune(noLineEnd, r):
			flush()
			cur.WriteRune(r)
			glue = true
			prevHan = false
			continue
		case unicode.Is(unicode.Han, r) || (r >= 0x3000 && r < 0xFF00):
			if !glue {
				flush()
			}
			cur.WriteRune(r)
			prevHan = true
		default:
			if prevHan && !glue {
				flush()
			}
			cur.WriteRune(r)
			prevHan = false
		}
		glue = false
	}
	flush()
	return out
}

func group() *fyne.Container { return &fyne.Container{} }
