// Package fonts embeds the interface's Chinese typeface so that every kiosk
// draws the same letters without looking for system fonts.
//
// The files are cuts of Noto Sans SC (SIL Open Font License 1.1, see OFL.txt)
// made by make-fonts.sh, which also says which characters are kept. The package
// only carries bytes: it must not know who draws them.
package fonts

import _ "embed"

// Regular is Noto Sans SC Regular, an OpenType font with CFF outlines.
//
//go:embed NotoSansSC-Regular.otf
var Regular []byte

// Bold is Noto Sans SC Bold, an OpenType font with CFF outlines.
//
//go:embed NotoSansSC-Bold.otf
var Bold []byte
