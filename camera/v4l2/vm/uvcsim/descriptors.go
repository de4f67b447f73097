package main

import (
	"encoding/binary"
	"slices"
)

// The camera's descriptors, after the USB 2.0 specification chapter 9 and the
// USB Device Class Definition for Video Devices 1.1 (UVC below). Its endpoint is
// a bulk one: a software host controller has no isochronous transfers.

var le = binary.LittleEndian

// Identity on the bus; 1209:0001 is pid.codes' pair for tests.
const (
	vendor  = 0x1209
	product = 0x0001
	serial  = "SIM0001"
)

// Units of the video function.
const (
	unitCamera     = 1
	unitProcessing = 2
	unitOutput     = 3
)

// maxPayload of one transfer: uvcvideo submits 32 packets of 512 bytes at a
// time, so that one payload is one URB.
const maxPayload = 16384

// interval is a frame's in units of 100 ns.
func interval(fps int) uint32 { return uint32(10_000_000 / fps) }

func le16(v int) []byte    { return []byte{byte(v), byte(v >> 8)} }
func le32(v uint32) []byte { return le.AppendUint32(nil, v) }

var deviceDescriptor = slices.Concat(
	[]byte{18, 1, 0, 2, 0xEF, 2, 1, 64}, le16(vendor), le16(product), []byte{0, 1, 1, 2, 3, 1},
)

// frameDescriptors lists the sizes of a format, UVC payload specifications 3.1.2.
func frameDescriptors(subtype byte) (out []byte) {
	for i, s := range sizes {
		d := slices.Concat([]byte{0, 0x24, subtype, byte(i + 1), 0}, le16(s.w), le16(s.h),
			le32(uint32(s.w*s.h*16*rates[len(rates)-1])), le32(uint32(s.w*s.h*16*rates[0])), le32(uint32(s.w*s.h*2)),
			le32(interval(rates[0])), []byte{byte(len(rates))})
		for _, r := range rates {
			d = append(d, le32(interval(r))...)
		}
		d[0] = byte(len(d))
		out = append(out, d...)
	}
	return out
}

// configDescriptor: a video control interface with a camera terminal, a
// processing unit and an output, and a video streaming interface.
func configDescriptor() []byte {
	units := slices.Concat(
		// Exposure mode, priority and time; focus and its automatic.
		[]byte{18, 0x24, 2, unitCamera, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x2e, 0x00, 0x02},
		// Brightness, contrast, saturation, white balance; gain, power line, automatic white balance.
		[]byte{12, 0x24, 5, unitProcessing, unitCamera, 0, 0, 2, 0x4b, 0x16, 0, 0},
		[]byte{9, 0x24, 3, unitOutput, 0x01, 0x01, 0, unitProcessing, 0})
	control := slices.Concat([]byte{13, 0x24, 1, 0x10, 0x01}, le16(13+len(units)), le32(48_000_000), []byte{1, 1}, units)
	n := byte(len(sizes))
	guid := []byte("YUY2\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71")
	formats := slices.Concat(
		[]byte{11, 0x24, 6, formatMJPEG, n, 1, 1, 0, 0, 0, 0}, frameDescriptors(7), []byte{6, 0x24, 0x0d, 1, 1, 4},
		[]byte{27, 0x24, 4, formatYUYV, n}, guid, []byte{16, 1, 0, 0, 0, 0}, frameDescriptors(5), []byte{6, 0x24, 0x0d, 1, 1, 4})
	streaming := slices.Concat([]byte{15, 0x24, 1, 2}, le16(15+len(formats)), []byte{0x81, 0, unitOutput, 0, 0, 0, 1, 0, 0}, formats)
	body := slices.Concat(
		[]byte{8, 0x0B, 0, 2, 0x0E, 3, 0, 2},
		[]byte{9, 4, 0, 0, 0, 0x0E, 1, 0, 2}, control,
		[]byte{9, 4, 1, 0, 1, 0x0E, 2, 0, 0}, streaming,
		[]byte{7, 5, 0x81, 2, 0x00, 0x02, 0})
	return slices.Concat([]byte{9, 2}, le16(9+len(body)), []byte{2, 1, 0, 0x80, 250}, body)
}

func stringDescriptor(i int) []byte {
	if i == 0 {
		return []byte{4, 3, 9, 4} // English
	}
	s := map[int]string{1: "Sim", 2: "Sim UVC Camera", 3: serial}[i]
	out := []byte{byte(2 + 2*len(s)), 3}
	for _, c := range []byte(s) {
		out = append(out, c, 0)
	}
	return out
}

// setting is one of the camera's controls.
type setting struct {
	min, max, def, cur int
	bytes              int // on the wire
	step               int // or, of the exposure mode, the modes there are
	info               byte
	// auto and when: while that control of the same unit has that value, an
	// automatic has this one.
	auto byte
	when int
	// most is what the camera takes in truth, in silence; 0 = max.
	most int
}

// Control selectors, UVC 1.1 appendix A.9.
const (
	selExposureMode     = 0x02 // camera terminal
	selExposurePriority = 0x03
	selExposureTime     = 0x04
	selFocus            = 0x06
	selFocusAuto        = 0x08

	selBrightness = 0x02 // processing unit
	selContrast   = 0x03
	selGain       = 0x04
	selPowerLine  = 0x05
	selSaturation = 0x07
	selWhite      = 0x0A
	selWhiteAuto  = 0x0B
)

// What GET_INFO says: it can be read and set, and it changes by itself.
const (
	infoPlain = 3
	infoLive  = 3 | 8
)

// settings of a camera that was just given power.
func settings() map[byte]map[byte]*setting {
	const manual, aperture = 1, 8 // bits of the exposure mode
	return map[byte]map[byte]*setting{
		unitCamera: {
			selExposureMode:     {max: 15, def: aperture, cur: aperture, bytes: 1, step: manual | aperture, info: infoPlain},
			selExposurePriority: {max: 1, cur: 1, bytes: 1, step: 1, info: infoPlain},
			selExposureTime:     {min: 3, max: 2047, def: 250, cur: 157, bytes: 4, step: 1, info: infoLive, auto: selExposureMode, when: aperture},
			selFocus:            {max: 250, cur: 35, bytes: 2, step: 5, info: infoLive, auto: selFocusAuto, when: 1},
			selFocusAuto:        {max: 1, def: 1, cur: 1, bytes: 1, step: 1, info: infoPlain},
		},
		unitProcessing: {
			selBrightness: {min: -64, max: 64, bytes: 2, step: 1, info: infoPlain},
			selContrast:   {max: 95, def: 32, cur: 32, bytes: 2, step: 1, info: infoPlain},
			selSaturation: {max: 100, def: 55, cur: 55, bytes: 2, step: 1, info: infoPlain},
			selGain:       {max: 100, def: 10, cur: 10, bytes: 2, step: 1, info: infoLive, most: 50},
			selPowerLine:  {max: 2, def: 2, cur: 2, bytes: 1, step: 1, info: infoPlain},
			selWhite:      {min: 2800, max: 6500, def: 4600, cur: 4730, bytes: 2, step: 10, info: infoLive, auto: selWhiteAuto, when: 1},
			selWhiteAuto:  {max: 1, def: 1, cur: 1, bytes: 1, step: 1, info: infoPlain},
		},
	}
}
