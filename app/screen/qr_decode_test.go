package screen

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/oklog/ulid/v2"
	"github.com/skip2/go-qrcode"
	"gocv.io/x/gocv"
	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/pipeline/qr/zbar"
	"github.com/yunzhao-station/yunzhao/sync/claim"
)

// longestClaim is the longest address that a claim may have.
func longestClaim(t *testing.T) string {
	t.Helper()
	key := make([]byte, claim.KeyLen)
	token, err := claim.Mint(key, "st-1", ulid.MustParse("01J6Q3ZK4MXB7T8W9V2N5C1D0E"), time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	host := strings.Repeat("a", claim.MaxURL-len("https://.cn/k/")-len(token))
	url, err := claim.URL("https://"+host+".cn", token)
	if err != nil || len(url) != claim.MaxURL {
		t.Fatalf("%d characters, %v", len(url), err)
	}
	return url
}

// seen is the screen as a phone's camera has it: turned by angle radians, at
// scale, blurred by sigma pixels of the picture.
func seen(screen image.Image, at image.Rectangle, angle, scale, sigma float64) *image.Gray {
	side := int(float64(at.Dx()) * scale * 1.6)
	out := image.NewGray(image.Rect(0, 0, side, side))
	for i := range out.Pix {
		out.Pix[i] = 0x80 // the room
	}
	sin, cos := math.Sincos(angle)
	cx, cy := float64(at.Min.X+at.Max.X)/2, float64(at.Min.Y+at.Max.Y)/2
	m := f64.Aff3{
		scale * cos, -scale * sin, float64(side)/2 - scale*(cos*cx-sin*cy),
		scale * sin, scale * cos, float64(side)/2 - scale*(sin*cx+cos*cy),
	}
	xdraw.BiLinear.Transform(out, m, screen, at.Inset(-30), xdraw.Src, nil)
	if sigma == 0 {
		return out
	}
	mat, err := gocv.NewMatFromBytes(side, side, gocv.MatTypeCV8U, out.Pix)
	if err != nil {
		return out
	}
	defer mat.Close()
	blurred := gocv.NewMat()
	defer blurred.Close()
	gocv.GaussianBlur(mat, &blurred, image.Point{}, sigma, sigma, gocv.BorderReplicate)
	return &image.Gray{Pix: blurred.ToBytes(), Stride: side, Rect: out.Rect}
}

// TestTheClaimIsReadOffTheScreen renders the claim's screen with the longest
// address there may be and reads the code off the picture, at the smallest
// screen and a large one, near and far, blurred and turned. Two decoders that
// have nothing in common must read each of them: ZXing and ZBar. OpenCV's detector
// must find it where it is; Debian's build of it decodes nothing (it comes
// without quirc), and where another build does, what it decodes must agree.
func TestTheClaimIsReadOffTheScreen(t *testing.T) {
	url := longestClaim(t)
	code, err := qrcode.New(url, qrcode.Medium)
	if err != nil || code.VersionNumber > 6 {
		t.Fatalf("version %d, %v", code.VersionNumber, err)
	}
	opencv := gocv.NewQRCodeDetector()
	defer opencv.Close()
	points, straight := gocv.NewMat(), gocv.NewMat()
	defer points.Close()
	defer straight.Close()
	decodes := false
	second := func(t *testing.T, img *image.Gray) (text string, here bool) {
		t.Helper()
		texts, err := zbar.Read(t.Context(), img)
		if errors.Is(err, zbar.ErrMissing) {
			return "", false
		}
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(texts, " "), true
	}
	readers := "ZXing and ZBar read"
	if _, here := second(t, image.NewGray(image.Rect(0, 0, 8, 8))); !here {
		readers = "ZXing alone reads" // zbarimg is not installed
	}
	for name, size := range testSizes {
		if size.Width*size.Height > 2e6*1.1 {
			continue // the same code, larger; a minute of work
		}
		t.Run(name, func(t *testing.T) {
			b := newBench(t, size)
			v := sample(t, false, "06-eligible")
			v.Claim = booth.ClaimView{URL: url} // the station was never online today
			b.w.Show(v)
			shot := b.w.win.Canvas().Capture()
			at, per := codeOn(t, shot, b, size)
			if per < 8 {
				t.Errorf("%d pixels a module", per)
			}
			quiet(t, shot, at, per)
			tried, found := 0, 0
			for _, scale := range []float64{0.5, 0.8, 1.3} {
				for _, sigma := range []float64{0, 1} {
					for _, degrees := range []float64{0, 7, 30, 90, 181} {
						tried++
						img := seen(shot, at, degrees*math.Pi/180, scale, sigma)
						what := fmt.Sprintf("at %.1f, blur %.0f, turned %.0f°", scale, sigma, degrees)
						bmp, err := gozxing.NewBinaryBitmapFromImage(img)
						if err != nil {
							t.Fatal(err)
						}
						r, err := zxing.NewQRCodeReader().Decode(bmp, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
						if err != nil || r.GetText() != url {
							t.Errorf("%s: ZXing reads nothing: %v", what, err)
						}
						if text, here := second(t, img); here && text != url {
							t.Errorf("%s: ZBar reads %q", what, text)
						}
						mat, err := gocv.NewMatFromBytes(img.Rect.Dy(), img.Rect.Dx(), gocv.MatTypeCV8U, img.Pix)
						if err != nil {
							t.Fatal(err)
						}
						if opencv.Detect(mat, &points) {
							found++
						}
						if tried == 1 || decodes { // it says at every try that it cannot
							if text := opencv.DetectAndDecode(mat, &points, &straight); text != "" {
								decodes = true
								if text != url {
									t.Errorf("%s: OpenCV reads another text", what)
								}
							}
						}
						mat.Close()
					}
				}
			}
			if found < tried/2 {
				t.Errorf("OpenCV finds %d of %d", found, tried)
			}
			t.Logf("%d pixels a module; %s %d pictures, OpenCV finds %d", per, readers, tried, found)
		})
	}
	t.Logf("this build of OpenCV decodes: %t", decodes)
}

// codeOn is where the code lies on the picture, with its quiet zone, in pixels,
// and how many pixels a module has.
func codeOn(t *testing.T, shot image.Image, b *testBench, size fyne.Size) (image.Rectangle, int) {
	t.Helper()
	k := float32(shot.Bounds().Dx()) / size.Width
	for _, tg := range b.w.Targets() {
		if tg.ID != "qr" {
			continue
		}
		at := image.Rect(int(float32(tg.X)*k+.5), int(float32(tg.Y)*k+.5), int(float32(tg.X+tg.W)*k+.5), int(float32(tg.Y+tg.H)*k+.5))
		return at, at.Dx() / (41 + 2*qrQuiet)
	}
	t.Fatal("no code on the screen")
	return image.Rectangle{}, 0
}

// quiet looks for anything dark in the four modules around the code.
func quiet(t *testing.T, shot image.Image, at image.Rectangle, per int) {
	t.Helper()
	inner := at.Inset(qrQuiet*per - 2) // the edges are rounded to whole units
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			if image.Pt(x, y).In(inner) {
				continue
			}
			if g, _ := color.GrayModel.Convert(shot.At(x, y)).(color.Gray); g.Y < 250 {
				t.Fatalf("something dark in the quiet zone at %d,%d", x, y)
			}
		}
	}
}
