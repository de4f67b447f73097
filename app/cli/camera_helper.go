package cli

import (
	"errors"

	"github.com/yunzhao-station/yunzhao/camera/helper"
	"github.com/yunzhao-station/yunzhao/camera/v4l2"
)

// CameraHelper runs the camera's driver for the station that started this
// process; the program's main comes here first when helper.Wanted.
func CameraHelper() int {
	return helper.Serve(helper.Driver{
		List: v4l2.List, Open: v4l2.OpenSource,
		Untouched: func(err error) bool { return errors.Is(err, v4l2.ErrNotFound) },
	})
}
