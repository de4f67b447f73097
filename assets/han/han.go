// Package han embeds what is needed to compare and find Chinese names: the first
// letter of each character's readings in pinyin, the simplified form of
// traditional characters, and where characters are now that GBK kept in private
// use. The files are drawn from the Unihan database (Unicode licence, see
// LICENSE-unicode.txt) by make-han.go.
//
// The package only carries data: it must not know about names or rosters.
package han

import (
	_ "embed"
	"strings"
	"sync"
)

var (
	//go:embed initials.txt
	initials string
	//go:embed simplified.txt
	simplified string
	//go:embed legacy.txt
	legacy string
)

// The characters of which readings are kept lie from here to there.
const (
	first = 0x3400
	last  = 0x323AF
)

var letters = sync.OnceValue(func() []uint32 {
	out := make([]uint32, last-first+1)
	for line := range strings.Lines(initials) {
		line = strings.TrimSpace(line)
		bit := uint32(1) << (line[0] - 'a')
		for _, r := range line[1:] {
			if r >= first && r <= last {
				out[r-first] |= bit
			}
		}
	}
	return out
})

// Initials are the first letters of r's readings in pinyin: bit 0 is a, bit 25
// is z. Several are set where r is read in several ways (曾: c and z); none where
// no reading is known.
func Initials(r rune) uint32 {
	if r < first || r > last {
		return 0
	}
	return letters()[r-first]
}

var (
	toSimplified = sync.OnceValue(func() map[rune]rune { return pairs(simplified) })
	toPresent    = sync.OnceValue(func() map[rune]rune { return pairs(legacy) })
)

func pairs(text string) map[rune]rune {
	out := map[rune]rune{}
	for line := range strings.Lines(text) {
		if r := []rune(strings.TrimSpace(line)); len(r) == 2 {
			out[r[0]] = r[1]
		}
	}
	return out
}

// Present is s with GBK's private-use places exchanged for Unicode's own: what can
// be drawn, since no font has the former.
func Present(s string) string {
	private := func(r rune) bool { return r >= 0xE000 && r <= 0xF8FF }
	if strings.IndexFunc(s, private) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if n, ok := toPresent()[r]; ok {
			return n
		}
		return r
	}, s)
}

// Fold is the simplified form of r, after a private-use place of GBK's has been
// exchanged for Unicode's own.
func Fold(r rune) rune {
	if n, ok := toPresent()[r]; ok {
		r = n
	}
	if n, ok := toSimplified()[r]; ok {
		r = n
	}
	return r
}
