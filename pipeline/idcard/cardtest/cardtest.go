// Package cardtest draws fictional resident identity cards for the tests and
// measurements of what reads them: nobody has their numbers, which end in a
// check character that fits all the same.
package cardtest

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"os"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/yunzhao-station/yunzhao/assets/fonts"
)

// PerMM is the scale of the drawn card, pixels a millimetre.
const PerMM = 15

// Size of a card of format ID-1 (ISO/IEC 7810) at that scale.
var Size = image.Pt(856*PerMM/10, 540*PerMM/10)

// OCRB is where Debian's fonts-ocr-b puts the typeface of the number: of its cuts
// the one with sharp corners, all of whose digits Go can draw.
const OCRB = "/usr/share/fonts/opentype/ocr-b/OCRBS.otf"

// Person is somebody who does not exist.
type Person struct{ Name, Sex, Nation, Born, Number, Address string }

const (
	surnames = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
	given    = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红文辉建国志海波宁欣雨晨浩宇轩子涵梓萱博思源嘉怡"
)

// Invent makes a person up. The region is that of no county (its last four
// digits are 9900 to 9999), so that the number is nobody's.
func Invent(rng *rand.Rand) Person {
	pick := func(s string) string { r := []rune(s); return string(r[rng.IntN(len(r))]) }
	p := Person{Name: pick(surnames) + pick(given), Nation: "汉"}
	if rng.IntN(3) > 0 {
		p.Name += pick(given)
	}
	y, m, d := 2000+rng.IntN(10), 1+rng.IntN(12), 1+rng.IntN(28)
	serial := rng.IntN(999) + 1
	p.Sex = "女"
	if serial%2 == 1 {
		p.Sex = "男"
	}
	province := []string{"11", "13", "21", "32", "37", "41", "44", "51", "61"}[rng.IntN(9)]
	body := fmt.Sprintf("%s99%02d%04d%02d%02d%03d", province, rng.IntN(100), y, m, d, serial)
	p.Number = body + string(Check(body))
	p.Born = fmt.Sprintf("%d 年 %d 月 %d 日", y, m, d)
	p.Address = "示例省示例市示例路" + fmt.Sprint(1+rng.IntN(200)) + "号"
	return p
}

// Check is the check character of the first 17 digits (GB 11643, ISO 7064
// MOD 11-2).
func Check(body string) byte {
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(body[i]-'0') * w
	}
	return "10X98765432"[sum%11]
}

type faces struct{ number, name, text font.Face }

// load opens the typefaces once; faces are not safe for concurrent use.
var load = sync.OnceValues(func() (faces, error) {
	digits, err := os.ReadFile(OCRB)
	if err != nil {
		return faces{}, errors.New("cardtest: needs the typeface of Debian's fonts-ocr-b")
	}
	face := func(data []byte, mm float64) (font.Face, error) {
		f, err := opentype.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("cardtest: read a typeface: %w", err)
		}
		return opentype.NewFace(f, &opentype.FaceOptions{Size: mm * PerMM, DPI: 72, Hinting: font.HintingNone})
	}
	var out faces
	var errs [3]error
	out.number, errs[0] = face(digits, 4.3) // digits 3.0 mm high
	out.name, errs[1] = face(fonts.Regular, 4)
	out.text, errs[2] = face(fonts.Regular, 3.1)
	return out, errors.Join(errs[:]...)
})

var drawing sync.Mutex

// Draw is the front of the person's card as luminance. It is laid out as the
// real one: labels at the left, the portrait at the right, the number below.
func Draw(p Person) (*image.Gray, error) {
	drawing.Lock()
	defer drawing.Unlock()
	f, err := load()
	if err != nil {
		return nil, err
	}
	m := image.NewGray(image.Rectangle{Max: Size})
	// The guilloche: fine waves, light beside the print.
	for y := range Size.Y {
		for x := range Size.X {
			fx, fy := float64(x)/PerMM, float64(y)/PerMM
			v := 222 + 8*math.Sin(2.1*fx+3*math.Sin(.21*fy)) + 7*math.Sin(1.7*fy+2.5*math.Sin(.17*fx)) - 6*math.Sin(.06*(fx+fy))
			m.Pix[y*m.Stride+x] = uint8(v)
		}
	}
	portrait(m)
	text := func(x, y float64, s string, face font.Face, ink uint8, spread float64) {
		d := font.Drawer{Dst: m, Src: image.NewUniform(color.Gray{ink}), Face: face, Dot: fixed.Point26_6{X: fixed.Int26_6(x * PerMM * 64), Y: fixed.Int26_6(y * PerMM * 64)}}
		for _, r := range s {
			at := d.Dot
			d.DrawString(string(r))
			if spread > 0 {
				d.Dot.X = at.X + fixed.Int26_6(spread*PerMM*64)
			}
		}
	}
	const label, ink = 125, 32
	text(6, 11.2, "姓", f.text, label, 0)
	text(10.4, 11.2, "名", f.text, label, 0)
	text(16.6, 11.6, p.Name, f.name, ink, 4.6)
	text(6, 18.6, "性 别", f.text, label, 0)
	text(16.6, 18.6, p.Sex, f.text, ink, 0)
	text(26, 18.6, "民 族", f.text, label, 0)
	text(35, 18.6, p.Nation, f.text, ink, 0)
	text(6, 25.6, "出 生", f.text, label, 0)
	text(16.6, 25.6, p.Born, f.text, ink, 0)
	text(6, 32.6, "住 址", f.text, label, 0)
	text(16.6, 32.6, p.Address, f.text, ink, 0)
	text(6, 48.6, "公民身份号码", f.text, label, 0)
	text(29, 48.9, p.Number, f.number, ink, 2.62)
	return m, nil
}

// portrait is a head and shoulders without features: there is nobody to show.
func portrait(m *image.Gray) {
	fill := func(x, y, w, h float64, v uint8, round bool) {
		r := image.Rect(int(x*PerMM), int(y*PerMM), int((x+w)*PerMM), int((y+h)*PerMM))
		if !round {
			draw.Draw(m, r, image.NewUniform(color.Gray{v}), image.Point{}, draw.Src)
			return
		}
		for py := r.Min.Y; py < r.Max.Y; py++ {
			for px := r.Min.X; px < r.Max.X; px++ {
				dx, dy := (float64(px)-float64(r.Min.X+r.Max.X)/2)/(w/2*PerMM), (float64(py)-float64(r.Min.Y+r.Max.Y)/2)/(h/2*PerMM)
				if dx*dx+dy*dy < 1 {
					m.Pix[py*m.Stride+px] = v
				}
			}
		}
	}
	fill(54, 8, 25, 31, 205, false)
	fill(58, 28, 17, 11, 60, false)
	fill(61, 13, 11, 16, 150, true)
	fill(61, 12, 11, 6, 40, true)
}
