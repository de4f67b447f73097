package packet

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/oklog/ulid/v2"
)

func stationKey(seed string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(s[:])
}

func pub(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var created = time.Date(2026, 9, 1, 9, 30, 0, 123e6, time.FixedZone("CST", 8*3600))

func input() Input {
	old := ulid.MustParse("01J6Q3ZK4M0000000000000000")
	return Input{
		ID:  ulid.MustParse("01J6Q3ZK4MXB7T8W9V2N5C1D0E"),
		Seq: 7, Station: "st-1", Spec: "xjb-xuexin", Created: created, Supersedes: &old,
		Manifest: Manifest{
			Batch: "batch-2026", Student: Student{Ref: "stu-42", IdentifiedBy: "keypad"}, Operator: "op-3",
			Consent:   Consent{Version: "c1", Language: "zh", At: created},
			Capture:   Capture{Camera: "usb:046d:0825", Frame: 991, At: created, Attempt: 2, Plate: "p1"},
			Overrides: []Override{{CheckID: "shadow", Reason: "window light", Operator: "op-3", At: created}},
			Report:    json.RawMessage(`{"verdict":"warn", "checks":[{"id":"tilt","status":"pass","value":1.5,"unit":"°","max":3}]}`),
		},
		Original: []byte("\xff\xd8\xff original <&> bytes"),
		Portrait: []byte("\xff\xd8\xff portrait"),
		Audit:    []byte("{\"e\":\"shot\"}\n"),
	}
}

func seal(t testing.TB, in Input, to ...age.Recipient) *Sealed {
	t.Helper()
	s, err := Seal(in, to, stationKey("a"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealOpenRoundTrip(t *testing.T) {
	working, recovery := identity(t), identity(t)
	in := input()
	s := seal(t, in, working.Recipient(), recovery.Recipient())
	for name, id := range map[string]age.Identity{"working key": working, "recovery key": recovery} {
		t.Run(name, func(t *testing.T) {
			p, err := Verify(s.Bytes, pub(stationKey("a")))
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.Open(id)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.Original, in.Original) || !bytes.Equal(c.Portrait, in.Portrait) || !bytes.Equal(c.Audit, in.Audit) {
				t.Error("files changed")
			}
			m := c.Manifest
			if m.Student.Ref != "stu-42" || m.PacketID != in.ID.String() || m.Supersedes != in.Supersedes.String() || !m.Created.Equal(created) {
				t.Errorf("manifest = %+v", m)
			}
			verdict, checks, err := m.Checks()
			if err != nil || verdict != "warn" || len(checks) != 1 || *checks[0].Value != 1.5 || checks[0].Min != nil {
				t.Errorf("checks: %s %+v %v", verdict, checks, err)
			}
			if c.Header.Seq != 7 || c.Header.Station != "st-1" || c.Header.Spec != "xjb-xuexin" {
				t.Errorf("header = %+v", c.Header)
			}
		})
	}
}

func TestHeaderHasNoStudentData(t *testing.T) {
	s := seal(t, input(), identity(t).Recipient())
	for _, secret := range []string{"stu-42", "batch-2026", "op-3", "window light", "keypad"} {
		if bytes.Contains(s.Bytes, []byte(secret)) {
			t.Errorf("%q is readable in the sealed file", secret)
		}
	}
}

// regions gives the byte ranges of every part of a packet file.
func regions(t *testing.T, b []byte) map[string][2]int {
	t.Helper()
	r := map[string][2]int{"magic": {0, len(magic)}}
	at := len(magic)
	for _, name := range []string{"header", "ciphertext", "signature"} {
		n := int(binary.BigEndian.Uint32(b[at:]))
		r[name+" length"] = [2]int{at, at + 4}
		r[name] = [2]int{at + 4, at + 4 + n}
		at += 4 + n
	}
	if at != len(b) {
		t.Fatalf("regions end at %d of %d", at, len(b))
	}
	return r
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	s := seal(t, input(), identity(t).Recipient(), identity(t).Recipient())
	key := pub(stationKey("a"))
	for name, r := range regions(t, s.Bytes) {
		t.Run(name, func(t *testing.T) {
			for i := r[0]; i < r[1]; i++ {
				for bit := range 8 {
					edge := i < r[0]+64 || i >= r[1]-64
					if name == "ciphertext" && (bit != i%8 || !edge && i%7 != 0) {
						continue // only its digest is looked at: a bit here and there, and all about its ends
					}
					b := bytes.Clone(s.Bytes)
					b[i] ^= 1 << bit
					if _, err := Verify(b, key); err == nil {
						t.Fatalf("byte %d bit %d: no error", i, bit)
					} else if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrSignature) {
						t.Fatalf("byte %d bit %d: untyped error %v", i, bit, err)
					}
				}
			}
		})
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	s := seal(t, input(), identity(t).Recipient())
	for n := range len(s.Bytes) {
		if _, err := Parse(s.Bytes[:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("%d of %d bytes: %v", n, len(s.Bytes), err)
		}
	}
	if _, err := Parse(append(bytes.Clone(s.Bytes), 0)); !errors.Is(err, ErrFormat) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestVerifyAgainstAnotherStation(t *testing.T) {
	s := seal(t, input(), identity(t).Recipient())
	for name, key := range map[string]ed25519.PublicKey{"other key": pub(stationKey("b")), "no key": nil} {
		if _, err := Verify(s.Bytes, key); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignatureOfAnotherPacketDoesNotFit(t *testing.T) {
	to := identity(t).Recipient()
	a, b := seal(t, input(), to), seal(t, input(), to)
	ra, rb := regions(t, a.Bytes), regions(t, b.Bytes)
	mixed := bytes.Clone(a.Bytes)
	copy(mixed[ra["signature"][0]:], b.Bytes[rb["signature"][0]:rb["signature"][1]])
	if _, err := Verify(mixed, pub(stationKey("a"))); !errors.Is(err, ErrSignature) {
		t.Errorf("err = %v", err)
	}
}

func TestOpenFailures(t *testing.T) {
	id := identity(t)
	s := seal(t, input(), id.Recipient())
	p, err := Parse(s.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(id); !errors.Is(err, ErrUnverified) {
		t.Errorf("before Verify: %v", err)
	}
	if err := p.Verify(pub(stationKey("a"))); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(identity(t)); !errors.Is(err, ErrDecrypt) {
		t.Errorf("stranger's key: %v", err)
	}
}

func TestSealRefuses(t *testing.T) {
	to := []age.Recipient{identity(t).Recipient()}
	own := input().ID
	for name, tc := range map[string]struct {
		change func(*Input)
		to     []age.Recipient
		key    ed25519.PrivateKey
	}{
		"no recipient":      {func(*Input) {}, nil, stationKey("a")},
		"no key":            {func(*Input) {}, to, nil},
		"no id":             {func(in *Input) { in.ID = ulid.ULID{} }, to, stationKey("a")},
		"sequence zero":     {func(in *Input) { in.Seq = 0 }, to, stationKey("a")},
		"no station":        {func(in *Input) { in.Station = "" }, to, stationKey("a")},
		"station with path": {func(in *Input) { in.Station = "a/b" }, to, stationKey("a")},
		"long spec":         {func(in *Input) { in.Spec = strings.Repeat("x", 65) }, to, stationKey("a")},
		"no time":           {func(in *Input) { in.Created = time.Time{} }, to, stationKey("a")},
		"supersedes itself": {func(in *Input) { in.Supersedes = &own }, to, stationKey("a")},
		"no original":       {func(in *Input) { in.Original = nil }, to, stationKey("a")},
		"portrait is PNG":   {func(in *Input) { in.Portrait = []byte("\x89PNG\r\n") }, to, stationKey("a")},
		"audit too large":   {func(in *Input) { in.Audit = make([]byte, MaxAudit+1) }, to, stationKey("a")},
		"report not JSON":   {func(in *Input) { in.Manifest.Report = json.RawMessage("{") }, to, stationKey("a")},
	} {
		t.Run(name, func(t *testing.T) {
			in := input()
			tc.change(&in)
			if s, err := Seal(in, tc.to, tc.key); err == nil || s != nil {
				t.Fatalf("sealed: %v", err)
			}
		})
	}
}

// forge builds a packet with a valid signature round any plaintext, as a
// malicious station could.
func forge(t *testing.T, to age.Recipient, sizes Sizes, change func(h *Header), files ...[2]string) *Packet {
	t.Helper()
	var plain, out bytes.Buffer
	tw := tar.NewWriter(&plain)
	for _, f := range files {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f[0], Mode: 0o600, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(tw, f[1])
	}
	tw.Close()
	w, err := age.Encrypt(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(plain.Bytes())
	w.Close()
	h := Header{Version: Version, ID: input().ID, Station: "st-1", Seq: 7, Spec: "s", CreatedMS: created.UnixMilli(), Sizes: sizes}
	if change != nil {
		change(&h)
	}
	header, err := encMode.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := sign(header, out.Bytes(), stationKey("a"))
	if err != nil {
		t.Fatal(err)
	}
	b := []byte(magic)
	for _, part := range [][]byte{header, out.Bytes(), sig} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	p, err := Verify(b, pub(stationKey("a")))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOpenRefusesBadContents(t *testing.T) {
	id := identity(t)
	const jpg = "\xff\xd8\xff\xe0"
	in := input()
	in.Spec, in.Supersedes = "s", nil
	in.Original, in.Portrait, in.Audit = []byte(jpg), []byte(jpg), []byte("a")
	good, err := Canonical(in.Manifest.bind(in))
	if err != nil {
		t.Fatal(err)
	}
	m := string(good)
	sz := func(m string) Sizes { return Sizes{Manifest: uint32(len(m)), Original: 4, Portrait: 4, Audit: 1} }
	files := func(m string) [][2]string {
		return [][2]string{{FileManifest, m}, {FileOriginal, jpg}, {FilePortrait, jpg}, {FileAudit, "a"}}
	}
	if _, err := forge(t, id.Recipient(), sz(m), nil, files(m)...).Open(id); err != nil {
		t.Fatalf("the unchanged one must open: %v", err)
	}
	other := strings.Replace(m, `"seq":7`, `"seq":8`, 1)
	spaced := strings.Replace(m, `"seq":7`, `"seq": 7`, 1)
	doubled := strings.Replace(m, `"seq":7`, `"seq":7,"seq":7`, 1)
	f := files(m)
	for name, tc := range map[string]struct {
		sizes Sizes
		files [][2]string
	}{
		"three files":          {sz(m), f[:3]},
		"five files":           {sz(m), append(files(m), [2]string{"x", "y"})},
		"wrong order":          {sz(m), [][2]string{f[0], f[2], f[1], f[3]}},
		"path in name":         {sz(m), [][2]string{{"../manifest.json", m}, f[1], f[2], f[3]}},
		"size differs":         {Sizes{Manifest: uint32(len(m)), Original: 5, Portrait: 4, Audit: 1}, f},
		"digest differs":       {sz(m), [][2]string{f[0], f[1], f[2], {FileAudit, "b"}}},
		"original is no JPEG":  {sz(m), [][2]string{f[0], {FileOriginal, "abcd"}, f[2], f[3]}},
		"other sequence":       {sz(other), files(other)},
		"manifest with spaces": {sz(spaced), files(spaced)},
		"manifest key twice":   {sz(doubled), files(doubled)},
		"manifest no JSON":     {sz("{}x"), files("{}x")},
		"empty manifest":       {sz("{}"), files("{}")},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := forge(t, id.Recipient(), tc.sizes, nil, tc.files...).Open(id); !errors.Is(err, ErrContents) {
				t.Fatalf("err = %v", err)
			}
		})
	}
}

func TestCanonical(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"sorted", `{"b":1,"a":{"d":2,"c":3}}`, `{"a":{"c":3,"d":2},"b":1}`},
		{"white space", "[ 1 ,\n true , null ]", `[1,true,null]`},
		{"no needless escapes", `"<&>\u4e91\/"`, `"<&>云/"`},
		{"needed escapes", `"\"\\\u0001\n\u2028"`, "\"\\\"\\\\\\u0001\\n\u2028\""},
		{"numbers stay", `[1.50,1e3,-0]`, `[1.50,1e3,-0]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := canonicalBytes([]byte(tc.in))
			if err != nil || string(got) != tc.want {
				t.Fatalf("%s, %v; want %s", got, err, tc.want)
			}
		})
	}
	for name, bad := range map[string]string{"two values": `1 2`, "open": `{`, "deep": strings.Repeat("[", 40) + strings.Repeat("]", 40)} {
		if _, err := canonicalBytes([]byte(bad)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seal(f, input(), id.Recipient()).Bytes)
	f.Add([]byte(magic + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte(magic + "\xff\xff\xff\xff"))
	key := pub(stationKey("z"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if err := p.Verify(key); err == nil {
			t.Fatal("verified with a key that never signed")
		}
	})
}

func FuzzHeader(f *testing.F) {
	h, err := encMode.Marshal(Header{Version: 1, ID: input().ID, Station: "s", Seq: 1, Spec: "x", CreatedMS: 1, Sizes: Sizes{Manifest: 1, Original: 1, Portrait: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(h)
	f.Add([]byte{0xa0})
	f.Add([]byte{0xbf, 0x01, 0x01, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseHeader(b); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatalf("untyped error %v", err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	good, err := Canonical(input().Manifest.bind(input()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"report":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			if !errors.Is(err, ErrContents) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if _, _, err := m.Checks(); err != nil && !errors.Is(err, ErrContents) {
			t.Fatalf("untyped error %v", err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	in := input()
	in.Original = append(in.Original, make([]byte, 280<<10)...)
	in.Portrait = append(in.Portrait, make([]byte, 20<<10)...)
	to := []age.Recipient{identity(b).Recipient(), identity(b).Recipient()}
	key := stationKey("a")
	b.SetBytes(int64(len(in.Original) + len(in.Portrait)))
	for b.Loop() {
		if _, err := Seal(in, to, key); err != nil {
			b.Fatal(err)
		}
	}
}
