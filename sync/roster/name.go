package roster

import (
	"strings"
	"unicode"

	"github.com/yunzhao-station/yunzhao/assets/han"
)

// FoldName brings a name into the form in which names are compared: simplified,
// without spaces, dots and marks, Latin letters in lower case, compatibility
// and private-use forms of GB 18030 in the place that Unicode has for them now.
func FoldName(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case strings.ContainsRune(nameSeparators, r) || unicode.IsSpace(r) || unicode.IsControl(r) ||
			unicode.Is(unicode.M, r) || unicode.Is(unicode.Cf, r):
			continue
		case r >= '！' && r <= '～':
			r -= '！' - '!'
		}
		b.WriteRune(unicode.ToLower(han.Fold(r)))
	}
	return b.String()
}

// SameName tells whether two writings may be of one name: equal when folded,
// or, since a camera takes a character for another now and then, with as many
// characters of which at least half agree in their place.
func SameName(read, listed string) bool {
	a, b := []rune(FoldName(read)), []rune(FoldName(listed))
	if len(a) == 0 || len(a) != len(b) {
		return false
	}
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return 2*same >= len(a)
}
