package report

import (
	"fmt"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// face draws text as outlines. PDF writers embed fonts with TrueType outlines
// only, and the station's typeface has others; outlines print the same
// everywhere, and their text cannot be searched: the CSV beside it can.
type face struct {
	font *sfnt.Font
	em   fixed.Int26_6 // units an em has
	buf  sfnt.Buffer
}

func newFace(data []byte) (*face, error) {
	f, err := sfnt.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("report: read typeface: %w", err)
	}
	return &face{font: f, em: fixed.I(int(f.UnitsPerEm()))}, nil
}

// missing stands for a character that the typeface does not have.
const missing = '□'

func (f *face) glyph(r rune) sfnt.GlyphIndex {
	i, err := f.font.GlyphIndex(&f.buf, r)
	if err != nil || i == 0 {
		i, _ = f.font.GlyphIndex(&f.buf, missing)
	}
	return i
}

// width of text at that size, in the unit of size.
func (f *face) width(text string, size float64) float64 {
	w := fixed.Int26_6(0)
	for _, r := range text {
		if a, err := f.font.GlyphAdvance(&f.buf, f.glyph(r), f.em, font.HintingNone); err == nil {
			w += a
		}
	}
	return float64(w) / float64(f.em) * size
}

// draw puts text with its baseline at y, beginning at x; size is the height of an
// em, all in the document's unit.
func (f *face) draw(doc *fpdf.Fpdf, x, y, size float64, text string) error {
	k := size / float64(f.em)
	for _, r := range text {
		g := f.glyph(r)
		segments, err := f.font.LoadGlyph(&f.buf, g, f.em, nil)
		if err != nil {
			return fmt.Errorf("report: draw %U: %w", r, err)
		}
		at := func(p fixed.Point26_6) (float64, float64) { return x + float64(p.X)*k, y + float64(p.Y)*k }
		drawn := false
		for _, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if drawn {
					doc.ClosePath()
				}
				px, py := at(s.Args[0])
				doc.MoveTo(px, py)
			case sfnt.SegmentOpLineTo:
				px, py := at(s.Args[0])
				doc.LineTo(px, py)
			case sfnt.SegmentOpQuadTo:
				cx, cy := at(s.Args[0])
				px, py := at(s.Args[1])
				doc.CurveTo(cx, cy, px, py)
			case sfnt.SegmentOpCubeTo:
				ax, ay := at(s.Args[0])
				bx, by := at(s.Args[1])
				px, py := at(s.Args[2])
				doc.CurveBezierCubicTo(ax, ay, bx, by, px, py)
			}
			drawn = true
		}
		if drawn {
			doc.ClosePath()
			doc.DrawPath("F")
		}
		if a, err := f.font.GlyphAdvance(&f.buf, g, f.em, font.HintingNone); err == nil {
			x += float64(a) * k
		}
	}
	return nil
}

// wrap breaks text into lines of at most that width; words of Latin letters stay
// whole where they fit.
func (f *face) wrap(text string, size, width float64) []string {
	var lines []string
	line, space := "", -1
	for _, r := range text {
		if r == ' ' {
			space = len(line)
		}
		if line != "" && f.width(line+string(r), size) > width {
			rest := ""
			if space > 0 && r != ' ' {
				line, rest = line[:space], line[space+1:]
			}
			lines = append(lines, line)
			line, space = rest, -1
			if r == ' ' {
				continue
			}
		}
		line += string(r)
	}
	return append(lines, line)
}
