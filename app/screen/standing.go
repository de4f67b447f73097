package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// standing is what the desk must see on the welcome screen for as long as it
// lasts: that the backdrop is being photographed, or that the booth no longer
// looks like its picture. nil: nothing.
func standing(v booth.View) *booth.Text {
	c := v.Calibration
	switch {
	case v.State != booth.Idle || v.Fault != nil:
		return nil
	case c.State == booth.CalibrationRunning:
		return &booth.Text{
			ZH: fmt.Sprintf("正在拍摄空背景 %d/%d，请不要进入画面", c.Got, c.Want),
			EN: fmt.Sprintf("Photographing the empty backdrop, %d of %d: please stay outside the picture", c.Got, c.Want),
		}
	}
	return c.Alarm
}
