package packet_test

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"
)

// TestAnotherTeamsReader opens the example by what docs/packet.md says and
// nothing else, with the libraries that another team would take. It must not
// use package packet.
func TestAnotherTeamsReader(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile("testdata/example.pkt")
	must(err)
	identity, err := os.ReadFile("testdata/example.identity")
	must(err)
	station, err := hex.DecodeString("87535e793163525c48c4b9910a0e0d690a100b5602f7a2c4c84375e5a3115ff4")
	must(err)

	// Layout.
	if string(raw[:8]) != "YZPKT\x01\r\n" {
		t.Fatal("magic")
	}
	var parts [][]byte
	for rest := raw[8:]; len(rest) > 0; {
		n := binary.BigEndian.Uint32(rest)
		parts = append(parts, rest[4:4+n])
		rest = rest[4+n:]
	}
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	header, cipher, signature := parts[0], parts[1], parts[2]

	// Header.
	var h map[int]any
	must(cbor.Unmarshal(header, &h))
	id, ok := h[2].([]byte)
	if !ok || h[1] != uint64(1) || len(id) != 16 || h[3] != "st-1" || h[4] != uint64(7) || h[5] != "xjb-xuexin" {
		t.Fatalf("header %v", h)
	}
	sizes, ok := h[7].([]any)
	if !ok || len(sizes) != 4 || h[6] != uint64(time.Date(2026, 9, 1, 1, 30, 0, 123e6, time.UTC).UnixMilli()) {
		t.Fatalf("header %v", h)
	}
	deterministic, err := cbor.CoreDetEncOptions().EncMode()
	must(err)
	if again, err := deterministic.Marshal(h); err != nil || !bytes.Equal(again, header) {
		t.Fatalf("not the deterministic encoding: %v", err)
	}

	// Signature.
	var sign1 cose.Sign1Message
	must(sign1.UnmarshalCBOR(signature))
	if len(sign1.Headers.Unprotected) != 0 || sign1.Payload != nil {
		t.Fatal("signature has an unprotected header or its payload inside")
	}
	sum := sha256.Sum256(cipher)
	sign1.Payload, err = deterministic.Marshal([]any{"yunzhao/packet/1", header, sum[:], len(cipher)})
	must(err)
	verifier, err := cose.NewVerifier(cose.AlgorithmEdDSA, ed25519.PublicKey(station))
	must(err)
	must(sign1.Verify(nil, verifier))

	// Inside.
	ids, err := age.ParseIdentities(bytes.NewReader(identity))
	must(err)
	plain, err := age.Decrypt(bytes.NewReader(cipher), ids...)
	must(err)
	files := map[string][]byte{}
	tr := tar.NewReader(plain)
	for i, name := range []string{"manifest.json", "original.jpg", "portrait.jpg", "audit.jsonl"} {
		f, err := tr.Next()
		must(err)
		if f.Name != name || uint64(f.Size) != sizes[i] {
			t.Fatalf("file %d is %s of %d bytes", i, f.Name, f.Size)
		}
		files[name], err = io.ReadAll(tr)
		must(err)
	}
	if _, err := tr.Next(); err != io.EOF {
		t.Fatalf("a fifth file: %v", err)
	}
	if rest, err := io.ReadAll(plain); err != nil || len(rest) > 10<<10 || len(bytes.Trim(rest, "\x00")) > 0 {
		t.Fatalf("after the files: %d bytes, %v", len(rest), err)
	}

	// Manifest.
	var m struct {
		Version    int               `json:"version"`
		Station    string            `json:"station"`
		Seq        uint64            `json:"seq"`
		Supersedes string            `json:"supersedes"`
		Digests    map[string]string `json:"digests"`
		Student    struct {
			Ref string `json:"ref"`
		} `json:"student"`
	}
	must(json.Unmarshal(files["manifest.json"], &m))
	if m.Version != 1 || m.Station != "st-1" || m.Seq != 7 || m.Supersedes != "01J6Q3ZK4M0000000000000000" || m.Student.Ref != "stu-42" {
		t.Errorf("manifest %s", files["manifest.json"])
	}
	for name, want := range m.Digests {
		if sum := sha256.Sum256(files[name]); hex.EncodeToString(sum[:]) != want {
			t.Errorf("digest of %s", name)
		}
	}
	if len(m.Digests) != 3 {
		t.Errorf("digests %v", m.Digests)
	}
}
