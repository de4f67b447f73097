package screen

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/assets/fonts"
)

// The palette. Every text colour stands at 7:1 or better on every surface it is
// used on (WCAG 2.2 level AAA); theme_test.go holds the pairs.
var (
	colGround  = rgb(0xF2F5FA) // behind everything
	colSurface = rgb(0xFFFFFF) // cards
	colLine    = rgb(0xC9D3E2) // hairlines and quiet borders
	colInk     = rgb(0x12203A) // text
	colMuted   = rgb(0x3F4D66) // second language, captions
	colBrand   = rgb(0x0A4AA8) // the one main action; also a text colour
	colBrandHi = rgb(0x083B87) // pressed
	colTint    = rgb(0xE9F1FD) // chosen tab, quiet highlight
	colWhite   = rgb(0xFFFFFF)
	colOff     = rgb(0xE2E7EF) // disabled button
	colOffText = rgb(0x3F4A5C)
	colClear   = color.NRGBA{}
	colFocus   = rgb(0x12203A)                                   // the ring of the button that the keyboard is on
	colAim     = color.NRGBA{R: 0x0A, G: 0x4A, B: 0xA8, A: 0xA0} // lines over the picture
	colVeil    = color.NRGBA{R: 0x0A, G: 0x4A, B: 0xA8, A: 0x20} // a bare button being held

	colOK     = rgb(0x07532B)
	colOKBg   = rgb(0xDDF3E6)
	colWarn   = rgb(0x693C00)
	colWarnBg = rgb(0xFFF1D6)
	colBad    = rgb(0x8E1414)
	colBadBg  = rgb(0xFDE6E4)
	colNote   = rgb(0x0A4080)
	colNoteBg = rgb(0xE3EDFB)
)

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xFF}
}

// The type scale, in design units. At 1920×1080 one unit is 1.35 pixels.
const (
	sizeHuge   = 120 // countdown
	sizeHero   = 52  // idle headline, the number being typed
	sizeTitle  = 34
	sizeHead   = 26 // card headings, button labels
	sizeBody   = 20
	sizeSmall  = 16 // second language
	sizeStrip  = 14 // for staff, read from near
	sizeFloor  = 12 // nothing is shrunk below this to fit
	lineHeight = 1.448
)

// tone is a text colour, its quiet background and the sign that goes with it,
// because colour never speaks alone.
type tone struct {
	text, ground color.NRGBA
	icon         string
}

func toneOf(l booth.Level) tone {
	switch l {
	case booth.OK:
		return tone{colOK, colOKBg, "ok"}
	case booth.Warn:
		return tone{colWarn, colWarnBg, "warn"}
	case booth.Bad:
		return tone{colBad, colBadBg, "bad"}
	default:
		return tone{colNote, colNoteBg, "note"}
	}
}

// toneOfStatus maps a check's status; unknown never looks like a pass.
func toneOfStatus(status string) tone {
	switch status {
	case "pass":
		return toneOf(booth.OK)
	case "warn", "manual":
		return toneOf(booth.Warn)
	case "fail":
		return toneOf(booth.Bad)
	default:
		return toneOf(booth.Note)
	}
}

// Theme is the station's look for the toolkit's own drawing: the embedded
// Chinese typeface and the palette. It has one variant, light.
type Theme struct{}

var _ fyne.Theme = Theme{}

// Color answers from the palette; names the station never draws fall through.
func (Theme) Color(name fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	switch name {
	case theme.ColorNameBackground:
		return colGround
	case theme.ColorNameForeground:
		return colInk
	case theme.ColorNamePrimary:
		return colBrand
	default:
		return theme.DefaultTheme().Color(name, theme.VariantLight)
	}
}

// Font answers with the embedded cut; characters outside it fall back to the
// system's fonts.
func (Theme) Font(style fyne.TextStyle) fyne.Resource {
	switch {
	case style.Monospace, style.Symbol:
		return theme.DefaultTheme().Font(style)
	case style.Bold:
		return fontBold
	default:
		return fontRegular
	}
}

// Icon answers with the toolkit's icons; the station draws its own.
func (Theme) Icon(name fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(name) }

// Size answers with the toolkit's sizes; the station measures in design units.
func (Theme) Size(name fyne.ThemeSizeName) float32 { return theme.DefaultTheme().Size(name) }

// The toolkit caches faces by resource, so each face is one resource.
var (
	fontRegular = &fyne.StaticResource{StaticName: "NotoSansSC-Regular.otf", StaticContent: fonts.Regular}
	fontBold    = &fyne.StaticResource{StaticName: "NotoSansSC-Bold.otf", StaticContent: fonts.Bold}
)
