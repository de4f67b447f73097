package station

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/camera/scene"
)

// Automation answers the driver of a demonstration or a test. It tells what
// the kiosk shows, without anything that says who the student is.
type Automation struct {
	Station *Station
	Booth   *scene.Booth
	List    func() []remote.Target // the window's targets
	Frames  func() uint64          // frames that the mirror has shown so far
}

type lampState struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

type savedState struct {
	Packet  string `json:"packet"`
	Seq     uint64 `json:"seq"`
	Pending int    `json:"pending"`
	Online  bool   `json:"online"`
}

type shotState struct {
	Attempt  int    `json:"attempt"`
	Seq      uint64 `json:"seq"`
	Verdict  string `json:"verdict"`
	Portrait bool   `json:"portrait"`
	Accept   bool   `json:"acceptable"` // nothing keeps it from being accepted
	TookMS   int    `json:"took_ms"`
	Burst    int    `json:"burst"`   // frames to choose from
	Chosen   int    `json:"chosen"`  // place of the one that is shown, from 1; 0 = none
	Picking  bool   `json:"picking"` // another is being made
}

type kioskState struct {
	State   string               `json:"state"`
	Staff   string               `json:"operator,omitempty"` // pin: the pad is open; open: the page is; empty: neither
	Session string               `json:"session,omitempty"`
	Lang    string               `json:"lang"`
	Toast   string               `json:"toast,omitempty"`
	Fault   string               `json:"fault,omitempty"`
	Bad     bool                 `json:"bad_number"`
	Choices int                  `json:"choices"`
	Payment string               `json:"payment,omitempty"`
	Blocked bool                 `json:"blocked"`
	Linked  bool                 `json:"linked"`
	Claim   bool                 `json:"claim"`
	Ready   bool                 `json:"ready"`
	Hint    string               `json:"hint,omitempty"`
	Auto    bool                 `json:"auto"`   // the countdown may start by itself
	Itself  bool                 `json:"itself"` // the one under way has
	Retakes int                  `json:"retakes"`
	Recap   bool                 `json:"recapture"`
	Next    bool                 `json:"next"`
	Frames  uint64               `json:"frames"`
	Lamps   map[string]lampState `json:"lamps"`
	Saved   *savedState          `json:"saved,omitempty"`
	Shot    *shotState           `json:"shot,omitempty"`
}

// State is what the kiosk shows.
func (a *Automation) State() any {
	v := a.Station.View()
	k := kioskState{
		State: string(v.State), Session: v.SessionID, Lang: string(v.Lang), Bad: v.Identify.Bad,
		Choices: len(v.Candidates), Payment: v.Payment.State, Blocked: v.Payment.Blocked,
		Linked: v.Claim.Linked, Claim: v.Claim.URL != "", Ready: v.Live.Ready, Hint: v.Live.Hint.EN,
		Auto: v.Capture.Auto, Itself: v.Capture.ByItself,
		Retakes: len(v.Retakes), Next: v.Next != nil, Frames: a.Frames(),
		Lamps: map[string]lampState{},
	}
	switch {
	case v.Operator == nil:
	case v.Operator.Unlocked:
		k.Staff = "open"
	default:
		k.Staff = "pin"
	}
	if v.Toast != nil {
		k.Toast = v.Toast.EN
	}
	if v.Fault != nil {
		k.Fault = v.Fault.Code
	}
	if v.Student != nil {
		k.Recap = v.Student.Recapture
	}
	for id, l := range map[string]booth.Lamp{
		"camera": v.Lamps.Camera, "central": v.Lamps.Central, "outbox": v.Lamps.Outbox, "disk": v.Lamps.Disk, "plate": v.Lamps.Plate,
	} {
		k.Lamps[id] = lampState{Level: string(l.Level), Text: l.Text.EN}
	}
	if v.Saved != nil {
		k.Saved = &savedState{Packet: v.Saved.PacketID, Seq: v.Saved.Seq, Pending: v.Saved.Pending, Online: v.Saved.Online}
	}
	if v.Shot != nil {
		k.Shot = &shotState{Attempt: v.Shot.Attempt, Seq: v.Shot.Seq, Verdict: v.Shot.Verdict, Portrait: v.Shot.Portrait != nil, Accept: v.Shot.CanAccept, TookMS: v.Shot.TookMS, Burst: len(v.Shot.Burst), Picking: v.Shot.Picking != 0}
		for i, b := range v.Shot.Burst {
			if b.Seq == v.Shot.Seq {
				k.Shot.Chosen = i + 1
			}
		}
	}
	return k
}

// Targets lists what is on screen and where.
func (a *Automation) Targets() []remote.Target { return a.List() }

// Scene throws the simulated booth's switches.
func (a *Automation) Scene(cmd string) error {
	b := a.Booth
	switch cmd {
	case "freeze":
		b.Freeze(true)
	case "thaw":
		b.Freeze(false)
	case "unplug":
		b.Unplug()
	case "plug":
		b.Plug()
	case "corrupt":
		b.Corrupt(true)
	case "clean":
		b.Corrupt(false)
	case "dim":
		b.Dim(true)
	case "lit":
		b.Dim(false)
	case "slow":
		b.Slow(5)
	case "fast":
		b.Slow(0)
	case "wrong-size":
		b.WrongSize(true)
	case "right-size":
		b.WrongSize(false)
	default:
		return fmt.Errorf("no such switch; there are freeze thaw unplug plug corrupt clean dim lit slow fast wrong-size right-size")
	}
	return nil
}
