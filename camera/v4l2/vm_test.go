package v4l2_test

import (
	"os"
	"os/exec"
	"testing"
)

// TestVM runs the TestGuest… tests in a virtual machine, which takes a few
// minutes and, the first time, root and apt.
func TestVM(t *testing.T) {
	if os.Getenv("YUNZHAO_VM") != "1" {
		t.Skip("SKIPPED: the V4L2 tests against a real driver need YUNZHAO_VM=1 (make test-camera)")
	}
	out, err := exec.CommandContext(t.Context(), "vm/run.sh").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the tests in the virtual machine failed: %v", err)
	}
}
