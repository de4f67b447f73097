package station

import "context"

// Responds waits until the station's loop has come round to something that is
// asked of it now; false when ctx ends before.
func (s *Station) Responds(ctx context.Context) bool { return s.onLoop(ctx, func() {}) }
