package watchdog

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Every is how often a program's heart beats.
const Every = time.Second

// Heart is the program's end of the heartbeat.
type Heart struct{ f *os.File }

// Inherited is the heart that the watchdog gave this process; nil without a
// watchdog. It keeps the descriptor and its variable from processes that this
// one starts.
func Inherited() (*Heart, error) {
	text := os.Getenv(FDVariable)
	if text == "" {
		return nil, nil //nolint:nilnil // nobody listens: no heart, and nothing wrong
	}
	if err := os.Unsetenv(FDVariable); err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 || fd > 1<<16 {
		return nil, fmt.Errorf("watchdog: %s is no file descriptor", FDVariable)
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return nil, fmt.Errorf("watchdog: descriptor %d of %s is no pipe", fd, FDVariable)
	}
	syscall.CloseOnExec(fd)
	return &Heart{f: os.NewFile(uintptr(fd), "heartbeat")}, nil
}

// Beat beats once a second for as long as alive returns true in time, until ctx
// ends. alive is asked each second and may block: a program that hangs in it
// does not beat.
func (h *Heart) Beat(ctx context.Context, alive func(context.Context) bool) {
	defer h.f.Close()
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		if alive(ctx) {
			if _, err := h.f.Write([]byte{1}); err != nil {
				return // nobody listens any more
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
