// Package pipeline makes the certificate photo: it finds the face in a frame,
// cuts the person out against the plate, chooses the crop that the standard
// asks for, replaces the backdrop, writes the file and measures every rule of
// the photo guide.
//
// It gets pixels and gives pixels, bytes and a report. It must not know
// cameras, students, sessions, files' names or the network, and it does not
// log: what happened is in the report.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/quality"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// Plate is the picture of the empty booth; see matte.
type Plate = matte.Plate

// NewPlate makes a plate of one or more upright frames of the empty booth, all
// of one size; five are enough to know the noise.
func NewPlate(frames []*image.RGBA) (*Plate, error) {
	p, err := matte.NewPlate(frames)
	if err != nil {
		return nil, fmt.Errorf("make plate: %w", err)
	}
	return p, nil
}

// Options of a Standardizer. The zero value is right for a station.
type Options struct {
	// Texts of the checks; nil means the built-in ones.
	Texts spec.Texts
	// Detector to share with another Standardizer; nil means one of its own.
	Detector *face.Detector
	// Now is the clock of the timings; nil means time.Now.
	Now func() time.Time
}

// Standardizer makes portraits. It keeps its working memory from photo to
// photo; it is safe for concurrent use, one photo at a time, with Live beside it.
type Standardizer struct {
	texts    spec.Texts
	detector *face.Detector
	meter    *quality.Meter
	now      func() time.Time
	live     live

	mu     sync.Mutex
	matter *matte.Matter
	gray   image.Gray
	again  image.Gray // the written photo's
	file   []byte
}

// New loads the face models and the texts (about 10 MB, 30 ms).
func New(o Options) (*Standardizer, error) {
	texts, d, err := o.load()
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := matte.New()
	m.People = d
	return &Standardizer{texts: texts, detector: d, meter: quality.New(), now: o.Now, matter: m}, nil
}

func (o Options) load() (spec.Texts, *face.Detector, error) {
	if o.Texts == nil {
		t, err := spec.LoadTexts()
		if err != nil {
			return nil, nil, fmt.Errorf("pipeline: load texts: %w", err)
		}
		o.Texts = t
	}
	if o.Detector == nil {
		d, err := face.NewDetector()
		if err != nil {
			return nil, nil, fmt.Errorf("pipeline: load face models: %w", err)
		}
		o.Detector = d
	}
	return o.Texts, o.Detector, nil
}

// Input is one photo to be made.
type Input struct {
	Frame *image.RGBA // at the origin, opaque; not changed
	// Plate of upright frames (already turned by Rotation); nil: the backdrop is
	// estimated from the frame alone, and the report warns.
	Plate *Plate
	// Camera is the identity of the camera that took Frame; "" = unknown. A plate
	// of another one is refused.
	Camera string
	Spec   *spec.Spec
	// Rotation is how the camera is mounted: 0, 90, 180 or 270 degrees clockwise
	// turn its frames upright.
	Rotation int
	// Force makes a portrait also where the rules would refuse one, as long as
	// there is a face and the frame can be cropped.
	Force bool
	// Decode is how long decoding Frame took, for the report's timings.
	Decode time.Duration
}

// Result of one photo. The pictures belong to the caller.
type Result struct {
	JPEG     []byte      // the file; nil when refused
	Portrait *image.RGBA // decoded from JPEG, so what is shown is what is saved
	Before   *image.RGBA // the same crop of the untouched frame
	Alpha    *image.Gray // coverage of the person, at output size
	Report   Report
}

// Wipe overwrites the pictures and the file.
func (r *Result) Wipe() {
	clear(r.JPEG)
	for _, m := range []*image.RGBA{r.Portrait, r.Before} {
		if m != nil {
			clear(m.Pix)
		}
	}
	if r.Alpha != nil {
		clear(r.Alpha.Pix)
	}
	*r = Result{}
}

// ErrInput means that Standardize was called with something that is no photo
// or no standard; what a photo shows is never an error but a report.
var ErrInput = errors.New("pipeline: unusable input")

