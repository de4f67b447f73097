package screen

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/assets/han"
)

// typer is a keyboard on the screen, for staff: a kiosk has no other, and the
// toolkit no input method. Chinese is typed by the first letter of the pinyin and
// a choice among the common characters, in their usual order.
type typer struct {
	page  *page
	field *panel
	shown *textBlock
	keys  []*button // four rows of ten
	foot  []*button // shift, layer, Chinese, space, clear, erase
	count *textBlock

	text    []rune
	most    int
	hidden  bool // a PIN: dots
	digits  bool // nothing but digits
	layer   typerLayer
	initial rune // of the Chinese characters offered
	first   int  // of them
	changed func()
}

type typerLayer string

const (
	layerLower   typerLayer = "abc"
	layerUpper   typerLayer = "ABC"
	layerSigns   typerLayer = "#+="
	layerLetters typerLayer = "letters" // of the pinyin
	layerHan     typerLayer = "han"
)

const typerCols, typerRows = 10, 4

var typerKeys = map[typerLayer]string{
	layerLower:   "1234567890qwertyuiopasdfghjkl-zxcvbnm./:",
	layerUpper:   "1234567890QWERTYUIOPASDFGHJKL_ZXCVBNM./:",
	layerSigns:   `!?@#$%&*+=()[]{}<>|\^~'",;_-…·，。：；（）《》、“”—`,
	layerLetters: "abcdefghjklmnopqrstwxyz",
}

// commonHan are the 3755 common characters of GB 2312 (rows 16 to 55), which
// that standard orders by pinyin.
var commonHan = sync.OnceValue(func() []rune {
	var raw []byte
	for row := 16; row <= 55; row++ {
		for cell := 1; cell <= 94; cell++ {
			if row == 55 && cell > 89 {
				break
			}
			raw = append(raw, byte(row+0xA0), byte(cell+0xA0))
		}
	}
	text, err := simplifiedchinese.GBK.NewDecoder().Bytes(raw)
	if err != nil {
		return nil // an offer less: the table is the library's own
	}
	return []rune(string(text))
})

// hanByInitial are the common characters that have a reading which begins so.
func hanByInitial(letter rune) []rune {
	var out []rune
	for _, r := range commonHan() {
		if han.Initials(r)&(1<<(letter-'a')) != 0 {
			out = append(out, r)
		}
	}
	return out
}

// newTyper makes the keyboard's parts on p; id begins the names of its keys, and
// changed is called after each change of the text.
func newTyper(p *page, id string, changed func()) *typer {
	t := &typer{page: p, most: 40, layer: layerLower, changed: changed}
	t.field = p.panel(colSurface, colBrand)
	t.shown = p.text(30, true, colInk).mid().line()
	t.count = p.text(15, false, colMuted).mid().line()
	for i := range typerCols * typerRows {
		b := p.button(id+"-"+strconv.Itoa(i), lookKey, "", nil)
		b.onTap = func() { t.press(i) }
		t.keys = append(t.keys, b)
	}
	foot := func(name, icon string, tap func()) {
		t.foot = append(t.foot, p.button(id+"-"+name, lookKey, icon, func() { tap(); t.show() }))
	}
	foot("shift", "", func() { t.turn(map[typerLayer]typerLayer{layerLower: layerUpper}[t.layer]) })
	foot("signs", "", func() { t.turn(map[bool]typerLayer{true: layerSigns}[t.layer != layerSigns]) })
	foot("chinese", "", func() {
		t.turn(map[bool]typerLayer{true: layerLetters}[t.layer != layerLetters && t.layer != layerHan])
	})
	foot("space", "", func() { t.add(' ') })
	foot("prev", "arrow-left", func() { t.first = max(0, t.first-typerCols*typerRows) })
	foot("next", "arrow-right", func() { t.first += typerCols * typerRows })
	foot("clear", "cross", t.clear)
	foot("erase", "backspace", t.erase)
	return t
}

// Places of the keys in foot.
const (
	footShift = iota
	footSigns
	footChinese
	footSpace
	footPrev
	footNext
	footClear
	footErase
)

// turn goes to a layer; the empty one is the letters.
func (t *typer) turn(l typerLayer) {
	if l == "" {
		l = layerLower
	}
	t.layer, t.first = l, 0
}

// begin takes what is there already and how much it may be.
func (t *typer) begin(text string, most int) {
	t.clear()
	t.text, t.most, t.hidden, t.digits = []rune(text), most, false, false
	t.turn(layerLower)
}

// value is what was typed.
func (t *typer) value() string { return string(t.text) }

func (t *typer) clear() {
	clear(t.text)
	t.text = t.text[:0]
}

func (t *typer) erase() {
	if n := len(t.text); n > 0 {
		t.text[n-1] = 0
		t.text = t.text[:n-1]
	}
}

