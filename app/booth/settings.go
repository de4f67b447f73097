package booth

// PageSettings lets an admin see and change every setting of the station.
const PageSettings StaffPage = "settings"

// adminPages are open to admins only, whatever a screen asks for.
var adminPages = map[StaffPage]bool{PageSettings: true}

type (
	// ChangeSetting asks for another value of one setting.
	ChangeSetting struct{ Key, Value string }
	// ExportSettings has the settings written to a file for another station.
	ExportSettings struct{}
	// ImportSettings takes them from such a file.
	ImportSettings struct{}
	// Restart ends the station and starts it anew, with the settings as they are
	// in the file.
	Restart struct{}

	// SaveSetting is ChangeSetting's effect, answered by SettingsRead.
	SaveSetting struct {
		Key, Value string
		By         Staff
	}
	// WriteSettings is ExportSettings' effect, ReadSettings is ImportSettings';
	// both are answered by SettingsRead.
	WriteSettings struct{ By Staff }
	// ReadSettings reads an exported file.
	ReadSettings struct{ By Staff }
	// Again is the effect of Restart.
	Again struct{}

	// SettingsRead brings the settings as the file has them.
	SettingsRead struct {
		Settings SettingsView
		Changed  []SettingChange // put on record
		By       Staff
		Told     *Text // what came of what was asked; nil = the page was opened
		Level    Level
	}
)

func (ChangeSetting) intent()  {}
func (ExportSettings) intent() {}
func (ImportSettings) intent() {}
func (Restart) intent()        {}
func (SaveSetting) effect()    {}
func (WriteSettings) effect()  {}
func (ReadSettings) effect()   {}
func (Again) effect()          {}
func (SettingsRead) event()    {}

// SettingChange is one change as it goes on record. Settings hold no secrets.
type SettingChange struct{ Key, From, To string }

// SettingKind is what values a setting takes.
type SettingKind string

// The kinds.
const (
	SettingText   SettingKind = "text"
	SettingNumber SettingKind = "number"
	SettingFlag   SettingKind = "flag"
	SettingChoice SettingKind = "choice"
)

// SettingsView is the settings page.
type SettingsView struct {
	Groups  []SettingGroup
	Lines   []SettingLine // in the order of the groups
	Pending int           // changes that wait for a restart
	Can     bool          // nobody is here: the station may restart
	Told    Text          // of what was asked last; empty = nothing yet
	Level   Level
}

// SettingGroup is a group of settings.
type SettingGroup struct {
	ID   string
	Name Text
}

// SettingLine is one setting.
type SettingLine struct {
	Key, Group string
	Kind       SettingKind
	Name       Text
	About      Text
	Allowed    Text
	Value      string
	Shown      Text // Value as people read it
	Standard   Text // the default, likewise
	Most       int  // characters of a text, or the largest number
	Choices    []SettingOption
	Typed      bool // of a choice: another text may be typed
	Pending    bool // differs from what the station runs with
}

// SettingOption is one value of a choice.
type SettingOption struct {
	Value string
	Name  Text
}

// maxSetting bounds what a screen may send as a value, in bytes.
const maxSetting = 1024

// settingsIntent does what an admin asks for on the settings page.
func (m *Machine) settingsIntent(in Intent) {
	if !m.op.open || !m.admin() || m.op.page != PageSettings {
		return
	}
	switch in := in.(type) {
	case ChangeSetting:
		if len(in.Value) <= maxSetting {
			m.emit(SaveSetting{Key: in.Key, Value: in.Value, By: m.Operator()})
		}
	case ExportSettings:
		m.audit("settings.exported", "")
		m.emit(WriteSettings{By: m.Operator()})
	case ImportSettings:
		m.emit(ReadSettings{By: m.Operator()})
	case Restart:
		if m.nobodyHere() {
			m.audit("station.restart", "")
			m.emit(Again{})
		}
	}
}

// settingsRead takes what the file says now; the change is on record even when
// the page was closed meanwhile.
func (m *Machine) settingsRead(ev SettingsRead) {
	for _, c := range ev.Changed {
		m.emit(Audit{Event: "settings.set", Detail: c.Key, By: ev.By, Value: c.To, Limit: c.From})
	}
	if m.op.page != PageSettings {
		return
	}
	v := ev.Settings
	if ev.Told != nil {
		v.Told, v.Level = *ev.Told, ev.Level
	}
	m.op.settings = &v
}

// settingsView is what the page shows; nil while it is closed or not read yet.
func (m *Machine) settingsView() *SettingsView {
	if m.op.page != PageSettings || m.op.settings == nil {
		return nil
	}
	v := *m.op.settings
	v.Can = m.nobodyHere()
	return &v
}
