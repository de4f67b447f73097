// Package swtpm starts TPM 2.0 emulators for tests: each is a machine of its
// own, with a seed of its own. Nothing but tests uses it.
package swtpm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Start runs the swtpm program until the test ends and returns the socket that
// stands for the TPM's device. The test is skipped, aloud, where there is none.
func Start(t testing.TB) string {
	t.Helper()
	program, err := exec.LookPath("swtpm")
	if err != nil {
		t.Skip("SKIPPED: no TPM emulator to try against: apt-get install swtpm")
	}
	// Not the test's own directory: the path of a socket has at most 107 bytes.
	dir, err := os.MkdirTemp("", "yz-tpm-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, pid := filepath.Join(dir, "tpm"), filepath.Join(dir, "pid")
	// As a daemon it returns once it listens: there is nothing to wait for.
	out, err := exec.CommandContext(t.Context(), program, "socket", "--tpm2", "--daemon",
		"--tpmstate", "dir="+dir, "--server", "type=unixio,path="+socket, "--ctrl", "type=unixio,path="+socket+".ctrl",
		"--flags", "not-need-init,startup-clear", "--pid", "file="+pid).CombinedOutput()
	if err != nil {
		t.Fatalf("start swtpm: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		b, err := os.ReadFile(pid)
		if err != nil {
			t.Error(err)
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err == nil {
			err = syscall.Kill(n, syscall.SIGTERM)
		}
		if err != nil {
			t.Errorf("end swtpm: %v", err)
		}
	})
	return socket
}
