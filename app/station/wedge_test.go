package station

import (
	"regexp"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/roster"
)

func TestWedgeFindsTheNumber(t *testing.T) {
	const id = "11010519491231002X"
	for _, tc := range []struct {
		name, pattern, text, want string
		ok                        bool
	}{
		{"the number alone", "", id, id, true},
		{"lower case, spaces", "", " 110105 19491231 002x\r", id, true},
		{"a student number", "", "2026000123", "2026000123", true},
		{"a whole card", "", "张三,男,汉,1949-12-31,示例路1号," + id + ",示例公安局", id, true},
		{"a card twice the same", "", id + "|" + id, id, true},
		{"two cards", "", id + "|440524188001010014", "", false},
		{"long and none", "", strings.Repeat("9", 40), "", false},
		{"far too long", "", strings.Repeat("1", maxWedge+1), "", false},
		{"nothing", "", "  ", "", false},
		{"pattern with a group", `NO=([0-9]+);`, "XX;NO=2026000123;YY", "2026000123", true},
		{"pattern without", `[0-9]{10}`, "K2026000123K", "2026000123", true},
		{"pattern that does not fit", `NO=([0-9]+);`, id, "", false},
		{"pattern that finds nothing in its group", `NO=([0-9]*)`, "NO=", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var w wedge
			if tc.pattern != "" {
				w.pattern = regexp.MustCompile(tc.pattern)
			}
			if got, ok := w.number(tc.text); ok != tc.ok || ok && got != tc.want {
				t.Errorf("%q %v, want %q %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

// FuzzWedge takes what any device may type.
func FuzzWedge(f *testing.F) {
	f.Add("张三,11010519491231002X", `([0-9]{17}[0-9X])`)
	f.Add("2026000123\r\n", "")
	f.Add("\x02\xff\x03", `(.*)`)
	f.Fuzz(func(t *testing.T, text, pattern string) {
		var w wedge
		if pattern != "" && len(pattern) <= 200 {
			p, err := regexp.Compile(pattern)
			if err != nil {
				return
			}
			w.pattern = p
		}
		n, ok := w.number(text)
		if ok && (n == "" || n != roster.Normalise(n) || len(n) > 4*maxWedge) {
			t.Fatalf("handed on %q", n)
		}
	})
}
