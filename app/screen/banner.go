package screen

import "github.com/yunzhao-station/yunzhao/app/booth"

// banner is a coloured line with a sign and a sentence in both languages.
type banner struct {
	bg   *panel
	icon *sign
	text pair
}

// banner makes one; icon "" is the level's own.
func (p *page) banner(level booth.Level, icon string, size, second float32) banner {
	tn := toneOf(level)
	if icon == "" {
		icon = tn.icon
	}
	return banner{p.panel(tn.ground, tn.text), p.sign(icon, tn.text), p.pair(size, second, true, tn.text, tn.text)}
}

// tone colours the banner; icon "" is the level's own.
func (b banner) tone(level booth.Level, icon string) {
	tn := toneOf(level)
	if icon == "" {
		icon = tn.icon
	}
	b.bg.tint(tn.ground, tn.text)
	b.icon.set(icon, tn.text)
	b.text.tint(tn.text, tn.text)
}

// set takes the sentence; an empty one takes the banner off the screen.
func (b banner) set(u *ui, t booth.Text) {
	b.text.set(u, t)
	b.show(b.text.a.text != "")
}

func (b banner) on() bool { return b.text.a.text != "" }

func (b banner) show(on bool) {
	setVisible(b.bg.bg, on)
	setVisible(b.icon.img, on)
}

// layout fills r with the banner.
func (b banner) layout(r rect, k float32) {
	place(b.bg.bg, r, k)
	radius(b.bg, k)
	icon, words := r.insetXY(20, 5).cutLeft(36, 14)
	place(b.icon.img, icon.centred(36, 36), k)
	b.text.layoutMid(words, k)
}

// layoutBottom cuts the banner's h units off the bottom of in, at most wide
// across; one that says nothing takes no room.
func (b banner) layoutBottom(in rect, wide, h, between, k float32) (rest rect) {
	if !b.on() {
		b.text.layoutMid(in, k)
		return in
	}
	at, rest := in.cutBottom(h, between)
	b.layout(at.centred(min(at.w, wide), at.h), k)
	return rest
}

// beside splits r into a list and what stands beside it, or below it in a
// portrait window; the shares are the list's.
func (u *ui) beside(r rect, wide, tall float32) (list, other rect) {
	if u.tall {
		return r.cutTop(r.h*tall, gap)
	}
	return r.cutLeft(r.w*wide, gap)
}
