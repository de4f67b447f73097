package central

import (
	"errors"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestFileName(t *testing.T) {
	s := wire.Student{Ref: "r1", Name: "买买提·艾力", IDNumber: "11010519491231002X", StudentNo: "20/26"}
	for rule, want := range map[string]string{
		"{id_number}":            "11010519491231002X.jpg",
		"{id_number}-{name}":     "11010519491231002X-买买提·艾力.jpg",
		"{student_no}":           "20_26.jpg",
		"../{ref}":               "_r1.jpg",
		"a b\x00{ref}":           "a_b_r1.jpg",
		"{ref":                   "_ref.jpg",
		"{nothing}":              "",
		"{}":                     "",
		"":                       "",
		"..":                     "",
		strings.Repeat("长", 70):  "",
		strings.Repeat("n", 200): strings.Repeat("n", 200) + ".jpg",
	} {
		got, err := FileName(rule, s)
		if got != want || (want == "") != errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %q %v, want %q", rule, got, err, want)
		}
	}
	if _, err := FileName("{student_no}", wire.Student{Name: "x"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a student without a number: %v", err)
	}
}

func TestOnlyApprovedPhotosAreExported(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := k.seal(studentA(1))
	id := p.ID.String()
	k.send(p)
	if _, err := w.s.Approved(t.Context(), id, "", "x"); !errors.Is(err, ErrState) {
		t.Errorf("a photo in review: %v", err)
	}
	if err := w.s.Approve(t.Context(), id, "rev"); err != nil {
		t.Fatal(err)
	}
	x, err := w.s.Approved(t.Context(), id, "", "x")
	if err != nil || x.Student.Ref != refOf(studentA(1)) || len(x.Portrait) == 0 || x.Approved.IsZero() {
		t.Fatalf("%+v %v", x.Student, err)
	}
}
