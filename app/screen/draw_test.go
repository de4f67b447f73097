package screen

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	xdraw "golang.org/x/image/draw"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// drawings of a screen that only a part of its own state shows.
type drawable struct {
	name string
	show func(b *testBench)
}

// everyDrawing lists all that can be drawn in one language with one content.
func everyDrawing(t *testing.T, lang booth.Lang, crowded bool) []drawable {
	var list []drawable
	for _, s := range samples(lang, crowded) {
		list = append(list, drawable{s.Name, func(b *testBench) {
			b.w.Show(s.View)
			if s.View.State == booth.Framing || s.View.State == booth.Countdown || s.View.State == booth.Standardising ||
				s.View.Operator != nil && s.View.Operator.Camera != nil && s.View.Operator.Camera.Reading.Measured {
				buf := b.w.Buffer(b.w.PreviewSize())
				if buf == nil {
					return
				}
				fillRoom(buf)
				b.w.preview.frozen = false
				b.w.Offer(buf, 7)
			}
		}})
	}
	if !crowded {
		for part, show := range settingsParts() {
			if strings.HasPrefix(part, "edit-") && part != "edit-camera.device" && part != "edit-sound.volume" {
				continue // they look alike
			}
			list = append(list, drawable{"48-settings-" + part, func(b *testBench) { show(b, lang) }})
		}
	}
	for _, mode := range slices.Sorted(keysOf(operatorModes)) {
		if !crowded && (mode == modePurge || mode == modeQuit) {
			continue // an admin's, in the crowded samples
		}
		list = append(list, drawable{"38-operator-" + string(mode), func(b *testBench) { b.turnTo(t, lang, crowded, mode) }})
	}
	return append(list, drawable{"22-leave", func(b *testBench) { b.w.Show(sample(t, crowded, "framing")); b.w.chrome.onLeave() }})
}

