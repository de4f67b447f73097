package packet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Manifest says what the photos are and how they came to be. It is stored as
// canonical JSON (see [Canonical]) inside the encrypted part. Times are RFC
// 3339 in UTC. It names the student by central's opaque reference only: name
// and document number stay in the roster, but for a student who is on none.
type Manifest struct {
	// Filled in by Seal, equal to the header, checked by Open.
	Version    int       `json:"version"`
	PacketID   string    `json:"packet_id"`
	Station    string    `json:"station"`
	Seq        uint64    `json:"seq"`
	Spec       string    `json:"spec"`
	Created    time.Time `json:"created"`
	Supersedes string    `json:"supersedes,omitempty"`
	Digests    Digests   `json:"digests"`

	Batch      string     `json:"batch"`
	Student    Student    `json:"student"`
	Claim      Claim      `json:"claim"`
	Payment    Payment    `json:"payment"`
	Operator   string     `json:"operator"` // staff id, "" when the desk is unattended
	Consent    Consent    `json:"consent"`
	Capture    Capture    `json:"capture"`
	Overrides  []Override `json:"overrides,omitempty"`
	Software   Software   `json:"software"`
	Clock      Clock      `json:"clock"`
	RetakeNote string     `json:"retake_note,omitempty"` // why Supersedes is set: rejected, change_request, operator: …
	AuditHead  string     `json:"audit_head,omitempty"`  // hex digest of the station's audit chain at sealing

	// Report is what the pipeline measured, as it wrote it: checks with
	// values and limits, geometry, timings. [Manifest.Checks] reads the part
	// that reviewers need.
	Report json.RawMessage `json:"report"`
}

// Digests are hex SHA-256 of the files beside the manifest.
type Digests struct {
	Original string `json:"original.jpg"`
	Portrait string `json:"portrait.jpg"`
	Audit    string `json:"audit.jsonl"`
}

// Student is who sat there, as the roster names them.
type Student struct {
	Ref          string `json:"ref"`
	IdentifiedBy string `json:"identified_by"`          // keypad, wedge, camera, phone, class (called from the class list)
	InfoFlagged  bool   `json:"info_flagged,omitempty"` // the student said that the record is wrong
	// Provisional is who the student is, where no roster says so: the one place in
	// a packet with a name and a number, inside its encrypted part.
	Provisional *wire.Provisional `json:"provisional,omitempty"`
}

// Claim is the QR shown in this session.
type Claim struct {
	Session string `json:"session"` // ULID
	Linked  bool   `json:"linked"`  // a phone had taken it when the packet was sealed
	// MatchConfirmed: the four digits on the phone were confirmed at the desk.
	MatchConfirmed bool `json:"match_confirmed"`
}

// Payment is what the station knew when sealing.
type Payment struct {
	State    string `json:"state"` // a wire.PaymentState
	OrderID  string `json:"order_id,omitempty"`
	Reason   string `json:"reason,omitempty"`   // deferred, waived
	Evidence string `json:"evidence,omitempty"` // central, receipt, code, operator
	// Proof is what was shown while central could not be asked: the receipt's
	// text or the eight digits. Central judges it again.
	Proof string `json:"proof,omitempty"`
}

// Consent is what was agreed to, and when.
type Consent struct {
	Version  string    `json:"version"`
	Language string    `json:"language"`
	At       time.Time `json:"at"`
}

// Capture is the shutter moment.
type Capture struct {
	Camera    string            `json:"camera"` // USB identity and model
	Settings  map[string]string `json:"settings,omitempty"`
	Simulated bool              `json:"simulated"` // the simulated booth, never a real photo
	Frame     uint64            `json:"frame"`     // sequence number of the frame in the camera's stream
	At        time.Time         `json:"at"`
	Attempt   int               `json:"attempt"` // 1 = first shot of the session
	Plate     string            `json:"plate,omitempty"`
}

// Override lets a failed check through, on record: what was measured and what
// the rule asked for, as the report has them.
type Override struct {
	CheckID  string    `json:"check_id"`
	Reason   string    `json:"reason"`   // code from the station's list
	Operator string    `json:"operator"` // staff id
	At       time.Time `json:"at"`
	Value    *float64  `json:"value,omitempty"`
	Unit     string    `json:"unit,omitempty"`
	Min      *float64  `json:"min,omitempty"`
	Max      *float64  `json:"max,omitempty"`
}

// Software made the portrait.
type Software struct {
	Version     string `json:"version"`
	RulePack    string `json:"rule_pack,omitempty"`
	SpecVersion string `json:"spec_version,omitempty"`
}

// Clock says how far the times in here can be trusted.
type Clock struct {
	Synchronised bool  `json:"synchronised"`
	OffsetMS     int64 `json:"offset_ms"` // station minus central, when last heard
}

