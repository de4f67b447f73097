package calibrate

import (
	"image"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// small is the picture as a Watch gets it: averaged down.
func small(f *image.RGBA, size image.Point) *image.RGBA {
	out := image.NewRGBA(image.Rectangle{Max: size})
	w, h := f.Rect.Dx(), f.Rect.Dy()
	for y := range size.Y {
		for x := range size.X {
			for c := range 3 {
				sum, n := 0, 0
				for j := y * h / size.Y; j < (y+1)*h/size.Y; j++ {
					for i := x * w / size.X; i < (x+1)*w/size.X; i++ {
						sum += int(f.Pix[f.PixOffset(i, j)+c])
						n++
					}
				}
				out.Pix[out.PixOffset(x, y)+c] = uint8((sum + n/2) / n)
			}
		}
	}
	return out
}

func TestWatchNamesWhatChanged(t *testing.T) {
	b := usual()
	b.texture, b.stand = 1, true
	p, _ := b.calibrate(t, Options{HasFace: nobody}, 8)
	for name, c := range map[string]struct {
		change func(*wall)
		cause  Cause
		words  string
	}{
		"nothing":            {func(*wall) {}, None, ""},
		"exposure wanders":   {func(b *wall) { b.colour = [3]float64{200, 202, 200} }, None, ""},
		"left lamp off":      {func(b *wall) { b.light, b.colour = 1.2, [3]float64{170, 172, 170} }, LampLeft, "左侧灯"},
		"right lamp off":     {func(b *wall) { b.light, b.colour = -1.2, [3]float64{170, 172, 170} }, LampRight, "右侧灯"},
		"a lamp was added":   {func(b *wall) { b.light, b.colour = .9, [3]float64{225, 227, 225} }, LampUneven, "灯光分布"},
		"dimmer":             {func(b *wall) { b.colour = [3]float64{165, 167, 165} }, Dimmer, "暗了"},
		"brighter":           {func(b *wall) { b.colour = [3]float64{240, 242, 240} }, Brighter, "亮了"},
		"white balance":      {func(b *wall) { b.colour = [3]float64{220, 206, 185} }, WhiteBalance, "白平衡"},
		"all lamps off":      {func(b *wall) { b.colour, b.noise = [3]float64{4, 4, 4}, 1 }, Blackout, "全黑"},
		"a bag":              {func(b *wall) { b.box = image.Rect(280, 240, 360, 360) }, Moved, "动过"},
		"the camera knocked": {func(b *wall) { b.shift = 40 }, Moved, "动过"},
		"somebody":           {func(b *wall) { b.box, b.boxMoves = image.Rect(100, 60, 200, 360), 5 }, Occupied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			now := b
			c.change(&now)
			w := NewWatch(p)
			first, err := w.Look(small(now.frame(20, 5), w.Size()))
			if err != nil || first.Cause != Occupied && c.cause != Blackout {
				t.Errorf("the first look finds %s: %v", first.Cause, err)
			}
			got, err := w.Look(small(now.frame(21, 5), w.Size()))
			if err != nil || got.Cause != c.cause || !strings.Contains(got.ZH, c.words) || (got.ZH == "") != (c.words == "") || (got.EN == "") != (c.words == "") {
				t.Errorf("%+v, want %s %s: %v", got, c.cause, c.words, err)
			}
			if strings.Contains(got.ZH+got.EN, "%!") {
				t.Error(got.ZH, got.EN)
			}
		})
	}
}

func TestWatchRefusesOtherSizesAndForgets(t *testing.T) {
	b := usual()
	p, _ := b.calibrate(t, Options{HasFace: nobody}, 8)
	w := NewWatch(p)
	if _, err := w.Look(nil); err == nil {
		t.Error("nothing was looked at")
	}
	if _, err := w.Look(image.NewRGBA(image.Rect(0, 0, 5, 5))); err == nil {
		t.Error("a picture of another size was looked at")
	}
	for range 2 {
		if _, err := w.Look(small(b.frame(0, 1), w.Size())); err != nil {
			t.Fatal(err)
		}
	}
	last := w.last
	w.Forget()
	for _, v := range last {
		if v != 0 {
			t.Fatal("the last picture is kept")
		}
	}
	if got, err := w.Look(small(b.frame(0, 1), w.Size())); err != nil || got.Cause != Occupied {
		t.Errorf("after Forget %s: %v", got.Cause, err)
	}
}

