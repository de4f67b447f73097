package roster

import (
	"strings"
	"unicode"
)

// Normalise brings a typed or scanned number into the form that is compared:
// half width, upper case, without spaces, dashes and invisible characters.
func Normalise(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // full-width forms of ASCII
			r -= '！' - '!'
		}
		if r == '−' || unicode.Is(unicode.Pd, r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.IsControl(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, number)
}

// nameSeparators stand between the parts of a name: the middle dots that
// keyboards and registries write, and what Latin names use.
const nameSeparators = "·•‧・･.．- "

// MaskName hides a name but for what its bearer recognises it by: the first
// and the last character (张*明), the first of two (李*). Of a name in parts
// (买买提·艾力, John Smith) each part keeps its first character, but a later
// part of one character is hidden: it would be all of it.
func MaskName(name string) string {
	r := cleanName(name)
	if !strings.ContainsAny(string(r), nameSeparators) {
		switch len(r) {
		case 0:
			return ""
		case 1:
			return "*"
		case 2:
			return string(r[0]) + "*"
		}
		return string(r[0]) + strings.Repeat("*", len(r)-2) + string(r[len(r)-1])
	}
	var b strings.Builder
	parts := 0
	for len(r) > 0 {
		n := 0
		for n < len(r) && !strings.ContainsRune(nameSeparators, r[n]) {
			n++
		}
		switch {
		case n == 0: // a separator
			b.WriteRune(r[0])
			r = r[1:]
			continue
		case n == 1 && (parts > 0 || !strings.ContainsFunc(string(r[n:]), isLetter)):
			b.WriteByte('*')
		default:
			b.WriteRune(r[0])
			b.WriteString(strings.Repeat("*", n-1))
		}
		parts++
		r = r[n:]
	}
	return b.String()
}

func isLetter(r rune) bool { return !strings.ContainsRune(nameSeparators, r) }

// cleanName leaves what is seen as a character each: without marks that only
// change the shape of the one before them, and without the spaces that forms
// and spreadsheets put into Chinese names (张　三), which would make the two
// characters look like three.
func cleanName(name string) []rune {
	han := true
	var out []rune
	for _, r := range name {
		switch {
		case unicode.Is(unicode.M, r) || unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && !unicode.IsSpace(r):
			continue
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.Is(unicode.Han, r):
			han = false
		}
		out = append(out, r)
	}
	if han {
		return []rune(strings.ReplaceAll(string(out), " ", ""))
	}
	return []rune(strings.Join(strings.Fields(string(out)), " "))
}

// MaskNumber keeps the first four and the last four characters of a long
// number such as a resident ID, the last two of a shorter one, and nothing of
// one with four or fewer.
func MaskNumber(number string) string {
	r := []rune(number)
	n := len(r)
	switch {
	case n >= 15:
		return string(r[:4]) + strings.Repeat("*", n-8) + string(r[n-4:])
	case n > 4:
		return strings.Repeat("*", n-2) + string(r[n-2:])
	}
	return strings.Repeat("*", n)
}
