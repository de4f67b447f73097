// Package infer runs the trained networks: where faces are, a mesh of points on
// one of them, and which pixels are a person.
//
// It turns pictures into numbers and knows nothing of what they mean for a
// photo: rules, students and files are its callers' business. The networks run
// on the processor through OpenCV. The same picture gives the same answer on
// the same machine; a blank or a senseless picture gives a low score, not an
// error.
package infer

import (
	"errors"
	"fmt"
	"image"
	"sync"

	"gocv.io/x/gocv"

	"github.com/yunzhao-station/yunzhao/assets/models"
)

// errPicture reports a picture whose buffer does not hold what its rectangle
// and stride promise.
var errPicture = errors.New("infer: malformed picture")

// errClosed reports the use of Nets after Close.
var errClosed = errors.New("infer: networks are closed")

// Point is a position in pixels of the picture asked about; whole numbers are
// pixel corners, so the centre of the first pixel is (0.5, 0.5).
type Point struct{ X, Y float64 }

// Nets holds the networks. Each is unpacked at its first use (some 20 ms), so
// that making Nets costs nothing. Several goroutines may share one Nets: calls
// of the same network wait for each other. Use New, and Close when done: the
// networks live outside Go's heap.
type Nets struct {
	detector, person              net
	mesh, lips, leftEye, rightEye net

	meshMu   sync.Mutex
	meshWork meshScratch // under meshMu
}

// New returns Nets with nothing loaded.
func New() *Nets {
	head := func(name string, points, irises int) net {
		return net{name: name, channels: features, side: partSide, values: 2 * (points + irises)}
	}
	return &Nets{
		detector: net{name: models.Detector, channels: 3, side: detectorSide, values: detectorValues},
		person:   net{name: models.Person, channels: 3, side: PersonSide, values: PersonSide * PersonSide},
		mesh:     net{name: models.Mesh, channels: 3, side: meshSide, values: meshValues},
		lips:     head(models.Lips, len(lipPoints), 0),
		leftEye:  head(models.LeftEye, len(leftEyePoints), irisPoints),
		rightEye: head(models.RightEye, len(rightEyePoints), irisPoints),
	}
}

func (n *Nets) all() [6]*net {
	return [6]*net{&n.detector, &n.person, &n.mesh, &n.lips, &n.leftEye, &n.rightEye}
}

// Close frees the networks. Later calls answer with an error. Closing twice is
// harmless.
func (n *Nets) Close() error {
	var errs []error
	for _, m := range n.all() {
		errs = append(errs, m.close())
	}
	return errors.Join(errs...)
}

// Wipe overwrites what the networks still hold of the last picture: their
// inputs and, by running them on black, all they computed from it.
func (n *Nets) Wipe() {
	n.meshMu.Lock()
	clear(n.meshWork.features)
	n.meshMu.Unlock()
	for _, m := range n.all() {
		m.wipe()
	}
}

// net is one network with its input; its fields are used under mu.
type net struct {
	name     string
	channels int // the input is channels × side × side, plane by plane
	side     int
	values   int // in the output

	mu     sync.Mutex
	loaded bool
	closed bool
	dnn    gocv.Net
	blob   gocv.Mat
	input  []float32 // blob's own memory
}

// load makes the network ready; the caller holds mu.
func (m *net) load() error {
	if m.closed {
		return errClosed
	}
	if m.loaded {
		return nil
	}
	b, err := models.Read(m.name)
	if err != nil {
		return err
	}
	dnn, err := gocv.ReadNetFromONNXBytes(b)
	if err != nil {
		return fmt.Errorf("infer: load network %q: %w", m.name, err)
	}
	blob := gocv.NewMatWithSizes([]int{1, m.channels, m.side, m.side}, gocv.MatTypeCV32F)
	input, err := blob.DataPtrFloat32()
	if err != nil {
		return errors.Join(fmt.Errorf("infer: input of network %q: %w", m.name, err), blob.Close(), dnn.Close())
	}
	m.dnn, m.blob, m.input, m.loaded = dnn, blob, input, true
	return nil
}

// run fills the input, runs the network and hands its output to read; what read
// is given is valid only until it returns.
func (m *net) run(fill, read func(v []float32)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(); err != nil {
		return err
	}
	fill(m.input)
	return m.forward(read)
}

// forward runs the loaded network on its input; the caller holds mu.
func (m *net) forward(read func(v []float32)) (err error) {
	m.dnn.SetInput(m.blob, "")
	out := m.dnn.Forward("")
	defer func() { err = errors.Join(err, out.Close()) }()
	v, err := out.DataPtrFloat32()
	if err != nil {
		return fmt.Errorf("infer: output of network %q: %w", m.name, err)
	}
	if len(v) != m.values {
		return fmt.Errorf("infer: network %q answered with %d values, want %d", m.name, len(v), m.values)
	}
	read(v)
	return nil
}

func (m *net) wipe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.loaded {
		return
	}
	clear(m.input)
	m.dnn.SetInput(m.blob, "")
	out := m.dnn.Forward("")
	_ = out.Close() // gives back memory and cannot fail
}

func (m *net) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if !m.loaded {
		return nil
	}
	m.loaded, m.input = false, nil
	return errors.Join(m.blob.Close(), m.dnn.Close())
}

// check tells what is wrong with m's buffer; an empty picture is fine.
func check(m *image.RGBA) error {
	if m == nil {
		return fmt.Errorf("%w: none", errPicture)
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if w > 0 && h > 0 && (m.Stride < 4*w || len(m.Pix) < (h-1)*m.Stride+4*w) {
		return fmt.Errorf("%w: %d bytes for %dx%d at stride %d", errPicture, len(m.Pix), w, h, m.Stride)
	}
	return nil
}
