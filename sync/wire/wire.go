// Package wire is the contract between a station and a central server: the
// request and response types of the HTTP interface. Everything that central
// says which a station acts on travels in a [Signed] envelope, so that a
// captive portal, a proxy or a stranger can never be taken for central.
//
// It holds types and their signing only: no HTTP, no storage.
package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is the contract's version, sent by both sides.
const Version = 1

// Signed carries a JSON payload with central's Ed25519 signature over
// "yunzhao/1/" + Type + 0x00 + Payload. The type is inside what is signed, so an answer of
// one kind cannot be replayed as another.
type Signed struct {
	Type      string `json:"type"`
	KeyID     string `json:"key_id"`
	Payload   []byte `json:"payload"` // base64 in JSON
	Signature []byte `json:"signature"`
}

// ErrSignature means that an answer was not signed by the expected central.
var ErrSignature = errors.New("wire: answer is not signed by central")

func signedBytes(typ string, payload []byte) []byte {
	b := make([]byte, 0, len(typ)+len(payload)+16)
	b = append(b, "yunzhao/1/"...)
	b = append(b, typ...)
	b = append(b, 0)
	return append(b, payload...)
}

// Sign wraps v.
func Sign(key ed25519.PrivateKey, keyID, typ string, v any) (Signed, error) {
	p, err := json.Marshal(v)
	if err != nil {
		return Signed{}, fmt.Errorf("wire: encode %s: %w", typ, err)
	}
	return Signed{Type: typ, KeyID: keyID, Payload: p, Signature: ed25519.Sign(key, signedBytes(typ, p))}, nil
}

// Open verifies the envelope against pub and typ, then decodes into v.
func (s Signed) Open(pub ed25519.PublicKey, typ string, v any) error {
	if s.Type != typ || len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, signedBytes(s.Type, s.Payload), s.Signature) {
		return ErrSignature
	}
	if err := json.Unmarshal(s.Payload, v); err != nil {
		return fmt.Errorf("wire: decode %s: %w", typ, err)
	}
	return nil
}

// Types of signed payloads.
const (
	TypeEnrolled = "enrolled"
	TypeRoster   = "roster"
	TypeDeclared = "declared"
	TypeProgress = "progress" // upload accepted so far
	TypeAck      = "ack"
	TypeVerdicts = "verdicts"
	TypeClaim    = "claim"
	TypeHello    = "hello" // heartbeat answer
	// TypeRecipients is kept by the station: whom packets are sealed for from now on.
	TypeRecipients = "recipients"
)

// Error is the body of every answer that is not a success.
type Error struct {
	Code    string `json:"code"`    // stable, snake_case
	Message string `json:"message"` // English, for logs
}

// Policy says when a batch wants its fee.
type Policy string

// Payment policies of a batch.
const (
	PayNone          Policy = "none"           // the school pays
	PayBeforeCapture Policy = "before_capture" // gate at Framing
	PayBeforeSubmit  Policy = "before_submit"  // gate at Confirm
	PayLater         Policy = "later"          // never gates
)

// PaymentState of one (batch, student).
type PaymentState string

// Payment states.
const (
	PaymentNone     PaymentState = "none"
	PaymentUnpaid   PaymentState = "unpaid"
	PaymentPaid     PaymentState = "paid"
	PaymentDeferred PaymentState = "deferred"
	PaymentWaived   PaymentState = "waived"
	PaymentRefunded PaymentState = "refunded"
)

// Batch is a school's collection drive.
type Batch struct {
	ID           string    `json:"id"`
	School       string    `json:"school"`
	Title        string    `json:"title"`
	Spec         string    `json:"spec"`
	PriceFen     int       `json:"price_fen"` // CNY 0.01
	Policy       Policy    `json:"policy"`
	Opens        time.Time `json:"opens"`
	Closes       time.Time `json:"closes"`
	CoversZH     string    `json:"covers_zh"` // what the fee covers
	CoversEN     string    `json:"covers_en"`
	ReviewDays   int       `json:"review_days"` // working days
	Contact      string    `json:"contact"`     // customer service
	ConsentZH    string    `json:"consent_zh"`
	ConsentEN    string    `json:"consent_en"`
	ConsentVer   string    `json:"consent_version"`
	RetainDays   int       `json:"retain_days"`
	PhoneBaseURL string    `json:"phone_base_url"` // https://host, before /k/<token>
}

