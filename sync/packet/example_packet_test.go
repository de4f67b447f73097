package packet

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"filippo.io/age"
)

var update = flag.Bool("update", false, "write testdata/example.* anew")

// TestExampleStillOpens reads a packet that an earlier program sealed. The
// same files let another team check its own reader (docs/packet.md). When this
// fails after a change, packets that wait on stations can no longer be read:
// the change needs a new version number, not a new example.
func TestExampleStillOpens(t *testing.T) {
	const file, idFile = "testdata/example.pkt", "testdata/example.identity"
	if *update {
		writeExample(t, file, idFile)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(idFile)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Verify(raw, pub(stationKey("example station")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Open(ids...)
	if err != nil {
		t.Fatal(err)
	}
	if c.Header.Seq != 7 || c.Manifest.Student.Ref != "stu-42" || string(c.Audit) != "{\"e\":\"shot\"}\n" || !bytes.Equal(c.Original, input().Original) {
		t.Errorf("%+v", c.Manifest)
	}
	doc, err := os.ReadFile("../../docs/packet.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, fact := range []string{p.SHA256, signingContext, FileManifest, FileOriginal, FilePortrait, FileAudit} {
		if !strings.Contains(string(doc), fact) {
			t.Errorf("docs/packet.md does not say %q", fact)
		}
	}
}

func writeExample(t *testing.T, file, idFile string) {
	t.Helper()
	id := identity(t)
	s, err := Seal(input(), []age.Recipient{id.Recipient(), identity(t).Recipient()}, stationKey("example station"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, s.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	note := "# Opens example.pkt and nothing else. Not a secret.\n" + id.String() + "\n"
	if err := os.WriteFile(idFile, []byte(note), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("SHA-256 %s", s.SHA256)
}
