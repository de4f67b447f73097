package spec

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/yunzhao-station/yunzhao/assets/specs"
)

// Sentence says one thing in both languages.
type Sentence struct{ ZH, EN string }

// Text is what a person is shown about one check.
type Text struct {
	Unit    string // of the value and its limits
	Title   Sentence
	Rule    string   // the rule of the photo guide it comes from
	OK      Sentence // the value is inside its limits
	Low     Sentence // below: what to do
	High    Sentence // above: what to do
	Unknown Sentence // could not be measured, or a person must judge
}

// Texts holds the texts of all checks by id. It is immutable.
type Texts map[string]Text

type textTable struct {
	Unit      string `toml:"unit"`
	TitleZH   string `toml:"title_zh"`
	TitleEN   string `toml:"title_en"`
	Rule      string `toml:"rule"`
	OKZH      string `toml:"ok_zh"`
	OKEN      string `toml:"ok_en"`
	LowZH     string `toml:"low_zh"`
	LowEN     string `toml:"low_en"`
	HighZH    string `toml:"high_zh"`
	HighEN    string `toml:"high_en"`
	UnknownZH string `toml:"unknown_zh"`
	UnknownEN string `toml:"unknown_en"`
}

// LoadTexts reads the built-in texts.
func LoadTexts() (Texts, error) {
	files, err := specs.Checks()
	if err != nil {
		return nil, err
	}
	all := Texts{}
	for _, b := range files {
		t, err := ParseTexts(b)
		if err != nil {
			return nil, err
		}
		for id, v := range t {
			if _, twice := all[id]; twice {
				return nil, fmt.Errorf("%w: checks.%s: described twice", ErrInvalid, id)
			}
			all[id] = v
		}
	}
	return all, nil
}

// ParseTexts reads and validates [checks.<id>] tables. Every sentence exists in
// both languages; low, high and unknown may be left out where they cannot
// happen and then say what ok does not: that the rule is not met.
func ParseTexts(data []byte) (Texts, error) {
	var d struct {
		Checks map[string]textTable `toml:"checks"`
	}
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("%w: texts of the checks: %s", ErrInvalid, explain(err))
	}
	var p problems
	ids := make([]string, 0, len(d.Checks))
	for id := range d.Checks {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	out := make(Texts, len(ids))
	for _, id := range ids {
		t, key := d.Checks[id], "checks."+id
		p.check(checkPattern.MatchString(id), key, "a check id is lower-case letters, digits and _")
		pair := func(name, zh, en string, need bool) Sentence {
			p.check((zh == "") == (en == ""), key+"."+name, "needs both _zh and _en")
			p.check(!need || zh != "", key+"."+name, "must not be empty")
			return Sentence{zh, en}
		}
		v := Text{
			Unit: t.Unit, Rule: t.Rule,
			Title:   pair("title", t.TitleZH, t.TitleEN, true),
			OK:      pair("ok", t.OKZH, t.OKEN, true),
			Low:     pair("low", t.LowZH, t.LowEN, false),
			High:    pair("high", t.HighZH, t.HighEN, false),
			Unknown: pair("unknown", t.UnknownZH, t.UnknownEN, false),
		}
		for _, s := range []*Sentence{&v.Low, &v.High} {
			if s.ZH == "" {
				*s = Sentence{v.Title.ZH + "：不符合要求。", v.Title.EN + ": does not meet the rule."}
			}
		}
		if v.Unknown.ZH == "" {
			v.Unknown = Sentence{v.Title.ZH + "：无法判断，请工作人员确认。", v.Title.EN + ": cannot be judged; staff, please look."}
		}
		out[id] = v
	}
	if len(p) > 0 {
		return nil, fmt.Errorf("%w: texts of the checks: %s", ErrInvalid, strings.Join(p, "; "))
	}
	return out, nil
}
