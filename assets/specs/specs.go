// Package specs embeds the photo standards that the station is shipped with:
// one TOML file a preset, and checks.toml with the texts of the checks. It
// holds data only; pipeline/spec reads and validates it.
package specs

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.toml
var files embed.FS

// checksFile is the one file that is not a preset.
const checksFile = "checks.toml"

// IDs lists the presets in alphabetical order.
func IDs() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // an embedded root cannot fail
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".toml"); ok && e.Name() != checksFile {
			ids = append(ids, id)
		}
	}
	return ids
}

// Read returns the TOML text of preset id.
func Read(id string) ([]byte, error) {
	b, err := files.ReadFile(id + ".toml")
	if err != nil || id+".toml" == checksFile {
		return nil, fmt.Errorf("specs: no preset %q; there are %s", id, strings.Join(IDs(), ", "))
	}
	return b, nil
}

// Checks returns the TOML text with titles and sentences of every check.
func Checks() ([]byte, error) {
	b, err := files.ReadFile(checksFile)
	if err != nil {
		return nil, fmt.Errorf("specs: read texts of the checks: %w", err)
	}
	return b, nil
}
