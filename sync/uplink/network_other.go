//go:build !linux

package uplink

import "context"

// watchNetwork knows no news of the network here; the pauses of the worker are
// bounded without it.
func watchNetwork(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}
