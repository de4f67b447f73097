// Package roster keeps who may be captured at this station: central's signed
// list, searchable by number in memory and encrypted at rest, and beside it
// what this station itself knows of each student's payment and capture.
//
// It also holds the rules for numbers and for masking them, because every side
// of the system must apply the same ones. It must not know about networks,
// screens or pictures, and nothing it returns as an error names a student.
package roster

import (
	"errors"
	"time"
)

// ResidentIDLen is the length of a resident identity number.
const ResidentIDLen = 18

// Faults of a resident identity number.
var (
	ErrIDLength   = errors.New("roster: a resident ID has 18 characters")
	ErrIDChar     = errors.New("roster: a resident ID has digits and at most a final X")
	ErrIDRegion   = errors.New("roster: the resident ID's region does not exist")
	ErrIDDate     = errors.New("roster: the resident ID's birth date does not exist")
	ErrIDChecksum = errors.New("roster: the resident ID's check character does not fit")
)

// Weights and check characters of GB 11643-1999 (ISO 7064 MOD 11-2).
var residentWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

const residentChecks = "10X98765432"

// ValidResidentID checks a normalised number (see Normalise): its length,
// characters, the region (see hasRegion), that the birth date exists, and the check character of GB 11643-1999. Years are
// taken from 1800 on: the standard's own example was born in 1880, and how old
// a student may be is for the roster to say.
func ValidResidentID(s string) error {
	if len(s) != ResidentIDLen {
		return ErrIDLength
	}
	sum := 0
	for i, w := range residentWeights {
		if s[i] < '0' || s[i] > '9' {
			return ErrIDChar
		}
		sum += int(s[i]-'0') * w
	}
	if last := s[17]; last != 'X' && (last < '0' || last > '9') {
		return ErrIDChar
	}
	if !hasRegion(s) {
		return ErrIDRegion
	}
	born, err := time.Parse("20060102", s[6:14])
	if err != nil || born.Year() < 1800 || born.Year() > 2099 {
		return ErrIDDate
	}
	if residentChecks[sum%11] != s[17] {
		return ErrIDChecksum
	}
	return nil
}

// hasRegion looks at the province (GB/T 2260; 81–83 are the residence permits
// of Hong Kong, Macau and Taiwan residents). A number that begins with 9 is a
// foreigner's permanent residence card of 2023: the province that issued it
// follows, then three digits of nationality, then the same as for everybody.
func hasRegion(s string) bool {
	p := s[:2]
	if s[0] == '9' {
		p = s[1:3]
	}
	return p >= "11" && p <= "15" || p >= "21" && p <= "23" || p >= "31" && p <= "37" || p >= "41" && p <= "46" ||
		p >= "50" && p <= "54" || p >= "61" && p <= "65" || p == "71" || p >= "81" && p <= "83"
}
