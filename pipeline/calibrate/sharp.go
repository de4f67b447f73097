package calibrate

import (
	"math"
	"slices"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// An empty wall has nothing to focus on, and the fine pattern that a mean of
// many frames does show may be the sensor's own, which is as fine with the lens
// out of focus. So the wall alone is never called sharp. What can be told:
//
//   - A picture whose noise is smooth at the scale of single pixels has been
//     blurred or enlarged on its way: it fails.
//   - Wall texture that the plate before showed and this one does not: it fails.
//   - A hard edge anywhere in the picture, of the backdrop or of a stand, shows
//     that the lens resolves: it passes.
//
// Else it is unknown, and says what will tell: the sharpness check of the first
// photo, which is measured at the eyes.
const (
	// blurFail is the limit of the noise power in boxes of 2×2 pixels over that in single
	// ones: ¼ for white noise, .8 for a Gaussian blur of σ = 1 px or a webcam that
	// smooths, .93 for σ = 2.
	blurFail = .92
	blurWarn = .86
	// noiseLeast is the noise in 8-bit levels below which compression leaves too
	// little of it to judge by.
	noiseLeast = .35
	// textureLost is the part of the earlier plate's texture that must be left.
	textureLost = .55
	// textureSure is how far texture must stand above what noise leaves in the
	// mean.
	textureSure = 2.5
	// A hard edge: its slope, levels a pixel, its height in levels, and its width
	// (height over slope) in pixels. A sharp edge from a colour sensor is 2 to 3
	// pixels wide.
	edgeSlope = 6.
	edgeRise  = 24.
	edgeWidth = 3.6
	edgesMin  = 24 // of them, on every fourth row
)

// judgeSharpness says whether the picture is sharp; same tells that prev shows
// the same wall.
func judgeSharpness(j *Judgement, p, prev *matte.Plate, same bool) {
	width, edges := edgeWidths(p)
	blur, judged := smoothNoise(p)
	m := j.Find(Motion)
	moving := m != nil && m.Status == Fail
	judged = judged && !moving // what moves is no noise
	f := Finding{ID: Sharp, Unit: "px"}
	switch {
	case edges >= edgesMin && width <= edgeWidth:
		f.Status, f.Value, f.Limit = Pass, &width, ptr(edgeWidth)
		j.add(f, words{"画面里的硬边清晰。", "Hard edges in the picture are sharp."})
	case same && texture(prev) > 0 && texture(p) < textureLost*texture(prev):
		part := texture(p) / texture(prev)
		f.Status, f.Unit, f.Value, f.Limit = Fail, "", &part, ptr(textureLost)
		j.add(f, words{
			"画面比上次背景模糊。请擦镜头、检查对焦（关掉自动对焦，对准座位），然后再拍。",
			"The picture is less sharp than the earlier plate. Clean the lens, check the focus (automatic focus off, set to the seat), then try again.",
		})
	case judged && blur > blurFail:
		f.Status, f.Unit, f.Value, f.Limit = Fail, "", &blur, ptr(blurFail)
		j.add(f, words{
			"画面没有像素级的细节：没对上焦，或相机把小图放大了。请检查对焦，并选相机的原生分辨率。",
			"The picture has no detail at the scale of its pixels: out of focus, or enlarged by the camera. Check the focus and choose a size that the camera really has.",
		})
	case judged && blur > blurWarn:
		f.Status, f.Unit, f.Value, f.Limit = Warn, "", &blur, ptr(blurFail)
		j.add(f, words{
			"相机对画面降噪或放大较多，细节可能不足。请调低相机的降噪，并选原生分辨率。",
			"The camera smooths or enlarges the picture a good deal. Turn its noise reduction down and choose a size that it really has.",
		})
	case p.Frames >= MinFrames && !judged && !moving && texture(p) == 0:
		f.Status = Warn
		j.add(f, words{
			"画面异常平滑，没有噪点也没有纹理：可能没对上焦，或相机降噪过强。请检查对焦，再看第一位同学照片的“清晰”项。",
			"The picture is strangely smooth, without noise or texture: out of focus, or smoothed by the camera. Check the focus, then the sharpness check of the first photo.",
		})
	default:
		f.Status = Unknown
		j.add(f, words{
			"空背景上没有可对焦的细节，判断不了清晰度。请看第一位同学照片的“清晰”项。",
			"An empty wall has nothing to focus on; sharpness is not known. Look at the sharpness check of the first photo.",
		})
	}
}

// smoothNoise is the noise power in boxes of 2×2 over that in single pixels;
// false: there is too little noise to tell.
func smoothNoise(p *matte.Plate) (float64, bool) {
	if p.Frames < 2 {
		return 0, false
	}
	level := meanGreen(p) + 4
	one, two := p.LogNoise(1)*level, p.LogNoise(2)*level
	// Rounding to whole levels adds a twelfth, of each pixel on its own.
	v1, v2 := one*one-1./12, two*two-1./48
	if v1 < noiseLeast*noiseLeast {
		return 0, false
	}
	return max(v2/v1, 0), true
}

func meanGreen(p *matte.Plate) float64 {
	g := p.Reduce(8, 8)[1]
	sum := 0.
	for _, v := range g {
		sum += float64(v) / float64(len(g))
	}
	return sum
}

// texture is the contrast, as a part of the light, of what is 3 to 9 pixels
// large on the wall, without what noise leaves in the mean; 0 when that is all.
func texture(p *matte.Plate) float64 {
	const small, large, step = 3, 9, 11 // 11 walks through all phases of JPEG's blocks
	a := area(p.W, p.H)
	rows := make([][]float32, large)
	for i := range rows {
		rows[i] = make([]float32, 3*p.W)
	}
	sum, n := 0., 0
	for y := a.Min.Y; y+large <= a.Max.Y; y += step {
		for i := range rows {
			p.Row(rows[i], y+i)
		}
		for x := a.Min.X; x+large <= a.Max.X; x += step {
			var in, all float64
			for i, row := range rows {
				for k := range large {
					v := float64(row[3*(x+k)+1])
					all += v
					if i/small == 1 && k/small == 1 {
						in += v
					}
				}
			}
			in, all = in/(small*small), all/(large*large)
			d := (in - all) / (all + 4)
			if math.Abs(d) < .2 { // not the edge of something
				sum += d * d
				n++
			}
		}
	}
	if n == 0 {
		return 0
	}
	ns, nl := p.LogNoise(small), p.LogNoise(large)
	noise := max(ns*ns-nl*nl, 0) / float64(p.Frames+1)
	power := sum / float64(n)
	if power < textureSure*noise {
		return 0
	}
	return math.Sqrt(power - noise)
}

// edgeWidths is the width in pixels below which a fifth of the hard upright edges
// are, and how many there are.
func edgeWidths(p *matte.Plate) (float64, int) {
	row := make([]float32, 3*p.W)
	var widths []float64
	for y := 0; y < p.H; y += 4 {
		p.Row(row, y)
		g := func(x int) float64 { return float64(row[3*x+1]) }
		for x := 2; x+2 < p.W; x++ {
			d := (g(x+1) - g(x-1)) / 2
			if math.Abs(d) < edgeSlope || math.Abs(d) < math.Abs(g(x)-g(x-2))/2 || math.Abs(d) <= math.Abs(g(x+2)-g(x))/2 {
				continue
			}
			lo, hi := x-1, x+1
			for lo > 0 && (g(lo)-g(lo-1))*math.Copysign(1, d) > .1*math.Abs(d) {
				lo--
			}
			for hi+1 < p.W && (g(hi+1)-g(hi))*math.Copysign(1, d) > .1*math.Abs(d) {
				hi++
			}
			if rise := math.Abs(g(hi) - g(lo)); rise >= edgeRise {
				widths = append(widths, rise/math.Abs(d))
			}
		}
	}
	if len(widths) == 0 {
		return 0, 0
	}
	slices.Sort(widths)
	return widths[len(widths)/5], len(widths)
}
