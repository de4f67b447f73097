package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPacketCommands looks at the example packet that docs/packet.md describes.
func TestPacketCommands(t *testing.T) {
	const example = "../../sync/packet/testdata/example.pkt"
	const key = "87535e793163525c48c4b9910a0e0d690a100b5602f7a2c4c84375e5a3115ff4"
	good, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)/2] ^= 1
	changed, torn := write("changed.pkt", flipped), write("torn.pkt", good[:len(good)-1])
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"inspect", []string{"packet", "inspect", example}, 0, "01J6Q3ZK4MXB7T8W9V2N5C1D0E"},
		{"inspect names what it replaces", []string{"packet", "inspect", example}, 0, "supersedes  01J6Q3ZK4M0000000000000000"},
		{"inspect does not judge", []string{"packet", "inspect", changed}, 0, "st-1"},
		{"inspect a torn file", []string{"packet", "inspect", torn}, 2, "not a whole packet"},
		{"verify", []string{"packet", "verify", example, "--key", key}, 0, "✓ 01J6Q3ZK4MXB7T8W9V2N5C1D0E dc88ccde"},
		{"verify a changed file", []string{"packet", "verify", changed, "--key", key}, 1, "✗"},
		{"verify a torn file", []string{"packet", "verify", torn, "--key", key}, 2, "not a whole packet"},
		{"verify as another station's", []string{"packet", "verify", example, "--key", strings.Repeat("11", 32)}, 1, "✗"},
		{"verify with half a key", []string{"packet", "verify", example, "--key", "11"}, 1, "--key"},
		{"verify with no station here", []string{"packet", "verify", example, "--data", filepath.Join(t.TempDir(), "none")}, 1, "--key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, errs := yunzhao(t, tc.args...)
			if code != tc.code || !strings.Contains(out+errs, tc.says) {
				t.Errorf("exit %d, want %d; said %q %q", code, tc.code, out, errs)
			}
		})
	}
	code, out, _ := yunzhao(t, "packet", "inspect", example, "--json")
	var info packetInfo
	if err := json.Unmarshal([]byte(out), &info); err != nil || code != 0 || info.Seq != 7 || info.Size != int64(len(good)) || info.Audit != 13 {
		t.Errorf("exit %d %v %s", code, err, out)
	}
}