// Wipe overwrites every picture that the Standardizer still holds.
func (z *Standardizer) Wipe() {
	z.live.wipe()
	z.detector.Wipe()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.matter.Wipe()
	clear(z.gray.Pix[:cap(z.gray.Pix)])
	clear(z.again.Pix[:cap(z.again.Pix)])
	clear(z.file[:cap(z.file)])
}

// Standardize makes one portrait. A photo that cannot become one (no face, more
// than one, too small, cut by the frame's edge, a plate of another size) gives
// a report with failing checks and no JPEG. Errors are ErrInput, ctx's, and
// failures of the machinery.
func (z *Standardizer) Standardize(ctx context.Context, in Input) (*Result, error) {
	var one *Result
	err := z.standardize(ctx, in, []*spec.Spec{in.Spec}, func(r *Result) error {
		one = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return one, nil
}

// StandardizeAll makes one portrait a standard of the same frame, as Standardize
// would with each of them, but finds the face and cuts the person out only once.
// in.Spec is not looked at. Each result is handed to each as soon as it is made,
// in the order of the standards; an error that each returns ends the run and is
// returned. What the standards share counts in the timings of the first.
func (z *Standardizer) StandardizeAll(ctx context.Context, in Input, standards []*spec.Spec, each func(*Result) error) error {
	if len(standards) == 0 {
		return fmt.Errorf("%w: no standard", ErrInput)
	}
	return z.standardize(ctx, in, standards, each)
}

func (z *Standardizer) standardize(ctx context.Context, in Input, standards []*spec.Spec, each func(*Result) error) error {
	for _, in.Spec = range standards {
		if err := in.check(); err != nil {
			return err
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	sh := &common{standards: standards, frame: in.Frame}
	start := z.now()
	if in.Rotation != 0 {
		turned, err := codec.Rotate(in.Frame, in.Rotation)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
		sh.frame = turned
		defer clear(turned.Pix)
	}
	for _, in.Spec = range standards {
		p := &photo{z: z, common: sh, in: in, judge: judge{in.Spec, z.texts}, mark: start}
		p.res.Report.Spec, p.res.Report.SpecVersion = in.Spec.ID, in.Spec.Version
		p.tellPlate()
		if err := p.run(ctx); err != nil {
			return err
		}
		r := &p.res.Report
		r.Timings.Decode = ms(in.Decode)
		r.Timings.Total = ms(z.now().Sub(start) + in.Decode)
		r.Summarise()
		if err := each(&p.res); err != nil {
			return err
		}
		in.Decode, start = 0, z.now()
	}
	return nil
}

// minFrame is the least side of a frame in pixels.
const minFrame = 64

func (in Input) check() error {
	if in.Spec == nil {
		return fmt.Errorf("%w: no standard", ErrInput)
	}
	if err := drawable(in.Frame); err != nil {
		return err
	}
	if in.Rotation%90 != 0 || in.Rotation < 0 || in.Rotation > 270 {
		return fmt.Errorf("%w: rotation %d is not 0, 90, 180 or 270", ErrInput, in.Rotation)
	}
	return nil
}

// drawable refuses what is no frame.
func drawable(f *image.RGBA) error {
	if f == nil || f.Rect.Min != (image.Point{}) || f.Rect.Dx() < minFrame || f.Rect.Dy() < minFrame ||
		f.Rect.Dx()*f.Rect.Dy() > codec.MaxPixels || f.Stride < 4*f.Rect.Dx() || len(f.Pix) < f.Stride*(f.Rect.Dy()-1)+4*f.Rect.Dx() {
		return fmt.Errorf("%w: the frame must be a whole picture at the origin, at least %d px a side", ErrInput, minFrame)
	}
	return nil
}

// common is what every standard of one frame needs, made by the first that does.
type common struct {
	standards []*spec.Spec
	frame     *image.RGBA // upright

	looked bool // faces is valid
	faces  []face.Face

	seg      *matte.Segmentation
	crownY   float64 // frame pixels
	crownCut bool    // the head reaches the frame's upper edge
}

// photo is one frame under one standard.
type photo struct {
	*common
	z     *Standardizer
	in    Input
	judge judge
	res   Result
	head  head
	trust float64 // in the finished cut-out, 0..1
	mark  time.Time
}

// lap returns the milliseconds since the last one.
func (p *photo) lap() float64 {
	now := p.z.now()
	d := now.Sub(p.mark)
	p.mark = now
	return ms(d)
}

func ms(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }

func (p *photo) run(ctx context.Context) error {
	r := &p.res.Report
	if !p.looked {
		lumaInto(&p.z.gray, p.frame)
		faces, err := p.z.detector.Detect(&p.z.gray, face.Options{Colour: p.frame})
		if err != nil {
			return fmt.Errorf("find faces: %w", err)
		}
		p.faces, p.looked = faces, true
		r.Timings.Detect = p.lap()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(p.faces) > 0 {
		p.head = guessHead(&p.faces[0])
		r.Face = reportFace(&p.faces[0], p.head)
	}
	if p.hopeless() {
		p.refuse(nil, 0)
		return nil
	}
	if p.seg == nil {
		if err := p.segment(); err != nil {
			return err
		}
		r.Timings.Matte = p.lap()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	p.head.crownY = p.crownY
	r.Face = reportFace(&p.faces[0], p.head)
	if p.strangePlate() {
		p.refuse(nil, 0)
		return nil
	}
	return p.compose()
}

// hopeless tells whether the photo is refused before any cutting out.
func (p *photo) hopeless() bool {
	if len(p.faces) == 0 || p.plateMismatch() {
		return true
	}
	if p.in.Force {
		return false
	}
	second := 0.
	for i := range p.faces[1:] {
		second = max(second, p.faces[i+1].Area()/p.faces[0].Area())
	}
	return p.judge.value(quality.SingleFace, second, true).Status == Fail ||
		p.judge.value(quality.InterEyeDistance, p.faces[0].IED(), true).Status == Fail
}

// refuse reports what can be said without a portrait. geometry and scale, if
// any, are the best that the frame would have allowed.
func (p *photo) refuse(geometry map[string]float64, scale float64) {
	p.report(p.z.meter.Full(quality.Input{Frame: p.frame, Faces: p.faces}), geometry)
	r := &p.res.Report
	if c := r.find(quality.InterEyeDistance); c != nil && c.Status == Fail && c.Min != nil && *c.Value < *c.Min {
		c.say(tooFar(*c.Value, *c.Min))
	}
	if len(p.faces) == 0 {
		zero := 0.
		r.fail(p.judge, quality.SingleFace, &zero, p.judge.text(quality.SingleFace).Low)
		p.nobodySeen()
	}
	p.upscaleCheck(scale)
	p.fileChecks(nil)
	p.plateChecks()
	r.Timings.Check = p.lap()
}

// report judges all measurements; layout overrides the geometry among them and
// adds what only the layout knows.
func (p *photo) report(ms []quality.Measurement, layout map[string]float64) {
	r := &p.res.Report
	r.Checks = r.Checks[:0]
	seen := map[string]bool{}
	for _, m := range ms {
		if v, ok := layout[m.ID]; ok && !m.Known {
			m.Value, m.Known = v, true
		}
		seen[m.ID] = true
		if c, ok := p.judge.measured(m); ok {
			r.Checks = append(r.Checks, c)
		}
	}
	for _, id := range geometryIDs {
		if v, known := layout[id]; !seen[id] && p.in.Spec.Limit(id).Level != spec.LevelOff {
			r.Checks = append(r.Checks, p.judge.value(id, v, known))
		}
	}
}

// segment cuts the person out coarsely, for every standard of the run, and takes
// the head's measures from it.
func (p *photo) segment() error {
	f := &p.faces[0]
	region := p.region(p.standards[0])
	for _, s := range p.standards[1:] {
		region = around(region, p.region(s))
	}
	seg, err := p.z.matter.Segment(p.frame, p.in.Plate, matte.FaceBox{
		X: f.X, Y: f.Y, W: f.W, H: f.H,
		EyeL: matte.Point(f.LeftEye), EyeR: matte.Point(f.RightEye), ChinY: f.Chin.Y,
	}, region)
	if err != nil {
		return fmt.Errorf("cut the person out: %w", err)
	}
	p.seg = seg
	if y, ok := seg.Crown(); ok && y < p.head.eyeY {
		p.crownY = y
	} else {
		p.crownCut = p.head.crownY <= 0 || y <= 0
		p.crownY = max(min(p.head.crownY, y), 0)
	}
	return nil
}

// region is what the crop for s will about be, with room for tall hair above and
// for the backdrop at the sides.
func (p *photo) region(s *spec.Spec) matte.Rect {
	x, y, w, h := p.head.rect(p.head.choose(s, unbounded, anyScale), s.Width, s.Height)
	return matte.Rect{X: x - .12*w, Y: y - .2*h, W: 1.24 * w, H: 1.3 * h}
}

func around(a, b matte.Rect) matte.Rect {
	x, y := min(a.X, b.X), min(a.Y, b.Y)
	return matte.Rect{X: x, Y: y, W: max(a.X+a.W, b.X+b.W) - x, H: max(a.Y+a.H, b.Y+b.H) - y}
}

// compose chooses the crop, renders, writes and measures. When the measures
// taken on the finished picture leave a window, it is laid out once more with
// what they taught.
func (p *photo) compose() error {
	s, r := p.in.Spec, &p.res.Report
	size := p.frame.Rect.Size()
	frame := bounds{0, 0, float64(size.X), float64(size.Y)}
	turn := 0.
	if s.AllowRotate {
		turn = uprightTurn(&p.faces[0])
		p.head = p.head.turned(&p.faces[0], turn)
	}
	for round := 0; ; round++ {
		room := p.head.room(s, frame, turn)
		f := p.head.choose(s, room, s.MaxUpscale)
		layout := p.head.measure(f, s.Height)
		missed := p.head.misses(f, s)
		if (len(missed) > 0 || p.crownCut) && !p.in.Force {
			p.refuse(layout, f.scale)
			p.explain(missed, layout, room)
			return nil
		}
		crop := p.crop(f, turn)
		r.Timings.Compose += p.lap()
		port, err := p.render(crop)
		if err != nil {
			return fmt.Errorf("compose portrait: %w", err)
		}
		p.trust = port.Confidence
		r.Timings.Compose += p.lap()

		jpg, file, buf, err := encode(p.z.file, port.RGBA, s)
		p.z.file = buf
		shown := &image.RGBA{}
		if err == nil {
			// What is shown and measured last is the file, not what it was made of.
			err = codec.DecodeRGBA(shown, jpg, codec.Options{})
		}
		r.Timings.Encode += p.lap()
		if err != nil {
			return fmt.Errorf("write portrait: %w", err)
		}
		measured, err := p.inspect(shown, port, crop)
		if err != nil {
			return err
		}
		r.Timings.Check += p.lap()
		if round < relayouts && p.learn(measured, f) {
			continue
		}
		p.report(measured, layout)
		p.upscaleCheck(f.scale)
		p.backdropCheck()
		p.clutterCheck()
		r.Crop = &crop
		r.Alpha = &Region{int(math.Round(crop.X)), int(math.Round(crop.Y)), int(math.Round(crop.Width)), int(math.Round(crop.Height))}
		r.Matte = string(p.seg.Method)
		if s.Background.Keep {
			r.Matte = "keep"
		}
		r.Face = reportFace(&p.faces[0], p.head)
		p.res.JPEG, p.res.Portrait, p.res.Before, p.res.Alpha = jpg, shown, port.Cut, port.Alpha
		r.Output = &Output{Width: shown.Rect.Dx(), Height: shown.Rect.Dy(), Bytes: len(jpg), JPEGQuality: file.quality, Chroma: file.sub.String()}
		p.fileChecks(jpg)
		p.plateChecks()
		if missed = p.stillMissed(missed); len(missed) > 0 || p.crownCut {
			p.learn(measured, f)
			p.explain(missed, layout, room)
		}
		return nil
	}
}

// relayouts is how often a photo is laid out anew with what the finished picture
// taught about the head: hair that the coarse cut did not see, mostly once.
const relayouts = 2

// stillMissed adds to the windows that the layout missed those that the finished
// picture was measured outside of.
func (p *photo) stillMissed(missed []string) []string {
	for _, id := range geometryIDs {
		c := p.res.Report.find(id)
		if c != nil && c.Status == Fail && c.Value != nil && !slices.Contains(missed, id) {
			missed = append(missed, id)
		}
	}
	return missed
}

// upscaleCheck says how much the frame was enlarged; 0 is unknown.
func (p *photo) upscaleCheck(scale float64) {
	if r := &p.res.Report; p.in.Spec.Limit(spec.Upscale).Level != spec.LevelOff {
		r.Checks = append(r.Checks, p.judge.value(spec.Upscale, scale, scale > 0))
	}
}

// crop is the frame rectangle of a framing. Unless it is turned, it lies on
// whole pixels inside the frame, its sides off their proportions by less than a
// thousandth; where that would leave a window, it lies between pixels.
func (p *photo) crop(f framing, turn float64) Crop {
	size := p.frame.Rect.Size()
	x, y, w, h := p.head.rect(f, p.in.Spec.Width, p.in.Spec.Height)
	if turn != 0 {
		cx, cy := unturn(p.faces[0].EyeMid(), x+w/2, y+h/2, turn)
		return Crop{X: cx - w/2, Y: cy - h/2, Width: w, Height: h, RotationDeg: turn}
	}
	exact := Crop{X: x, Y: y, Width: w, Height: h}
	w, h = min(math.Round(w), float64(size.X)), min(math.Round(h), float64(size.Y))
	whole := Crop{
		X: min(max(math.Round(x), 0), float64(size.X)-w), Y: min(max(math.Round(y), 0), float64(size.Y)-h),
		Width: w, Height: h,
	}
	s := p.in.Spec
	if len(missing(p.head.measureCrop(whole, s), s)) > len(missing(p.head.measureCrop(exact, s), s)) {
		return exact
	}
	return whole
}

// render makes the pictures of a crop. A turned one is cut upright with room
// around it first, and then turned as a whole, so that the matte sees pixels as
// the camera gave them.
func (p *photo) render(c Crop) (*matte.Portrait, error) {
	s := p.in.Spec
	if c.RotationDeg == 0 {
		return p.z.matter.Render(p.seg, matte.Rect{X: c.X, Y: c.Y, W: c.Width, H: c.Height}, s.Width, s.Height, s.Background.Color, s.Background.Keep)
	}
	w, h := enclose(c.Width, c.Height, c.RotationDeg)
	kx, ky := float64(s.Width)/c.Width, float64(s.Height)/c.Height
	m, err := p.z.matter.Render(p.seg, matte.Rect{X: c.X + (c.Width-w)/2, Y: c.Y + (c.Height-h)/2, W: w, H: h},
		int(math.Round(w*kx)), int(math.Round(h*ky)), s.Background.Color, s.Background.Keep)
	if err != nil {
		return nil, err
	}
	for _, img := range []*image.RGBA{m.RGBA, m.Cut, m.PlateCut, m.PlateFlat} {
		if img != nil {
			img.Pix = turnPixels(img.Pix, img.Stride, 4, img.Rect.Size(), s.Width, s.Height, c.RotationDeg)
			img.Stride, img.Rect = 4*s.Width, image.Rect(0, 0, s.Width, s.Height)
		}
	}
	a := m.Alpha
	a.Pix = turnPixels(a.Pix, a.Stride, 1, a.Rect.Size(), s.Width, s.Height, c.RotationDeg)
	a.Stride, a.Rect = s.Width, image.Rect(0, 0, s.Width, s.Height)
	return m, nil
}

// learn takes the head's measures from the finished picture when they leave a
// window that the layout believed to hold; false: there is nothing to mend.
func (p *photo) learn(ms []quality.Measurement, f framing) bool {
	h, changed := p.head, false
	for _, m := range ms {
		if !m.Known || p.in.Spec.Limit(m.ID).Level == spec.LevelOff || p.in.Spec.Geometry.Window(m.ID).Compare(m.Value) == 0 {
			continue
		}
		switch m.ID {
		case spec.CrownMargin:
			h.crownY = h.eyeY - (f.eye-m.Value)/f.scale
		case spec.EyeLine:
			d := (m.Value - f.eye) / f.scale
			h.eyeY, h.crownY, h.chinY = h.eyeY+d, h.crownY+d, h.chinY+d
		case spec.FaceWidth:
			h.faceW = m.Value / f.scale
		case spec.Centred:
			h.cx += (m.Value - f.off) / f.scale
		default:
			continue
		}
		changed = true
	}
	if !changed || !h.valid() {
		return false
	}
	p.head = h
	return true
}

// explain puts into the checks that failed where to move and by how much, or,
// where no move helps, by how much the head leaves the window.
func (p *photo) explain(missed []string, layout map[string]float64, room bounds) {
	s, r := p.in.Spec, &p.res.Report
	h := p.head
	if p.crownCut {
		// How far the hair goes on above the frame is the guess of a usual head.
		h.crownY = min(guessHead(&p.faces[0]).crownY, -leastHair*p.faces[0].IED())
		if !slices.Contains(missed, spec.CrownMargin) {
			missed = append(missed, spec.CrownMargin)
		}
	}
	advice, ok := h.advise(s, room, s.MaxUpscale)
	if p.crownCut {
		if !ok {
			advice, ok = Advice{FullZH: "请坐低一些。", FullEN: "Sit lower."}, true
		}
		advice.FullZH, advice.FullEN = "头顶超出画面。"+advice.FullZH, "The top of the head is outside the frame. "+advice.FullEN
	}
	for _, id := range missed {
		value := layout[id]
		if c := r.find(id); c != nil && c.Value != nil {
			value = *c.Value
		}
		say := h.excess(s, id, value)
		if ok {
			say = spec.Sentence{ZH: advice.FullZH, EN: advice.FullEN}
		}
		r.fail(p.judge, id, nil, say)
	}
}

// leastHair is how far hair at the frame's upper edge is taken to go on at the
// least, in distances between the pupils.
const leastHair = .1

// fileChecks measures the written bytes themselves; nil: there is no file.
func (p *photo) fileChecks(jpg []byte) {
	r, s := &p.res.Report, p.in.Spec
	add := func(id string, v float64, known bool) {
		if s.Limit(id).Level != spec.LevelOff {
			r.Checks = append(r.Checks, p.judge.value(id, v, known))
		}
	}
	if jpg == nil {
		for _, id := range []string{spec.Pixels, spec.DPI, spec.FileSize} {
			add(id, 0, false)
		}
		return
	}
	b := p.res.Portrait.Rect.Size()
	add(spec.Pixels, float64(b.X*b.Y), b.X == s.Width && b.Y == s.Height)
	x, y, err := codec.Density(jpg)
	r.Output.DPI = x
	add(spec.DPI, float64(x), err == nil && x == y)
	add(spec.FileSize, float64(len(jpg))/1000, true)
	if c := r.find(spec.FileSize); c != nil && c.Status == Fail {
		c.say(sizeProblem(len(jpg), s))
	}
}

// backdropCheck warns of a colour that was asked for and is none of the
// standard's.
func (p *photo) backdropCheck() {
	if p.in.Spec.Background.Foreign {
		c := p.judge.base(checkBackdrop, Warn)
		c.say(p.judge.text(checkBackdrop).Low)
		p.res.Report.Checks = append(p.res.Report.Checks, c)
	}
}

// clutterCheck warns of a backdrop that the matte could not find a plain wall
// in: the measure of uniformity weighs edges alone, and large flat posters have
// few of them.
func (p *photo) clutterCheck() {
	c := p.res.Report.find(quality.BackgroundUniform)
	if c == nil || c.Status != Pass || !p.seg.Cluttered || c.Value == nil || *c.Value > plainWall {
		return
	}
	c.Status = Warn
	c.say(p.judge.text(quality.BackgroundUniform).Low)
}

// plainWall is the quality of a backdrop that is plain whatever the matte makes
// of it: with little of it in the frame there is too little to learn a wall from.
const plainWall = 90

// plateChecks says how far the cut-out can be trusted.
func (p *photo) plateChecks() {
	r, s := &p.res.Report, p.in.Spec
	if s.Limit(checkPlate).Level != spec.LevelOff {
		t := p.judge.text(checkPlate)
		c := p.judge.base(checkPlate, Pass)
		switch {
		case p.in.Plate == nil:
			c.Status = Warn
			c.say(t.Unknown)
		case p.strangePlate():
			c.Status = Fail
			c.say(spec.Sentence{
				ZH: "空背景底图与照片不是同一相机、同一背景拍的，请工作人员重新拍摄空背景。",
				EN: "The empty backdrop was not taken with this camera before this backdrop. Staff: photograph it again.",
			})
		case p.plateMismatch():
			c.Status = Fail
			c.say(p.mismatch())
		default:
			c.say(t.OK)
			if p.seg != nil {
				p.drift(&c)
			}
		}
		r.Checks = append(r.Checks, c)
	}
	if s.Limit(checkCutout).Level != spec.LevelOff && p.seg != nil && p.res.JPEG != nil {
		r.Checks = append(r.Checks, p.judge.value(checkCutout, p.trust, true))
	}
}

// Ids of the checks that only this package knows.
const (
	checkPlate    = "plate"
	checkCutout   = "cutout"
	checkBackdrop = "backdrop"
)

// strangePlate tells whether the plate shows another place than the frame:
// nothing around the person agrees with it, or the wall has another colour than
// any change of light could give it.
func (p *photo) strangePlate() bool {
	if p.in.Plate == nil || p.seg == nil {
		return false
	}
	d := p.seg.Drift
	lo, hi := slices.Min(d.Gain[:]), slices.Max(d.Gain[:])
	return d.Kind == matte.DriftMoved && d.Residual > strangeResidual ||
		d.Kind == matte.DriftLamp && (hi > strangeTint*lo || lo > strangeGain || hi < 1/strangeGain)
}

const (
	// strangeResidual is how far, in noise deviations, what is left of a frame's
	// backdrop may differ from its plate before the plate is taken for another
	// booth's. A knocked camera gives less than a third of it.
	strangeResidual = 30
	// strangeTint is the same for the gains of two colour channels: a lamp's or a
	// white balance's change stays below 1.4, the next colour of wall begins at 1.6.
	strangeTint = 1.5
	// strangeGain is the same for the gain of all: beyond one and a third stops no
	// photo would be exposed.
	strangeGain = 2.5
)

// Proportions of an average adult head, in distances between the pupils; the
// matte and the finished picture correct them.
const (
	faceWidthPerIED = 2.12 // cheek to cheek
	crownPerIED     = 1.95 // pupils to the crown, common hair
)

func guessHead(f *face.Face) head {
	e, ied := f.EyeMid(), f.IED()
	h := head{eyeY: e.Y, cx: e.X, crownY: e.Y - crownPerIED*ied, chinY: f.Chin.Y, faceW: faceWidthPerIED * ied}
	if !(h.chinY > h.eyeY+.8*ied) {
		h.chinY = h.eyeY + 1.9*ied
	}
	return h
}

func reportFace(f *face.Face, h head) *Face {
	pt := func(p face.Point) Point { return Point{tenth(p.X), tenth(p.Y)} }
	return &Face{
		X: tenth(f.X), Y: tenth(f.Y), Width: tenth(f.W), Height: tenth(f.H),
		LeftEye: pt(f.LeftEye), RightEye: pt(f.RightEye), Nose: pt(f.Nose),
		MouthLeft: pt(f.MouthLeft), MouthRight: pt(f.MouthRight), Chin: pt(f.Chin),
		Crown: Point{tenth(h.cx), tenth(h.crownY)}, Score: tenth(f.Score),
	}
}

// tenth rounds to what a landmark can be known to.
func tenth(v float64) float64 { return math.Round(v*10) / 10 }

// lumaInto converts to gray (BT.601), two halves at once.
func lumaInto(dst *image.Gray, src *image.RGBA) {
	w, h := src.Rect.Dx(), src.Rect.Dy()
	codec.ResizeGray(dst, w, h)
	var wg sync.WaitGroup
	for part := range 2 {
		wg.Go(func() {
			for y := part * h / 2; y < (part+1)*h/2; y++ {
				in, out := src.Pix[y*src.Stride:y*src.Stride+4*w], dst.Pix[y*w:(y+1)*w]
				for x := range out {
					q := in[4*x : 4*x+4 : 4*x+4]
					out[x] = uint8((19595*uint32(q[0]) + 38470*uint32(q[1]) + 7471*uint32(q[2]) + 1<<15) >> 16)
				}
			}
		})
	}
	wg.Wait()
}
