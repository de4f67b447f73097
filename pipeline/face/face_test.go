package face

import (
	"encoding/binary"
	"image"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	xdraw "golang.org/x/image/draw"

	"github.com/yunzhao-station/yunzhao/assets/cascades"
)

// portrait reads a cut-out person from the repository or, where it is not part
// of it, from the shared directory; the test is skipped without either.
func portrait(t testing.TB, name string) *image.NRGBA {
	t.Helper()
	shared := os.Getenv("YUNZHAO_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	candidates := []string{
		filepath.Join("..", "..", "assets", "people", name),
		filepath.Join(shared, "portraits", name),
	}
	for _, path := range candidates {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		img, err := png.Decode(f)
		if err != nil {
			t.Fatalf("decode %s: %v", path, err)
		}
		out := image.NewNRGBA(image.Rectangle{Max: img.Bounds().Size()})
		draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
		return out
	}
	t.Skipf("SKIPPED: no %s: set YUNZHAO_SHARED to the directory that has portraits/ (looked in %v)", name, candidates)
	return nil
}

var shared = sync.OnceValues(NewDetector)

func detector(t testing.TB) *Detector {
	t.Helper()
	d, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wall is an evenly lit backdrop.
func wall(w, h int) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, w, h))
	for i := range g.Pix {
		g.Pix[i] = 205
	}
	return g
}

// stand draws the person with its picture's middle at (cx, cy), height pixels
// high and turned clockwise by deg.
func stand(g *image.Gray, p *image.NRGBA, cx, cy, height, deg float64) {
	k := height / float64(p.Rect.Dy())
	small := image.NewRGBA(image.Rect(0, 0, int(float64(p.Rect.Dx())*k), int(height)))
	xdraw.ApproxBiLinear.Scale(small, small.Rect, p, p.Rect, draw.Src, nil)
	sin, cos := math.Sincos(deg * math.Pi / 180)
	w, h := float64(small.Rect.Dx()), float64(small.Rect.Dy())
	for y := range g.Rect.Dy() {
		for x := range g.Rect.Dx() {
			dx, dy := float64(x)+.5-cx, float64(y)+.5-cy
			sx, sy := int(math.Floor(cos*dx+sin*dy+w/2)), int(math.Floor(-sin*dx+cos*dy+h/2))
			if !image.Pt(sx, sy).In(small.Rect) {
				continue
			}
			c := small.RGBAAt(sx, sy)
			l := .299*float64(c.R) + .587*float64(c.G) + .114*float64(c.B)
			i := g.PixOffset(x, y)
			g.Pix[i] = uint8(min(l+float64(g.Pix[i])*float64(255-c.A)/255, 255))
		}
	}
}

func find(t testing.TB, g *image.Gray, opt Options) []Face {
	t.Helper()
	faces, err := detector(t).Detect(g, opt)
	if err != nil {
		t.Fatal(err)
	}
	return faces
}

// Where student.png has its features, in units of its height.
const (
	studentW, studentH   = 1100., 1150.
	eyeLX, eyeLY         = 455.5, 398.5
	eyeRX, eyeRY         = 638.5, 394.5
	noseX, noseY         = 549., 510.
	mouthLX, mouthRX     = 475.5, 626.
	mouthY, chinY, faceX = 593., 731., 548.
)

// at maps a point of student.png to a picture made with stand.
func at(x, y, cx, cy, height, deg float64) Point {
	k := height / studentH
	sin, cos := math.Sincos(deg * math.Pi / 180)
	dx, dy := (x-studentW/2)*k, (y-studentH/2)*k
	return Point{cx + cos*dx - sin*dy, cy + sin*dx + cos*dy}
}

