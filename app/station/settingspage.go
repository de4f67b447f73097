package station

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/durable"
)

// settingsDir keeps what was exported, below the data directory.
const settingsDir = "settings"

// stickPatterns are where desktops and kiosks mount USB sticks.
var stickPatterns = []string{"/media/*", "/media/*/*", "/run/media/*/*"}

// showSettings reads the file beside the loop and shows it.
func (s *Station) showSettings() {
	s.work.Go(func() { s.settingsNow(booth.SettingsRead{}) })
}

// settingsNow completes ev with the settings as the file has them now.
func (s *Station) settingsNow(ev booth.SettingsRead) {
	filed, err := config.Load(s.p.DataDir)
	if err != nil {
		s.log.Error("settings", "err", err)
		ev.Told, ev.Level = &booth.Text{
			ZH: "设置文件读不出来：" + err.Error(), EN: "The settings file cannot be read: " + err.Error(),
		}, booth.Bad
		filed = s.filed
	}
	ev.Settings = SettingsWords(filed, s.filed)
	if i := indexOfSetting(ev.Settings.Lines, "camera.device"); i >= 0 && s.p.ListCameras != nil {
		found, err := s.p.ListCameras()
		if err != nil {
			s.log.Warn("cameras for the settings page", "err", err)
		}
		for _, d := range found {
			ev.Settings.Lines[i].Choices = append(ev.Settings.Lines[i].Choices, booth.SettingOption{Value: d.ID, Name: booth.Text{ZH: d.Name, EN: d.Name}})
		}
	}
	s.inputs <- ev
}

func indexOfSetting(lines []booth.SettingLine, key string) int {
	for i := range lines {
		if lines[i].Key == key {
			return i
		}
	}
	return -1
}

// SettingsWords puts the settings of a file into what the settings page shows;
// running is what the station runs with, to tell which changes wait for a
// restart.
func SettingsWords(filed, running config.Config) booth.SettingsView {
	var v booth.SettingsView
	for _, g := range config.Sections() {
		v.Groups = append(v.Groups, booth.SettingGroup{ID: g.ID, Name: booth.Text(g.Name)})
	}
	pending := map[string]bool{}
	for _, key := range config.Changed(running, filed) {
		pending[key] = true
	}
	v.Pending = len(pending)
	standard := config.Default()
	for _, s := range config.Settings() {
		value, err := filed.Value(s.Key)
		def, errDef := standard.Value(s.Key)
		if err != nil || errDef != nil {
			continue // a test holds the table and the struct together
		}
		l := booth.SettingLine{
			Key: s.Key, Group: s.Section(), Kind: booth.SettingKind(s.Kind), Name: booth.Text(s.Name), About: booth.Text(s.About), Allowed: booth.Text(s.Allowed()),
			Value: value, Shown: booth.Text(s.Shown(value)), Standard: booth.Text(s.Shown(def)), Most: s.Max, Typed: s.Typed, Pending: pending[s.Key],
		}
		for _, c := range s.Choices {
			l.Choices = append(l.Choices, booth.SettingOption{Value: c.Value, Name: booth.Text(c.Name)})
		}
		v.Lines = append(v.Lines, l)
	}
	return v
}

// saveSetting changes one setting in the file.
func (s *Station) saveSetting(e booth.SaveSetting) {
	s.work.Go(func() {
		ev := booth.SettingsRead{By: e.By}
		changed, err := s.changeSettings(func(c config.Config) (config.Config, error) { return c.With(e.Key, e.Value) })
		ev.Changed = changed
		switch {
		case err != nil:
			set, _ := config.SettingOf(e.Key)
			ev.Told, ev.Level = &booth.Text{ZH: "没有改。可以是：" + set.Allowed().ZH + "。" + plain(err), EN: "Not changed: " + plain(err)}, booth.Bad
		case len(changed) == 0:
			ev.Told, ev.Level = &booth.Text{ZH: "已经是这个值。", EN: "It has this value already."}, booth.Note
		default:
			ev.Told, ev.Level = &booth.Text{ZH: "已保存，重新启动后生效。", EN: "Saved. It takes effect when the station starts anew."}, booth.OK
		}
		s.settingsNow(ev)
	})
}

