package roster

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Normalise brings a typed or scanned number into the form that is compared:
// half width, upper case, without spaces, dashes and invisible characters.
func Normalise(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // full-width forms of ASCII
			r -= '！' - '!'
		}
		switch {
		case r == '-' || r == '　' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.IsControl(r):
			return -1
		}
		return unicode.ToUpper(r)
	}, number)
}

// MaskName hides a name but for what its bearer recognises it by: the first
// and the last character (张*明), the first of two (李*). Of a name in parts
// (买买提·艾力, John Smith) each part keeps its first character.
func MaskName(name string) string {
	name = strings.TrimSpace(name)
	if strings.ContainsAny(name, "·•‧・ ") {
		var b strings.Builder
		start := true
		for _, r := range name {
			switch {
			case strings.ContainsRune("·•‧・ ", r):
				b.WriteRune(r)
				start = true
			case start:
				b.WriteRune(r)
				start = false
			default:
				b.WriteByte('*')
			}
		}
		return b.String()
	}
	r := []rune(name)
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

// MaskNumber keeps the first four and the last four characters of a long
// number, the last two of a short one.
func MaskNumber(number string) string {
	n := utf8.RuneCountInString(number)
	r := []rune(number)
	switch {
	case n > 10:
		return string(r[:4]) + strings.Repeat("*", n-8) + string(r[n-4:])
	case n > 4:
		return strings.Repeat("*", n-2) + string(r[n-2:])
	}
	return strings.Repeat("*", n)
}
