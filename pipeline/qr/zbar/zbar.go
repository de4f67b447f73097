// Package zbar reads QR codes with ZBar's zbarimg program (Debian: zbar-tools,
// LGPL-2.1), for the tests: a decoder that shares no line with the one the
// station uses, so that a code which both read is a code and not a habit of one
// of them. Nothing of the station itself uses it.
package zbar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os/exec"
	"strings"
)

// ErrMissing means that the program is not installed.
var ErrMissing = errors.New("zbar: zbarimg is not installed (apt-get install zbar-tools)")

// noSymbols is zbarimg's exit code for a picture without a code.
const noSymbols = 4

// Read returns the texts of the QR codes in m, none when there is none.
func Read(ctx context.Context, m *image.Gray) ([]string, error) {
	path, err := exec.LookPath("zbarimg")
	if err != nil {
		return nil, ErrMissing
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	var in, out, problem bytes.Buffer
	fmt.Fprintf(&in, "P5\n%d %d\n255\n", w, h) // a portable greymap
	for y := range h {
		in.Write(m.Pix[y*m.Stride : y*m.Stride+w])
	}
	cmd := exec.CommandContext(ctx, path, "--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &problem
	err = cmd.Run()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() == noSymbols:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("zbar: %w: %s", err, strings.TrimSpace(problem.String()))
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"), nil
}
