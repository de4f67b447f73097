// Package models embeds the trained networks: one that finds faces, one that
// lays a mesh of points over a face, and one that tells person from
// surroundings.
//
// The package only hands them out, as ONNX; what goes in and comes out is the
// business of pipeline/infer. Where they come from, their licence and how they
// were made is in README.md.
package models

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
)

//go:embed *.onnx.gz
var files embed.FS

// Names of the embedded networks.
const (
	Detector = "detector" // faces in a picture
	Person   = "person"   // who stands out from the surroundings
	Mesh     = "mesh"     // points on one face, and features for those that look closer:
	Lips     = "lips"
	LeftEye  = "lefteye" // left in the picture
	RightEye = "righteye"
)

// Read returns the named network as an ONNX file.
func Read(name string) ([]byte, error) {
	packed, err := files.ReadFile(name + ".onnx.gz")
	if err != nil {
		return nil, fmt.Errorf("models: read %q: %w", name, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("models: unpack %q: %w", name, err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("models: unpack %q: %w", name, err)
	}
	return b, nil
}
