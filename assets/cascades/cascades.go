// Package cascades embeds the trained models of the face finder: a cascade of
// decision trees that tells face from not face, and regression forests that
// walk from a rough position to a pupil or another landmark.
//
// The files are those of github.com/esimov/pigo v1.4.6 (MIT, see LICENSE.pigo),
// byte for byte. The package only hands them out; what the bytes mean is the
// business of pipeline/face.
package cascades

import (
	"embed"
	"fmt"
)

//go:embed facefinder puploc lp*
var files embed.FS

// Names of the embedded models. A landmark's mirror image (the other eye, the
// other corner of the mouth) is found with the same model, mirrored.
const (
	FaceFinder = "facefinder"
	Pupil      = "puploc"
)

// Read returns a copy of the named model's bytes.
func Read(name string) ([]byte, error) {
	b, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cascades: read %q: %w", name, err)
	}
	return b, nil
}
