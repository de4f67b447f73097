package station

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
)

// camerasDir holds what each camera is set to, below the data directory.
const camerasDir = "cameras"

// What the exposure is brought to, in stops as the finding has it. An automatic
// exposure makes every wall a middle grey. Half a stop below where a white wall
// belongs, a white and a grey one both leave room for a face above and below.
const (
	exposureTarget = -.5
	exposureNear   = .4
	// exposureTries bounds how often the backdrop is photographed anew for it.
	exposureTries = 3
	// longestExposure still gives 30 frames a second; in 100 µs, as the control.
	longestExposure = 330
	// lampPeriod is one flash of lamps at 50 Hz, in 100 µs: an exposure of whole
	// flashes shows no bands.
	lampPeriod = 100
)

// Profiles are the cameras' settings in a station's data directory.
func Profiles(dir string) camera.Profiles {
	return camera.Profiles{Dir: filepath.Join(dir, camerasDir)}
}

// RestoreCamera gives what a camera that is opened is to be set to.
func RestoreCamera(dir string, log *slog.Logger) func(camera.Identity) []camera.Setting {
	return func(id camera.Identity) []camera.Setting {
		settings, err := Profiles(dir).Settings(id)
		if err != nil {
			log.Warn("camera profile not usable", "error", err)
		}
		return settings
	}
}

// holdCamera keeps the camera's automatics from changing between the picture of
// the backdrop and the photos. It says in words what came of it; Held is nil where
// nothing can be held.
func (s *Station) holdCamera(ctx context.Context, anew bool) (*camera.Held, *booth.CalibrationLine) {
	if s.p.Simulated {
		return nil, nil // there is nothing to hold, and it may not be open yet
	}
	h, err := camera.Hold(ctx, s.p.Camera, camera.HoldParams{
		Profiles: Profiles(s.p.DataDir), PowerLine: camera.PowerLine50Hz, Focus: true, Anew: anew,
	})
	if errors.Is(err, camera.ErrFixed) {
		return nil, nil
	}
	if err != nil {
		s.log.Warn("camera settings not held", "err", err)
		return nil, &booth.CalibrationLine{ID: booth.LineCameraSettings, Level: booth.Warn, Text: booth.Text{
			ZH: "相机的曝光、色温和对焦没有锁定，照片之间可能不一致。请检查连接，再拍一次空背景。",
			EN: "Exposure, colour and focus are not held and may change from photo to photo. Check the cable and photograph the backdrop again.",
		}}
	}
	s.log.Info("camera settings held", "kept", h.Kept, "settings", len(h.Profile.Settings), "refused", len(camera.Refused(h.Outcomes)))
	return &h, heldLine(&h)
}

// heldLine says what is held and what the camera refused.
func heldLine(h *camera.Held) *booth.CalibrationLine {
	line := &booth.CalibrationLine{ID: booth.LineCameraSettings, Level: booth.OK}
	if refused := camera.Refused(h.Outcomes); len(refused) > 0 {
		var zh, en []string
		for _, o := range refused {
			name := controlName(o.Name)
			zh = append(zh, fmt.Sprintf("%s（要 %d，是 %d）", name.ZH, o.Value, o.Got))
			en = append(en, fmt.Sprintf("%s (asked %d, is %d)", name.EN, o.Value, o.Got))
		}
		line.Level = booth.Warn
		line.Text = booth.Text{
			ZH: "相机不接受这些设置：" + strings.Join(zh, "、") + "。照片之间可能不一致，最好换一台相机。",
			EN: "The camera refuses: " + strings.Join(en, ", ") + ". Photos may differ from one another; another camera is better.",
		}
		return line
	}
	words := heldWords(h.Profile.Settings)
	if words == (booth.Text{}) {
		line.Level = booth.Note
		line.Text = booth.Text{ZH: "这台相机不能锁定曝光、色温和对焦。", EN: "This camera can hold neither exposure nor colour nor focus."}
		return line
	}
	line.Text = booth.Text{
		ZH: "相机已锁定：" + words.ZH + "；重新连接后自动恢复。",
		EN: "The camera is held: " + words.EN + "; it comes back so by itself.",
	}
	return line
}

