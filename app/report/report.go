// Package report draws a station's day as a PDF for whoever signs for it: whether
// the photos add up, what does not and what to do about it, how fast it went and
// why photos were taken again.
//
// It counts nothing: it gets a day that was counted. Unless people are handed in,
// no student is named.
package report

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/assets/fonts"
)

// Head is what stands above a report.
type Head struct {
	School, Station string
	Version         string
}

// Millimetres of an A4 page.
const (
	pageW, pageH = 210, 297
	margin       = 16
	inner        = pageW - 2*margin
)

type colour struct{ r, g, b int }

var (
	ink   = colour{11, 22, 40}
	muted = colour{75, 85, 99}
	brand = colour{11, 79, 179}
	good  = colour{10, 104, 61}
	bad   = colour{163, 20, 28}
	warn  = colour{133, 77, 0}
	pale  = colour{238, 242, 248}
	line  = colour{200, 208, 220}
)

type page struct {
	doc   *fpdf.Fpdf
	plain *face
	bold  *face
	y     float64
	n     int
	foot  string
	err   error
}

// PDF draws the day. Equal days give equal bytes.
func PDF(h Head, r booth.DayReport) ([]byte, error) {
	plain, err := newFace(fonts.Regular)
	if err != nil {
		return nil, err
	}
	bold, err := newFace(fonts.Bold)
	if err != nil {
		return nil, err
	}
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetCreationDate(r.At.UTC())
	doc.SetModificationDate(r.At.UTC())
	doc.SetCatalogSort(true)
	doc.SetProducer("Yunzhao Station", false)
	doc.SetTitle("Day report "+r.At.Format(time.DateOnly), true)
	doc.SetMargins(0, 0, 0)
	doc.SetAutoPageBreak(false, 0)
	p := &page{doc: doc, plain: plain, bold: bold}
	p.foot = "不含学生姓名 / names no student"
	if len(r.People) > 0 {
		p.foot = "含学生姓名，按个人信息保管 / names students: keep it as personal data"
	}
	p.turn()
	p.head(h, r)
	p.sums(r)
	p.charts(r)
	p.differences(r)
	p.people(r)
	if p.err != nil {
		return nil, p.err
	}
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		return nil, fmt.Errorf("report: write PDF: %w", err)
	}
	return b.Bytes(), nil
}

func (p *page) fill(c colour) { p.doc.SetFillColor(c.r, c.g, c.b) }

func (p *page) rect(x, y, w, h float64, c colour) {
	p.fill(c)
	p.doc.Rect(x, y, w, h, "F")
}

// text draws one line with its baseline at y and returns its width.
func (p *page) text(f *face, x, y, size float64, c colour, s string) float64 {
	p.fill(c)
	if err := f.draw(p.doc, x, y, size, s); err != nil && p.err == nil {
		p.err = err
	}
	return f.width(s, size)
}

func (p *page) right(f *face, x, y, size float64, c colour, s string) {
	p.text(f, x-f.width(s, size), y, size, c, s)
}

func (p *page) centre(f *face, x, y, size float64, c colour, s string) {
	p.text(f, x-f.width(s, size)/2, y, size, c, s)
}

// fit is text that shrinks until it is no wider than w.
func (p *page) fit(f *face, x, y, size, w float64, c colour, s string) {
	if got := f.width(s, size); got > w {
		size *= w / got
	}
	p.text(f, x, y, size, c, s)
}

// turn begins a page.
func (p *page) turn() {
	p.doc.AddPage()
	p.n++
	p.y = margin
	p.text(p.plain, margin, pageH-9, 2.8, muted, p.foot)
	p.right(p.plain, pageW-margin, pageH-9, 2.8, muted, strconv.Itoa(p.n))
}

// room turns the page where less than h millimetres are left.
func (p *page) room(h float64) {
	if p.y+h > pageH-margin {
		p.turn()
	}
}

func (p *page) title(zh, en string) {
	p.room(16)
	p.y += 7
	w := p.text(p.bold, margin, p.y, 4.6, ink, zh)
	p.text(p.plain, margin+w+2, p.y, 3.2, muted, en)
	p.y += 2
	p.rect(margin, p.y, inner, .25, line)
	p.y += 4
}

