package bench

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"fyne.io/fyne/v2/test" //nolint:depguard // asks the real window how large its mirror is
	"github.com/oklog/ulid/v2"
	"gocv.io/x/gocv"
	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/screen"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// guard is the environment variable without which nothing is measured.
const guard = "YUNZHAO_BENCH"

// How often each thing is done; medians settle by then.
const (
	photoRounds   = 15
	grabEvery     = 3 // of the photos; it takes seconds
	previewRounds = 120
	commitRounds  = 1000
	plateFrames   = 12
)

// row of the table.
type row struct{ what, figure, yardstick, ratio string }

type table struct{ rows []row }

func (t *table) add(what, figure, yardstick, ratio string) {
	t.rows = append(t.rows, row{what, figure, yardstick, ratio})
}

func (t *table) print() {
	var b strings.Builder
	b.WriteString("\n| 测什么 / what | 结果 / figure | 同时测的标尺 / yardstick of the same run | 比 / ratio |\n|---|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, r.figure, r.yardstick, r.ratio)
	}
	fmt.Println(b.String())
}

func TestTable(t *testing.T) {
	if os.Getenv(guard) == "" {
		t.Skipf("nothing is measured without %s=1: see make bench", guard)
	}
	tab := &table{}
	defer tab.print() // also what there is when a later part fails
	b := newBooth(t)
	b.photos(t, tab)
	b.files(t, tab)
	b.previews(t, tab)
	commits(t, tab)
	cameraCost(t, tab)
	sessions(t, tab)
}

// simulated is a simulated booth's plate, frames and standard.
type simulated struct {
	frames []camera.Frame // somebody is there
	empty  []byte         // a frame with nobody
	plate  *pipeline.Plate
	maker  *pipeline.Standardizer
	spec   *spec.Spec
}

