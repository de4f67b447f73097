// Package specs embeds the photo standards that the station is shipped with:
// one TOML file a preset, and checks*.toml with the texts of the checks. It
// holds data only; pipeline/spec reads and validates it.
package specs

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.toml
var files embed.FS

// checksPrefix begins the names of the files that are not presets.
const checksPrefix = "checks"

// IDs lists the presets in alphabetical order.
func IDs() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // an embedded root cannot fail
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".toml"); ok && !strings.HasPrefix(id, checksPrefix) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Read returns the TOML text of preset id.
func Read(id string) ([]byte, error) {
	if strings.HasPrefix(id, checksPrefix) {
		return nil, unknown(id)
	}
	b, err := files.ReadFile(id + ".toml")
	if err != nil {
		return nil, unknown(id)
	}
	return b, nil
}

func unknown(id string) error {
	return fmt.Errorf("specs: no preset %q; there are %s", id, strings.Join(IDs(), ", "))
}

// Checks returns the TOML texts with titles and sentences of the checks, file
// by file: checks.toml for what is measured, checks-cutout.toml for what the
// cut-out says of itself.
func Checks() ([][]byte, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("specs: list texts of the checks: %w", err)
	}
	var all [][]byte
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), checksPrefix) {
			continue
		}
		b, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, fmt.Errorf("specs: read texts of the checks: %w", err)
		}
		all = append(all, b)
	}
	return all, nil
}
