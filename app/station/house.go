package station

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
)

// houseEvery is how often lamps and guards are looked at without a cause.
const houseEvery = 3 * time.Second

// purgeEvery is how often packets whose retention is over are removed.
const purgeEvery = time.Hour

// purge removes packets that central has opened and that have been kept as
// long as the settings and the batches allow. It works beside the loop: it
// deletes files.
func (s *Station) purge(ctx context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		n, err := s.p.Outbox.Purge(time.Now(), s.retention())
		if err != nil {
			s.log.Error("old packets not all removed", "err", err)
		}
		if n > 0 {
			s.log.Info("old packets removed", "packets", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// retention is how long a packet stays here once central has opened it: the
// shortest of what the settings say and what any batch on the roster promises
// its students, since the index does not say which batch a packet is of.
func (s *Station) retention() time.Duration {
	days := s.p.Config.Outbox.RetainDays
	for _, b := range s.p.Roster.Batches() {
		days = min(days, s.retainDays(b.RetainDays))
	}
	return time.Duration(days) * 24 * time.Hour
}

// retainDays is what the student is promised: the batch's days, or the
// station's where those are fewer.
func (s *Station) retainDays(batch int) int {
	if own := s.p.Config.Outbox.RetainDays; batch < 1 || own < batch {
		return own
	}
	return batch
}

// watchHouse keeps the lamps, the worklist and the guards fresh.
func (s *Station) watchHouse(ctx context.Context) {
	tick := time.NewTicker(houseEvery)
	defer tick.Stop()
	for {
		if !s.onLoop(ctx, s.refreshHouse) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refreshHouse runs on the loop.
func (s *Station) refreshHouse() {
	stats := s.p.Outbox.Stats()
	online := s.p.Uplink.Status()
	guardErr := s.p.Outbox.Guard()
	lamps := booth.Lamps{
		Camera:  cameraLamp(s.p.Camera.Status()),
		Central: centralLamp(online),
		Outbox:  outboxLamp(stats.Pending),
		Disk:    diskLamp(guardErr),
		Plate:   s.plateLamp(),
	}
	s.apply(booth.LampsChanged{Lamps: lamps, Retakes: s.retakes(), Pending: stats.Pending, Online: online.Online})
	s.apply(booth.GuardChanged{Fault: s.guard(guardErr)})
	s.refreshStaff(lamps, online)
}

// apply reports an event from the loop itself.
func (s *Station) apply(ev booth.Event) { s.carryOut(s.ctx, s.machine.Report(time.Now(), ev)) }

// guard is why nobody new may sit down now; nil when the door is open.
func (s *Station) guard(outboxErr error) *booth.Fault {
	page := func(code string, happened booth.Text) *booth.Fault {
		f := booth.FaultPage(code, happened)
		return &f
	}
	var refusal *outbox.Refusal
	switch {
	case errors.As(outboxErr, &refusal):
		return page(refusal.Code, booth.Text{ZH: refusal.ZH, EN: refusal.EN})
	case outboxErr != nil:
		s.log.Error("guard", "err", outboxErr)
		return page(booth.FaultOutbox, unexpected)
	case s.p.Roster.Count() == 0:
		return page(booth.FaultNoRoster, booth.Text{})
	case s.plate == nil && s.plateProblem != nil:
		return page(booth.GuardNoPlate, *s.plateProblem)
	case s.plate == nil:
		return page(booth.GuardNoPlate, booth.Text{})
	}
	if why := s.plateMisfit(); why != nil {
		f := page(booth.GuardNoPlate, *why)
		f.Title = booth.Text{ZH: "请重新拍摄空背景", EN: "Photograph the empty backdrop again"}
		return f
	}
	return nil
}

func cameraLamp(st camera.Status) booth.Lamp {
	switch st.State {
	case camera.Streaming:
		name := booth.Text{ZH: "相机正常", EN: "Camera OK"}
		if st.Identity.Simulated {
			name = booth.Text{ZH: "模拟相机", EN: "Simulated camera"}
		}
		return booth.Lamp{Level: booth.OK, Text: name}
	case camera.Opening:
		return booth.Lamp{Level: booth.Note, Text: booth.Text{ZH: "相机连接中", EN: "Camera opening"}}
	case camera.Absent, camera.Stalled, camera.Faulted:
	}
	return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "相机断开", EN: "Camera away"}}
}

// centralLamp is green only when central answered with its signature.
func centralLamp(st uplink.Status) booth.Lamp {
	switch {
	case st.Problem == uplink.ProblemCopied:
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "密钥被复制", EN: "Key was copied"}}
	case st.Problem == uplink.ProblemForked:
		return booth.Lamp{Level: booth.Note, Text: booth.Text{ZH: "日志对不上", EN: "Log differs"}}
	case st.Problem != "":
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "中心拒绝", EN: "Central refuses"}}
	case st.Online:
		return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "中心在线", EN: "Central online"}}
	}
	return booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "离线可拍", EN: "Offline, works on"}}
}

func outboxLamp(pending int) booth.Lamp {
	if pending == 0 {
		return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "全部已传", EN: "All sent"}}
	}
	return booth.Lamp{Level: booth.Note, Text: booth.Text{ZH: fmt.Sprintf("待传 %d", pending), EN: fmt.Sprintf("%d to send", pending)}}
}

func diskLamp(guard error) booth.Lamp {
	var refusal *outbox.Refusal
	if errors.As(guard, &refusal) && (refusal.Code == outbox.RefuseDisk || refusal.Code == outbox.RefuseWrite || refusal.Code == outbox.RefuseUnknown) {
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "磁盘有问题", EN: "Disk trouble"}}
	}
	return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "磁盘正常", EN: "Disk OK"}}
}

func (s *Station) plateLamp() booth.Lamp {
	if s.plate == nil {
		return booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "背景未拍", EN: "No backdrop"}}
	}
	if s.plateMisfit() != nil {
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "背景要重拍", EN: "Backdrop unfit"}}
	}
	if c := s.alarm.Raised(); c.Cause != calibrate.None {
		return booth.Lamp{Level: booth.Warn, Text: driftLamp(c.Cause)}
	}
	if s.plate.TakenAt.IsZero() {
		return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "背景已拍", EN: "Backdrop OK"}}
	}
	at := s.plate.TakenAt.Local().Format("15:04")
	if time.Since(s.plate.TakenAt) > 20*time.Hour {
		at = s.plate.TakenAt.Local().Format("01-02")
	}
	return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "背景 " + at, EN: "Backdrop " + at}}
}