func TestFindsStudent(t *testing.T) {
	p := portrait(t, "student.png")
	tests := []struct {
		name           string
		w, h           int
		cx, cy, height float64
		deg            float64
		opt            Options
	}{
		{"kiosk frame", 1280, 720, 640, 410, 620, 0, Options{}},
		{"small picture", 480, 270, 240, 155, 230, 0, Options{}},
		{"far away", 1280, 720, 640, 500, 330, 0, Options{MinSize: 60}},
		{"near", 1280, 720, 640, 520, 1050, 0, Options{}},
		{"upright frame, aside", 600, 800, 380, 480, 500, 0, Options{}},
		{"tilted 8", 960, 720, 480, 420, 560, 8, Options{}},
		{"tilted 14", 960, 720, 480, 420, 560, 14, Options{}},
		{"tilted 20", 960, 720, 480, 420, 560, 20, Options{}},
		{"tilted 26", 960, 720, 480, 420, 560, 26, Options{}},
		{"tilted 36", 960, 720, 480, 420, 560, 36, Options{}},
		{"tilted -36", 960, 720, 480, 420, 560, -36, Options{}},
		{"tilted -12", 960, 720, 480, 420, 560, -12, Options{}},
		{"tilted -20", 960, 720, 480, 420, 560, -20, Options{}},
		{"tilted -26", 960, 720, 480, 420, 560, -26, Options{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := wall(tt.w, tt.h)
			stand(g, p, tt.cx, tt.cy, tt.height, tt.deg)
			faces := find(t, g, tt.opt)
			if len(faces) != 1 {
				t.Fatalf("%d faces, want 1", len(faces))
			}
			f := faces[0]
			ied := math.Hypot(eyeRX-eyeLX, eyeRY-eyeLY) * tt.height / studentH
			for _, q := range []struct {
				name      string
				got       Point
				x, y, tol float64 // tolerance in eye distances
			}{
				{"left eye", f.LeftEye, eyeLX, eyeLY, .04},
				{"right eye", f.RightEye, eyeRX, eyeRY, .04},
				{"nose", f.Nose, noseX, noseY, .12},
				{"left corner of the mouth", f.MouthLeft, mouthLX, mouthY, .08},
				{"right corner of the mouth", f.MouthRight, mouthRX, mouthY, .08},
				{"chin", f.Chin, faceX, chinY, .15},
			} {
				want := at(q.x, q.y, tt.cx, tt.cy, tt.height, tt.deg)
				if d := math.Hypot(q.got.X-want.X, q.got.Y-want.Y) / ied; d > q.tol {
					t.Errorf("%s is %.3f eye distances off (%.1f, %.1f), want within %.2f", q.name, d, q.got.X, q.got.Y, q.tol)
				}
			}
			if got, want := f.Roll(), tt.deg-1.25; math.Abs(got-want) > 1.2 {
				t.Errorf("roll %.2f, want %.2f", got, want)
			}
			if f.LeftEye.X >= f.RightEye.X {
				t.Error("left and right are not those of the picture")
			}
		})
	}
}

func TestFindsOthers(t *testing.T) {
	for _, name := range []string{"astronaut.png", "glasses.png", "whitehair.png"} {
		t.Run(name, func(t *testing.T) {
			p := portrait(t, name)
			g := wall(1280, 720)
			stand(g, p, 640, 370, 700, 0)
			faces := find(t, g, Options{MinSize: 60})
			if len(faces) != 1 {
				t.Fatalf("%d faces, want 1", len(faces))
			}
			if f := faces[0]; f.Spread > .1 {
				t.Errorf("searches for the pupils disagree by %.3f", f.Spread)
			}
		})
	}
}

func TestFindsSecondPerson(t *testing.T) {
	p := portrait(t, "student.png")
	for _, share := range []float64{1, .5, .25, .11} {
		g := wall(1280, 720)
		stand(g, p, 820, 410, 620, 0)
		small := 620 * math.Sqrt(share)
		stand(g, p, 250, 380, small, 0)
		faces := find(t, g, Options{})
		if len(faces) != 2 {
			t.Errorf("share %.2f: %d faces, want 2", share, len(faces))
			continue
		}
		if got := faces[1].Area() / faces[0].Area(); math.Abs(got-share) > .25*share {
			t.Errorf("share %.2f: area ratio %.3f", share, got)
		}
	}
}

// noise is a small deterministic generator.
type noise uint32

func (n *noise) next() uint32 {
	*n = *n*1664525 + 1013904223
	return uint32(*n) >> 8
}

func TestTextureIsNoFace(t *testing.T) {
	textures := map[string]func(x, y int, n *noise) uint8{
		"white noise": func(_, _ int, n *noise) uint8 { return uint8(n.next()) },
		"checks":      func(x, y int, _ *noise) uint8 { return uint8((x/23+y/23)%2) * 200 },
		"dots": func(x, y int, _ *noise) uint8 {
			return uint8(128 + 100*math.Sin(float64(x)/9)*math.Sin(float64(y)/11))
		},
		"brick wall": func(x, y int, _ *noise) uint8 {
			if y%40 < 5 || (x+y/40%2*40)%80 < 5 {
				return 220
			}
			return uint8(110 + (x*7+y*3)%17)
		},
		"rings": func(x, y int, _ *noise) uint8 {
			return uint8(128 + 100*math.Sin(math.Hypot(float64(x-320), float64(y-180))/13))
		},
		"ramp": func(x, y int, _ *noise) uint8 { return uint8(x*255/640/2 + y*255/360/2) },
	}
	for name, texture := range textures {
		g := image.NewGray(image.Rect(0, 0, 640, 360))
		n := noise(7)
		for y := range 360 {
			for x := range 640 {
				g.Pix[y*g.Stride+x] = texture(x, y, &n)
			}
		}
		if faces := find(t, g, Options{}); len(faces) != 0 {
			t.Errorf("%s: %d faces, the first of score %.1f spread %.3f", name, len(faces), faces[0].Score, faces[0].Spread)
		}
	}
	// Blotches of every size, as on cloth and foliage.
	for seed := range 6 {
		n := noise(seed + 1)
		g := wall(640, 360)
		for range 4000 {
			cx, cy, r := int(n.next()%640), int(n.next()%360), int(2+n.next()%14)
			v := uint8(n.next())
			for y := max(cy-r, 0); y < min(cy+r, 360); y++ {
				for x := max(cx-r, 0); x < min(cx+r, 640); x++ {
					g.Pix[y*g.Stride+x] = v
				}
			}
		}
		if faces := find(t, g, Options{}); len(faces) != 0 {
			t.Errorf("blotches %d: %d faces, the first of score %.1f", seed, len(faces), faces[0].Score)
		}
	}
}

