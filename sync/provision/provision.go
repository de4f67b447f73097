// Package provision is the code by which a new kiosk is set up: where central is,
// the one-time enrolment code with the fingerprint of central's key, and settings
// that the school wants. Central prints it as a QR code; the kiosk's camera or a
// scanner reads it.
//
// What is read is taken to be hostile: anybody can print a poster. So nothing in
// it takes effect before an admin has compared the digits of [Code.Compare] with
// those that central's people gave them on another way, and the package neither
// connects to anything nor changes anything.
package provision

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/yunzhao-station/yunzhao/sync/keys"
)

// Prefix begins every code of this version; the number changes when an older
// kiosk would misunderstand a newer code.
const Prefix = "yunzhao-setup:1?"

// family begins the codes of every version.
const family = "yunzhao-setup:"

// Bounds of what is taken.
const (
	MaxText     = 1024 // bytes of a code; QR version 22 at level M holds them
	maxURL      = 200
	maxName     = 40 // characters of the station's and the school's name
	maxSettings = 16
	maxSetting  = 200 // bytes of one value
)

// Errors that callers tell apart.
var (
	ErrNotSetUp = errors.New("provision: this is not a set-up code")
	ErrVersion  = errors.New("provision: the set-up code is of a newer version")
	ErrDamaged  = errors.New("provision: the set-up code is damaged or incomplete")
	ErrExpired  = errors.New("provision: the set-up code has expired")
)

// Code is what a set-up code says.
type Code struct {
	URL     string    // of central, https://host[/prefix]
	Enrol   string    // one-time enrolment code, ONE-TIME-PART.FINGERPRINT
	TLSPin  string    // hex SHA-256 of a TLS public key in central's chain; "" = the system's authorities
	Name    string    // of the station; "" = the kiosk asks
	School  string    // "" = the kiosk asks
	Expires time.Time // of the enrolment code, whole seconds; zero = not said
	// Settings by their keys in the kiosk's file. What they may be is the kiosk's
	// to judge.
	Settings map[string]string
}

// Fields of the code's query; settings have their key after a prefix.
const (
	fieldURL     = "u"
	fieldEnrol   = "c"
	fieldPin     = "t"
	fieldName    = "n"
	fieldSchool  = "s"
	fieldExpires = "x"
	settingMark  = "set."
)

// text is the code as it is printed, checked or not.
func (c Code) text() string {
	v := url.Values{fieldURL: {c.URL}, fieldEnrol: {c.Enrol}}
	for field, value := range map[string]string{fieldPin: c.TLSPin, fieldName: c.Name, fieldSchool: c.School} {
		if value != "" {
			v.Set(field, value)
		}
	}
	if !c.Expires.IsZero() {
		v.Set(fieldExpires, strconv.FormatInt(c.Expires.Unix(), 10))
	}
	for key, value := range c.Settings {
		v.Set(settingMark+key, value)
	}
	return Prefix + v.Encode() // sorted by field
}

// Encode checks the code and returns its text: printable ASCII, so that scanners
// which type it as a keyboard do so unchanged. It holds the one-time enrolment
// code.
func (c Code) Encode() (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	text := c.text()
	if len(text) > MaxText {
		return "", fmt.Errorf("%w: it has %d bytes, %d are allowed", ErrDamaged, len(text), MaxText)
	}
	return text, nil
}

// Parse reads a code's text. Everything in it is checked for its form; nothing is
// believed.
func Parse(text string) (Code, error) {
	text = strings.TrimSpace(text)
	query, ok := strings.CutPrefix(text, Prefix)
	switch {
	case !ok && strings.HasPrefix(text, family):
		return Code{}, ErrVersion
	case !ok:
		return Code{}, ErrNotSetUp
	case len(text) > MaxText:
		return Code{}, fmt.Errorf("%w: too long", ErrDamaged)
	}
	v, err := url.ParseQuery(query)
	if err != nil {
		return Code{}, fmt.Errorf("%w: not a query", ErrDamaged) // the cause would show the one-time code
	}
	var c Code
	for field, values := range v {
		if len(values) != 1 {
			return Code{}, fmt.Errorf("%w: a field is given twice", ErrDamaged)
		}
		value := values[0]
		key, setting := strings.CutPrefix(field, settingMark)
		switch {
		case setting:
			if c.Settings == nil {
				c.Settings = map[string]string{}
			}
			c.Settings[key] = value
		case field == fieldURL:
			c.URL = value
		case field == fieldEnrol:
			c.Enrol = value
		case field == fieldPin:
			c.TLSPin = value
		case field == fieldName:
			c.Name = value
		case field == fieldSchool:
			c.School = value
		case field == fieldExpires:
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n <= 0 || n > 1<<40 {
				return Code{}, fmt.Errorf("%w: its date", ErrDamaged)
			}
			c.Expires = time.Unix(n, 0).UTC()
		default:
			return Code{}, fmt.Errorf("%w: it has a field that is not known", ErrDamaged)
		}
	}
	return c, c.check()
}

// Live is an error once the code has expired at now.
func (c Code) Live(now time.Time) error {
	if !c.Expires.IsZero() && now.After(c.Expires) {
		return ErrExpired
	}
	return nil
}

// check judges the form of every part.
func (c Code) check() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrDamaged, what) }
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || len(c.URL) > maxURL || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !printable(c.URL):
		return bad("central's address")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return bad("central's address must begin with https://")
	case strings.Trim(c.Enrol, "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz.-") != "":
		return bad("the enrolment code")
	}
	if _, _, err := keys.ParseEnrollCode(c.Enrol); err != nil {
		return bad("the enrolment code")
	}
	if c.TLSPin != "" && (len(c.TLSPin) != 2*sha256.Size || strings.Trim(c.TLSPin, "0123456789abcdef") != "") {
		return bad("the fingerprint of central's TLS key")
	}
	for _, name := range []string{c.Name, c.School} {
		if len([]rune(name)) > maxName || !printable(name) {
			return bad("a name")
		}
	}
	if len(c.Settings) > maxSettings {
		return bad("too many settings")
	}
	for key, value := range c.Settings {
		if key == "" || len(key) > 60 || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_.") != "" || len(value) > maxSetting || !printable(value) {
			return bad("a setting")
		}
	}
	return nil
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) < 0
}

// loopback is a central on this very machine: a test or a demonstration.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// groups of four digits: 20 digits are 66 bits, against somebody who makes codes
// until one compares equal.
const groups = 5

// Compare are the digits by which people compare a code that was scanned with
// what central's people say: they stand for central's address, its signing key
// and its TLS key, and are the same for every code of one central.
func (c Code) Compare() string {
	_, fingerprint, err := keys.ParseEnrollCode(c.Enrol)
	if err != nil {
		return ""
	}
	return CompareCentral(c.URL, fingerprint, c.TLSPin)
}

// CompareCentral is Compare for a central at that address whose signing key has
// that fingerprint.
func CompareCentral(address, fingerprint, tlsPin string) string {
	sum := sha256.Sum256([]byte(Prefix + "\n" + strings.TrimRight(address, "/") + "\n" + strings.ToLower(fingerprint) + "\n" + tlsPin))
	out := make([]string, groups)
	for i := range out {
		// 2^32 is no multiple of 10,000: the difference is one in 430,000.
		out[i] = fmt.Sprintf("%04d", binary.BigEndian.Uint32(sum[4*i:])%10_000)
	}
	return strings.Join(out, " ")
}

// SettingKeys are the keys of the settings in the code, in order.
func (c Code) SettingKeys() []string {
	out := make([]string, 0, len(c.Settings))
	for key := range c.Settings {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}
