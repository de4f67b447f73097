package cli

import (
	"bytes"
	"image/jpeg"
	"os"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

func TestLayout(t *testing.T) {
	d := newDesk(t)
	if exit, out, errs := d.run("standardize frame.jpg --plate empty.jpg --spec inch1,id-card --out photo.jpg"); exit != exitOK {
		t.Fatalf("exit %d %s%s", exit, out, errs)
	}
	for _, tc := range []struct {
		args, want string
		w, h       int
	}{
		{"photo-inch1.jpg --paper 5in --spec inch1 --out sheet.jpg", "9 张 25.0×35.0", 1050, 1500},
		{"photo-inch1.jpg --paper 6in --out sheet.jpg", "10 张 25.0×35.0", 1800, 1200},
		{"photo-id-card.jpg --paper a4 --copies 4 --out sheet.jpg", "4 张 26.0×32.0", 2480, 3508},
	} {
		exit, out, errs := d.run("layout " + tc.args)
		if exit != exitOK || !strings.Contains(out, tc.want) {
			t.Errorf("%s: exit %d %s%s, want %s", tc.args, exit, out, errs, tc.want)
			continue
		}
		b, err := os.ReadFile(d.path("sheet.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil || m.Width*m.Height != tc.w*tc.h {
			t.Errorf("%s: a sheet of %d×%d, %v", tc.args, m.Width, m.Height, err)
		}
		if x, y, err := codec.Density(b); x != 300 || y != 300 || err != nil {
			t.Errorf("%s: %d×%d dpi %v", tc.args, x, y, err)
		}
	}
	photo, err := os.ReadFile(d.path("photo-inch1.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if exit, _, errs := d.run("layout photo-inch1.jpg --paper a4 --out sheet.pdf"); exit != exitOK {
		t.Errorf("PDF: exit %d %s", exit, errs)
	}
	if b, err := os.ReadFile(d.path("sheet.pdf")); err != nil || !bytes.HasPrefix(b, []byte("%PDF-")) || !bytes.Contains(b, photo) {
		t.Errorf("the PDF does not carry the photo's file: %v", err)
	}
}

func TestLayoutRefusals(t *testing.T) {
	d := newDesk(t)
	for args, word := range map[string]string{
		"frame.jpg --out sheet.png":                           ".pdf",
		"frame.jpg --out sheet.jpg":                           "--spec",
		"frame.jpg --spec inch1 --out sheet.jpg":              "295×413",
		"frame.jpg --spec nope --out sheet.jpg":               "inch1",
		"text.jpg --out sheet.jpg":                            "文本",
		"none.jpg --out sheet.jpg":                            "没有这个文件",
		"frame.jpg --out frame.jpg":                           "覆盖",
		"small.jpg --out nodir.d/s.jpg":                       "文件夹",
		"dense.jpg --paper a5 --out sheet.jpg":                "a4",
		"dense.jpg --paper 5in --out sheet.jpg":               "does not fit",
		"dense.jpg --paper a4 --copies 2000 --out sheet.jpg":  "copies",
		"dense.jpg --paper a4 --margin=-3 --out sheet.jpg":    "margin",
		"dense.jpg --paper a4 --dpi 20000000 --out sheet.jpg": "dpi",
	} {
		dense, err := photoFiles()
		if err != nil {
			t.Fatal(err)
		}
		b, err := codec.SetDensity(dense["frame.jpg"], 300)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.path("dense.jpg"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		exit, out, errs := d.run("layout " + args)
		if exit != exitUsage || out != "" || !strings.Contains(errs, word) || d.has("sheet.jpg") {
			t.Errorf("%s: exit %d, says %q, want %q", args, exit, errs, word)
		}
	}
}