// Check is one measured rule of the report.
type Check struct {
	ID        string   `json:"id"`
	TitleZH   string   `json:"title_zh,omitempty"`
	TitleEN   string   `json:"title_en,omitempty"`
	Status    string   `json:"status"` // pass, warn, fail, manual, unknown
	Value     *float64 `json:"value"`
	Unit      string   `json:"unit"`
	Min       *float64 `json:"min"`
	Max       *float64 `json:"max"`
	MessageZH string   `json:"message_zh"`
	MessageEN string   `json:"message_en"`
}

// Checks reads the checks and the overall verdict out of the report.
func (m Manifest) Checks() (verdict string, checks []Check, err error) {
	var r struct {
		Verdict string  `json:"verdict"`
		Checks  []Check `json:"checks"`
	}
	if len(m.Report) == 0 {
		return "", nil, nil
	}
	if err := json.Unmarshal(m.Report, &r); err != nil {
		return "", nil, fmt.Errorf("%w: report: %w", ErrContents, err)
	}
	return r.Verdict, r.Checks, nil
}

// bind returns m with the fields that tie it to its packet.
func (m Manifest) bind(in Input) Manifest {
	m.Version = Version
	m.PacketID = in.ID.String()
	m.Station = in.Station
	m.Seq = in.Seq
	m.Spec = in.Spec
	m.Created = time.UnixMilli(in.Created.UnixMilli()).UTC()
	m.Supersedes = ""
	if in.Supersedes != nil {
		m.Supersedes = in.Supersedes.String()
	}
	m.Digests = Digests{Original: digest(in.Original), Portrait: digest(in.Portrait), Audit: digest(in.Audit)}
	m.Consent.At = m.Consent.At.UTC()
	m.Capture.At = m.Capture.At.UTC()
	m.Overrides = slices.Clone(m.Overrides)
	for i := range m.Overrides {
		m.Overrides[i].At = m.Overrides[i].At.UTC()
	}
	if len(m.Report) == 0 {
		m.Report = json.RawMessage("null")
	}
	return m
}

// matches refuses a manifest that was moved into another packet.
func (m Manifest) matches(h Header) error {
	sup := ""
	if h.Supersedes != nil {
		sup = h.Supersedes.String()
	}
	if m.Version != h.Version || m.PacketID != h.ID.String() || m.Station != h.Station || m.Seq != h.Seq ||
		m.Spec != h.Spec || !m.Created.Equal(h.Created()) || m.Supersedes != sup {
		return fmt.Errorf("%w: manifest belongs to another packet", ErrContents)
	}
	return nil
}

// ParseManifest reads manifest.json. Fields it does not know are accepted, so
// that a newer station can be read; bytes that are not canonical are not.
func ParseManifest(b []byte) (Manifest, error) {
	if len(b) > MaxManifest {
		return Manifest{}, fmt.Errorf("%w: manifest of %d bytes", ErrContents, len(b))
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest: %w", ErrContents, err)
	}
	if again, err := canonicalBytes(b); err != nil || !bytes.Equal(again, b) {
		return Manifest{}, fmt.Errorf("%w: manifest is not canonical JSON", ErrContents)
	}
	return m, nil
}

// Canonical encodes v as canonical JSON: UTF-8, no white space, object keys
// sorted by bytes and given once, only the escapes that JSON demands. For the
// values that appear in a manifest this equals RFC 8785; numbers keep the
// shortest form that encoding/json gives them.
func Canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("packet: canonical JSON: %w", err)
	}
	return canonicalBytes(b)
}

// maxDepth of nesting; a manifest has about five levels.
const maxDepth = 32

func canonicalBytes(b []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("packet: canonical JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("packet: canonical JSON: data after the value")
	}
	return appendCanonical(make([]byte, 0, len(b)), v, 0)
}

func appendCanonical(out []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("packet: canonical JSON: nested too deeply")
	}
	var err error
	switch v := v.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case json.Number:
		return append(out, v...), nil
	case string:
		return appendString(out, v), nil
	case []any:
		out = append(out, '[')
		for i, e := range v {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = appendCanonical(out, e, depth+1); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		out = append(out, '{')
		for i, k := range keys {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendString(out, k), ':')
			if out, err = appendCanonical(out, v[k], depth+1); err != nil {
				return nil, err
			}
		}
		return append(out, '}'), nil
	default:
		return nil, fmt.Errorf("packet: canonical JSON: unexpected %T", v)
	}
}

// appendString escapes what RFC 8785 section 3.2.2.2 escapes and nothing else.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\b':
			out = append(out, `\b`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\f':
			out = append(out, `\f`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r < 0x20:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}