// IDType tells what kind of document a number belongs to.
type IDType string

// Document kinds.
const (
	IDResident IDType = "resident" // 居民身份证, GB 11643 checksum
	IDHMT      IDType = "hmt"      // 港澳台居民居住证 / 通行证
	IDPassport IDType = "passport"
	IDOther    IDType = "other"
)

// Student is one row of a roster.
type Student struct {
	Ref       string `json:"ref"` // opaque id, unique in central, never a document number
	Batch     string `json:"batch"`
	Name      string `json:"name"`
	IDType    IDType `json:"id_type"`
	IDNumber  string `json:"id_number"`
	StudentNo string `json:"student_no"` // student or exam number
	School    string `json:"school"`
	Level     string `json:"level"` // 本科, 硕士 …
	Major     string `json:"major"`
	College   string `json:"college,omitempty"` // 学院, "" = not known
	Class     string `json:"class,omitempty"`   // 班级, as the college calls it; "" = not known
	// Provisional: staff of a station added this student, and central has not
	// decided yet whether to take them.
	Provisional bool         `json:"provisional,omitempty"`
	Payment     PaymentState `json:"payment"`
	// Capture is where this student's photo stands at central: "", "in_review", "approved", "rejected".
	Capture string `json:"capture"`
}

// EnrollRequest is the body of POST /v1/enroll.
type EnrollRequest struct {
	Version   int    `json:"version"`
	Code      string `json:"code"`       // the one-time part only
	Name      string `json:"name"`       // what staff call this station
	PublicKey []byte `json:"public_key"` // Ed25519, made on the station
	Software  string `json:"software"`
}

// Enrolled answers it, signed with the key whose fingerprint is in the code.
type Enrolled struct {
	StationID  string    `json:"station_id"`
	CentralKey []byte    `json:"central_key"` // Ed25519 public
	KeyID      string    `json:"key_id"`
	Recipients []string  `json:"recipients"`  // age X25519 recipients: working key, offline recovery key
	ClaimKey   []byte    `json:"claim_key"`   // 32 bytes, MAC key for claim tokens of this station
	ReceiptKey []byte    `json:"receipt_key"` // 32 bytes, HMAC key for 8-digit confirmation codes
	Batches    []Batch   `json:"batches"`
	Now        time.Time `json:"now"`
}

// RosterDelta answers GET /v1/roster?since=CURSOR.
type RosterDelta struct {
	StationID string    `json:"station_id"`
	Since     uint64    `json:"since"`
	Cursor    uint64    `json:"cursor"`
	Full      bool      `json:"full"` // replace everything
	Batches   []Batch   `json:"batches"`
	Upsert    []Student `json:"upsert"`
	Remove    []string  `json:"remove"` // refs
	More      bool      `json:"more"`   // ask again with Cursor
	Now       time.Time `json:"now"`
}

// Declared is one packet a station wants to send. No student data.
type Declared struct {
	ID         string `json:"id"`     // ULID
	SHA256     string `json:"sha256"` // hex
	Size       int64  `json:"size"`   // bytes
	Seq        uint64 `json:"seq"`
	Supersedes string `json:"supersedes,omitempty"`
}

// DeclareRequest is the body of POST /v1/packets:declare.
type DeclareRequest struct {
	Packets []Declared `json:"packets"`
}

// Declaration states.
const (
	DeclareHave     = "have"
	DeclareWant     = "want"
	DeclareConflict = "conflict" // same id, other digest: an alarm
)

// DeclareResult answers for one packet.
type DeclareResult struct {
	ID     string  `json:"id"`
	State  string  `json:"state"`
	URL    string  `json:"url,omitempty"`    // path to PATCH
	Offset int64   `json:"offset,omitempty"` // bytes central already holds
	Ack    *Signed `json:"ack,omitempty"`    // with have
}

// DeclareResponse is signed.
type DeclareResponse struct {
	StationID string          `json:"station_id"`
	Results   []DeclareResult `json:"results"`
}

