package booth

import "time"

// SetupStep is one step of the first run.
type SetupStep string

// The steps, in their order.
const (
	SetupUnlock   SetupStep = "unlock" // somebody has a PIN already: it is asked for first
	SetupLanguage SetupStep = "language"
	SetupName     SetupStep = "name"
	SetupCamera   SetupStep = "camera"
	SetupPlate    SetupStep = "plate"
	SetupCentral  SetupStep = "central"
	SetupPIN      SetupStep = "pin"
	SetupShot     SetupStep = "shot"
	SetupEnd      SetupStep = "end"
)

// Intents of the first run.
type (
	// SetupGo ends the step and goes on.
	SetupGo struct{}
	// SetupSkip goes on without it.
	SetupSkip struct{}
	// SetupBack goes to the step before.
	SetupBack struct{}
	// SetupLang chooses the language.
	SetupLang struct{ Lang Lang }
	// SetupNames are the station's and the school's.
	SetupNames struct{ Station, School string }
	// SetupDevice chooses a camera.
	SetupDevice struct{ Device string }
	// SetupTurn turns its picture by 90 degrees.
	SetupTurn struct{}
	// SetupTake photographs the empty backdrop.
	SetupTake struct{}
	// SetupTry takes a test shot.
	SetupTry struct{}
	// SetupEnrol makes the station known to central.
	SetupEnrol struct{ URL, Code string }
	// SetupTrust goes on with the code that was scanned: an admin has compared its
	// digits.
	SetupTrust struct{}
	// SetupDrop forgets the code that was scanned.
	SetupDrop struct{}
	// SetupSecret is the admin's new PIN, or the one that is asked for.
	SetupSecret struct{ PIN string }
)

func (SetupGo) intent()     {}
func (SetupSkip) intent()   {}
func (SetupBack) intent()   {}
func (SetupLang) intent()   {}
func (SetupNames) intent()  {}
func (SetupDevice) intent() {}
func (SetupTurn) intent()   {}
func (SetupTake) intent()   {}
func (SetupTry) intent()    {}
func (SetupEnrol) intent()  {}
func (SetupTrust) intent()  {}
func (SetupDrop) intent()   {}
func (SetupSecret) intent() {}

// String hides the PIN, so that no log or failure message shows it.
func (SetupSecret) String() string { return "SetupSecret{}" }

// String hides the one-time code.
func (SetupEnrol) String() string { return "SetupEnrol{}" }

// SetupView is the first run: what stands between a computer just installed and
// its first student.
type SetupView struct {
	Step  SetupStep
	Marks []SetupMark // every step, in order
	Busy  bool        // something is under way: wait
	Done  bool        // what the step is for is there: the main button goes on
	Told  Text        // of what was asked last; empty = nothing
	Level Level
	Risk  Text // what follows from skipping the step; empty = it cannot be skipped

	Station, School string
	Cameras         []SettingOption
	Device          string
	Rotation        int
	Camera          Lamp
	Got, Want       int               // frames of the backdrop, while busy
	Lines           []CalibrationLine // of the last calibration
	URL             string
	Scanned         *SetupCode    // waits to be compared
	Shot            *CameraSample // of SetupShot
	RetryAt         time.Time     // no PIN is taken before; zero = now
}

// SetupMark is a step in the row of steps.
type SetupMark struct {
	Step  SetupStep
	Name  Text
	Level Level // OK: done; Warn: skipped; Note: to come
}

// SetupCode is a set-up code that was read and not yet trusted.
type SetupCode struct {
	Address  string // central's
	Compare  string // digits that central's people say too
	Station  string
	School   string
	Settings []string // names of the settings that go along
}