func (p *page) head(h Head, r booth.DayReport) {
	p.y += 5
	w := p.text(p.bold, margin, p.y, 7, ink, "日报")
	p.text(p.plain, margin+w+3, p.y, 4, muted, "Day report")
	p.right(p.bold, pageW-margin, p.y, 6, ink, r.At.Format(time.DateOnly))
	p.y += 7
	who := h.Station
	if h.School != "" {
		who = h.School + "　" + h.Station
	}
	p.fit(p.plain, margin, p.y, 4, inner-60, ink, who)
	p.right(p.plain, pageW-margin, p.y, 3.2, muted, "截至 / until "+r.At.Format("15:04:05")+"　"+h.Version)
	p.y += 5
}

// sums are the four counts of the same photos, and the verdict.
func (p *page) sums(r booth.DayReport) {
	boxes := []struct {
		n      int
		zh, en string
	}{
		{r.Captured, "拍成", "captured"},
		{r.Kept, "已保存", "saved"},
		{r.Sent, "已送达", "sent"},
		{r.Acked, "已签收", "acknowledged"},
	}
	const between = 10.0
	w := (inner - 3*between) / 4
	for i, b := range boxes {
		x := margin + float64(i)*(w+between)
		p.rect(x, p.y, w, 22, pale)
		p.centre(p.bold, x+w/2, p.y+11, 9, ink, strconv.Itoa(b.n))
		p.centre(p.plain, x+w/2, p.y+18, 3.2, muted, b.zh+" / "+b.en)
		if i > 0 {
			sign, c := "=", good
			if b.n != boxes[i-1].n {
				sign, c = "≠", bad
			}
			p.centre(p.bold, x-between/2, p.y+13, 6, c, sign)
		}
	}
	p.y += 29
	text, c := "全部对上 / everything adds up", good
	switch {
	case len(r.Missing) > 0 || len(r.Strangers) > 0:
		text, c = "对不上，见“差异” / does not add up: see the differences", bad
	case !r.Whole():
		text, c = "都已保存，有的还没签收，见“差异” / all saved, not all acknowledged: see the differences", warn
	}
	p.fit(p.bold, margin, p.y, 4.4, inner, c, text)
	p.y += 6
	p.text(p.plain, margin, p.y, 3.4, ink, fmt.Sprintf("保存照片的 %d 人，没拍完就离开的 %d 人 / %d saved, %d left without", r.Saved, r.Left, r.Saved, r.Left))
	p.y += 2
}

// bar of a chart.
type bar struct {
	value float64
	shown string
	name  string
}

func (p *page) charts(r booth.DayReport) {
	p.title("快慢", "how fast")
	var hours, steps, again []bar
	for _, h := range r.Hours {
		hours = append(hours, bar{float64(h.Saved), strconv.Itoa(h.Saved), strconv.Itoa(h.Hour)})
	}
	for _, s := range r.Steps {
		steps = append(steps, bar{s.Seconds, strconv.FormatFloat(s.Seconds, 'f', 1, 64), s.Name.ZH + " / " + s.Name.EN})
	}
	for _, x := range r.Retakes {
		again = append(again, bar{float64(x.Count), strconv.Itoa(x.Count), x.Name.ZH + " / " + x.Name.EN})
	}
	p.text(p.bold, margin, p.y+3, 3.4, ink, "每小时保存的照片 / photos saved an hour")
	p.columns(margin, p.y+7, inner, 34, hours)
	p.y += 50
	half := (inner - 8.0) / 2
	p.text(p.bold, margin, p.y, 3.4, ink, "每步的中位秒数 / median seconds a step")
	p.text(p.bold, margin+half+8, p.y, 3.4, ink, "为什么重拍 / why again")
	p.rows(margin, p.y+3, half, steps)
	p.rows(margin+half+8, p.y+3, half, again)
	p.y += 5 + 6.5*math.Max(float64(len(steps)), float64(len(again)))
}

