package v4l2_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestVM runs the TestGuest… tests in a virtual machine, which takes a few
// minutes and, the first time, root and apt.
func TestVM(t *testing.T) {
	if os.Getenv("YUNZHAO_VM") != "1" {
		t.Skip("SKIPPED: the V4L2 tests against a real driver need YUNZHAO_VM=1 (see camera/v4l2/vm/run.sh)")
	}
	shared := os.Getenv("YUNZHAO_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	shared, err := filepath.Abs(shared)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(shared, "vm-camera")); err != nil {
		t.Skipf("SKIPPED: no camera rig in %s/vm-camera (set YUNZHAO_SHARED)", shared)
	}
	cmd := exec.CommandContext(t.Context(), "vm/run.sh")
	cmd.Env = append(os.Environ(), "YUNZHAO_SHARED="+shared)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the tests in the virtual machine failed: %v", err)
	}
}