func TestAlarmDoesNotFlicker(t *testing.T) {
	letters := map[rune]Cause{'.': None, 'o': Occupied, 'd': Dimmer, 'w': WhiteBalance, 'm': Moved}
	for name, c := range map[string]struct{ seen, raised string }{
		"raised after a while":        {"ddddd", "...dd"},
		"not by one look":             {"d.d.d.d.", "........"},
		"taken back after a while":    {"dddd....", "...dddd."},
		"not by one good look":        {"dddd.d.d", "...ddddd"},
		"another cause replaces it":   {"ddddwwww", "...ddddw"},
		"people say nothing":          {"ddoodd", ".....d"},
		"people do not clear it":      {"ddddoooooo", "...ddddddd"},
		"a thing must stay longer":    {"mmmmmmmmmm", ".........m"},
		"a person who stands still":   {"mmmmmmommmmmmmmmmm", "................mm"},
		"two that take turns":         {"dwdwdwdwdw", ".........."},
		"nothing ever":                {"....oo..", "........"},
		"a thing that goes away":      {"mmmmm.....", ".........."},
		"occupied from the beginning": {"oooooooo", "........"},
	} {
		t.Run(name, func(t *testing.T) {
			var a Alarm
			got, changes, before := "", 0, None
			for _, l := range c.seen {
				changed := a.Note(Change{Cause: letters[l]})
				now := a.Raised().Cause
				if changed != (now != before) {
					t.Errorf("changed is %v from %s to %s", changed, before, now)
				}
				if changed {
					changes++
				}
				before = now
				for r, cause := range letters {
					if cause == now {
						got += string(r)
					}
				}
			}
			if got != c.raised {
				t.Errorf("raised %s, want %s", got, c.raised)
			}
		})
	}
}

func TestAlarmOfAShot(t *testing.T) {
	var a Alarm
	if a.Raise(Change{Cause: None}) || a.Raise(Change{Cause: Occupied}) || a.Raise(Change{}) {
		t.Error("nothing was raised")
	}
	if !a.Raise(Change{Cause: Moved}) || a.Raise(Change{Cause: Moved}) || a.Raised().Cause != Moved {
		t.Error("a shot's finding is not raised once")
	}
	for i := range alarmAfter {
		if changed := a.Note(Change{Cause: None}); changed != (i == alarmAfter-1) {
			t.Errorf("look %d: %v", i, changed)
		}
	}
	if a.Raised().Cause != None {
		t.Error("good looks do not clear it")
	}
}

func TestCauseOfAShotsDrift(t *testing.T) {
	for name, c := range map[string]struct {
		d    matte.Drift
		want Cause
	}{
		"none":          {matte.Drift{Kind: matte.DriftNone, Gain: [3]float64{.5, 1, 1}}, None},
		"moved":         {matte.Drift{Kind: matte.DriftMoved, Gain: [3]float64{1, 1, 1}, Residual: 4}, Moved},
		"white balance": {matte.Drift{Kind: matte.DriftLamp, Gain: [3]float64{1.1, 1, .9}}, WhiteBalance},
		"dimmer":        {matte.Drift{Kind: matte.DriftLamp, Gain: [3]float64{.6, .6, .6}}, Dimmer},
		"brighter":      {matte.Drift{Kind: matte.DriftLamp, Gain: [3]float64{1.3, 1.3, 1.3}}, Brighter},
		"uneven":        {matte.Drift{Kind: matte.DriftLamp, Gain: [3]float64{1, 1, 1}, Spread: .3}, LampUneven},
	} {
		got := OfDrift(c.d)
		if got.Cause != c.want || (got.ZH != "") != (c.want != None) || (got.EN != "") != (c.want != None) {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}

func BenchmarkLook(b *testing.B) {
	booth := usual()
	plate, err := matte.NewPlate([]*image.RGBA{booth.frame(0, 1), booth.frame(1, 1)})
	if err != nil {
		b.Fatal(err)
	}
	w := NewWatch(plate)
	pic := small(booth.frame(2, 1), w.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Look(pic); err != nil {
			b.Fatal(err)
		}
	}
}
