package people

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// Reviewer is a member of the staff who looks at photos and decides.
type Reviewer struct{ *Browser }

// LogIn opens the reviewers' pages of the central server at base, such as
// "http://127.0.0.1:8480".
func LogIn(ctx context.Context, base, user, password string) (Reviewer, error) {
	r := Reviewer{NewBrowser()}
	if err := r.Get(ctx, base+"/review"); err != nil {
		return Reviewer{}, fmt.Errorf("people: open the review: %w", err)
	}
	if err := r.Submit(ctx, "login", map[string]string{"user": user, "password": password}); err != nil {
		return Reviewer{}, fmt.Errorf("people: log in: %w", err)
	}
	return r, nil
}

// Waiting tells whether the queue lists the packet.
func (r Reviewer) Waiting(ctx context.Context, packet string) (bool, error) {
	if err := r.Get(ctx, "/review"); err != nil {
		return false, err
	}
	for _, link := range r.Links() {
		u, err := url.Parse(link)
		if err == nil && strings.HasSuffix(u.Path, "/review/"+packet) {
			return true, nil
		}
	}
	return false, nil
}

// Look opens the page of a packet.
func (r Reviewer) Look(ctx context.Context, packet string) error {
	return r.Get(ctx, "/review/"+packet)
}

// Picture downloads a picture of the packet: original.jpg or portrait.jpg.
func (r Reviewer) Picture(ctx context.Context, packet, name string) ([]byte, error) {
	return r.Fetch(ctx, "/review/"+packet+"/"+name)
}

// Approve looks at the packet and accepts its photo.
func (r Reviewer) Approve(ctx context.Context, packet string) error {
	if err := r.Look(ctx, packet); err != nil {
		return err
	}
	return r.Submit(ctx, "approve", nil)
}

// Reject looks at the packet and refuses its photo; reason is one of the codes
// that the page offers, note is for the student.
func (r Reviewer) Reject(ctx context.Context, packet, reason, note string) error {
	if err := r.Look(ctx, packet); err != nil {
		return err
	}
	return r.Submit(ctx, "reject", map[string]string{"reason": reason, "note": note})
}
