package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/yunzhao-station/yunzhao/app/config"
)

// SettingsCmd groups what is done with settings outside the window.
type SettingsCmd struct {
	List   SettingsListCmd   `cmd:"" help:"全部设置：做什么、可以是什么、现在是什么 / Every setting: what it does, what it may be, what it is."`
	Set    SettingsSetCmd    `cmd:"" help:"改一项 / Change one."`
	Export SettingsExportCmd `cmd:"" help:"导出给另一台（不含本机名称、相机和任何密钥）/ Write them for another station: no key, and nothing of this computer."`
	Import SettingsImportCmd `cmd:"" help:"导入 / Take an exported file."`
}

// SettingsListCmd lists them.
type SettingsListCmd struct {
	DataFlag `embed:""`
	JSON     bool `help:"JSON。 / JSON." name:"json"`
}

// SettingsSetCmd changes one.
type SettingsSetCmd struct {
	DataFlag `embed:""`
	Key      string `arg:"" help:"如 sound.volume / such as sound.volume."`
	Value    string `arg:"" help:"新的值 / The new value."`
}

// SettingsExportCmd writes them to a file.
type SettingsExportCmd struct {
	DataFlag `embed:""`
	File     string `arg:"" type:"path" help:"写到哪里 / Where to."`
}

// SettingsImportCmd reads them from one.
type SettingsImportCmd struct {
	DataFlag `embed:""`
	File     string `arg:"" type:"path" help:"导出的文件 / The exported file."`
}

// settingLine is one line of the list in JSON.
type settingLine struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Allowed string `json:"allowed"`
	About   string `json:"about"`
}

// Run lists.
func (c SettingsListCmd) Run(s *streams) error {
	_, cfg, err := c.load()
	if err != nil {
		return err
	}
	list := []settingLine{}
	standard := config.Default()
	for _, x := range config.Settings() {
		value, err := cfg.Value(x.Key)
		if err != nil {
			return err
		}
		def, err := standard.Value(x.Key)
		if err != nil {
			return err
		}
		list = append(list, settingLine{x.Key, value, def, x.Allowed().EN, x.About.EN})
		if !c.JSON {
			mark := " "
			if value != def {
				mark = "*"
			}
			fmt.Fprintf(s.out, "%s %-24s %q\n    %s / %s\n    %s\n    %s\n    %s / %s\n", mark, x.Key, value, x.Name.ZH, x.Name.EN, x.About.ZH, x.About.EN, x.Allowed().ZH, x.Allowed().EN)
		}
	}
	if c.JSON {
		return json.NewEncoder(s.out).Encode(list)
	}
	return nil
}

// change changes the file of a station that stands still, and puts it on record.
func (d DataFlag) change(s *streams, f func(config.Config) (config.Config, error)) (err error) {
	files, err := d.hold(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.lock.Unlock()) }()
	before, err := config.Load(files.dir)
	if err != nil {
		return err
	}
	after, err := f(before)
	if err != nil {
		return fmt.Errorf("没有改 / not changed: %w", err)
	}
	changed := config.Changed(before, after)
	if len(changed) == 0 {
		fmt.Fprintln(s.out, "没有变化 / nothing changed")
		return nil
	}
	if err := config.Save(files.dir, after); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "已改 / changed: %s\n", strings.Join(changed, ", "))
	return files.note(s, "settings.set", strings.Join(changed, ", "))
}

// Run changes one setting.
func (c SettingsSetCmd) Run(s *streams) error {
	return c.change(s, func(cfg config.Config) (config.Config, error) { return cfg.With(c.Key, c.Value) })
}

// Run exports; the station may be running.
func (c SettingsExportCmd) Run(s *streams) error {
	_, cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := writeFile(c.File, cfg.Export()); err != nil {
		return fmt.Errorf("导出 / export: %w", err)
	}
	return nil
}

// Run imports.
func (c SettingsImportCmd) Run(s *streams) error {
	data, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("读不了 / read: %w", err)
	}
	return c.change(s, func(cfg config.Config) (config.Config, error) { return cfg.Import(data) })
}
