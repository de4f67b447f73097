package station

import (
	"errors"
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/roster"
)

// Shortest and longest numbers of the documents without a checksum.
const (
	minOtherNumber = 4
	maxOtherNumber = 30
)

// checkNumber judges a number as it is typed. Only a resident ID can be proved
// wrong before it is complete enough to look up.
func checkNumber(doc booth.DocType, raw string) (bool, *booth.Text) {
	if doc != booth.DocResident {
		n := len(raw)
		return n >= minOtherNumber && n <= maxOtherNumber, nil
	}
	if len(raw) < roster.ResidentIDLen {
		return false, nil
	}
	err := roster.ValidResidentID(raw)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, roster.ErrIDChecksum):
		return false, &booth.Text{ZH: "号码有误：最后一位校验不符，请逐位核对。", EN: "The number is wrong: its check character does not fit. Compare it digit by digit."}
	case errors.Is(err, roster.ErrIDDate):
		return false, &booth.Text{ZH: "号码有误：出生日期（第 7–14 位）不存在。", EN: "The number is wrong: characters 7 to 14 are not a date."}
	case errors.Is(err, roster.ErrIDRegion):
		return false, &booth.Text{ZH: "号码有误：前 6 位地区码不对。", EN: "The number is wrong: the first six digits are not a region."}
	}
	return false, &booth.Text{ZH: "号码有误，请核对。", EN: "The number is wrong. Please check it."}
}

// groupNumber puts gaps where people make them when they read aloud.
func groupNumber(doc booth.DocType, raw string) string {
	cuts := []int{4, 8, 12, 16, 20, 24, 28}
	if doc == booth.DocResident {
		cuts = []int{6, 10, 14} // region, year, day, serial and check
	}
	var b strings.Builder
	for i, r := range raw {
		for _, c := range cuts {
			if i == c {
				b.WriteByte(' ')
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}
