package scene

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
)

func booth(tb testing.TB, o Options) *Booth {
	tb.Helper()
	if o.Width == 0 {
		o.Width, o.Height = 480, 270
	}
	b, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// disc is a person of a kind: an opaque red disc with a soft rim, cut by the
// lower edge.
func disc() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 200, 150))
	for y := range 150 {
		for x := range 200 {
			d := math.Hypot(float64(x)-99.5, float64(y)-99.5)
			a := min(max(95-d, 0), 8) / 8
			m.SetNRGBA(x, y, color.NRGBA{200, 40, 40, uint8(255 * a)})
		}
	}
	return m
}

// The true picture is colour times coverage over the backdrop, everywhere; and
// what the camera sees is the true picture with noise of the strength asked
// for.
func TestRenderIsExact(t *testing.T) {
	for name, o := range map[string]Options{
		"4:2:0":        {Person: disc(), Drift: -1, Light: -1, Shadow: -1, Noise: 2},
		"4:4:4":        {Person: disc(), Drift: -1, Light: -1, Shadow: -1, Noise: 2, Chroma444: true},
		"half outside": {Person: disc(), Drift: -1, Light: -1, Shadow: -1, Noise: 2, OffsetX: 200, OffsetY: 40},
		"tiny":         {Person: disc(), Drift: -1, Light: -1, Shadow: -1, Noise: 2, Scale: 0.1},
		"huge":         {Person: disc(), Drift: -1, Light: -1, Shadow: -1, Noise: 2, Scale: 3, OffsetX: -300},
	} {
		t.Run(name, func(t *testing.T) {
			b := booth(t, o)
			at := 1234 * time.Millisecond
			img, alpha := b.Render(at, true)
			plate, none := b.Render(at, false)
			var covered, soft, worst int
			for i, a := range alpha.Pix {
				if none.Pix[i] != 0 {
					t.Fatal("coverage without a person")
				}
				if a == 255 {
					covered++
				} else if a > 0 {
					soft++
				}
				for c, f := range [3]int{200, 40, 40} {
					want := (f*int(a) + int(plate.Pix[4*i+c])*(255-int(a))) / 255
					worst = max(worst, abs(int(img.Pix[4*i+c])-want))
				}
			}
			if covered == 0 || soft == 0 {
				t.Fatalf("%d pixels covered, %d in part", covered, soft)
			}
			if worst > 3 { // roundings of the scaled cut-out, coverage and colour
				t.Errorf("off by up to %d levels", worst)
			}

			seen := b.Sample(nil, at, true, 7)
			var sum, square float64
			for y := range b.o.Height {
				for x := range b.o.Width {
					p := img.Pix[y*img.Stride+4*x:]
					l := 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])
					d := float64(seen.Y[y*seen.YStride+x]) - l
					sum, square = sum+d, square+d*d
				}
			}
			n := float64(b.o.Width * b.o.Height)
			if mean, rms := sum/n, math.Sqrt(square/n); math.Abs(mean) > 0.2 || rms < 1.8 || rms > 2.3 {
				t.Errorf("luma is off by %.2f levels in the mean, %.2f rms; want 0 and the noise, 2", mean, rms)
			}
		})
	}
}

func abs(v int) int { return max(v, -v) }

// The demo student is framed so that a 3:4 half-body crop fits: head room, eyes
// far enough apart, body down to the lower edge.
func TestDefaultFraming(t *testing.T) {
	b := booth(t, Options{Width: 1920, Height: 1080, Still: true})
	_, alpha := b.Render(0, true)
	row := func(y int) (from, to int) {
		from = -1
		for x, a := range alpha.Pix[y*alpha.Stride:][:1920] {
			if a > 127 {
				if from < 0 {
					from = x
				}
				to = x + 1
			}
		}
		return from, to
	}
	crown := 0
	for from, _ := row(crown); from < 0; from, _ = row(crown) {
		crown++
	}
	if crown < 130 || crown > 170 {
		t.Errorf("crown at row %d, want about 150", crown)
	}
	from, to := row(1079)
	if from < 0 || from < 300 || to > 1620 {
		t.Errorf("the body leaves the frame at columns %d to %d", from, to)
	}
	if mid := (from + to) / 2; mid < 940 || mid > 980 {
		t.Errorf("the body's middle is column %d", mid)
	}
	// The pupils are 181 pixels apart in the cut-out, 1100 wide.
	if eyes := 181 * float64(b.person.Rect.Dx()) / 1100; eyes < 110 {
		t.Errorf("%.0f pixels between the eyes, want at least 110", eyes)
	}
}

