package screen

import "github.com/yunzhao-station/yunzhao/app/booth"

// sampleLight is what a calibration found: all that there is to find where the
// page is crowded.
func sampleLight(crowded bool) *booth.LightView {
	line := func(id string, l booth.Level, zh, en string) booth.CalibrationLine {
		return booth.CalibrationLine{ID: id, Level: l, Text: booth.Text{ZH: zh, EN: en}}
	}
	v := &booth.LightView{At: sampleNow, Accepted: !crowded}
	if crowded {
		v.Lines = append(v.Lines, line("even_left_right", booth.Bad,
			"右侧灯几乎没有光（左侧亮 163%）。请检查右侧的灯是否打开、是否被挡住。左右以面向背景为准。",
			"The right lamp gives next to no light (the left side is 163 % brighter). Is the right lamp on and unobstructed? Sides as seen when facing the backdrop."))
	}
	v.Lines = append(v.Lines,
		line("exposure", booth.Warn, "偏暗约 1.5 档。请把两盏灯都移近一些，或加长相机曝光。", "About 1.5 stops too dark. Move both lamps closer or lengthen the exposure."),
		line("colour", booth.Note, "彩色背景判断不了色温。请在相机页面测一次灰卡再拍；两盏灯要同一型号。", "A coloured backdrop cannot tell the colour of the light. Measure a grey card on the camera page first; use two lamps of one kind."),
	)
	for _, id := range []string{"frames", "person", "banding", "flicker", "motion", "object", "clipped", "sharp", "even_top_bottom", booth.LineCameraSettings} {
		if !crowded {
			v.Lines = append(v.Lines, line(id, booth.OK, "正常。", "Fine."))
			continue
		}
		v.Lines = append(v.Lines, line(id, booth.Warn,
			"左侧灯太亮（亮 23%），请把左灯移远约 20 厘米，或把右灯移近。左右以面向背景为准。",
			"The left lamp is too bright (by 23 %): move it away by about 20 cm, or the right lamp closer. Sides as seen when facing the backdrop."))
	}
	return v
}
