package central

import (
	"errors"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Errors that callers tell apart.
var (
	ErrNotFound    = errors.New("central: not found")
	ErrApproved    = errors.New("central: an approved photo cannot change")
	ErrState       = errors.New("central: not possible in this state")
	ErrInvalid     = errors.New("central: invalid value")
	ErrLocked      = errors.New("central: the directory is in use by another process")
	ErrCredentials = errors.New("central: wrong user name or password")
	ErrHeld        = errors.New("central: the packet is held until a reviewer confirms who is on it")
)

// Stage is how far central has come with the bytes of a packet.
type Stage string

// The stages. Stored, opened and refused are also the stages of an ack.
const (
	StageDeclared Stage = "declared" // announced, bytes not complete
	StageStored   Stage = "stored"   // bytes complete and durable
	StageOpened   Stage = "opened"   // decrypted and valid
	StageRefused  Stage = "refused"  // kept, cannot be used
	StageErased   Stage = "erased"   // gone at its student's request; refused when it comes again
)

// Review states beyond those of wire.Verdict.
const (
	// StateSuperseded is a photo that a later packet of the same student replaces.
	StateSuperseded = "superseded"
)

// Packet is one row of the index. The picture and the manifest stay sealed in
// the packet's file.
type Packet struct {
	ID         string `json:"id"`
	Station    string `json:"station"`
	SHA256     string `json:"sha256"` // hex
	Size       int64  `json:"size"`   // bytes
	Seq        uint64 `json:"seq"`
	Supersedes string `json:"supersedes,omitempty"`

	Stage  Stage  `json:"stage"`
	Offset int64  `json:"offset"`           // durable bytes while declared
	Reason string `json:"reason,omitempty"` // why refused

	// Known once opened.
	Batch      string `json:"batch,omitempty"`
	StudentRef string `json:"student_ref,omitempty"`
	Session    string `json:"session,omitempty"`
	// State is the review state: wire.Verdict… or StateSuperseded.
	State string `json:"state,omitempty"`
	// Held says why the photo must not be approved without a second look: the
	// phone that was linked to this capture belongs to another student.
	Held            string    `json:"held,omitempty"`
	Flags           []string  `json:"flags,omitempty"`            // Flag…
	ChangeRequested bool      `json:"change_requested,omitempty"` // the student asked for another photo
	ChecksFailed    int       `json:"checks_failed"`
	ChecksWarned    int       `json:"checks_warned"`
	Reviewer        string    `json:"reviewer,omitempty"`
	RejectReason    string    `json:"reject_reason,omitempty"`
	Note            string    `json:"note,omitempty"`
	DeclaredAt      time.Time `json:"declared_at"`
	StoredAt        time.Time `json:"stored_at,omitzero"`
	OpenedAt        time.Time `json:"opened_at,omitzero"`
	CapturedAt      time.Time `json:"captured_at,omitzero"`
	DecidedAt       time.Time `json:"decided_at,omitzero"`
}

// Status is one word for where the packet stands: its review state once
// opened, its stage before.
func (p Packet) Status() string {
	if p.Stage == StageOpened {
		return p.State
	}
	return string(p.Stage)
}

// live reports whether the packet stands as this student's photo, or may.
func (p Packet) live() bool {
	switch p.State {
	case wire.VerdictInReview, wire.VerdictApproved, wire.VerdictConflict:
		return p.Stage == StageOpened
	}
	return false
}

// Station is one enrolled kiosk.
type Station struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	PublicKey  []byte    `json:"public_key"`
	ClaimKey   []byte    `json:"claim_key"`
	ReceiptKey []byte    `json:"receipt_key"`
	Batches    []string  `json:"batches"`
	Code       string    `json:"code"` // hash of the enrolment code it used
	Software   string    `json:"software"`
	EnrolledAt time.Time `json:"enrolled_at"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	RevokedBy  string    `json:"revoked_by,omitempty"`
	// CopiedAt is when two packets first came under one of its numbers, which is
	// two computers with one key; zero = never.
	CopiedAt time.Time `json:"copied_at,omitzero"`
	// ForkedAt is when its audit log was first not the one of before; zero = never.
	ForkedAt time.Time `json:"forked_at,omitzero"`
	SeenAt   time.Time `json:"seen_at,omitzero"`
	Pending  int       `json:"pending"`
	LastSeq  uint64    `json:"last_seq"`
	Alarms   []string  `json:"alarms,omitempty"`
	// Dropped maps a batch taken from this station to the roster version at
	// which that happened, so that a delta can tell the station to forget it.
	Dropped map[string]uint64 `json:"dropped,omitempty"`
}

// Revoked reports whether the station may no longer take part.
func (s Station) Revoked() bool { return !s.RevokedAt.IsZero() }

// Code is a one-time enrolment code, stored by its hash.
type Code struct {
	Hash      string    `json:"hash"`
	Batches   []string  `json:"batches"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedBy    string    `json:"used_by,omitempty"` // station id
}

// Roles of a user.
const (
	RoleAdmin    = "admin"
	RoleReviewer = "reviewer"
)

// User signs in to the reviewers' and administrators' pages.
type User struct {
	Name        string    `json:"name"`
	Roles       []string  `json:"roles"`
	Batches     []string  `json:"batches,omitempty"` // empty: every batch
	Hash        string    `json:"hash"`              // argon2id, PHC string
	Failed      int       `json:"failed"`            // wrong passwords in a row
	LockedUntil time.Time `json:"locked_until,omitzero"`
	Disabled    bool      `json:"disabled,omitempty"`
}

