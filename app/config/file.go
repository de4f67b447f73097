package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// ExportName is the file that carries settings to another station.
const ExportName = "yunzhao-settings.toml"

// MaxFile bounds what is read as settings.
const MaxFile = 64 << 10

// earlier keeps the file as it was before the last change.
const earlier = ".before"

// Save writes c to dir/yunzhao.toml, whole or not at all: every setting that is
// not the default, with its explanation. What was there before, with the comments
// that somebody wrote into it, stays beside it with ".before" at its end.
func Save(dir string, c Config) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("config: save settings: %w", err)
	}
	path := filepath.Join(dir, FileName)
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("config: save settings: %w", err)
	default:
		if err := replace(path+earlier, old); err != nil {
			return fmt.Errorf("config: keep the settings before: %w", err)
		}
	}
	if err := replace(path, c.encode(false)); err != nil {
		return fmt.Errorf("config: save settings: %w", err)
	}
	return nil
}

// replace puts data into path by way of a file beside it, so that a power cut
// leaves the one or the other.
func replace(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".settings-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// Export is c as a file for another station: every setting but those that belong
// to this computer. Secrets are no settings: PINs and keys are kept elsewhere.
func (c Config) Export() []byte { return c.encode(true) }

// Import takes the settings of an exported file; those that belong to this
// computer stay as they are in c, whatever the file says.
func (c Config) Import(data []byte) (Config, error) {
	if len(data) > MaxFile {
		return Config{}, fmt.Errorf("config: the file has %d bytes; settings have %d at most", len(data), MaxFile)
	}
	in, err := Parse(data)
	if err != nil {
		return Config{}, fmt.Errorf("config: read exported settings: %w", err)
	}
	own := map[string]reflect.Value{}
	fields(reflect.ValueOf(c), func(key string, v reflect.Value) {
		if s, _ := SettingOf(key); s.Own {
			own[key] = v
		}
	})
	fields(reflect.ValueOf(&in).Elem(), func(key string, v reflect.Value) {
		if mine, ok := own[key]; ok {
			v.Set(mine)
		}
	})
	return in, in.Validate()
}

// Changed are the keys whose values differ between a and b, in the order of the
// settings.
func Changed(a, b Config) []string {
	was := map[string]string{}
	fields(reflect.ValueOf(a), func(key string, v reflect.Value) { was[key] = fmt.Sprint(v.Interface()) })
	var out []string
	fields(reflect.ValueOf(b), func(key string, v reflect.Value) {
		if was[key] != fmt.Sprint(v.Interface()) {
			out = append(out, key)
		}
	})
	return out
}

// encode writes the settings with their explanations: to export, all that belong
// to no one computer; else those that are not the default.
func (c Config) encode(export bool) []byte {
	var b strings.Builder
	b.WriteString("# 云照站的设置 / settings of a Yunzhao station. 全部设置 / all of them: yunzhao settings list\n")
	standard := map[string]string{}
	fields(reflect.ValueOf(Default()), func(key string, v reflect.Value) { standard[key] = fmt.Sprint(v.Interface()) })
	section := ""
	fields(reflect.ValueOf(c), func(key string, v reflect.Value) {
		s, _ := SettingOf(key)
		if export && s.Own || !export && fmt.Sprint(v.Interface()) == standard[key] {
			return
		}
		group, name, _ := strings.Cut(key, ".")
		if group != section {
			section = group
			fmt.Fprintf(&b, "\n[%s]\n", group)
		}
		fmt.Fprintf(&b, "# %s / %s（%s）\n", s.Name.ZH, s.Name.EN, s.Allowed().ZH)
		value := fmt.Sprint(v.Interface())
		if v.Kind() == reflect.String {
			value = quote(value)
		}
		fmt.Fprintf(&b, "%s = %s\n", name, value)
	})
	return []byte(b.String())
}

// quote writes a basic string of TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7F:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
