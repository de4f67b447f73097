package central

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Export is an approved photo as the school's registration system takes it.
type Export struct {
	PacketID string       `json:"packet_id"`
	Student  wire.Student `json:"student"`
	Approved time.Time    `json:"approved"`
	Portrait []byte       `json:"portrait"` // JPEG
}

// Approved opens an approved photo for its export and writes that to the audit
// log first. request is the one that was confirmed, if the batch wants two
// people, else "". Any other state is ErrState: nothing leaves before its
// approval. ErrTwoPeople when the batch wants a request that this photo is in.
func (s *Server) Approved(ctx context.Context, id, request, actor string) (Export, error) {
	x, err := s.approved(ctx, id, request)
	if err != nil {
		return Export{}, err
	}
	return x, s.audit(ctx, actor, "portrait.exported", id, request)
}

func (s *Server) approved(ctx context.Context, id, request string) (Export, error) {
	c, p, err := s.openForView(ctx, id)
	if err != nil {
		return Export{}, err
	}
	if p.State != wire.VerdictApproved {
		return Export{}, fmt.Errorf("%w: the photo is %s, not approved", ErrState, p.State)
	}
	x := Export{PacketID: p.ID, Approved: p.DecidedAt, Portrait: c.Portrait}
	err = s.view(ctx, func(tx *bolt.Tx) error {
		if err := s.mayLeave(tx, p, request); err != nil {
			return err
		}
		row, err := s.student(tx, p.StudentRef)
		x.Student = row.Student
		return err
	})
	if err != nil {
		return Export{}, fmt.Errorf("central: export of packet %s: %w", id, err)
	}
	return x, nil
}

// nameFields of a file-name rule.
var nameFields = map[string]func(wire.Student) string{
	"id_number":  func(s wire.Student) string { return s.IDNumber },
	"student_no": func(s wire.Student) string { return s.StudentNo },
	"name":       func(s wire.Student) string { return s.Name },
	"ref":        func(s wire.Student) string { return s.Ref },
}

var nameField = regexp.MustCompile(`\{[^{}]*\}`)

// FileName fills a rule such as "{student_no}" or "{id_number}-{name}" for one
// student and adds ".jpg". Characters that a file system or a spreadsheet may
// trip over become "_". An unknown or an empty field is an error: a file with
// half a name would be taken for somebody else's.
func FileName(rule string, s wire.Student) (string, error) {
	var bad error
	name := nameField.ReplaceAllStringFunc(rule, func(f string) string {
		key := strings.Trim(f, "{}")
		get, ok := nameFields[key]
		switch {
		case !ok:
			bad = fmt.Errorf("%w: file name rule: no field %q; there are id_number, student_no, name, ref", ErrInvalid, key)
			return ""
		case get(s) == "":
			bad = fmt.Errorf("%w: file name rule: this student has no %s", ErrInvalid, key)
			return ""
		}
		return get(s)
	})
	if bad != nil {
		return "", bad
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("-_.·", r) {
			return r
		}
		return '_'
	}, name)
	const limit = 200 // bytes; file systems take 255
	if name = strings.TrimLeft(name, "."); name == "" || len(name) > limit {
		return "", fmt.Errorf("%w: file name rule: the name is empty or longer than %d bytes", ErrInvalid, limit)
	}
	return name + ".jpg", nil
}