// The head sways by parts of a pixel from frame to frame, as heads do, and its
// true coverage goes with it.
func TestSwayIsSmooth(t *testing.T) {
	b := booth(t, Options{Width: 960, Height: 540})
	const row = 150 // through the face
	middle := func(at time.Duration) float64 {
		_, alpha := b.Render(at, true)
		var sum, weight float64
		for x, a := range alpha.Pix[row*alpha.Stride:][:960] {
			sum, weight = sum+float64(a), weight+float64(a)*float64(x)
		}
		return weight / sum
	}
	var moved float64
	last := middle(0)
	for n := 1; n <= 15; n++ {
		at := b.frameTime(uint64(n))
		p, q := b.poseAt(b.frameTime(uint64(n-1)).Seconds(), 0, true), b.poseAt(at.Seconds(), 0, true)
		now := middle(at)
		// At this height the sway is damped by a fifth or less.
		if d, full := now-last, q.sway-p.sway; math.Abs(d-0.88*full) > 0.02+0.15*math.Abs(full) {
			t.Errorf("frame %d: the head moves by %.3f pixels, want about %.3f", n, d, 0.88*full)
		}
		moved += math.Abs(now - last)
		last = now
	}
	if moved < 0.3 || moved > 5 {
		t.Errorf("the head moved %.2f pixels in half a second", moved)
	}
}

func TestShadowAndLight(t *testing.T) {
	plain := booth(t, Options{Shadow: -1, Texture: -1, Drift: -1, Light: -1, Falloff: -1, Still: true})
	deep := booth(t, Options{Shadow: 0.3, Texture: -1, Drift: -1, Light: -1, Falloff: -1, Still: true})
	a, alpha := plain.Render(0, true)
	b, _ := deep.Render(0, true)
	var deepest float64
	for i, cover := range alpha.Pix {
		part := 1 - float64(b.Pix[4*i+1])/float64(a.Pix[4*i+1])
		if cover == 255 && part != 0 {
			t.Fatal("the shadow falls on the person")
		}
		if cover == 0 {
			deepest = max(deepest, part)
		}
	}
	if deepest < 0.15 || deepest > 0.31 {
		t.Errorf("the backdrop loses up to %.2f of its light, want nearly 0.3", deepest)
	}
	empty, _ := deep.Render(0, false)
	for i := 4; i < len(empty.Pix); i += 4 {
		if empty.Pix[i] != empty.Pix[0] {
			t.Fatal("an empty booth without light, texture and fall-off is not even")
		}
	}
	slope := booth(t, Options{Light: 0.2, Texture: -1, Drift: -1, Falloff: -1})
	img, _ := slope.Render(0, false)
	left, right := float64(img.Pix[1]), float64(img.Pix[4*(slope.o.Width-1)+1])
	if d := (right - left) / 228; d < 0.18 || d > 0.22 {
		t.Errorf("light changes by %.3f from left to right, want 0.2", d)
	}
}

func TestSeedRepeats(t *testing.T) {
	a := booth(t, Options{Seed: 5}).Sample(nil, time.Second, true, 9)
	b := booth(t, Options{Seed: 5}).Sample(nil, time.Second, true, 9)
	if !bytes.Equal(a.Y, b.Y) || !bytes.Equal(a.Cb, b.Cb) {
		t.Error("the same seed gives another picture")
	}
	if c := booth(t, Options{Seed: 6}).Sample(nil, time.Second, true, 9); bytes.Equal(a.Y, c.Y) {
		t.Error("another seed gives the same picture")
	}
	s := booth(t, Options{Seed: 5})
	if bytes.Equal(s.Sample(nil, 0, false, 1).Y, s.Sample(nil, 0, false, 2).Y) {
		t.Error("two frames have the same noise")
	}
}

// tiny encodes nothing but what package mjpeg wants to see, so that tests of
// time take none.
func tiny(dst []byte, img *image.YCbCr, _ int) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, image.NewGray(img.Rect), nil)
	return append(dst, b.Bytes()...), err
}

// filmed runs f with a booth on a clock of its own.
func filmed(t *testing.T, o Options, f func(t *testing.T, b *Booth)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Width, o.Height, o.Encode = 64, 64, tiny
		f(t, booth(t, o))
	})
}

