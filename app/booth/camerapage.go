package booth

import (
	"image"
	"time"
)

// PageCamera shows staff what the camera does and how sharp and bright its picture
// is.
const PageCamera StaffPage = "camera"

// cameraIdle is how long the camera's page stays open without a touch: whoever
// turns the lens or aims the camera has no hand free.
const cameraIdle = 5 * time.Minute

// CameraJob is something that staff have the camera do from its page.
type CameraJob string

// The jobs. All but the bundle need an empty booth: they show or change what the
// next student gets.
const (
	CameraShot    CameraJob = "shot"    // one frame at full size, looked at and forgotten
	CameraBundle  CameraJob = "bundle"  // what helps to find a fault, in a file
	CameraHold    CameraJob = "hold"    // keep exposure, colour and focus as they are now
	CameraCard    CameraJob = "card"    // read the light's colour off a grey card held at the seat
	CameraRelease CameraJob = "release" // give them back to the camera's automatics
)

type (
	// DoCamera asks for a job.
	DoCamera struct{ Job CameraJob }
	// RunCamera is its effect, answered by CameraDone.
	RunCamera struct{ Job CameraJob }
	// CameraMeasured brings what the page shows, a few times a second while it is
	// open.
	CameraMeasured struct{ Reading CameraReading }
	// CameraDone ends a job.
	CameraDone struct {
		Job   CameraJob
		Level Level
		Text  Text
		Shot  *CameraSample // of CameraShot; nil = it failed
	}
)

func (DoCamera) intent()      {}
func (RunCamera) effect()     {}
func (CameraMeasured) event() {}
func (CameraDone) event()     {}

// CameraView is the camera's page.
type CameraView struct {
	Reading CameraReading
	Busy    CameraJob // under way; "" = none
	Can     bool      // the booth is empty: every job may be asked for
	Told    Text      // of the last job; empty = none since the page was opened
	Level   Level
	Shot    *CameraSample // the last test shot; nil = show the live picture
}

// CameraReading is what was measured last.
type CameraReading struct {
	Name  string // the driver's name of it
	ID    string // USB identity
	Node  string
	State Lamp   // as the lamp, with the last error's remedy
	Mode  string // MJPG 1920×1080, 30 fps
	// FPSIn is what the camera gives, FPSOut what came to the screen.
	FPSIn, FPSOut float64
	Dropped       uint64
	Invalid       uint64
	Repeated      uint64
	Opens         uint64
	Settings      []CameraSetting

	Measured bool // of a picture; the rest is zero otherwise
	// Focus is how much fine detail the middle of the picture has, in numbers of
	// its own; Best is the most since the page was opened.
	Focus, Best float64
	// Histogram of luma, shares of the fullest of its bins.
	Histogram [64]float32
	// Dark and Bright are the pixels without detail, per cent of the picture.
	Dark, Bright           float64
	DarkLevel, BrightLevel Level
}

// CameraSetting is one of the camera's controls.
type CameraSetting struct {
	Title Text
	Value string
	Auto  bool // the camera changes it by itself
}

// CameraSample is a test shot.
type CameraSample struct {
	Whole  image.Image // the frame, upright, reduced
	Middle image.Image // its middle, pixel by pixel
	Facts  []StatusLine
}

var (
	textCameraBusy  = Text{"请等上一项做完。", "Please wait for what is under way."}
	textCameraLater = Text{"有同学在拍照，结束后再做。", "A student is here: do it afterwards."}
	textCameraPlate = Text{"正在拍空背景，请稍等。", "The backdrop is being photographed. One moment."}
)

// cameraJob starts a job where it may run.
func (m *Machine) cameraJob(job CameraJob) {
	switch {
	case !m.op.open || !m.authorised() || m.op.page != PageCamera:
	case m.cameraBusy != "":
		m.cameraSay(Note, textCameraBusy)
	case job != CameraBundle && !m.nobodyHere():
		m.cameraSay(Note, textCameraLater)
	case job != CameraBundle && m.calibration.State == CalibrationRunning:
		m.cameraSay(Note, textCameraPlate)
	default:
		m.cameraBusy = job
		m.op.camera.Told, m.op.camera.Shot = Text{}, nil
		m.audit("camera."+string(job), "")
		m.emit(RunCamera{Job: job})
	}
}

// cameraSay tells staff about the last job.
func (m *Machine) cameraSay(l Level, t Text) { m.op.camera.Level, m.op.camera.Told = l, t }

// cameraDone takes a job's outcome; the page it was asked from may be closed.
func (m *Machine) cameraDone(ev CameraDone) {
	if m.cameraBusy == ev.Job {
		m.cameraBusy = ""
	}
	if m.op.page == PageCamera {
		m.cameraSay(ev.Level, ev.Text)
		m.op.camera.Shot = ev.Shot
	}
}

// cameraView is what the page shows; nil while it is closed.
func (m *Machine) cameraView() *CameraView {
	if m.op.page != PageCamera {
		return nil
	}
	v := m.op.camera
	v.Busy, v.Can = m.cameraBusy, m.nobodyHere()
	return &v
}
