package uplink_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// memoryDir is where Linux keeps files in memory, and roomNeeded what the tests
// of this package want there, many times over.
const (
	memoryDir  = "/dev/shm"
	roomNeeded = 512 << 20
)

// TestMain keeps the stations' and central's files in memory where there is room:
// these tests are about the network between the two and would spend most of their
// time waiting for a disk, whose faults are the outbox's and the packet store's
// tests' concern. Measurements stay on the disk.
func TestMain(m *testing.M) {
	os.Exit(inMemory(m.Run))
}

func inMemory(run func() int) int {
	var fs unix.Statfs_t
	if os.Getenv("YUNZHAO_BENCH") != "" || unix.Statfs(memoryDir, &fs) != nil || fs.Bavail < roomNeeded/uint64(fs.Bsize) {
		return run()
	}
	dir, err := os.MkdirTemp(memoryDir, "yunzhao-uplink-")
	if err != nil {
		return run()
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return 1
	}
	return run()
}