func TestSamePictureSameAnswer(t *testing.T) {
	p := portrait(t, "student.png")
	g := wall(640, 480)
	stand(g, p, 320, 270, 400, 3)
	first := find(t, g, Options{})
	// A picture that begins elsewhere in memory, and other pictures in between.
	moved := image.NewGray(image.Rect(0, 0, 700, 500))
	sub := moved.SubImage(image.Rect(33, 11, 33+640, 11+480)).(*image.Gray)
	for y := range 480 {
		copy(sub.Pix[y*sub.Stride:y*sub.Stride+640], g.Pix[y*g.Stride:])
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			find(t, wall(100+i, 90), Options{})
			if got := find(t, sub, Options{}); !reflect.DeepEqual(got, first) {
				t.Errorf("answer %+v, first %+v", got, first)
			}
		})
	}
	wg.Wait()
}

func TestTracker(t *testing.T) {
	p := portrait(t, "student.png")
	tr := detector(t).NewTracker()
	update := func(g *image.Gray) []Face {
		t.Helper()
		faces, err := tr.Update(g, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(faces)
	}
	for i := range 12 {
		cx, deg := 160+float64(i)*8, float64(i)*1.8
		g := wall(480, 270)
		stand(g, p, cx, 160, 220, deg)
		faces := update(g)
		if len(faces) != 1 {
			t.Fatalf("picture %d: %d faces, want 1", i, len(faces))
		}
		want := at(eyeLX, eyeLY, cx, 160, 220, deg)
		if d := math.Hypot(faces[0].LeftEye.X-want.X, faces[0].LeftEye.Y-want.Y); d > 2.5 {
			t.Errorf("picture %d: left eye is %.1f px off", i, d)
		}
	}
	// Somebody else turns up: seen within refreshEvery pictures.
	g := wall(480, 270)
	stand(g, p, 150, 160, 220, 0)
	stand(g, p, 380, 160, 150, 0)
	seen := false
	for range refreshEvery + 2 {
		seen = seen || len(update(g)) == 2
	}
	if !seen {
		t.Error("the second person was never seen")
	}
	if faces := update(wall(480, 270)); len(faces) != 0 {
		t.Errorf("%d faces on an empty wall", len(faces))
	}
	// Another size of picture starts over.
	g = wall(640, 360)
	stand(g, p, 320, 210, 300, 0)
	if faces := update(g); len(faces) != 1 {
		t.Errorf("%d faces after a change of size, want 1", len(faces))
	}
	tr.Reset()
	// A head that is tilted from the start is found by the second sweep at the latest.
	g = wall(480, 270)
	stand(g, p, 240, 160, 230, -24)
	if a, b := update(g), update(g); len(a)+len(b) == 0 {
		t.Error("a tilted head was not found")
	}
	if _, err := tr.Update(&image.Gray{Rect: image.Rect(0, 0, 9, 9)}, Options{}); err == nil {
		t.Error("a picture without pixels was accepted")
	}
}

func TestScaleAndOffset(t *testing.T) {
	f := Face{X: 10, Y: 20, W: 40, H: 40, LeftEye: Point{20, 30}, RightEye: Point{40, 32}, Chin: Point{30, 64}}
	f.Landmarks.EyeInner[1] = Point{36, 31}
	g := f.Scale(2).Offset(5, -3)
	want := Face{X: 25, Y: 37, W: 80, H: 80, LeftEye: Point{45, 57}, RightEye: Point{85, 61}, Chin: Point{65, 125}}
	if g.X != want.X || g.Y != want.Y || g.W != want.W || g.LeftEye != want.LeftEye ||
		g.RightEye != want.RightEye || g.Chin != want.Chin || g.Landmarks.EyeInner[1] != (Point{77, 59}) {
		t.Errorf("got %+v", g)
	}
	if f.LeftEye != (Point{20, 30}) {
		t.Error("the original changed")
	}
}

func TestMalformedPictures(t *testing.T) {
	d := detector(t)
	for name, g := range map[string]*image.Gray{
		"nil":          nil,
		"short":        {Pix: make([]uint8, 10), Stride: 100, Rect: image.Rect(0, 0, 100, 100)},
		"small stride": {Pix: make([]uint8, 10000), Stride: 10, Rect: image.Rect(0, 0, 100, 100)},
	} {
		if _, err := d.Detect(g, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, size := range []image.Point{{}, {1, 1}, {3, 900}, {900, 3}, {19, 19}, {21, 21}, {64, 1}, {5000, 25}} {
		if faces := find(t, wall(size.X, size.Y), Options{}); len(faces) != 0 {
			t.Errorf("%v: %d faces", size, len(faces))
		}
	}
	for _, opt := range []Options{
		{MinSize: math.NaN()},
		{MaxSize: math.Inf(1)},
		{MinSize: math.Inf(1)},
		{MinSize: 500, MaxSize: 20},
		{MinSize: -5, MaxSize: -5, MinScore: math.NaN(), MaxFaces: -1},
	} {
		find(t, wall(120, 90), opt)
	}
}

func FuzzDetect(f *testing.F) {
	f.Add(uint8(1), uint8(1), []byte{0})
	f.Add(uint8(40), uint8(70), []byte{0, 255, 3, 9, 200})
	f.Fuzz(func(t *testing.T, w, h uint8, data []byte) {
		g := image.NewGray(image.Rect(0, 0, int(w), int(h)))
		for i := range g.Pix {
			if len(data) > 0 {
				g.Pix[i] = data[i%len(data)] ^ uint8(i/len(data))
			}
		}
		for _, face := range find(t, g, Options{MinScore: 1}) {
			for _, v := range []float64{face.X, face.Y, face.W, face.H, face.Chin.X, face.Chin.Y, face.Nose.X, face.IED()} {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("not a number in %+v", face)
				}
			}
		}
	})
}

func FuzzParseForest(f *testing.F) {
	// The smallest forest: one stage of one tree with one node.
	b := binary.LittleEndian.AppendUint32(nil, 1)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(.8))
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = append(b, 127, 128, 1, 255)
	for range 4 {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(.5))
	}
	f.Add(b)
	f.Add(b[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		forest, err := parseForest(data)
		if err != nil {
			return
		}
		g := wall(9, 7)
		v, err := viewOf(g)
		if err != nil {
			t.Fatal(err)
		}
		x, y, _ := forest.locate(v.at(.3, true), 4, 3, 50, fewVotes)
		if math.IsNaN(x) || math.IsNaN(y) {
			t.Fatalf("walked to (%v, %v)", x, y)
		}
	})
}

