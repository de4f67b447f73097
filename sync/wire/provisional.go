package wire

import (
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// ProvisionalPrefix begins the reference of every student whom a station added.
const ProvisionalPrefix = "prov-"

// Provisional is a student who stood at the desk and on no roster, as staff added
// them. It travels inside the sealed manifest of the packet that shows them, and
// nowhere else: central decides whether the student is taken, is somebody of the
// roster, or is refused.
type Provisional struct {
	Ref       string    `json:"ref"` // made by the station: ProvisionalPrefix and a ULID
	Batch     string    `json:"batch"`
	Name      string    `json:"name"`
	IDType    IDType    `json:"id_type"`
	IDNumber  string    `json:"id_number"`
	StudentNo string    `json:"student_no,omitempty"`
	Reason    string    `json:"reason"`   // code: late, transfer, list_error, other
	Operator  string    `json:"operator"` // staff id
	At        time.Time `json:"at"`
}

// Student is p as a row of a roster.
func (p Provisional) Student() Student {
	return Student{Ref: p.Ref, Batch: p.Batch, Name: p.Name, IDType: p.IDType, IDNumber: p.IDNumber, StudentNo: p.StudentNo, Payment: PaymentUnpaid, Provisional: true}
}

// ValidProvisionalRef tells whether a station can have made ref.
func ValidProvisionalRef(ref string) bool {
	id, ok := strings.CutPrefix(ref, ProvisionalPrefix)
	_, err := ulid.ParseStrict(id)
	return ok && err == nil
}
