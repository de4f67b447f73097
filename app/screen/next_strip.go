package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// nextStrip stands on the welcome screen while a class is called: whom it has
// next, masked, and how far the class is.
type nextStrip struct {
	page *page
	bg   *panel
	icon *sign
	say  pair
	call *button
	skip *button
	on   bool
}

// Heights of the strip: beside its words, or below them in a portrait window,
// stand the buttons.
const (
	nextStripWide = 84
	nextStripTall = 144
)

func newNextStrip(p *page) *nextStrip {
	s := &nextStrip{page: p, bg: p.panel(colTint, colBrand), icon: p.sign("person", colBrand), say: p.pair(22, 15, true, colInk, colInk)}
	s.call = p.button("call-next", lookPrimary, "arrow-right", func() { p.ui.send(booth.CallNext{}) })
	s.skip = p.button("skip-next", lookPlain, "", func() { p.ui.send(booth.SkipNext{}) })
	p.mark("next-strip", s.bg.bg, nil)
	return s
}

func (s *nextStrip) forget() { s.say.set(s.page.ui, booth.Text{}) }

func (s *nextStrip) update(n *booth.NextView) {
	s.on = n != nil
	someone := s.on && n.NameMasked != ""
	setVisible(s.bg.bg, s.on)
	setVisible(s.icon.img, s.on)
	setVisible(s.call, someone)
	setVisible(s.skip, someone)
	s.forget()
	if !s.on {
		return
	}
	t := booth.Text{
		ZH: fmt.Sprintf("%s 已拍 %d / %d，没有要叫的同学了", n.Class, n.Done, n.Total),
		EN: fmt.Sprintf("%s: %d of %d done, nobody is left to call", n.Class, n.Done, n.Total),
	}
	if someone {
		t = booth.Text{
			ZH: fmt.Sprintf("下一位：%s（尾号 %s）　%s 已拍 %d / %d", n.NameMasked, n.NumberTail, n.Class, n.Done, n.Total),
			EN: fmt.Sprintf("Next: %s (ends %s)   %s: %d of %d done", n.NameMasked, n.NumberTail, n.Class, n.Done, n.Total),
		}
	}
	s.say.set(s.page.ui, t)
	s.call.label(booth.Text{ZH: "是我，开始", EN: "It is me: begin"})
	s.skip.label(booth.Text{ZH: "不在，跳过", EN: "Not here: skip"})
}

// layout places the strip at the bottom of r and returns what is left.
func (s *nextStrip) layout(r rect) rect {
	k := s.page.ui.k
	if !s.on {
		s.say.layoutMid(rect{r.x, r.y, 1, 1}, k)
		return r
	}
	height := float32(nextStripWide)
	if s.page.ui.tall {
		height = nextStripTall
	}
	at, rest := r.cutBottom(height, gap)
	place(s.bg.bg, at, k)
	radius(s.bg, k)
	in := at.insetXY(16, 8)
	if s.call.Visible() {
		var call, skip rect
		row := in
		if s.page.ui.tall {
			row, in = in.cutBottom(60, 6)
		}
		call, row = row.cutRight(min(250, row.w*.4), 10)
		skip, row = row.cutRight(min(180, row.w*.4), 14)
		if !s.page.ui.tall {
			in = row
		}
		place(s.call, call, k)
		place(s.skip, skip, k)
	}
	icon, words := in.cutLeft(36, 12)
	place(s.icon.img, icon.centred(34, 34), k)
	s.say.layoutMid(words, k)
	return rest
}
