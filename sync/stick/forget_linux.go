package stick

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget lets the kernel drop what it remembers of a file that is durable, so
// that the next read comes from the stick.
func forget(path string) {
	f, err := os.Open(path)
	if err != nil {
		return // the read that follows says so
	}
	defer func() { _ = f.Close() }()
	// Advice: where it is not taken, the read comes from memory as before.
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
