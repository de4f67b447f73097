// Package icons embeds the interface's vector drawings: the one-colour signs,
// the silhouette to stand in, and the pictures of the photo rules.
//
// Signs are drawn in pure black so that they can be tinted for the surface they
// stand on; the rule pictures (names beginning with "rule-") have their own
// colours. The package only carries drawings: it must not know who shows them.
package icons

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
)

//go:embed *.svg
var files embed.FS

// ink is the colour every tintable drawing is made in.
const ink = "#000000"

// SVG returns the named drawing with its ink replaced by hex ("#RRGGBB"). An
// empty hex leaves the drawing as it is.
func SVG(name, hex string) ([]byte, error) {
	data, err := files.ReadFile(name + ".svg")
	if err != nil {
		return nil, fmt.Errorf("read drawing %q: %w", name, err)
	}
	if hex == "" {
		return data, nil
	}
	return bytes.ReplaceAll(data, []byte(ink), []byte(hex)), nil
}

// Names lists every drawing, without the file ending, in alphabetical order.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // cannot happen: the root of an embedded tree always reads
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".svg"))
	}
	return names
}
