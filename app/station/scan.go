package station

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/scan"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/qr"
	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/roster"
)

// refocusEvery is how often a focus that has not come back is asked for again.
const refocusEvery = time.Second

// readDesk reads cards and codes while the Identify screen asks for them, with
// the camera's focus released for it.
func (s *Station) readDesk(ctx context.Context) {
	hints := map[scan.Hint]booth.ScanHint{scan.Nothing: booth.ScanNothing, scan.TooFar: booth.ScanCloser, scan.Reading: booth.ScanHold}
	r := scan.New(scan.Params{
		Frames: s.p.Camera, Rotation: s.p.Config.Camera.MountRotation, Wanted: s.scanWanted,
		Valid: func(n string) bool { return roster.ValidResidentID(n) == nil },
		Cards: scan.NewCards, Codes: qr.New(),
		Hint: func(session string, h scan.Hint) {
			s.report(ctx, booth.Scanning{Session: session, Hint: hints[h]})
		},
		Card: func(session, number, name string) {
			s.report(ctx, booth.Scanned{Session: session, Number: number, Name: name})
		},
		Code: func(session, text string) { s.codeRead(ctx, session, text) },
		Failed: func(session string, err error) {
			s.log.Warn("cards cannot be read by the camera", "err", err)
			s.report(ctx, booth.Scanning{Session: session, Failed: true})
		},
	})
	r.Run(ctx)
}

// scanWanted is the session that wants a card or a code read now.
func (s *Station) scanWanted() string {
	v := s.View()
	if v.State != booth.Identify || !v.Identify.Scan.On || v.Identify.Busy || v.Operator != nil {
		return ""
	}
	return v.SessionID
}

// codeRead takes a code that was held before the camera: a pass, or a number as
// admission letters carry it.
func (s *Station) codeRead(ctx context.Context, session, text string) {
	if !strings.HasPrefix(text, claim.PassPrefix) {
		if number, ok := s.wedge.number(text); ok {
			s.report(ctx, booth.Scanned{Session: session, Number: number})
		}
		return // a poster or the like says nothing
	}
	p, err := claim.OpenPass(text, s.p.Enrolment.Enrolled.CentralKey, s.centralNow())
	if err == nil {
		err = s.p.Roster.Admit(p.Batch, p.Ref, p.Nonce, session, p.Issued)
	}
	ev := booth.Scanned{Session: session, BatchID: p.Batch, Ref: p.Ref}
	if err != nil {
		ev.Problem = s.passProblem(err)
	}
	s.report(ctx, ev)
}

func (s *Station) passProblem(err error) *booth.Text {
	switch {
	case errors.Is(err, claim.ErrPassExpired):
		return &booth.Text{ZH: "采集码已过期，请在手机上刷新页面后再出示。", EN: "The code has expired: reload the page on the phone and show it again."}
	case errors.Is(err, claim.ErrPassEarly):
		return &booth.Text{ZH: "本机时钟比中心慢，读不了采集码。请输入证件号，并告知工作人员。", EN: "This station's clock is behind central's. Type your number, and tell the staff."}
	case errors.Is(err, roster.ErrSpent):
		return &booth.Text{ZH: "这个采集码已经用过。请在手机上刷新页面，或输入证件号。", EN: "This code was used before. Reload the page on the phone, or type your number."}
	case errors.Is(err, roster.ErrUnknown):
		return &booth.Text{ZH: "名单里没有这条采集资格。请输入证件号，或请工作人员帮忙。", EN: "This record is not on this station's list. Type your number, or ask the staff."}
	case errors.Is(err, claim.ErrPass), errors.Is(err, claim.ErrForged):
		return &booth.Text{ZH: "这不是审核中心签发的采集码。请输入证件号。", EN: "This code was not signed by central. Type your number."}
	}
	s.log.Error("pass not judged", "err", err)
	return &booth.Text{ZH: "采集码没有写进磁盘，请再试一次，或输入证件号。", EN: "The code could not be written to disk. Try again, or type your number."}
}

// watchFocus lets the focus go while a card is held close, and brings the held
// settings back, read back from the camera, before a photo is possible: until
// then the booth counts the camera as not ready.
func (s *Station) watchFocus(ctx context.Context) {
	f := focus{wanted: s.scanWanted, camera: s.p.Camera, settings: s.heldSettings, log: s.log.Warn}
	f.ready = func(ok bool) {
		ev := booth.CameraChanged{Problem: booth.Text{ZH: "相机正在恢复对焦，一般一两秒就好。", EN: "The camera is focusing on the seat again; this takes a second or two."}}
		if ok {
			ev = cameraEvent(s.p.Camera.Status())
		}
		s.report(ctx, ev)
	}
	f.run(ctx)
}

// heldSettings are the settings that the present camera is held at; without a
// profile there is nothing to release or to restore.
func (s *Station) heldSettings() []camera.Setting {
	p, err := Profiles(s.p.DataDir).Load(s.p.Camera.Status().Identity.ID)
	if err != nil {
		return nil
	}
	return p.Settings
}

// adjuster sets controls and reads them back.
type adjuster interface {
	Adjust(ctx context.Context, settings []camera.Setting) ([]camera.Outcome, error)
}

// focus is the loop that releases and restores. A program that is killed between
// the two leaves nothing behind: a camera that is opened is set to its profile.
type focus struct {
	wanted   func() string
	camera   adjuster
	settings func() []camera.Setting
	ready    func(bool)
	log      func(msg string, args ...any)

	loose bool
	told  bool
}

func (f *focus) run(ctx context.Context) {
	fast := time.NewTicker(refocusEvery / 5)
	defer fast.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-fast.C:
			f.step(ctx)
		}
	}
}

// step does what is to be done now.
func (f *focus) step(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	want := f.wanted() != ""
	switch {
	case want && !f.loose:
		held := f.settings()
		if !holdsFocus(held) {
			return // the camera focuses by itself, or cannot
		}
		f.loose = true // before it is: whatever happens, it is brought back
		if _, err := f.camera.Adjust(ctx, []camera.Setting{{Name: camera.FocusAuto, Value: 1}}); err != nil {
			f.log("focus not released for a card", "err", err)
		}
	case !want && f.loose:
		outcomes, err := f.camera.Adjust(ctx, f.settings())
		if err == nil && len(camera.Refused(outcomes)) == 0 {
			f.loose = false
			if f.told {
				f.told = false
				f.ready(true)
			}
			return
		}
		if !f.told {
			f.told = true
			f.log("camera settings not restored yet", "refused", len(camera.Refused(outcomes)), "err", err)
			f.ready(false)
		}
	}
}

func holdsFocus(settings []camera.Setting) bool {
	for _, v := range settings {
		if v.Name == camera.FocusAuto && v.Value == 0 {
			return true
		}
	}
	return false
}
