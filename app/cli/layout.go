package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/layout"
)

// LayoutCmd puts copies of a portrait on a sheet of photo paper.
type LayoutCmd struct {
	Photo  string  `arg:"" help:"标准照文件 / The standardised portrait." type:"path"`
	Out    string  `help:"写到 .jpg 或 .pdf / The sheet to write, .jpg or .pdf." required:"" type:"path" placeholder:"FILE"`
	Paper  string  `help:"纸张 5in 五寸、6in 六寸、a4 / Paper: 5in, 6in or a4." default:"6in" placeholder:"ID"`
	Spec   string  `help:"照片的规格，核对尺寸；不给则按照片自带的分辨率 / The photo's standard, to check its size; else the resolution in the file counts." placeholder:"ID"`
	Copies int     `help:"张数，0 为排满 / How many; 0 fills the sheet." default:"0" placeholder:"N"`
	Gap    float64 `help:"间距（毫米）/ Millimetres between photos." default:"2" placeholder:"MM"`
	Margin float64 `help:"页边（毫米）/ Millimetres that stay white at the edges." default:"4" placeholder:"MM"`
	DPI    int     `help:"版面分辨率 / Dots per inch of the sheet." name:"dpi" default:"300" placeholder:"N"`
}

// Run writes the sheet.
func (c LayoutCmd) Run(s *streams) error {
	sheet, err := c.plan()
	if err != nil {
		return complain(s.err, err)
	}
	write := sheet.JPEG
	if strings.EqualFold(filepath.Ext(c.Out), ".pdf") {
		write = sheet.PDF
	}
	data, err := write()
	if err != nil {
		return fmt.Errorf("make the sheet: %w", err)
	}
	if err := writeFile(c.Out, data); err != nil {
		return fmt.Errorf("write the sheet: %w", err)
	}
	r := sheet.Photos[0]
	mm := func(px int) float64 { return float64(px) / float64(sheet.DPI) * 25.4 }
	_, err = fmt.Fprintf(s.out, "%s：%d 张 %.1f×%.1f 毫米 / %d photos of %.1f×%.1f mm on %s → %s  %d bytes\n", sheet.Paper.TitleZH,
		len(sheet.Photos), mm(r.Dx()), mm(r.Dy()), len(sheet.Photos), mm(r.Dx()), mm(r.Dy()), sheet.Paper.TitleEN, c.Out, len(data))
	if err != nil {
		return fmt.Errorf("print what was made: %w", err)
	}
	return nil
}

func (c LayoutCmd) plan() (*layout.Sheet, error) {
	if ext := strings.ToLower(filepath.Ext(c.Out)); ext != ".jpg" && ext != ".jpeg" && ext != ".pdf" {
		return nil, usageError{"输出文件名须以 .jpg 或 .pdf 结尾：" + c.Out, "The name of the sheet must end in .jpg or .pdf: " + c.Out}
	}
	if err := checkOutputs([]string{c.Out}, []string{c.Photo}); err != nil {
		return nil, err
	}
	m, err := loadPicture(c.Photo, "照片", "photo")
	if err != nil {
		return nil, err
	}
	photo := layout.Photo{Pixels: m}
	data, err := os.ReadFile(c.Photo)
	if err != nil {
		return nil, fmt.Errorf("read photo: %w", err)
	}
	if in, err := codec.Header(data); err == nil && !in.CMYK && codec.Orientation(data) == 1 {
		photo.JPEG = data
		if x, y, err := codec.Density(data); err == nil && x == y {
			photo.DPI = x
		}
	}
	if c.Spec != "" {
		sp, err := loadSpec(c.Spec, "")
		if err != nil {
			return nil, err
		}
		if m.Rect.Dx() != sp.Width || m.Rect.Dy() != sp.Height {
			return nil, usageError{
				fmt.Sprintf("照片是 %d×%d 像素，规格 %s 是 %d×%d，请先用 yunzhao standardize --spec %s 制作。", m.Rect.Dx(), m.Rect.Dy(), sp.ID, sp.Width, sp.Height, sp.ID),
				fmt.Sprintf("The photo has %d×%d px, standard %s %d×%d: make it with yunzhao standardize --spec %s first.", m.Rect.Dx(), m.Rect.Dy(), sp.ID, sp.Width, sp.Height, sp.ID),
			}
		}
		photo.DPI = sp.PrintDPI
	}
	if photo.DPI == 0 {
		return nil, usageError{"照片没有写明分辨率，请用 --spec 指定规格。", "The photo does not state its resolution: name its standard with --spec."}
	}
	p, err := layout.PaperByID(c.Paper)
	if err != nil {
		return nil, usageError{"没有这种纸张", err.Error()}
	}
	sheet, err := layout.Plan(p, photo, layout.Options{DPI: c.DPI, Margin: c.Margin, Gap: c.Gap, Copies: c.Copies})
	if errors.Is(err, layout.ErrLayout) {
		return nil, usageError{"无法这样排版", err.Error()}
	}
	return sheet, err
}