// changeSettings reads the file, changes it and writes it; nothing is written
// when the change is refused.
func (s *Station) changeSettings(change func(config.Config) (config.Config, error)) ([]booth.SettingChange, error) {
	s.settingsMu.Lock()
	defer s.settingsMu.Unlock()
	before, err := config.Load(s.p.DataDir)
	if err != nil {
		return nil, err
	}
	after, err := change(before)
	if err != nil {
		return nil, err
	}
	var out []booth.SettingChange
	for _, key := range config.Changed(before, after) {
		from, _ := before.Value(key)
		to, _ := after.Value(key)
		out = append(out, booth.SettingChange{Key: key, From: from, To: to})
	}
	if len(out) == 0 {
		return nil, nil
	}
	if err := config.Save(s.p.DataDir, after); err != nil {
		s.log.Error("settings not saved", "err", err)
		return nil, err
	}
	return out, nil
}

// plain is an error of the settings as people read it: without the package's name.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "config: ") }

// writeSettings exports them below the data directory, and onto a USB stick where
// one is plugged in.
func (s *Station) writeSettings(by booth.Staff) {
	s.work.Go(func() {
		ev := booth.SettingsRead{By: by}
		where, err := s.exportSettings()
		if err != nil {
			s.log.Error("settings not exported", "err", err)
			ev.Told, ev.Level = &booth.Text{ZH: "没有导出，请检查磁盘和 U 盘。", EN: "Not exported: check the disk and the stick."}, booth.Bad
		} else {
			ev.Told, ev.Level = &booth.Text{
				ZH: "已导出到 " + where + "；里面没有 PIN、密钥和本机名称。", EN: "Exported to " + where + "; no PIN, no key and not this station's name is in it.",
			}, booth.OK
		}
		s.settingsNow(ev)
	})
}

func (s *Station) exportSettings() (string, error) {
	filed, err := config.Load(s.p.DataDir)
	if err != nil {
		return "", err
	}
	data := filed.Export()
	dir := filepath.Join(s.p.DataDir, settingsDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("folder for the settings: %w", err)
	}
	path := filepath.Join(dir, config.ExportName)
	if err := durable.WriteFile(path, data); err != nil {
		return "", fmt.Errorf("export the settings: %w", err)
	}
	for _, stick := range s.sticks() {
		onStick := filepath.Join(stick, config.ExportName)
		if err := durable.WriteFile(onStick, data); err == nil {
			return onStick, nil
		}
	}
	return filepath.Join(settingsDir, config.ExportName), nil
}

// sticks are the folders of USB sticks that are plugged in.
func (s *Station) sticks() []string {
	var out []string
	for _, p := range s.stickPatterns {
		found, _ := filepath.Glob(p) // the patterns are ours: none is malformed
		for _, dir := range found {
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				out = append(out, dir)
			}
		}
	}
	return out
}

// readSettings imports them from a USB stick, else from the data directory.
func (s *Station) readSettings(by booth.Staff) {
	s.work.Go(func() {
		ev := booth.SettingsRead{By: by}
		path, data, err := s.findSettings()
		if err == nil {
			ev.Changed, err = s.changeSettings(func(c config.Config) (config.Config, error) { return c.Import(data) })
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			ev.Told, ev.Level = &booth.Text{
				ZH: "没有找到 " + config.ExportName + "。请把它放在 U 盘的最上层再试。", EN: "There is no " + config.ExportName + ". Put it at the top of a USB stick and try again.",
			}, booth.Warn
		case err != nil:
			ev.Told, ev.Level = &booth.Text{ZH: "没有导入，什么都没改：" + plain(err), EN: "Not imported, nothing changed: " + plain(err)}, booth.Bad
		default:
			ev.Told, ev.Level = &booth.Text{
				ZH: fmt.Sprintf("已从 %s 导入，改了 %d 项，重新启动后生效。", path, len(ev.Changed)), EN: fmt.Sprintf("Imported from %s: %d changed, in effect when the station starts anew.", path, len(ev.Changed)),
			}, booth.OK
		}
		s.settingsNow(ev)
	})
}

// findSettings is the first exported file, on a stick or in the data directory;
// fs.ErrNotExist where there is none.
func (s *Station) findSettings() (string, []byte, error) {
	for _, dir := range append(s.sticks(), filepath.Join(s.p.DataDir, settingsDir)) {
		path := filepath.Join(dir, config.ExportName)
		data, err := durable.ReadFile(path, config.MaxFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return path, data, err
	}
	return "", nil, fs.ErrNotExist
}
