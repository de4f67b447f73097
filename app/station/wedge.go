package station

import (
	"regexp"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/roster"
)

// maxWedge bounds what is searched for a number, in bytes; readers that type a
// whole card send some 200.
const maxWedge = 1024

// wedge finds the number in what a scanner, a card reader or a code before the
// camera says.
type wedge struct{ pattern *regexp.Regexp }

// inText finds runs that may be a resident ID among other things.
var inText = regexp.MustCompile(`[0-9]{17}[0-9Xx]`)

// number is the number in text; ok is false when there is none. With a pattern
// of the settings it is what that finds. Without one it is the only resident ID
// in a longer text, as readers that type a whole card send it, else all of it.
func (w wedge) number(text string) (number string, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxWedge {
		return "", false
	}
	if w.pattern != nil {
		m := w.pattern.FindStringSubmatch(text)
		if m == nil {
			return "", false
		}
		n := roster.Normalise(m[min(1, len(m)-1)])
		return n, n != ""
	}
	n := roster.Normalise(text)
	if len(n) <= roster.ResidentIDLen {
		return n, n != ""
	}
	found := ""
	for _, m := range inText.FindAllString(text, -1) {
		if m = strings.ToUpper(m); roster.ValidResidentID(m) == nil && m != found {
			if found != "" {
				return "", false
			}
			found = m
		}
	}
	if found != "" {
		return found, true
	}
	return n, len(n) <= maxOtherNumber
}
