package pipeline

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"slices"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/assets/icons"
	"github.com/yunzhao-station/yunzhao/pipeline/quality"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// guide lists the rows of the photo guide: every one is a check of the default
// standard, and these are the ones that no algorithm can vouch for.
var guide = strings.Fields(`single_face roll yaw pitch inter_eye_distance eye_line crown_margin face_width centred
	half_body shoulders_level eyes_open mouth_closed expression ears_visible forehead_visible glasses_tinted glasses_glare
	headwear accessories clothing_not_background clothing_blue clothing_plain clothing_formal makeup contact_lenses
	background_uniform background_shadow subject_contrast illumination_even under_exposed over_exposed luminance_mean
	luminance_variance dynamic_range natural_colour sharpness pixels dpi file_size`)

var manualRows = []string{"headwear", "accessories", "clothing_formal", "makeup", "contact_lenses"}

// TestEveryRowOfTheGuide: id, value, limits, sentences and version, and manual
// exactly where it must be.
func TestEveryRowOfTheGuide(t *testing.T) {
	b := booth()
	r, err := maker(t).Standardize(t.Context(), Input{Frame: b.render(t), Plate: b.plate(t), Spec: standard(t, "chsi")})
	if err != nil {
		t.Fatal(err)
	}
	if r.Report.SpecVersion == "" {
		t.Error("the report does not name the version of its rules")
	}
	for _, id := range guide {
		c := r.Report.find(id)
		switch {
		case c == nil:
			t.Errorf("%s is not in the report", id)
		case slices.Contains(manualRows, id) != (c.Status == Manual):
			t.Errorf("%s is %s", id, c.Status)
		case c.Status == Manual:
			if c.Value != nil || !strings.HasPrefix(c.MessageZH, "请") {
				t.Errorf("%s asks the operator nothing: %+v", id, *c)
			}
		case c.Value == nil || c.Min == nil && c.Max == nil:
			t.Errorf("%s has no value or no limit: %+v", id, *c)
		case c.Rule == "" || c.MessageZH == "" || c.MessageEN == "":
			t.Errorf("%s says nothing: %+v", id, *c)
		}
	}
	for _, id := range []string{"inter_eye_distance", "eyes_open", "background_uniform", "illumination_even", "over_exposed", "natural_colour"} {
		if c := r.Report.find(id); c != nil && c.OFIQ == nil {
			t.Errorf("%s is not comparable with the standard's tools", id)
		}
	}
	out, err := json.Marshal(r.Report.find("luminance_mean"))
	if err != nil || !bytes.Contains(out, []byte(`"ofiq":{"name":"LuminanceMean","native":0.`)) {
		t.Errorf("as JSON: %s %v", out, err)
	}
}

// TestDirections: every step out of a pose's window says which way back, with a
// drawing that exists; left and right are the student's own.
func TestDirections(t *testing.T) {
	texts, err := spec.LoadTexts()
	if err != nil {
		t.Fatal(err)
	}
	j := judge{standard(t, "chsi"), texts}
	for _, tt := range []struct {
		id    string
		value float64
		icon  string
		zh    string
	}{
		{quality.Yaw, -15, "arrow-left", "向左转"},
		{quality.Yaw, 15, "arrow-right", "向右转"},
		{quality.Roll, -9, "tilt-left", "向左扶正"},
		{quality.Roll, 9, "tilt-right", "向右扶正"},
		{quality.Pitch, -20, "arrow-up", "抬头"},
		{quality.Pitch, 20, "arrow-down", "收下巴"},
		{quality.InterEyeDistance, 50, "closer", "坐近"},
		{quality.Centred, -40, "arrow-left", "向左移"},
		{quality.Centred, 40, "arrow-right", "向右移"},
		{quality.ShouldersLevel, -8, "tilt-left", "抬高右肩"},
		{quality.Yaw, 0, "", "正对"},
		{quality.EyesOpen, .02, "", "眼睛"},
	} {
		c := j.value(tt.id, tt.value, true)
		if c.Icon != tt.icon || !strings.Contains(c.MessageZH, tt.zh) || c.MessageEN == "" {
			t.Errorf("%s of %v: %q %q %q", tt.id, tt.value, c.Icon, c.MessageZH, c.MessageEN)
		}
		if tt.icon != "" && !slices.Contains(icons.Names(), tt.icon) {
			t.Errorf("there is no drawing %q", tt.icon)
		}
	}
	if c := j.value(quality.Yaw, 0, false); c.Status != Unknown || c.Icon != "" {
		t.Errorf("unknown is %+v", c)
	}
}

// TestWhyNobodyIsSeen: in the dark and in glaring light the light is named too.
func TestWhyNobodyIsSeen(t *testing.T) {
	z, s := maker(t), standard(t, "chsi")
	for level, want := range map[uint8][2]Status{3: {Fail, Unknown}, 128: {Unknown, Unknown}, 254: {Unknown, Fail}} {
		m := image.NewRGBA(image.Rect(0, 0, 640, 480))
		draw.Draw(m, m.Rect, image.NewUniform(color.RGBA{level, level, level, 255}), image.Point{}, draw.Src)
		r, err := z.Standardize(t.Context(), Input{Frame: m, Spec: s})
		if err != nil {
			t.Fatal(err)
		}
		got := [2]Status{status(t, r.Report, quality.UnderExposed), status(t, r.Report, quality.OverExposed)}
		if got != want || status(t, r.Report, quality.SingleFace) != Fail {
			t.Errorf("level %d: %v, want %v", level, got, want)
		}
	}
}