func TestPacing(t *testing.T) {
	filmed(t, Options{}, func(t *testing.T, b *Booth) {
		var f camera.Frame
		start := time.Now()
		for range 31 {
			if err := b.Next(t.Context(), &f); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start).Round(time.Millisecond); d != time.Second {
			t.Errorf("31 frames took %v, want 1 s", d)
		}
		// Who comes late gets the newest frame; the others are dropped.
		<-time.After(time.Second)
		seq := f.Seq
		if err := b.Next(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		if lost := f.Seq - seq - 1; lost != 29 || b.Counters().Dropped != lost {
			t.Errorf("%d frames lost, %d counted; want 29", lost, b.Counters().Dropped)
		}
		if age := time.Since(f.Captured); age > time.Second/30 {
			t.Errorf("the frame is %v old", age)
		}

		b.Slow(2)
		start = time.Now()
		for range 5 {
			if err := b.Next(t.Context(), &f); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d < 2*time.Second || d > 2500*time.Millisecond {
			t.Errorf("5 frames at 2 fps took %v", d)
		}
		b.Slow(0)
		start = time.Now()
		if err := b.Next(t.Context(), &f); err != nil || time.Since(start) > time.Second/30 {
			t.Errorf("the first frame after slowness took %v, %v", time.Since(start), err)
		}
	})
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		on     func(*Booth)
		off    func(*Booth)
		want   error
		counts bool // as invalid frames
	}{
		{"freeze", func(b *Booth) { b.Freeze(true) }, func(b *Booth) { b.Freeze(false) }, camera.ErrStalled, false},
		{"unplug", (*Booth).Unplug, (*Booth).Plug, camera.ErrGone, false},
		{"corrupt", func(b *Booth) { b.Corrupt(true) }, func(b *Booth) { b.Corrupt(false) }, camera.ErrStalled, true},
		{"wrong size", func(b *Booth) { b.WrongSize(true) }, func(b *Booth) { b.WrongSize(false) }, camera.ErrStalled, true},
		{"slower than a stall", func(b *Booth) { b.Slow(0.2) }, func(b *Booth) { b.Slow(0) }, camera.ErrStalled, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			filmed(t, Options{}, func(t *testing.T, b *Booth) {
				var f camera.Frame
				if err := b.Next(t.Context(), &f); err != nil {
					t.Fatal(err)
				}
				tt.on(b)
				start := time.Now()
				err := b.Next(t.Context(), &f)
				if errors.Is(err, nil) { // one more may have been due
					err = b.Next(t.Context(), &f)
				}
				if !errors.Is(err, tt.want) {
					t.Fatalf("Next = %v, want %v", err, tt.want)
				}
				if d := time.Since(start); d > 2*time.Second {
					t.Errorf("it took %v to notice", d)
				}
				if c := b.Counters(); (c.Invalid > 0) != tt.counts {
					t.Errorf("%+v", c)
				}
				tt.off(b)
				if err := b.Next(t.Context(), &f); err != nil {
					t.Errorf("Next = %v once the fault is over", err)
				}
			})
		})
	}
}

