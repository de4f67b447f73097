package station

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/camera"
)

// settingsDesk is the part of a station that keeps the settings.
func settingsDesk(t *testing.T) *Station {
	t.Helper()
	return &Station{
		p: Params{DataDir: t.TempDir(), ListCameras: func() ([]camera.Device, error) {
			return []camera.Device{{Identity: camera.Identity{ID: "usb:1234:5678:A", Name: "Desk camera"}}}, nil
		}},
		log: slog.New(slog.DiscardHandler), inputs: make(chan any, 4), filed: config.Default(),
	}
}

func (s *Station) answer(t *testing.T) booth.SettingsRead {
	t.Helper()
	s.work.Wait()
	ev, ok := (<-s.inputs).(booth.SettingsRead)
	if !ok {
		t.Fatal("no answer about the settings")
	}
	return ev
}

func TestSettingsPage(t *testing.T) {
	s := settingsDesk(t)
	by := booth.Staff{ID: "wang", Role: booth.RoleAdmin}
	s.showSettings()
	v := s.answer(t).Settings
	if len(v.Lines) != len(config.Settings()) || v.Pending != 0 || len(v.Groups) != len(config.Sections()) {
		t.Fatalf("%d lines, %d wait", len(v.Lines), v.Pending)
	}
	if l := v.Lines[indexOfSetting(v.Lines, "camera.device")]; l.Choices[len(l.Choices)-1].Value != "usb:1234:5678:A" || l.Shown.ZH == "" {
		t.Errorf("the camera that is plugged in is not offered: %+v", l)
	}
	s.saveSetting(booth.SaveSetting{Key: "sound.volume", Value: "30", By: by})
	ev := s.answer(t)
	if ev.Level != booth.OK || len(ev.Changed) != 1 || ev.Changed[0] != (booth.SettingChange{Key: "sound.volume", From: "70", To: "30"}) || ev.By != by || ev.Settings.Pending != 1 {
		t.Errorf("%+v", ev)
	}
	if c, err := config.Load(s.p.DataDir); err != nil || c.Sound.Volume != 30 {
		t.Errorf("the file: %+v %v", c.Sound, err)
	}
	for key, value := range map[string]string{"sound.volume": "300", "operator.corner": "maybe", "no.such": "1", "central.pin_sha256": "zz"} {
		s.saveSetting(booth.SaveSetting{Key: key, Value: value, By: by})
		if ev := s.answer(t); ev.Level != booth.Bad || len(ev.Changed) != 0 || !strings.Contains(ev.Told.EN, key) {
			t.Errorf("%s = %s: %+v", key, value, ev)
		}
	}
	s.saveSetting(booth.SaveSetting{Key: "sound.volume", Value: "30", By: by})
	if ev := s.answer(t); ev.Level != booth.Note || len(ev.Changed) != 0 {
		t.Errorf("the same again: %+v", ev)
	}
}

func TestSettingsTravelOnAStick(t *testing.T) {
	from, to, stick := settingsDesk(t), settingsDesk(t), t.TempDir()
	from.stickPatterns, to.stickPatterns = []string{stick}, []string{filepath.Join(stick, "*"), stick}
	by := booth.Staff{ID: "wang", Role: booth.RoleAdmin}
	if _, _, err := to.findSettings(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("found where there is nothing: %v", err)
	}
	to.readSettings(by)
	if ev := to.answer(t); ev.Level != booth.Warn {
		t.Errorf("no file: %+v", ev)
	}
	from.saveSetting(booth.SaveSetting{Key: "times.countdown_s", Value: "5", By: by})
	from.answer(t)
	from.saveSetting(booth.SaveSetting{Key: "station.name", Value: "东门一号", By: by})
	from.answer(t)
	from.writeSettings(by)
	if ev := from.answer(t); ev.Level != booth.OK || !strings.Contains(ev.Told.ZH, stick) {
		t.Errorf("%+v", ev)
	}
	to.readSettings(by)
	ev := to.answer(t)
	c, err := config.Load(to.p.DataDir)
	if err != nil || ev.Level != booth.OK || len(ev.Changed) != 1 || c.Times.Countdown != 5 || c.Station.Name != config.Default().Station.Name {
		t.Errorf("%+v %+v %v", ev, c, err)
	}
	if err := os.WriteFile(filepath.Join(stick, config.ExportName), []byte("[times]\ncountdown_s = 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to.readSettings(by)
	if ev := to.answer(t); ev.Level != booth.Bad || len(ev.Changed) != 0 {
		t.Errorf("wrong settings were taken: %+v", ev)
	}
}
