package screen

import (
	"image"
	"image/color"
	"math"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// sampleCamera is the camera's page: at work, with a test shot, or with the camera
// away.
func sampleCamera(name string, crowded bool) *booth.CameraView {
	v := &booth.CameraView{Can: true, Reading: booth.CameraReading{
		Name: "USB Camera", ID: "usb:1209:0001:SIM0001@1-1:1.0", Node: "/dev/video0",
		State: booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "相机正常", EN: "Camera OK"}}, Mode: "MJPG 1920×1080, 30 fps",
		FPSIn: 30, FPSOut: 29.8, Dropped: 2, Opens: 1,
		Settings: []booth.CameraSetting{
			{Title: booth.Text{ZH: "曝光时间", EN: "exposure time"}, Value: "20.0 ms"},
			{Title: booth.Text{ZH: "色温", EN: "colour temperature"}, Value: "5200 K"},
			{Title: booth.Text{ZH: "对焦距离", EN: "focus distance"}, Value: "35", Auto: true},
			{Title: booth.Text{ZH: "电源频率", EN: "mains frequency"}, Value: "50 Hz"},
		},
		Measured: true, Focus: 12.5, Best: 18.2, Dark: .02, Bright: .3, DarkLevel: booth.OK, BrightLevel: booth.Warn,
	}}
	r := &v.Reading
	for i := range r.Histogram {
		x := float64(i)
		r.Histogram[i] = float32(math.Min(1, math.Exp(-(x-50)*(x-50)/18)+.3*math.Exp(-(x-22)*(x-22)/90)+.02))
	}
	r.Histogram[63] = .35
	if crowded {
		r.Name, r.ID = "Hochauflösende USB-Kamera Professional 4K Ultra HD (046d:085e)", "usb:046d:085e:A1B2C3D4E5F60718@3-1.4.2.1:1.0"
		r.Dropped, r.Invalid, r.Repeated, r.Opens = 1234567, 123456, 12345, 12345
		r.Settings = append(r.Settings, booth.CameraSetting{Title: booth.Text{ZH: "增益", EN: "gain"}, Value: "100", Auto: true})
		v.Told, v.Level = booth.Text{
			ZH: "相机不接受这些设置：曝光时间（要 200，是 157）、色温（要 5200，是 4000）。照片之间可能不一致，最好换一台相机。",
			EN: "The camera refuses: exposure time (asked 200, is 157), colour temperature (asked 5200, is 4000). Photos may differ from one another; another camera is better.",
		}, booth.Warn
	}
	switch name {
	case "39-camera-shot":
		v.Told, v.Level = booth.Text{ZH: "试拍成功，没有保存。", EN: "A test shot was taken; it is kept nowhere."}, booth.OK
		fact := func(zh, en, value string, l booth.Level) booth.StatusLine {
			return booth.StatusLine{Title: booth.Text{ZH: zh, EN: en}, Lamp: booth.Lamp{Level: l, Text: booth.Text{ZH: value, EN: value}}}
		}
		v.Shot = &booth.CameraSample{Whole: wash(960, 540), Middle: wash(480, 480), Facts: []booth.StatusLine{
			fact("大小", "Size", "1920×1080, 182 KB", booth.Note), fact("过亮", "Too bright", "0.31 %", booth.Warn), fact("过暗", "Too dark", "0.02 %", booth.OK),
			fact("用时", "Took", "41 ms", booth.Note),
		}}
	case "39-camera-away":
		v.Busy = booth.CameraBundle
		*r = booth.CameraReading{Name: r.Name, ID: r.ID, State: booth.Lamp{Level: booth.Bad, Text: booth.Text{
			ZH: "相机断开了，正在自动重连，一般几秒就好。", EN: "The camera was disconnected and is being reconnected; this takes a few seconds.",
		}}, Opens: r.Opens}
	}
	return v
}

// wash is a picture of nothing in particular.
func wash(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{uint8(120 + 100*x/w), uint8(140 + 80*y/h), 200, 255})
		}
	}
	return m
}
