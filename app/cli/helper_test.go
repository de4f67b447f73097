package cli

import (
	"os"
	"testing"

	"github.com/yunzhao-station/yunzhao/camera/helper"
)

// The program under test starts itself again to reach a camera.
func TestMain(m *testing.M) {
	if helper.Wanted(os.Args) {
		os.Exit(CameraHelper())
	}
	os.Exit(m.Run())
}