func openScene(t *testing.T, o scene.Options) *scene.Booth {
	t.Helper()
	o.FreeRun, o.Encode = true, codec.EncodeYCbCr
	b, err := scene.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func next(t *testing.T, b *scene.Booth) camera.Frame {
	t.Helper()
	var f camera.Frame
	if err := b.Next(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func newBooth(t *testing.T) *simulated {
	t.Helper()
	s := &simulated{}
	var err error
	if s.maker, err = pipeline.New(pipeline.Options{}); err != nil {
		t.Fatal(err)
	}
	if s.spec, err = spec.Load("chsi"); err != nil {
		t.Fatal(err)
	}
	empty := openScene(t, scene.Options{})
	var plate []*image.RGBA
	for range plateFrames {
		f, m := next(t, empty), &image.RGBA{}
		if err := codec.DecodeRGBA(m, f.Data, codec.Options{}); err != nil {
			t.Fatal(err)
		}
		plate = append(plate, m)
		s.empty = f.Data
	}
	if s.plate, err = pipeline.NewPlate(plate); err != nil {
		t.Fatal(err)
	}
	taken := openScene(t, scene.Options{Occupied: true})
	for range photoRounds {
		s.frames = append(s.frames, next(t, taken))
	}
	return s
}

// photos: from the camera's bytes to a checked file, beside GrabCut on the same
// frames.
func (s *simulated) photos(t *testing.T, tab *table) {
	t.Helper()
	var total, decode, detect, cutout, compose, encode, check, grab []float64
	var full image.RGBA
	for i := -1; i < photoRounds; i++ { // the first warms up
		f := s.frames[max(i, 0)]
		began := time.Now()
		if err := codec.DecodeRGBA(&full, f.Data, codec.Options{}); err != nil {
			t.Fatal(err)
		}
		decoded := time.Since(began)
		r, err := s.maker.Standardize(context.Background(), pipeline.Input{Frame: &full, Plate: s.plate, Spec: s.spec, Decode: decoded})
		took := time.Since(began)
		if err != nil || r.JPEG == nil || r.Report.Verdict == pipeline.Fail {
			t.Fatalf("the simulated student's photo: %v, %+v", err, r)
		}
		if i < 0 {
			continue
		}
		if i%grabEvery == 0 {
			gc, err := grabCut(r)
			if err != nil {
				t.Fatal(err)
			}
			grab = append(grab, ms(gc))
		}
		m := r.Report.Timings
		total, decode, detect = append(total, ms(took)), append(decode, m.Decode), append(detect, m.Detect)
		cutout, compose = append(cutout, m.Matte), append(compose, m.Compose)
		encode, check = append(encode, m.Encode), append(check, m.Check)
	}
	own := make([]float64, len(cutout))
	for i := range own {
		own[i] = cutout[i] + compose[i]
	}
	tab.add("快门→标准照，1080p MJPEG / shutter → portrait", fmt.Sprintf("%.0f ms", median(total)), fmt.Sprintf("GrabCut 480×640, 5 iterations: %.0f ms", median(grab)), ratio(median(total), median(grab)))
	for _, p := range []struct {
		name string
		v    []float64
	}{
		{"解码 / decode", decode},
		{"找脸 / detect", detect},
		{"分割 / segment", cutout},
		{"构图、求 α、换底 / crop, alpha, backdrop", compose},
		{"写文件 / encode", encode},
		{"检查，编码之外 / checks beyond encoding", check},
	} {
		tab.add("· "+p.name, fmt.Sprintf("%.1f ms", median(p.v)), "", "")
	}
	tab.add("· 抠图合计 / matting in all", fmt.Sprintf("%.0f ms", median(own)), fmt.Sprintf("GrabCut: %.0f ms", median(grab)), ratio(median(own), median(grab)))
}

// grabCut is OpenCV's GrabCut on the portrait's crop at its full size, started
// from the rectangle that head and shoulders fill.
func grabCut(r *pipeline.Result) (time.Duration, error) {
	f, c := r.Report.Face, r.Report.Crop
	size := r.Before.Rect.Size()
	k := float64(size.X) / c.Width
	cx, top, w := (f.X+f.Width/2-c.X)*k, (f.Y-c.Y)*k, f.Width*k
	began := time.Now()
	img, err := gocv.ImageToMatRGB(r.Before)
	if err != nil {
		return 0, fmt.Errorf("hand the picture to OpenCV: %w", err)
	}
	defer img.Close()
	mask, back, fore := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer mask.Close()
	defer back.Close()
	defer fore.Close()
	box := image.Rect(int(cx-1.4*w), int(top-.7*w), int(cx+1.4*w), size.Y-1).Intersect(image.Rect(1, 1, size.X-1, size.Y-1))
	gocv.GrabCut(img, &mask, box, &back, &fore, 5, gocv.GCInitWithRect)
	return time.Since(began), nil
}

// previews: a frame's bytes to the mirror's pixels, beside a plain decode.
func (s *simulated) previews(t *testing.T, tab *table) {
	t.Helper()
	var full image.RGBA
	var plain, live []float64
	room := mirror(t)
	asked := image.Pt(codec.PreviewSize(s.frames[0].Width, s.frames[0].Height, room.X, room.Y))
	sizes := []image.Point{{960, 540}, asked, {1280, 720}}
	cost := make([][]float64, len(sizes))
	dst := make([]*image.RGBA, len(sizes))
	for i, p := range sizes {
		dst[i] = image.NewRGBA(image.Rectangle{Max: p})
	}
	f := s.frames[0]
	small := image.NewRGBA(image.Rectangle{Max: pipeline.LiveSize(image.Pt(f.Width, f.Height))})
	timed := func(into *[]float64, do func() error) {
		t.Helper()
		began := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		*into = append(*into, ms(time.Since(began)))
	}
	for i := range previewRounds {
		jpg := s.frames[i%len(s.frames)].Data
		timed(&plain, func() error { return codec.DecodeRGBA(&full, jpg, codec.Options{}) })
		for j := range dst {
			timed(&cost[j], func() error { return codec.PreviewInto(dst[j], jpg, true) })
		}
		timed(&live, func() error {
			if err := codec.PreviewInto(small, jpg, false); err != nil {
				return err
			}
			_, err := s.maker.Live(small, f.Width, s.spec)
			return err
		})
	}
	for j, p := range sizes {
		name := ""
		if p == asked {
			name = fmt.Sprintf("，1280×800 窗口中的 %d×%d / in a 1280×800 window", room.X, room.Y)
		}
		tab.add(fmt.Sprintf("预览一帧→%d×%d 镜像 RGBA%s", p.X, p.Y, name), fmt.Sprintf("%.2f ms", median(cost[j])),
			fmt.Sprintf("libjpeg-turbo 1080p→RGBA: %.2f ms", median(plain)), ratio(median(cost[j]), median(plain)))
	}
	tab.add("实时检查一次，含解码 / live checks, decode included", fmt.Sprintf("%.1f ms", median(live)), "", "")
}

// mirror is the room that the capture screen has for the picture in a window of
// 1280×800.
func mirror(t *testing.T) image.Point {
	t.Helper()
	w, err := screen.New(test.NewTempApp(t), screen.Options{Size: image.Pt(1280, 800), OnIntent: func(booth.Intent) {}})
	if err != nil {
		t.Fatal(err)
	}
	w.Open()
	w.Show(booth.View{State: booth.Framing, SessionID: "bench"})
	width, height := w.PreviewSize()
	if width == 0 || height == 0 {
		t.Fatal("the capture screen has no room for a mirror")
	}
	return image.Pt(width, height)
}

// commits: a packet made durable, beside the bare system calls.
func commits(t *testing.T, tab *table) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := key.Public().(ed25519.PublicKey)
	dir := t.TempDir()
	box, err := outbox.Open(filepath.Join(dir, "outbox"), outbox.Options{
		Log:    slog.New(slog.DiscardHandler),
		Limits: outbox.Limits{MinFree: 1}, Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, public) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	bare := filepath.Join(dir, "bare")
	if err := os.Mkdir(bare, 0o700); err != nil {
		t.Fatal(err)
	}
	index, err := os.OpenFile(filepath.Join(dir, "index"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	original := append([]byte("\xff\xd8\xff"), make([]byte, 300<<10)...)
	var ours, plain []float64
	for i := range commitRounds {
		p, err := packet.Seal(packet.Input{
			ID: ulid.Make(), Seq: uint64(i + 1), Station: "bench", Spec: "chsi", Created: time.Now(),
			Manifest: packet.Manifest{AuditHead: fmt.Sprint(i)}, Original: original, Portrait: []byte("\xff\xd8\xff\xe0"),
		}, []age.Recipient{id.Recipient()}, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := box.Guard(); err != nil { // the booth asks before a student sits down
			t.Fatal(err)
		}
		// In turn: what comes second meets a disk that is still busy with the first.
		began := time.Now()
		var between time.Time
		if i%2 == 0 {
			_, err = box.Commit(p)
			between = time.Now()
			err = errors.Join(err, store(bare, fmt.Sprint(i), p.Bytes, index))
		} else {
			err = store(bare, fmt.Sprint(i), p.Bytes, index)
			between = time.Now()
			_, failed := box.Commit(p)
			err = errors.Join(err, failed)
		}
		if err != nil {
			t.Fatal(err)
		}
		first, second := ms(between.Sub(began)), ms(time.Since(between))
		if i%2 != 0 {
			first, second = second, first
		}
		ours, plain = append(ours, first), append(plain, second)
	}
	for _, q := range []int{50, 99} {
		tab.add(fmt.Sprintf("照片库提交 300 KB p%d / outbox commit", q), fmt.Sprintf("%.2f ms", percentile(ours, q)),
			fmt.Sprintf("write, fsync, rename, fsync dir, 2 × fdatasync: %.2f ms", percentile(plain, q)), ratio(percentile(ours, q), percentile(plain, q)))
	}
}

// indexPages is what a commit of the index writes: four pages of the tree,
// then the page that makes them count.
const indexPages = 5

// store is what making a file and a row of an index durable takes at the least.
func store(dir, name string, data []byte, index *os.File) (err error) {
	tmp := filepath.Join(dir, name+".tmp")
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = cmp.Or(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := cmp.Or(d.Sync(), d.Close()); err != nil {
		return err
	}
	page := make([]byte, 4096)
	for i := range indexPages {
		if _, err := index.WriteAt(page, int64(i*len(page))); err != nil {
			return err
		}
		if i >= indexPages-2 {
			if err := unix.Fdatasync(int(index.Fd())); err != nil {
				return err
			}
		}
	}
	return nil
}

// cameraCost is what the simulation takes of the machine that shows it.
func cameraCost(t *testing.T, tab *table) {
	t.Helper()
	b := openScene(t, scene.Options{Occupied: true})
	var took []float64
	for range previewRounds {
		began := time.Now()
		next(t, b)
		took = append(took, ms(time.Since(began)))
	}
	tab.add("模拟相机一帧 / one frame of the simulated camera", fmt.Sprintf("%.1f ms", median(took)), "30 fps: 33.3 ms", ratio(median(took), 1000./30))
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// percentile is the nearest-rank one.
func percentile(v []float64, p int) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[min(len(s)*p/100, len(s)-1)]
}

func median(v []float64) float64 { return percentile(v, 50) }

func ratio(a, b float64) string {
	if b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}
