package people

import (
	"context"
	"fmt"
	"strings"
)

// Phone is a student's phone at central's pages.
type Phone struct{ *Browser }

// ScanCode opens the address of the code on the kiosk's screen with a phone
// that was never here.
func ScanCode(ctx context.Context, address string) (Phone, error) {
	p := Phone{NewBrowser()}
	if err := p.Get(ctx, address); err != nil {
		return Phone{}, fmt.Errorf("people: follow the code: %w", err)
	}
	return p, nil
}

// Identify fills in who the student is.
func (p Phone) Identify(ctx context.Context, idType, number, name string) error {
	return p.Submit(ctx, "identify", map[string]string{"id_type": idType, "id_number": number, "name": name})
}

// Pay orders and goes through the sandbox's payment page.
func (p Phone) Pay(ctx context.Context) error {
	if err := p.Submit(ctx, "pay", nil); err != nil {
		return err
	}
	if !p.Has("sandbox") {
		return nil
	}
	return p.Submit(ctx, "sandbox", nil)
}

// Reads tells whether the student's page, opened anew, says that.
func (p Phone) Reads(ctx context.Context, words string) (bool, error) {
	if err := p.Get(ctx, "/m/"); err != nil {
		return false, err
	}
	return strings.Contains(p.Text(), words), nil
}
