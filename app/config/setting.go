package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Text is a sentence in both languages.
type Text struct{ ZH, EN string }

// Kind is what values a setting takes.
type Kind string

// The kinds.
const (
	KindText   Kind = "text"
	KindNumber Kind = "number" // whole
	KindFlag   Kind = "flag"   // true or false
	KindChoice Kind = "choice" // one of Choices
)

// Choice is one value of a KindChoice.
type Choice struct {
	Value string
	Name  Text
}

// Setting says all there is to know about one setting: the settings page, the
// command line and [Config.Validate] read it from here and from nowhere else.
type Setting struct {
	Key     string // "section.key", as in the file
	Kind    Kind
	Name    Text
	About   Text // what it does and when to change it
	Unit    Text // of a number
	Min     int  // of a number; of a text the fewest characters
	Max     int  // likewise the largest, the most
	Choices []Choice
	// Own belongs to this one computer: it is left out of what is carried to
	// another station.
	Own bool
	// Typed may also be a text that is none of Choices.
	Typed bool
}

// Section is a group of settings, as [Settings] orders them.
type Section struct {
	ID   string // before the dot of the keys
	Name Text
}

// Sections are the groups in the order of the settings page.
func Sections() []Section { return slices.Clone(sections) }

// Settings are all settings, section by section.
func Settings() []Setting { return slices.Clone(settings) }

// SettingOf is the setting with that key.
func SettingOf(key string) (Setting, bool) {
	i := slices.IndexFunc(settings, func(s Setting) bool { return s.Key == key })
	if i < 0 {
		return Setting{}, false
	}
	return settings[i], true
}

// Section is the part of the key before the dot.
func (s Setting) Section() string {
	section, _, _ := strings.Cut(s.Key, ".")
	return section
}

// Allowed says in one phrase what values the setting takes.
func (s Setting) Allowed() Text {
	switch s.Kind {
	case KindNumber:
		r := fmt.Sprintf("%d–%d", s.Min, s.Max)
		return Text{strings.TrimSpace(r + " " + s.Unit.ZH), strings.TrimSpace(r + " " + s.Unit.EN)}
	case KindFlag:
		return Text{"开、关", "on, off"}
	case KindChoice:
		var zh, en []string
		for _, c := range s.Choices {
			zh, en = append(zh, c.Name.ZH), append(en, c.Name.EN)
		}
		if s.Typed {
			zh, en = append(zh, "…"), append(en, "…")
		}
		return Text{strings.Join(zh, "、"), strings.Join(en, ", ")}
	case KindText:
	}
	if s.Min == 0 {
		return Text{fmt.Sprintf("最多 %d 个字符，可以空着", s.Max), fmt.Sprintf("up to %d characters, may be empty", s.Max)}
	}
	return Text{fmt.Sprintf("%d 到 %d 个字符", s.Min, s.Max), fmt.Sprintf("%d to %d characters", s.Min, s.Max)}
}

// Shown is a value of the setting as people read it.
func (s Setting) Shown(value string) Text {
	switch s.Kind {
	case KindFlag:
		if value == "true" {
			return Text{"开", "on"}
		}
		return Text{"关", "off"}
	case KindChoice:
		for _, c := range s.Choices {
			if c.Value == value {
				return c.Name
			}
		}
	case KindNumber:
		return Text{strings.TrimSpace(value + " " + s.Unit.ZH), strings.TrimSpace(value + " " + s.Unit.EN)}
	case KindText:
	}
	if value == "" {
		return Text{"（空）", "(empty)"}
	}
	return Text{value, value}
}

// check says what is wrong with a value of this setting by itself.
func (s Setting) check(v reflect.Value) error {
	switch s.Kind {
	case KindNumber:
		n := int(v.Int())
		if len(s.Choices) > 0 || n >= s.Min && n <= s.Max {
			break
		}
		return fmt.Errorf("%s = %d: must be between %d and %d", s.Key, n, s.Min, s.Max)
	case KindChoice:
		value := fmt.Sprint(v.Interface())
		if s.Typed || slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.Value == value }) {
			break
		}
		names := make([]string, len(s.Choices))
		for i, c := range s.Choices {
			if names[i] = c.Value; c.Value == "" {
				names[i] = `""`
			}
		}
		if v.Kind() == reflect.String {
			value = strconv.Quote(value)
		}
		return fmt.Errorf("%s = %s: must be one of %s", s.Key, value, strings.Join(names, ", "))
	case KindText:
		if n := len([]rune(v.String())); n < s.Min || n > s.Max {
			return fmt.Errorf("%s: must have %d to %d characters, has %d", s.Key, s.Min, s.Max, n)
		}
		if i := strings.IndexFunc(v.String(), func(r rune) bool { return r < ' ' || r == 0x7F }); i >= 0 {
			return fmt.Errorf("%s: has a control character", s.Key)
		}
	case KindFlag:
	}
	return nil
}

// ErrNoSetting is returned for a key that is no setting's.
var ErrNoSetting = errors.New("there is no such setting")

// fields calls f with every setting's key and its place in c, in the order of
// the struct.
func fields(c reflect.Value, f func(key string, v reflect.Value)) {
	for i := range c.NumField() {
		section := c.Type().Field(i).Tag.Get("toml")
		for j := range c.Field(i).NumField() {
			f(section+"."+c.Field(i).Type().Field(j).Tag.Get("toml"), c.Field(i).Field(j))
		}
	}
}

// Value is the setting's value as the file has it, without quotes.
func (c Config) Value(key string) (string, error) {
	out, found := "", false
	fields(reflect.ValueOf(c), func(k string, v reflect.Value) {
		if k == key {
			out, found = fmt.Sprint(v.Interface()), true
		}
	})
	if !found {
		return "", fmt.Errorf("%s: %w", key, ErrNoSetting)
	}
	return out, nil
}

// With is c with one setting changed. It is refused when the value is not
// allowed, or not together with the others.
func (c Config) With(key, value string) (Config, error) {
	err := fmt.Errorf("%s: %w", key, ErrNoSetting)
	fields(reflect.ValueOf(&c).Elem(), func(k string, v reflect.Value) {
		if k == key {
			err = set(key, v, value)
		}
	})
	if err != nil {
		return Config{}, err
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func set(key string, v reflect.Value, value string) error {
	switch v.Kind() {
	case reflect.Bool:
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%s = %q: must be true or false", key, value)
		}
		v.SetBool(on)
	case reflect.Int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%s = %q: must be a whole number", key, value)
		}
		v.SetInt(int64(n))
	case reflect.String:
		v.SetString(value)
	default:
		return fmt.Errorf("%s: settings of type %s are not known", key, v.Kind())
	}
	return nil
}