func keysOf[V any](m map[operatorMode]V) func(func(operatorMode) bool) {
	return func(yield func(operatorMode) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// galleryPick is a drawing that docs/screens.md shows.
type galleryPick struct {
	name, size string
	lang       booth.Lang
	crowded    bool
	words      string // Chinese / English
}

// gallery is what stands in docs/screens.md, 40 at most.
var gallery = []galleryPick{
	{"01-idle", "1280x800", booth.ZH, false, "首页 / Welcome"},
	{"01-idle-drift", "1280x800", booth.ZH, true, "首页：灯灭了，有人要重拍 / Welcome: a lamp is off, students to retake"},
	{"03-identify", "1280x800", booth.ZH, false, "输错一位 / A wrong digit"},
	{"05-choose", "1280x800", booth.ZH, true, "多条记录 / Several records"},
	{"06-eligible", "1280x800", booth.ZH, false, "核对身份 / Record, fee, code"},
	{"07-eligible-revealed", "1280x800", booth.EN, true, "最长的内容 / The longest content"},
	{"08-consent", "1280x800", booth.ZH, false, "告知与同意 / Consent"},
	{"09-guide", "1280x800", booth.ZH, false, "拍照须知 / The rules"},
	{"10-framing", "1280x800", booth.ZH, false, "取景 / Framing"},
	{"12-countdown", "1280x800", booth.ZH, false, "倒计时 / Countdown"},
	{"15-review", "1280x800", booth.ZH, false, "查看 / Review"},
	{"15-review", "1280x800", booth.EN, true, "查看：不合格 / Review: refused by the checks"},
	{"17-confirm", "1280x800", booth.ZH, false, "最后确认，还有 12 秒 / Last check, 12 s left"},
	{"19-done", "1280x800", booth.ZH, false, "已安全保存 / Saved"},
	{"21-fault", "1280x800", booth.ZH, false, "没有保存成 / Saving failed"},
	{"21-fault-camera", "1280x800", booth.EN, true, "相机断开 / The camera is away"},
	{"00-locked", "1280x800", booth.ZH, true, "意外中断之后 / After a crash"},
	{"32-operator-home", "1280x800", booth.ZH, true, "工作人员页 / The staff's page"},
	{"40-day", "1280x800", booth.ZH, false, "今天：对账与快慢 / Today: reconciled, and how fast"},
	{"39-camera", "1280x800", booth.ZH, false, "相机页 / The camera's page"},
	{"46-start", "1280x800", booth.ZH, true, "开工检查 / Start of the day"},
	{"47-light", "1280x800", booth.ZH, false, "背景与灯光 / Backdrop and light"},
	{"47-classes", "1280x800", booth.ZH, false, "按班级叫人 / Calling a class"},
	{"48-class", "1280x800", booth.ZH, false, "一个班 / One class"},
	{"48-settings", "1280x800", booth.ZH, false, "设置 / Settings"},
	{"40-staff-sync", "1280x800", booth.ZH, true, "同步 / The exchange"},
	{"42-staff-retakes", "1280x800", booth.ZH, true, "请回来重拍 / To be photographed again"},
	{"44-staff-paycode", "1280x800", booth.ZH, false, "缴费确认码 / Payment code"},
	{"49-setup-compare", "1280x800", booth.ZH, false, "首次设置：核对中心 / First set-up: compare the digits"},
	{"50-find", "1280x800", booth.ZH, false, "找今天的同学 / One of today's students"},
	{"01-idle", "1080x1920", booth.ZH, true, "竖屏首页 / Welcome, portrait"},
	{"10-framing", "1080x1920", booth.ZH, false, "竖屏取景 / Framing, portrait"},
	{"15-review", "1080x1920", booth.ZH, false, "竖屏查看 / Review, portrait"},
	{"06-eligible", "1920x1080", booth.EN, false, "英文在前 / English first"},
}

// TestDrawScreens writes every screen as a PNG when YUNZHAO_SCREENS names a
// directory; YUNZHAO_SIZE limits it to one size. With YUNZHAO_DOCS it draws those
// of docs/screens.md only, and writes that page and its pictures anew.
func TestDrawScreens(t *testing.T) {
	dir := os.Getenv("YUNZHAO_SCREENS")
	if dir == "" {
		t.Skip("set YUNZHAO_SCREENS to a directory to write pictures of every screen (make screens)")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	docs := os.Getenv("YUNZHAO_DOCS") != ""
	want, only := os.Getenv("YUNZHAO_SIZE"), os.Getenv("YUNZHAO_ONLY")
	n := 0
	for _, size := range []string{"1280x800", "1920x1080", "1080x1920"} {
		if want != "" && want != size {
			continue
		}
		b := newBench(t, testSizes[size])
		for _, lang := range []booth.Lang{booth.ZH, booth.EN} {
			for kind, crowded := range map[string]bool{"day": false, "crowded": true} {
				for _, d := range everyDrawing(t, lang, crowded) {
					picked := slices.ContainsFunc(gallery, func(g galleryPick) bool {
						return g.name == d.name && g.size == size && g.lang == lang && g.crowded == crowded
					})
					if !strings.Contains(d.name, only) || docs && !picked {
						continue
					}
					d.show(b)
					img := b.w.win.Canvas().Capture()
					writePNG(t, filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s.png", size, lang, kind, d.name)), img)
					n++
					for _, g := range gallery {
						if docs && g.name == d.name && g.size == size && g.lang == lang && g.crowded == crowded {
							writeThumb(t, filepath.Join("../../docs/images", g.file()), img)
						}
					}
				}
			}
		}
	}
	t.Logf("%d pictures in %s", n, dir)
	if docs {
		writeGallery(t)
	}
}

func (g galleryPick) file() string {
	return fmt.Sprintf("screen-%s-%s-%s%s.jpg", g.name, g.size, g.lang, map[bool]string{true: "-crowded"}[g.crowded])
}

// TestTheGalleryIsWhole: every picture of docs/screens.md is there, and no more.
func TestTheGalleryIsWhole(t *testing.T) {
	page, err := os.ReadFile("../../docs/screens.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(gallery) > 40 {
		t.Errorf("%d pictures in the gallery: 40 at most", len(gallery))
	}
	want := map[string]bool{}
	for _, g := range gallery {
		want[g.file()] = true
		if !bytes.Contains(page, []byte("images/"+g.file())) {
			t.Errorf("docs/screens.md does not show %s: make screens DOCS=1", g.file())
		}
	}
	have, err := filepath.Glob("../../docs/images/screen-*.jpg")
	if err != nil || len(have) != len(want) {
		t.Errorf("%d pictures lie beside it, want %d (%v)", len(have), len(want), err)
	}
	for _, path := range have {
		if !want[filepath.Base(path)] {
			t.Errorf("%s is in no gallery", path)
		}
	}
}

func writeGallery(t *testing.T) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(`# 界面一览 / The screens

每个画面都由真实的界面代码画出，内容是虚构的。全部组合（每个画面 × 中/英 × 三种屏幕 × 日常/最满）用 ` + "`make screens`" + ` 现做，放在
` + "`out/screens`" + `；这里只留有代表性的几张，` + "`make screens DOCS=1`" + ` 更新。
Every picture is drawn by the real screens with made-up content. All combinations (each screen × two languages × three
monitors × everyday and fullest content) are made on demand by ` + "`make screens`" + ` into ` + "`out/screens`" + `; a few stand here.

没有被截断或重叠的字、每个字与它的底色至少 7:1、每个按钮够手指大、键盘到得了每个按钮：这些由测试在控件树上量，见
` + "`app/screen`" + ` 的 layout、contrast、focus 测试。
That no word is clipped or overlaps, that each stands at 7:1 on what is below it, that every button suits a finger and can
be reached by keyboard is measured on the widget tree by tests of ` + "`app/screen`" + `.

`)
	b.WriteString("| | |\n|---|---|\n")
	for i, g := range gallery {
		fmt.Fprintf(&b, "| ![](images/%s) %s ", g.file(), g.words)
		if i%2 == 1 || i == len(gallery)-1 {
			b.WriteString("|\n")
		}
	}
	if err := os.WriteFile("../../docs/screens.md", b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeThumb writes a picture small enough for a document.
func writeThumb(t *testing.T, path string, img image.Image) {
	t.Helper()
	w, h := 720, 720*img.Bounds().Dy()/img.Bounds().Dx()
	if h > w {
		w, h = 420, 420*h/w
	}
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	xdraw.CatmullRom.Scale(small, small.Rect, img, img.Bounds(), xdraw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: 82}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func fillRoom(img *image.RGBA) {
	xdraw.Draw(img, img.Rect, image.NewUniform(color.RGBA{205, 203, 198, 255}), image.Point{}, xdraw.Src)
	p := samplePortrait(color.RGBA{205, 203, 198, 255})
	at := image.Pt((img.Rect.Dx()-480)/2, img.Rect.Dy()-640)
	xdraw.Draw(img, image.Rectangle{Min: at, Max: at.Add(image.Pt(480, 640))}, p, image.Point{}, xdraw.Src)
}

func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, img); err != nil {
		t.Fatal(err)
	}
}