// heldWords lists the settings that a photographer would ask for.
func heldWords(settings []camera.Setting) booth.Text {
	var zh, en []string
	for _, v := range settings {
		switch v.Name {
		case camera.ExposureTime:
			zh, en = append(zh, fmt.Sprintf("曝光 %.1f 毫秒", float64(v.Value)/10)), append(en, fmt.Sprintf("exposure %.1f ms", float64(v.Value)/10))
		case camera.WhiteTemperature:
			zh, en = append(zh, fmt.Sprintf("色温 %d K", v.Value)), append(en, fmt.Sprintf("colour %d K", v.Value))
		case camera.FocusDistance:
			zh, en = append(zh, fmt.Sprintf("对焦 %d", v.Value)), append(en, fmt.Sprintf("focus %d", v.Value))
		case camera.PowerLine:
			hz := map[int32]string{camera.PowerLine50Hz: "50 Hz", camera.PowerLine60Hz: "60 Hz"}[v.Value]
			if hz != "" {
				zh, en = append(zh, "灯光 "+hz), append(en, "lamps "+hz)
			}
		}
	}
	return booth.Text{ZH: strings.Join(zh, "、"), EN: strings.Join(en, ", ")}
}

// controlName is a control in people's words.
func controlName(name string) booth.Text {
	if t, ok := controlNames[name]; ok {
		return t
	}
	return booth.Text{ZH: name, EN: name}
}

var controlNames = map[string]booth.Text{
	camera.ExposureMode:     {ZH: "手动曝光", EN: "manual exposure"},
	camera.ExposureTime:     {ZH: "曝光时间", EN: "exposure time"},
	camera.ExposurePriority: {ZH: "暗处不降帧率", EN: "full frame rate in the dark"},
	camera.Gain:             {ZH: "增益", EN: "gain"},
	camera.WhiteAuto:        {ZH: "手动白平衡", EN: "manual white balance"},
	camera.WhiteTemperature: {ZH: "色温", EN: "colour temperature"},
	camera.FocusAuto:        {ZH: "手动对焦", EN: "manual focus"},
	camera.FocusDistance:    {ZH: "对焦距离", EN: "focus distance"},
	camera.PowerLine:        {ZH: "电源频率", EN: "mains frequency"},
}

// expose brings a freshly held exposure to where the backdrop belongs, stops being
// how far it is from a white wall's place. It tells whether the exposure changed.
func (s *Station) expose(ctx context.Context, h *camera.Held, stops float64) (bool, error) {
	controls, err := s.p.Camera.Controls(ctx)
	if err != nil {
		return false, fmt.Errorf("read the exposure: %w", err)
	}
	i := slices.IndexFunc(controls, func(c camera.Control) bool { return c.Name == camera.ExposureTime })
	held := slices.ContainsFunc(h.Profile.Settings, func(v camera.Setting) bool { return v.Name == camera.ExposureTime })
	if i < 0 || !held {
		return false, nil
	}
	c := controls[i]
	to := exposureFor(c, stops)
	if to == c.Value {
		return false, nil
	}
	o, err := h.Change(ctx, s.p.Camera, Profiles(s.p.DataDir), camera.Setting{ID: c.ID, Name: c.Name, Value: to})
	if err != nil {
		return false, fmt.Errorf("set the exposure: %w", err)
	}
	s.log.Info("exposure set by the backdrop", "stops", stops, "from", c.Value, "to", o.Got)
	return o.Refusal == "", nil
}

// exposureFor is the exposure time that brings a backdrop from stops to the
// target, within what the camera and its frame rate allow.
func exposureFor(c camera.Control, stops float64) int32 {
	if math.IsNaN(stops) || math.Abs(exposureTarget-stops) <= exposureNear || c.Value <= 0 {
		return c.Value
	}
	v := float64(c.Value) * math.Exp2(exposureTarget-stops)
	if v >= lampPeriod {
		v = math.Round(v/lampPeriod) * lampPeriod
	}
	most := max(min(int(c.Max), longestExposure), int(c.Value)) // a slow one that was chosen is not cut short
	if v > float64(most) && most >= lampPeriod {
		v = float64(most / lampPeriod * lampPeriod)
	}
	return int32(min(max(math.Round(v), float64(c.Min)), float64(most)))
}
