//go:build !linux

package uplink

import "context"

// listenNetwork hears nothing here; watchNetwork looks by itself.
func listenNetwork(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}