// The whole loop that people try by hand: a supervisor, a booth, a fault.
func TestDimLight(t *testing.T) {
	var mean float64 // of what the encoder was given last
	b := booth(t, Options{Width: 64, Height: 64, FreeRun: true, Encode: func(dst []byte, img *image.YCbCr, quality int) ([]byte, error) {
		sum := 0
		for _, y := range img.Y {
			sum += int(y)
		}
		mean = float64(sum) / float64(len(img.Y))
		return tiny(dst, img, quality)
	}})
	filmed := func() float64 {
		t.Helper()
		var f camera.Frame
		if err := b.Next(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		return mean
	}
	lit := filmed()
	b.Dim(true)
	if d := filmed() / lit; d < dimTo-0.02 || d > dimTo+0.02 {
		t.Errorf("dim light leaves %.2f", d)
	}
	b.Dim(false)
	if d := filmed() / lit; d < 0.98 || d > 1.02 {
		t.Errorf("light again is %.2f of what it was", d)
	}
}

func TestSupervised(t *testing.T) {
	filmed(t, Options{}, func(t *testing.T, b *Booth) {
		s, err := camera.NewSupervisor(camera.SupervisorParams{Open: b.Open})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		reach := func(want camera.State) {
			t.Helper()
			start := time.Now()
			for {
				changed := s.Changed()
				if s.Status().State == want {
					break
				}
				<-changed
			}
			if d := time.Since(start); d > 2*time.Second+200*time.Millisecond {
				t.Errorf("%q took %v", want, d)
			}
		}
		reach(camera.Streaming)
		b.Unplug()
		reach(camera.Absent)
		b.Plug()
		reach(camera.Streaming)
		b.Freeze(true)
		reach(camera.Stalled)
		b.Freeze(false)
		reach(camera.Streaming)
		opens := s.Status().Opens // a few bad frames are no reason to open again
		b.Corrupt(true)
		<-time.After(500 * time.Millisecond)
		b.Corrupt(false)
		<-time.After(500 * time.Millisecond)
		if st := s.Status(); st.Opens != opens || st.Counters.Invalid == 0 || st.State != camera.Streaming {
			t.Errorf("after a burst of bad frames: %+v", st)
		}
		b.Corrupt(true)
		reach(camera.Stalled)
		b.Corrupt(false)
		reach(camera.Streaming)
		if !s.Status().Identity.Simulated || s.Status().Counters.Invalid == 0 {
			t.Errorf("status %+v", s.Status())
		}
		cancel()
		<-ended
	})
}

// The walk takes its time, turns back half-way without a jump, and ends still.
func TestWalk(t *testing.T) {
	filmed(t, Options{}, func(t *testing.T, b *Booth) {
		in := func() float64 { return b.walker.at(b.sceneTime()) }
		if in() != 0 || b.Occupied() {
			t.Fatal("somebody is there at the start")
		}
		b.SetOccupied(true)
		<-time.After(walk / 2)
		half := in()
		if half < 0.45 || half > 0.55 {
			t.Errorf("half-way at %.2f", half)
		}
		b.SetOccupied(false)
		if d := math.Abs(in() - half); d > 0.01 {
			t.Errorf("turning back jumps by %.2f", d)
		}
		b.SetOccupied(true)
		<-time.After(700 * time.Millisecond)
		if in() != 1 || !b.Occupied() {
			t.Errorf("after 0.7 s the person is at %.2f", in())
		}
		if b.slideFor(1) != 0 || b.slideFor(0) < float64(b.o.Width)/2 {
			t.Errorf("seated %.0f pixels aside, gone %.0f", b.slideFor(1), b.slideFor(0))
		}
	})
	// Outside is outside: one step from gone shows nothing of person or shadow.
	b := booth(t, Options{Noise: -1, Drift: -1, Shadow: 0.5})
	empty, almost := b.Sample(nil, 0, false, 0), canvas(480, 270, false)
	b.paint(almost, newLines(480), b.poseAt(0, b.slideFor(0.001), true), 0)
	for i := range empty.Y {
		if abs(int(empty.Y[i])-int(almost.Y[i])) > 2 {
			t.Fatalf("pixel %d differs by more than the shadow's last trace", i)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"odd width":    {Width: 641, Height: 480},
		"no height":    {Width: 640},
		"negative":     {Width: -640, Height: -480},
		"gigantic":     {Width: 100_000, Height: 100_000},
		"fps":          {FPS: -1},
		"scale NaN":    {Scale: math.NaN()},
		"offset NaN":   {OffsetX: math.NaN()},
		"noise":        {Noise: 1000},
		"quality":      {Quality: 101},
		"stall":        {Stall: -1},
		"empty person": {Person: image.NewNRGBA(image.Rect(0, 0, 10, 10))},
		"no person":    {Person: image.NewNRGBA(image.Rect(0, 0, 0, 0))},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := BackdropColour("mauve"); err == nil {
		t.Error("mauve: accepted")
	}
	for _, name := range []string{White, Blue, Grey, Green} {
		if c, err := BackdropColour(name); err != nil || c.A != 255 {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

func TestEncoderFailure(t *testing.T) {
	fail := errors.New("no encoder")
	b := booth(t, Options{Encode: func([]byte, *image.YCbCr, int) ([]byte, error) { return nil, fail }})
	if err := b.Next(t.Context(), &camera.Frame{}); !errors.Is(err, fail) {
		t.Errorf("Next = %v, want %v", err, fail)
	}
}

func TestNoAllocationPerFrame(t *testing.T) {
	var picture []byte
	b := booth(t, Options{FreeRun: true, Occupied: true, Encode: func(dst []byte, img *image.YCbCr, q int) ([]byte, error) {
		var err error
		if picture == nil {
			picture, err = encodeStandard(nil, img, q)
		}
		return append(dst, picture...), err
	}})
	var f camera.Frame
	next := func() {
		if err := b.Next(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
	}
	next()
	next()
	if n := testing.AllocsPerRun(20, next); n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

func BenchmarkPaint1080p(b *testing.B) {
	for _, occupied := range []bool{false, true} {
		name := "empty"
		if occupied {
			name = "occupied"
		}
		b.Run(name, func(b *testing.B) {
			s := booth(b, Options{Width: 1920, Height: 1080})
			img := s.Sample(nil, 0, occupied, 0)
			ln := newLines(1920)
			n := uint64(0)
			start := cpu()
			for b.Loop() {
				n++
				s.paint(img, ln, s.poseAt(float64(n)/30, 0, occupied), n)
			}
			b.ReportMetric(float64(cpu()-start)/float64(n)/1e6, "cpu-ms/frame")
		})
	}
}

// cpu is the processor time of this process: what a frame costs, whatever else
// the machine is doing.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