func TestParseForestRefuses(t *testing.T) {
	good, err := cascades.Read(cascades.Pupil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, v uint32) []byte {
		b := slices.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{
		"empty":         nil,
		"cut short":     good[:len(good)-1],
		"too long":      append(slices.Clone(good), 0),
		"no stages":     change(0, 0),
		"many stages":   change(0, 1<<30),
		"grows":         change(4, math.Float32bits(2)),
		"NaN":           change(4, math.Float32bits(float32(math.NaN()))),
		"deep":          change(12, 31),
		"leaf is NaN":   change(len(good)-4, math.Float32bits(float32(math.NaN()))),
		"leaf is large": change(len(good)-4, math.Float32bits(1e9)),
	} {
		if _, err := parseForest(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := parseForest(good); err != nil {
		t.Errorf("the shipped model: %v", err)
	}
	if _, err := cascades.Read("nothing"); err == nil {
		t.Error("a model that is not there was read")
	}
}

func benchmark(b *testing.B, w, h int, run func(g *image.Gray)) {
	p := portrait(b, "student.png")
	g := wall(w, h)
	stand(g, p, float64(w)/2, float64(h)*.57, float64(h)*.86, 0)
	b.ReportAllocs()
	for b.Loop() {
		run(g)
	}
}

func BenchmarkDetect1080p(b *testing.B) {
	benchmark(b, 1920, 1080, func(g *image.Gray) { find(b, g, Options{}) })
}

func BenchmarkDetectUpright1080p(b *testing.B) {
	benchmark(b, 1920, 1080, func(g *image.Gray) { find(b, g, Options{Upright: true}) })
}

func BenchmarkTracker480x270(b *testing.B) {
	tr := detector(b).NewTracker()
	benchmark(b, 480, 270, func(g *image.Gray) {
		if _, err := tr.Update(g, Options{}); err != nil {
			b.Fatal(err)
		}
	})
}
