package central

import (
	"fmt"
	"strings"
)

// validResidentID checks the form and the check digit of GB 11643-1999.
func validResidentID(s string) error {
	weights := []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	if len(s) != 18 {
		return fmt.Errorf("%w: length", ErrInvalid)
	}
	sum := 0
	for i, w := range weights {
		if s[i] < '0' || s[i] > '9' {
			return fmt.Errorf("%w: digit", ErrInvalid)
		}
		sum += int(s[i]-'0') * w
	}
	if "10X98765432"[sum%11] != s[17] {
		return fmt.Errorf("%w: check digit", ErrInvalid)
	}
	return nil
}

func maskName(s string) string {
	r := []rune(s)
	if len(r) < 2 {
		return s
	}
	if len(r) == 2 {
		return string(r[0]) + "*"
	}
	return string(r[0]) + strings.Repeat("*", len(r)-2) + string(r[len(r)-1])
}

func maskNumber(s string) string {
	if len(s) <= 8 {
		return strings.Repeat("*", len(s))
	}
	return s[:4] + strings.Repeat("*", len(s)-8) + s[len(s)-4:]
}