// Progress answers a PATCH that did not complete the packet, signed.
type Progress struct {
	ID     string `json:"id"`
	Offset int64  `json:"offset"`
}

// Ack stages.
const (
	AckStored  = "stored"  // bytes are durable at central
	AckOpened  = "opened"  // decrypted and validated: the station may purge after retention
	AckRefused = "refused" // cannot be used; kept and alarmed
)

// Ack is central's acknowledgement, always inside Signed with TypeAck.
type Ack struct {
	StationID string    `json:"station_id"`
	ID        string    `json:"id"`
	SHA256    string    `json:"sha256"`
	Size      int64     `json:"size"`
	Stage     string    `json:"stage"`
	Reason    string    `json:"reason,omitempty"`
	At        time.Time `json:"at"`
}

// Verdict states.
const (
	VerdictInReview = "in_review"
	VerdictApproved = "approved"
	VerdictRejected = "rejected"
	VerdictConflict = "conflict"
)

// Verdict is a reviewer's decision about one packet.
type Verdict struct {
	PacketID   string    `json:"packet_id"`
	StudentRef string    `json:"student_ref"`
	State      string    `json:"state"`
	Reason     string    `json:"reason,omitempty"` // code
	NoteZH     string    `json:"note_zh,omitempty"`
	NoteEN     string    `json:"note_en,omitempty"`
	At         time.Time `json:"at"`
}

// Verdicts answers GET /v1/verdicts?since=CURSOR, signed. Acks are the opened/refused acks of this station's packets.
type Verdicts struct {
	StationID string    `json:"station_id"`
	Cursor    uint64    `json:"cursor"`
	Verdicts  []Verdict `json:"verdicts"`
	Acks      []Signed  `json:"acks"`
	More      bool      `json:"more"`
}

// ClaimState answers GET /v1/claims/{session}, signed: what the phone has done.
type ClaimState struct {
	StationID string `json:"station_id"`
	Session   string `json:"session"` // ULID
	Linked    bool   `json:"linked"`
	// MatchNumber is the four digits shown on the phone; the student reads them to the desk.
	MatchNumber string `json:"match_number,omitempty"`
	// StudentRef the phone identified as; "" until then.
	StudentRef string       `json:"student_ref,omitempty"`
	Payment    PaymentState `json:"payment"`
	OrderID    string       `json:"order_id,omitempty"`
}

// Heartbeat is the body of POST /v1/heartbeat.
type Heartbeat struct {
	Software string    `json:"software"`
	Pending  int       `json:"pending"`
	LastSeq  uint64    `json:"last_seq"`
	Now      time.Time `json:"now"`
	Alarms   []string  `json:"alarms,omitempty"` // codes
}

// Hello answers it, signed.
type Hello struct {
	StationID string    `json:"station_id"`
	Now       time.Time `json:"now"`
	Revoked   bool      `json:"revoked"`
	// Recipients is a signed [Recipients], once central has changed its working
	// key.
	Recipients *Signed `json:"recipients,omitempty"`
	// Slot of Slots is this station's turn when all come back at once after an
	// outage: stations share a period among them instead of leaving it to
	// chance. Slots 0 = central does not say.
	Slot  int `json:"slot,omitempty"`
	Slots int `json:"slots,omitempty"`
	// Epoch names central's store. It changes when central was restored from a
	// backup: a station then offers again everything it still has, since central
	// may have forgotten what it acknowledged. 0 = central does not say.
	Epoch uint64 `json:"epoch,omitempty"`
	// Copied: central has two packets under one sequence number of this station,
	// so two computers work with one key. Both photos are kept.
	Copied bool `json:"copied,omitempty"`
	// Forked: the audit lines in this station's packets are not of one log: it
	// was rewritten, cut short, begun anew or copied. All photos are kept.
	Forked bool `json:"forked,omitempty"`
}

// Recipients are whom a station seals for, instead of those it was told at its
// enrolment. The offline recovery key never changes.
type Recipients struct {
	StationID  string    `json:"station_id"`
	Recipients []string  `json:"recipients"` // age X25519: working key, offline recovery key
	Since      time.Time `json:"since"`      // the later one counts
}
