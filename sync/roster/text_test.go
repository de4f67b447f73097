package roster_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yunzhao-station/yunzhao/sync/roster"
)

func TestValidResidentID(t *testing.T) {
	for _, tc := range []struct {
		name, id string
		want     error
	}{
		{"the standard's example", "11010519491231002X", nil},
		{"the standard's example of 1880", "440524188001010014", nil},
		{"region the standard never gave out", "370899200701010013", nil},
		{"leap day of 2000", "110105200002290013", nil},
		{"leap day of 1900", "110105190002290014", roster.ErrIDDate},
		{"leap day of 2007", "110105200702290014", roster.ErrIDDate},
		{"month 13", "110105194913310028", roster.ErrIDDate},
		{"day 0", "110105194912000028", roster.ErrIDDate},
		{"year 1799", "110105179912310028", roster.ErrIDDate},
		{"year 2100", "110105210012310028", roster.ErrIDDate},
		{"one digit off", "11010519491231003X", roster.ErrIDChecksum},
		{"two digits swapped", "11010519491213002X", roster.ErrIDChecksum},
		{"check character off", "110105194912310021", roster.ErrIDChecksum},
		{"lower-case x: not normalised", "11010519491231002x", roster.ErrIDChar},
		{"x inside", "1101051949123X0021", roster.ErrIDChar},
		{"full-width digit", "１1010519491231002", roster.ErrIDLength}, // two bytes too many
		{"region 00", "000105194912310021", roster.ErrIDRegion},
		{"region 16", "160105194912310021", roster.ErrIDRegion},
		{"Taiwan residents' permit", "830000199201300022", nil},
		{"foreigner's card issued in Shanghai", "931124198507260015", nil},
		{"foreigner's card of no province", "900124198507260019", roster.ErrIDRegion},
		{"fifteen digits of the old standard", "110105491231002", roster.ErrIDLength},
		{"nineteen", "11010519491231002XX", roster.ErrIDLength},
		{"empty", "", roster.ErrIDLength},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := roster.ValidResidentID(tc.id); !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
				t.Errorf("%s: %v, want %v", tc.id, err, tc.want)
			}
		})
	}
	// Every single digit that is mistyped is found.
	const good = "11010519491231002X"
	for i := range 17 {
		for d := byte('0'); d <= '9'; d++ {
			bad := good[:i] + string(d) + good[i+1:]
			if bad != good && roster.ValidResidentID(bad) == nil {
				t.Errorf("%s passes", bad)
			}
		}
	}
}

func TestMaskName(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		"  ":                   "",
		"李":                    "*",
		"李雷":                   "李*",
		"张晓明":                  "张*明",
		"欧阳娜娜":                 "欧**娜",
		" 张 三 ":                "张*", // spaces of a form are no characters
		"张　三":                  "张*",
		"张　晓　明":                "张*明",
		"买买提·艾力":               "买**·艾*",
		"古丽•买买提":               "古*•买**",
		"阿凡提．库尔班":              "阿**．库**",
		"阿・艾力":                 "阿・艾*",
		"阿·力":                  "阿·*", // else all of it would stand there
		"John":                 "J**n",
		"Li":                   "L*",
		"X":                    "*",
		"John F K":             "J*** * *",
		"J. Smith":             "J. S****",
		"Anne-Marie  de Vries": "A***-M**** d* V****",
		"𠮷野家":                  "𠮷*家",
		"葛\U000e0100城":         "葛*", // a variant's selector is no character
		"Ä́x":                  "Ä*",
		"·":                    "·",
		"A ":                   "*",
		"测\u200b试":             "测*",
		"\xff\xfe":             "\ufffd*",
		"慕容 雪·娜":               "慕* *·*",
	} {
		if got := roster.MaskName(in); got != want {
			t.Errorf("MaskName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMaskNumber(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"1234":               "****",
		"12345":              "***45",
		"H01234567":          "*******67",
		"2026010001":         "********01",
		"H0123456789":        "*********89", // four of each end would leave three
		"37089920070101":     "************01",
		"110105491231002":    "1101*******1002",
		"11010519491231002X": "1101**********002X",
		"号一二三四":              "***三四",
	} {
		if got := roster.MaskNumber(in); got != want {
			t.Errorf("MaskNumber(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"11010519491231002x":   "11010519491231002X",
		" 110105 1949-1231 ":   "11010519491231",
		"１１０－ｘ":                "110X",
		"H0123–45—67−8":        "H012345678", // dashes that word processors make
		"ed\u200b0\u202e1\t\n": "ED01",
		"\ufeff7\u3000":        "7",
		"--":                   "",
		"学号7":                  "学号7",
	} {
		if got := roster.Normalise(in); got != want {
			t.Errorf("Normalise(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"11010519491231002x", "Ｈ０１", "\u202e-\xff", "ß ǆ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := roster.Normalise(s)
		if roster.Normalise(n) != n {
			t.Fatalf("%q becomes %q, which becomes %q", s, n, roster.Normalise(n))
		}
		if strings.ContainsAny(n, " -\t\n\u3000") {
			t.Fatalf("%q keeps a space or a dash", n)
		}
		_ = roster.ValidResidentID(n)
	})
}

func FuzzMasks(f *testing.F) {
	for _, s := range []string{"张晓明", "买买提·艾力", "张　三", "a\u0301b", "11010519491231002X", "\xff", "· ·"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		masked := roster.MaskName(s)
		// What remains of a name without its separators is never all of it.
		letters := strings.Map(func(r rune) rune {
			if strings.ContainsRune("·•‧・･.．- *", r) {
				return -1
			}
			return r
		}, masked)
		if letters != "" && !strings.Contains(masked, "*") {
			t.Fatalf("MaskName(%q) = %q hides nothing", s, masked)
		}
		num := roster.MaskNumber(s)
		if n := utf8.RuneCountInString(s); utf8.RuneCountInString(num) != n || n > 0 && strings.Count(num, "*") < min(n, 3) {
			t.Fatalf("MaskNumber(%q) = %q", s, num)
		}
	})
}
