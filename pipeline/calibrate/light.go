package calibrate

import (
	"fmt"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// Limits of the light, and what its advice takes for granted.
const (
	// target is where the strongest colour of the backdrop should stand, linear:
	// two thirds of a stop below white. A white wall is then white without
	// clipping; a grey or green one a stop darker than that is still well lit.
	target = .63
	// Stops from the target. A white wall two stops under looks grey, three under
	// it is as noisy as the clothes before it.
	stopsWarnLow  = -1.75
	stopsFailLow  = -2.75
	stopsWarnHigh = .45
	// Left against right: 15 % is a fifth of a stop and shows in a face; beyond
	// 60 % a lamp is off.
	sidesWarn = 15.
	sidesFail = 60.
	// Top against bottom: lamps above the head always light the top more, and
	// half of it is lost behind the person.
	topWarn = 40.
	// lampDistance is from where a lamp is taken to light the backdrop, in
	// centimetres, to say how far to move it.
	lampDistance = 120.
	// The camera renders a balanced grey at 6504 K. Within a tenth nobody sees a
	// cast; skin is judged on its own at every photo.
	kelvinLow, kelvinHigh = 5600., 7600.
	tintMost              = 8. // Duv × 1000
	// What is further from the light of any lamp than this is a coloured wall.
	neutralKelvinLow, neutralKelvinHigh = 2600., 14000.
	neutralTint                         = 25.
	sidesKelvin                         = 600. // between left and right: two kinds of lamps
)

type rgb [3]float64

func (c rgb) luminance() float64 { return .2126*c[0] + .7152*c[1] + .0722*c[2] }

func (c rgb) plus(d rgb, k float64) rgb {
	for i := range c {
		c[i] += k * d[i]
	}
	return c
}

// linear is the light of an 8-bit sRGB level, 0 to 1 (IEC 61966-2-1).
func linear(v float64) float64 {
	v /= 255
	if v <= .04045 {
		return v / 12.92
	}
	return math.Pow((v+.055)/1.055, 2.4)
}

// thirds are the mean linear colours of the middle of the picture and of its
// outer thirds.
type thirds struct{ all, left, right, top, bottom rgb }

func measureThirds(p *matte.Plate) thirds {
	w, h := max(p.W/cell, 3), max(p.H/cell, 3)
	pic := p.Reduce(w, h)
	a := area(w, h)
	var t thirds
	var n, nl, nr, nt, nb float64
	for y := a.Min.Y; y < a.Max.Y; y++ {
		for x := a.Min.X; x < a.Max.X; x++ {
			i := y*w + x
			c := rgb{linear(float64(pic[0][i])), linear(float64(pic[1][i])), linear(float64(pic[2][i]))}
			t.all, n = t.all.plus(c, 1), n+1
			if 3*(x-a.Min.X) < a.Dx() {
				t.left, nl = t.left.plus(c, 1), nl+1
			} else if 3*(a.Max.X-1-x) < a.Dx() {
				t.right, nr = t.right.plus(c, 1), nr+1
			}
			if 3*(y-a.Min.Y) < a.Dy() {
				t.top, nt = t.top.plus(c, 1), nt+1
			} else if 3*(a.Max.Y-1-y) < a.Dy() {
				t.bottom, nb = t.bottom.plus(c, 1), nb+1
			}
		}
	}
	for _, m := range []struct {
		c *rgb
		n float64
	}{{&t.all, n}, {&t.left, nl}, {&t.right, nr}, {&t.top, nt}, {&t.bottom, nb}} {
		*m.c = rgb{}.plus(*m.c, 1/max(m.n, 1))
	}
	return t
}

// measureLight measures the wall, and the colour of the light on the card where
// there is one.
func measureLight(p *matte.Plate, card *rgb) Light {
	t := measureThirds(p)
	part := func(a, b rgb) float64 {
		return math.Round(2000*(a.luminance()-b.luminance())/max(a.luminance()+b.luminance(), 1e-6)) / 10
	}
	l := Light{
		LeftRight: part(t.left, t.right), TopBottom: part(t.top, t.bottom),
		Stops: math.Round(100*math.Log2(max(t.all[0], t.all[1], t.all[2], 1e-4)/target)) / 100,
	}
	grey := t.all
	if card != nil {
		grey, l.Card = *card, true
	}
	if k, tint, ok := temperature(grey); ok {
		l.Neutral, l.Kelvin, l.Tint = true, math.Round(k/10)*10, math.Round(tint*10)/10
	}
	return l
}

// temperature is the correlated colour temperature of a linear sRGB colour, as a
// display shows it, by McCamy's cubic (1992), and 1000 times its distance from
// the Planckian locus in CIE 1960 uv (Duv: above 0 is green), the locus after
// Krystek (1985). ok is false for a colour that is no light of a lamp.
func temperature(c rgb) (kelvin, tint float64, ok bool) {
	x := .4124*c[0] + .3576*c[1] + .1805*c[2]
	y := .2126*c[0] + .7152*c[1] + .0722*c[2]
	z := .0193*c[0] + .1192*c[1] + .9505*c[2]
	sum := x + y + z
	if !(sum > 1e-4) {
		return 0, 0, false
	}
	x, y = x/sum, y/sum
	n := (x - .3320) / (.1858 - y)
	k := 449*n*n*n + 3525*n*n + 6823.3*n + 5520.33
	if !(k >= neutralKelvinLow && k <= neutralKelvinHigh) {
		return 0, 0, false
	}
	u, v := 4*x/(12*y-2*x+3), 6*y/(12*y-2*x+3)
	pu := (.860117757 + 1.54118254e-4*k + 1.28641212e-7*k*k) / (1 + 8.42420235e-4*k + 7.08145163e-7*k*k)
	pv := (.317398726 + 4.22806245e-5*k + 4.20481691e-8*k*k) / (1 - 2.89741816e-5*k + 1.61456053e-7*k*k)
	tint = 1000 * math.Copysign(math.Hypot(u-pu, v-pv), v-pv)
	// Daylight, to which cameras balance, lies 3 above the locus: that is no tint.
	tint -= 3
	return k, tint, math.Abs(tint) <= neutralTint
}

func judgeExposure(j *Judgement) {
	s := j.Light.Stops
	by := math.Round(math.Abs(s)*2) / 2
	var w words
	switch {
	case s < stopsFailLow:
		w = words{fmt.Sprintf("太暗了：离合适的亮度差约 %.1f 档。请开灯、把灯移近，或延长相机曝光。", by), fmt.Sprintf("Much too dark: about %.1f stops below the target. Switch the lamps on, move them closer or lengthen the exposure.", by)}
	case s < stopsWarnLow:
		w = words{fmt.Sprintf("偏暗约 %.1f 档。请把两盏灯都移近一些，或加长相机曝光。", by), fmt.Sprintf("About %.1f stops too dark. Move both lamps closer or lengthen the exposure.", by)}
	case s > stopsWarnHigh:
		w = words{fmt.Sprintf("偏亮约 %.1f 档。请把两盏灯都移远一些，或缩短相机曝光。", max(by, .5)), fmt.Sprintf("About %.1f stops too bright. Move both lamps away or shorten the exposure.", max(by, .5))}
	default:
		w = words{"亮度合适。", "The exposure is right."}
	}
	j.judge(Dark, "stops", &s, ptr(stopsFailLow), s >= stopsWarnLow && s <= stopsWarnHigh, s >= stopsFailLow, w)
}

// Limits of pixels without detail, in per cent of the middle of the picture.
const (
	clipWarn = .1
	clipFail = 1.
)

// judgeClipping counts pixels that stand at the end of the range in any colour
// in the mean of all frames: what noise touches now and then is not lost yet.
func judgeClipping(j *Judgement, p *matte.Plate) {
	a := area(p.W, p.H)
	row := make([]float32, 3*p.W)
	white, black := 0, 0
	for y := a.Min.Y; y < a.Max.Y; y++ {
		p.Row(row, y)
		for x := a.Min.X; x < a.Max.X; x++ {
			r, g, b := row[3*x], row[3*x+1], row[3*x+2]
			if max(r, g, b) >= 254 {
				white++
			}
			if min(r, g, b) <= 1 {
				black++
			}
		}
	}
	n := float64(max(a.Dx()*a.Dy(), 1))
	whites, blacks := 100*float64(white)/n, 100*float64(black)/n
	share := max(whites, blacks)
	w := words{"没有过曝或死黑。", "Nothing is clipped."}
	if share > clipWarn {
		w = words{
			fmt.Sprintf("背景过曝（%.1f%% 的像素全白）。请把灯移远，或缩短相机曝光。", whites),
			fmt.Sprintf("The backdrop is overexposed (%.1f %% of its pixels are white). Move the lamps away or shorten the exposure.", whites),
		}
		if blacks > whites {
			w = words{
				fmt.Sprintf("背景有死黑（%.1f%% 的像素有一种颜色为 0）。请加灯，或延长相机曝光。", blacks),
				fmt.Sprintf("Parts of the backdrop are black (%.1f %% of its pixels lack a colour). Add light or lengthen the exposure.", blacks),
			}
		}
	}
	j.judge(Clipped, "%", &share, ptr(clipFail), share <= clipWarn, share < clipFail, w)
}

// moveBy is how far, in centimetres, to move a lamp whose light is part per cent
// above the other's: light falls with the square of the distance. A multiple of
// five; nobody measures closer.
func moveBy(part float64) float64 {
	k := (200 + math.Abs(part)) / max(200-math.Abs(part), 20) // brighter side over darker
	return max(5*math.Round(lampDistance*(math.Sqrt(k)-1)/5), 5)
}

// judgeEvenness says which lamp to move.
func judgeEvenness(j *Judgement) {
	d := j.Light.LeftRight
	a := math.Abs(d)
	bright, dim, brightEN, dimEN := "左", "右", "left", "right"
	if d < 0 {
		bright, dim, brightEN, dimEN = dim, bright, dimEN, brightEN
	}
	w := words{"左右光线均匀。", "The light is even from left to right."}
	switch {
	case a > sidesFail:
		w = words{
			fmt.Sprintf("%s侧灯几乎没有光（%s侧亮 %.0f%%）。请检查%s侧的灯是否打开、是否被挡住。左右以面向背景为准。", dim, bright, a, dim),
			fmt.Sprintf("The %s lamp gives next to no light (the %s side is %.0f %% brighter). Is the %s lamp on and unobstructed? Sides as seen when facing the backdrop.", dimEN, brightEN, a, dimEN),
		}
	case a > sidesWarn:
		w = words{
			fmt.Sprintf("%s侧灯太亮（亮 %.0f%%），请把%s灯移远约 %.0f 厘米，或把%s灯移近。左右以面向背景为准。", bright, a, bright, moveBy(a), dim),
			fmt.Sprintf("The %s lamp is too bright (by %.0f %%): move it away by about %.0f cm, or the %s lamp closer. Sides as seen when facing the backdrop.", brightEN, a, moveBy(a), dimEN),
		}
	}
	j.judge(LeftWise, "%", &d, ptr(sidesFail), a <= sidesWarn, a <= sidesFail, w)

	v := j.Light.TopBottom
	w = words{"上下光线均匀。", "The light is even from top to bottom."}
	switch {
	case v > topWarn:
		w = words{fmt.Sprintf("上面比下面亮 %.0f%%，请把灯放低一些或把灯头朝下。", v), fmt.Sprintf("The top is %.0f %% brighter than the bottom: lower the lamps or tilt them down.", v)}
	case v < -topWarn:
		w = words{fmt.Sprintf("下面比上面亮 %.0f%%，请把灯升高一些或把灯头朝上。", -v), fmt.Sprintf("The bottom is %.0f %% brighter than the top: raise the lamps or tilt them up.", -v)}
	}
	j.judge(TopWise, "%", &v, nil, math.Abs(v) <= topWarn, true, w)
}

// judgeColour says whether the light and the camera's white balance agree.
func judgeColour(j *Judgement, p *matte.Plate, card bool) {
	l := j.Light
	if !l.Neutral {
		j.add(Finding{ID: Colour, Status: Unknown, Unit: "K"}, words{
			"彩色背景判断不了色温。请在相机页面测一次灰卡（或用 --card 给一张灰卡照片）再拍，或看第一张照片的肤色项；两盏灯要同一型号，并固定相机白平衡。",
			"A coloured backdrop cannot tell the colour of the light. Measure a grey card on the camera page (or give a picture of one with --card), or look at the skin colour check of the first photo; use two lamps of one kind and lock the white balance.",
		})
		return
	}
	k := l.Kelvin
	t := measureThirds(p)
	left, _, okL := temperature(t.left)
	right, _, okR := temperature(t.right)
	good, w := castWords(k, l.Tint)
	if !card && okL && okR && math.Abs(left-right) > sidesKelvin {
		good, w = false, words{
			fmt.Sprintf("两侧灯的色温不同：左约 %.0f K，右约 %.0f K。请换成同一型号、同一色温的灯，并挡住窗外的光。", tens(left), tens(right)),
			fmt.Sprintf("The lamps differ in colour: left about %.0f K, right about %.0f K. Use two of one kind and keep daylight out.", tens(left), tens(right)),
		}
	}
	j.judge(Colour, "K", &k, nil, good, true, w)
}

// castWords says whether a balanced grey that shows as a colour temperature k,
// in K, and a tint is without a cast.
func castWords(k, tint float64) (good bool, w words) {
	switch {
	case k < kelvinLow:
		w = words{
			fmt.Sprintf("画面偏黄（约 %.0f K，标准 6500 K）。请把相机白平衡固定在与灯相同的色温，或换 5500 K 的灯。", k),
			fmt.Sprintf("The picture is yellowish (about %.0f K; balanced is 6500 K). Set the camera's white balance to the lamps' colour temperature, or use lamps of 5500 K.", k),
		}
	case k > kelvinHigh:
		w = words{
			fmt.Sprintf("画面偏蓝（约 %.0f K，标准 6500 K）。请把相机白平衡固定在与灯相同的色温，并挡住窗外的光。", k),
			fmt.Sprintf("The picture is bluish (about %.0f K; balanced is 6500 K). Set the camera's white balance to the lamps' colour temperature and keep daylight out.", k),
		}
	case tint > tintMost:
		w = words{"画面偏绿。请换显色好的灯（Ra ≥ 90），或重新设置相机白平衡。", "The picture is greenish. Use lamps that render colour well (Ra ≥ 90), or set the white balance anew."}
	case tint < -tintMost:
		w = words{"画面偏品红。请重新设置相机白平衡。", "The picture is magenta. Set the camera's white balance anew."}
	default:
		good = true
		w = words{fmt.Sprintf("色温约 %.0f K，无偏色。", k), fmt.Sprintf("About %.0f K, without a cast.", k)}
	}
	return good, w
}

func tens(k float64) float64 { return math.Round(k/100) * 100 }