// add takes one character, typed here or on a keyboard that is plugged in.
func (t *typer) add(r rune) {
	if len(t.text) < t.most && unicode.IsPrint(r) && (!t.digits || r >= '0' && r <= '9') {
		t.text = append(t.text, r)
	}
}

// offered are the characters of the keys now.
func (t *typer) offered() []rune {
	switch {
	case t.digits:
		return []rune("1234567890")
	case t.layer == layerHan:
		return hanByInitial(t.initial)
	}
	return []rune(typerKeys[t.layer])
}

func (t *typer) press(i int) {
	list := t.offered()
	if i += t.first; i >= len(list) {
		return
	}
	if t.layer == layerLetters && !t.digits {
		t.layer, t.initial, t.first = layerHan, list[i], 0
	} else {
		t.add(list[i])
		if t.layer == layerHan {
			t.turn(layerLetters)
		}
	}
	t.show()
}

// show draws what changed.
func (t *typer) show() {
	t.refresh()
	t.page.ui.send(booth.Stay{}) // somebody is here
	if t.changed != nil {
		t.changed()
	}
	if t.page.ui.rearrange != nil {
		t.page.ui.rearrange()
	}
}

// refresh puts the words on the keys.
func (t *typer) refresh() {
	lang := t.page.ui.lang
	shown := string(t.text)
	if t.hidden {
		shown = strings.Repeat("● ", len(t.text))
	}
	if n := len(t.text); !t.hidden && n > 48 { // the end is what is being typed
		shown = "…" + string(t.text[n-48:])
	}
	t.shown.set(shown)
	t.count.set(strconv.Itoa(len(t.text)) + " / " + strconv.Itoa(t.most))
	list := t.offered()
	t.first = min(t.first, max(0, len(list)-1)/len(t.keys)*len(t.keys))
	for i, b := range t.keys {
		b.plain("", "")
		if at := t.first + i; at < len(list) {
			b.plain(string(list[at]), "")
		}
	}
	t.foot[footShift].plain(map[bool]string{true: "ABC", false: "abc"}[t.layer == layerLower], "")
	t.foot[footSigns].plain(map[bool]string{true: "abc", false: "#+="}[t.layer == layerSigns], "")
	t.foot[footChinese].plain(booth.Text{ZH: "拼音", EN: "中文"}.In(lang), "")
	if t.layer == layerLetters || t.layer == layerHan {
		t.foot[footChinese].plain("abc", "")
	}
	t.foot[footSpace].plain(booth.Text{ZH: "空格", EN: "space"}.In(lang), "")
	t.foot[footPrev].setEnabled(t.first > 0)
	t.foot[footNext].setEnabled(t.first+len(t.keys) < len(list))
}

// visible shows or hides the whole of it.
func (t *typer) visible(on bool) {
	setVisible(t.field.bg, on)
	for _, b := range slices.Concat(t.keys, t.foot) {
		setVisible(b, on)
	}
	if !on {
		t.shown.set("")
		t.count.set("")
	}
}

// layout places field and keys; those without a character are left out.
func (t *typer) layout(r rect) {
	k := t.page.ui.k
	height, apart := float32(64), float32(8)
	if r.h < 330 {
		height, apart = 46, 5
	}
	field, keys := r.cutTop(height, apart)
	place(t.field.bg, field, k)
	radius(t.field, k)
	in := field.insetXY(18, 4)
	count, words := in.cutRight(90, 8)
	t.count.align = alignRight
	t.count.layout(count, k)
	t.shown.layout(words, k)
	if !t.field.bg.Visible() {
		return
	}
	cols, rows := typerCols, typerRows
	list := t.offered()
	if t.digits {
		cols, rows = 5, 2
	}
	keys.h = min(keys.h, float32(rows+1)*72)
	cells := keys.grid(cols, rows+1, apart)
	for i, b := range t.keys {
		on := t.first+i < len(list) && i < cols*rows
		setVisible(b, on)
		if on {
			place(b, cells[i], k)
		}
	}
	han := t.layer == layerHan && !t.digits
	foot := cells[cols*rows]
	foot.w = keys.w
	show := map[int]bool{
		footShift: !t.digits && !han && t.layer != layerLetters, footSigns: !t.digits && !han && t.layer != layerLetters, footChinese: !t.digits,
		footSpace: !t.digits && !han && t.layer != layerLetters, footPrev: han, footNext: han, footClear: true, footErase: true,
	}
	n := 0
	for i := range t.foot {
		if show[i] {
			n++
		}
	}
	at := foot.grid(n, 1, apart)
	n = 0
	for i, b := range t.foot {
		setVisible(b, show[i])
		if show[i] {
			place(b, at[n], k)
			n++
		}
	}
}