func most(bars []bar) float64 {
	m := 0.0
	for _, b := range bars {
		m = max(m, b.value)
	}
	return m
}

// columns stand on a line, each with its number above and its name below.
func (p *page) columns(x, y, w, h float64, bars []bar) {
	p.rect(x, y+h, w, .25, line)
	if len(bars) == 0 {
		p.centre(p.plain, x+w/2, y+h/2, 3.4, muted, "今天没有照片 / no photo today")
		return
	}
	step := w / max(float64(len(bars)), 8)
	for i, b := range bars {
		high := 0.0
		if m := most(bars); m > 0 {
			high = b.value / m * (h - 5)
		}
		left := x + float64(i)*step
		p.rect(left+step*.2, y+h-high, step*.6, high, brand)
		p.centre(p.bold, left+step/2, y+h-high-1.2, 3, ink, b.shown)
		p.centre(p.plain, left+step/2, y+h+4, 3, muted, b.name)
	}
}

// rows are bars that lie, with the name before and the number after.
func (p *page) rows(x, y, w float64, bars []bar) {
	const name = 36.0
	for i, b := range bars {
		at := y + float64(i)*6.5
		p.fit(p.plain, x, at+3.6, 2.9, name-1, ink, b.name)
		long := 0.0
		if m := most(bars); m > 0 {
			long = b.value / m * (w - name - 14)
		}
		p.rect(x+name, at, max(long, .3), 4.4, brand)
		p.text(p.bold, x+name+long+1.5, at+3.6, 3, ink, b.shown)
	}
}

// differences are the photos that are not where they should be by now, and what
// to do about each.
func (p *page) differences(r booth.DayReport) {
	p.title("差异与办法", "differences, and what to do")
	if len(r.Differences) == 0 {
		p.text(p.plain, margin, p.y+2, 3.6, good, "没有差异 / none")
		p.y += 6
		return
	}
	const id, what = 30.0, 58.0
	for _, d := range r.Differences {
		var cells [2][]string
		for i, t := range []booth.Text{d.What, d.Do} {
			w := what - 3.0
			if i == 1 {
				w = inner - id - what
			}
			cells[i] = append(p.plain.wrap(t.ZH, 3.2, w), p.plain.wrap(t.EN, 2.7, w)...)
		}
		n := max(len(cells[0]), len(cells[1]))
		p.room(float64(n)*4.4 + 3)
		c := warn
		if d.Level == booth.Bad {
			c = bad
		}
		p.fit(p.bold, margin, p.y+3, 3.2, id-2, c, d.Packet)
		for i, list := range cells {
			x := margin + id + float64(i)*what
			zh := len(p.plain.wrap([]booth.Text{d.What, d.Do}[i].ZH, 3.2, map[int]float64{0: what - 3, 1: inner - id - what}[i]))
			for j, s := range list {
				size, tint := 3.2, ink
				if j >= zh {
					size, tint = 2.7, muted
				}
				p.text(p.plain, x, p.y+3+float64(j)*4.4, size, tint, s)
			}
		}
		p.y += float64(n)*4.4 + 1.5
		p.rect(margin, p.y, inner, .15, line)
		p.y += 1.5
	}
}

// people are the day's students, where somebody asked for them.
func (p *page) people(r booth.DayReport) {
	if len(r.People) == 0 {
		return
	}
	p.title("学生名单", "the students")
	for i, x := range r.People {
		p.room(6)
		if i%2 == 0 {
			p.rect(margin, p.y-.6, inner, 5.6, pale)
		}
		p.text(p.plain, margin+2, p.y+3.2, 3.2, muted, x.At.In(r.At.Location()).Format("15:04"))
		p.fit(p.bold, margin+18, p.y+3.2, 3.4, 48, ink, x.Name)
		p.fit(p.plain, margin+70, p.y+3.2, 3.2, 38, ink, x.Number)
		p.text(p.plain, margin+112, p.y+3.2, 3.2, ink, x.Packet)
		p.fit(p.plain, margin+138, p.y+3.2, 3.2, inner-140, muted, x.State.ZH+" / "+x.State.EN)
		p.y += 5.6
	}
}
