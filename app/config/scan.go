package config

import (
	"fmt"
	"regexp"
)

// Scan tells how numbers are read, other than by the keypad.
type Scan struct {
	// Camera offers to read identity cards and codes on phones by the camera.
	Camera bool `toml:"camera"`
	// WedgePattern finds the number in what a scanner or card reader types: a
	// regular expression whose first group, or all of it, is the number. "" =
	// the text is the number, or has one resident ID in it.
	WedgePattern string `toml:"wedge_pattern"`
}

// maxPattern bounds the setting: a pattern of this length matches in microseconds.
const maxPattern = 200

// Wedge is the pattern, nil where there is none.
func (s Scan) Wedge() (*regexp.Regexp, error) {
	if s.WedgePattern == "" {
		return nil, nil //nolint:nilnil // no pattern is a setting, not a fault
	}
	if len(s.WedgePattern) > maxPattern {
		return nil, fmt.Errorf("scan.wedge_pattern has %d characters; up to %d are allowed", len(s.WedgePattern), maxPattern)
	}
	p, err := regexp.Compile(s.WedgePattern)
	if err != nil {
		return nil, fmt.Errorf("scan.wedge_pattern is no regular expression (RE2, such as \"ID=([0-9X]{18})\"): %w", err)
	}
	return p, nil
}
