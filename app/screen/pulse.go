package screen

import (
	"context"

	"fyne.io/fyne/v2"
)

// Responds waits until the interface goroutine has come round to something that
// is asked of it now; false when ctx ends before. Any goroutine but that one.
func (w *Window) Responds(ctx context.Context) bool {
	there := make(chan struct{})
	fyne.Do(func() { close(there) })
	select {
	case <-there:
		return true
	case <-ctx.Done():
		return false
	}
}