// Has reports whether the user holds the role; an administrator may also review.
func (u User) Has(role string) bool {
	for _, r := range u.Roles {
		if r == role || r == RoleAdmin {
			return true
		}
	}
	return false
}

// Everywhere reports whether the user is not bound to batches. What concerns the
// whole centre, such as stations, users and the audit log, is for those alone.
func (u User) Everywhere() bool { return len(u.Batches) == 0 }

// MayReview reports whether the user works on this batch, in each of their roles.
func (u User) MayReview(batch string) bool {
	if len(u.Batches) == 0 {
		return true
	}
	for _, b := range u.Batches {
		if b == batch {
			return true
		}
	}
	return false
}

// studentRow is a roster row with the version at which it last changed.
type studentRow struct {
	wire.Student
	Version uint64 `json:"version"`
	Removed bool   `json:"removed,omitempty"`
}

// Order is what a student owes or has paid for one batch.
type Order struct {
	ID         string            `json:"id"`
	Batch      string            `json:"batch"`
	StudentRef string            `json:"student_ref"`
	Session    string            `json:"session"` // the claim it was made from
	AmountFen  int               `json:"amount_fen"`
	State      wire.PaymentState `json:"state"` // unpaid, paid or refunded
	Provider   string            `json:"provider"`
	Reference  string            `json:"reference,omitempty"` // the provider's own number
	CreatedAt  time.Time         `json:"created_at"`
	PaidAt     time.Time         `json:"paid_at,omitzero"`
	RefundedAt time.Time         `json:"refunded_at,omitzero"`
	RefundedBy string            `json:"refunded_by,omitempty"`
	RefundFor  string            `json:"refund_for,omitempty"` // Refund…
}

// claimRow is what central knows of one session's QR.
type claimRow struct {
	Session   string    `json:"session"`
	Station   string    `json:"station"`
	ExpiresAt time.Time `json:"expires_at"`
	Phone     string    `json:"phone"` // hash of the cookie of the phone that came first
	BoundAt   time.Time `json:"bound_at"`
	// Candidates are the records that match what the student typed; the student picks one.
	Candidates []string `json:"candidates,omitempty"`
	Batch      string   `json:"batch,omitempty"`
	StudentRef string   `json:"student_ref,omitempty"`
	Tries      int      `json:"tries"` // failed identifications
	OrderID    string   `json:"order_id,omitempty"`
	PacketID   string   `json:"packet_id,omitempty"`
	Mismatch   bool     `json:"mismatch,omitempty"` // the packet shows another student
}

// AuditEntry is one line of who did what. Each carries the hash of the one
// before it, so that a line cannot be taken out unseen.
type AuditEntry struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"` // user, station:ID, cli, phone, system
	Action string    `json:"action"`
	Target string    `json:"target,omitempty"`
	Detail string    `json:"detail,omitempty"`
	Prev   string    `json:"prev"` // hex SHA-256 of the entry before
}

// Reason is a coded ground for rejecting a photo. Digit is its key on the
// reviewers' page.
type Reason struct {
	Code  string
	Digit string
	ZH    string
	EN    string
}

// Reasons a reviewer can choose from, in the order of their keys.
func Reasons() []Reason {
	return []Reason{
		{"background", "1", "背景不合格，请重新拍摄", "Background not acceptable"},
		{"pose", "2", "头部或肩膀姿态不正，请正视镜头", "Head or shoulders not straight"},
		{"eyes", "3", "闭眼或未正视镜头", "Eyes closed or not looking at the camera"},
		{"expression", "4", "表情不自然，请闭合双唇", "Expression not neutral"},
		{"clothing", "5", "着装不符合要求，请穿深色有领上衣", "Clothing not acceptable"},
		{"occlusion", "6", "头发、眼镜或饰品遮挡面部", "Face covered by hair, glasses or accessories"},
		{"lighting", "7", "面部光线不均或过亮过暗", "Uneven, too bright or too dark"},
		{"blur", "8", "照片模糊", "Photo not sharp"},
		{"identity", "9", "照片与本人信息不符，请到现场核实", "Person does not match the record"},
		{"other", "0", "其他原因，见备注", "Other, see the note"},
	}
}

// Reasons that central itself gives.
const (
	reasonSuperseded = "superseded"     // a later packet replaces this one
	reasonOtherKept  = "duplicate"      // of two photos the other was kept
	reasonRequested  = "student_change" // the student asked for another photo
	reasonNotListed  = "not_listed"     // a provisional student whom central refused
)

func reasonText(code string) (zh, en string) {
	for _, r := range Reasons() {
		if r.Code == code {
			return r.ZH, r.EN
		}
	}
	switch code {
	case reasonSuperseded:
		return "已由新的照片替代", "Replaced by a newer photo"
	case reasonOtherKept:
		return "同一学生有两张照片，已保留另一张", "Two photos of one student; the other was kept"
	case reasonNotListed:
		return "学校没有采纳名单外的登记，请联系学校", "The school did not take the student who was added at the desk; ask the school"
	case reasonRequested:
		return "已按本人申请退回，请重新拍摄", "Returned at the student's request"
	}
	return "未通过", "Rejected"
}
