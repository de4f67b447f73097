package booth

import "time"

// Recalibrate photographs the empty backdrop anew (a member of staff, with
// nobody seated). Fresh says that the backdrop or the camera was moved, so that
// the pictures are not compared with the plate in use.
type Recalibrate struct{ Fresh bool }

func (Recalibrate) intent() {}

// Calibrate is the effect of Recalibrate, and of the button on the page that
// asks for the first plate.
type Calibrate struct{ Fresh bool }

func (Calibrate) effect() {}

// Events of a calibration.
type (
	// CalibrationProgress tells that frames of the empty backdrop are being
	// taken.
	CalibrationProgress struct{ Got, Want int }
	// CalibrationDone ends a calibration. Whatever was found is in Lines, the
	// worst first. The plate in use changes only with PlateChanged.
	CalibrationDone struct {
		Accepted bool
		Lines    []CalibrationLine
	}
	// PlateChanged tells which plate is in use and what has changed in the booth
	// since it was taken; Alarm nil = nothing.
	PlateChanged struct {
		Plate PlateView
		Alarm *Text
	}
)

func (CalibrationProgress) event() {}
func (CalibrationDone) event()     {}
func (PlateChanged) event()        {}

// CalibrationState is how the last calibration stands.
type CalibrationState string

// The states of a calibration.
const (
	CalibrationNone     CalibrationState = ""         // none since the start or the last visit
	CalibrationRunning  CalibrationState = "running"  // frames are being taken
	CalibrationAccepted CalibrationState = "accepted" // the new plate is in use
	CalibrationRefused  CalibrationState = "refused"  // the plate before, if any, stays in use
)

// CalibrationView is the photographing of the empty backdrop.
type CalibrationView struct {
	State     CalibrationState
	Got, Want int               // frames, while running
	Lines     []CalibrationLine // what was found, the worst first
	Plate     PlateView         // in use
	Alarm     *Text             // what has changed since, and what to do; nil = nothing
}

// CalibrationLine is one thing that was looked at.
type CalibrationLine struct {
	ID    string // as in pipeline/calibrate, or LineCameraSettings
	Level Level
	Text  Text
}

// LineCameraSettings is the line about what the camera is held to.
const LineCameraSettings = "camera_settings"

// PageLight shows staff all that the last calibration found: which lamp to move,
// and by how much.
const PageLight StaffPage = "light"

// LightView is the page about backdrop and light.
type LightView struct {
	Lines    []CalibrationLine // of the last calibration since the start, the worst first
	At       time.Time         // when that was; zero = none yet
	Accepted bool
}

// PlateView is the plate in use; its ID is "" when there is none.
type PlateView struct {
	ID      string
	TakenAt time.Time
	Camera  string
	Frames  int
}

var (
	textCalibrating   = Text{"正在拍摄空背景，请稍等，不要进入画面。", "The empty backdrop is being photographed. Please wait outside the picture."}
	textCalibrateLast = Text{"有同学在拍照，结束后再拍空背景。", "A student is here: photograph the backdrop afterwards."}
	textPlateNew      = Text{"新的空背景已启用。", "The new picture of the backdrop is in use."}
)

// recalibrate asks for a new plate, where nobody is seated and the camera works.
func (m *Machine) recalibrate(fresh bool) {
	switch {
	case m.calibration.State == CalibrationRunning:
	case m.state != Idle:
		m.say(textCalibrateLast)
	case m.cameraBusy != "" && m.cameraBusy != CameraBundle:
		m.say(textCameraBusy)
	case m.cameraDown != nil:
		m.say(textCameraWait)
	default:
		m.calibrationAsked = true
		m.calibration.State = CalibrationRunning
		m.calibration.Got, m.calibration.Want, m.calibration.Lines = 0, 0, nil
		m.audit("plate.recalibrate", map[bool]string{true: "fresh", false: ""}[fresh])
		m.emit(Calibrate{Fresh: fresh})
	}
}

func (m *Machine) calibrationProgress(ev CalibrationProgress) {
	c := &m.calibration
	c.State, c.Got, c.Want, c.Lines = CalibrationRunning, ev.Got, ev.Want, nil
}

func (m *Machine) calibrationDone(ev CalibrationDone) {
	c := &m.calibration
	c.State, c.Lines = CalibrationRefused, ev.Lines
	if ev.Accepted {
		c.State = CalibrationAccepted
	}
	c.Got, c.Want = 0, 0
	m.light = LightView{Lines: ev.Lines, At: m.now, Accepted: ev.Accepted}
	asked := m.calibrationAsked
	m.calibrationAsked = false
	switch {
	case m.state != Idle:
		// The desk sees it on the lamp; a student is not told.
	case !ev.Accepted && len(ev.Lines) > 0:
		m.say(ev.Lines[0].Text)
	case ev.Accepted && asked: // at its start the station does it unasked
		m.say(textPlateNew)
		if l := ev.Lines; len(l) > 0 && l[0].ID == LineCameraSettings && l[0].Level == Warn {
			m.say(l[0].Text)
		}
	}
}

// doorOpen tells whether a student may begin.
func (m *Machine) doorOpen() bool {
	settling := m.cameraBusy == CameraHold || m.cameraBusy == CameraRelease
	return m.guard == nil && m.calibration.State != CalibrationRunning && !settling
}

// calibrating is the page of a first calibration under way, in place of the one
// that asked for it.
func calibrating(f Fault) Fault {
	f.Body, f.Do, f.Action = textCalibrating, Text{}, Text{}
	return f
}
