package outbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// mounted mounts a file system of its own for a test, or skips it loudly: that
// needs root.
func mounted(t *testing.T, source, fstype, options string) (dir string, unmount func()) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount(source, dir, fstype, 0, options); err != nil {
		t.Skipf("SKIPPED: no real disk was filled or broken: mount %s needs root: %v", fstype, err)
	}
	done := false
	unmount = func() {
		if !done {
			done = true
			if err := unix.Unmount(dir, 0); err != nil {
				t.Errorf("unmount: %v", err)
			}
		}
	}
	t.Cleanup(unmount)
	return dir, unmount
}

// TestFullDisk fills a real file system of a few megabytes, with another grain
// each time so that the space ends at another step of the commit. A commit that
// does not fit says so and leaves nothing; with space again the very same bytes
// are saved.
func TestFullDisk(t *testing.T) {
	full, saved, atIndex := 0, 0, 0
	for round := range faultRuns(t, 4, 60) {
		dir, unmount := mounted(t, "tmpfs", "tmpfs", "size=3m")
		o := open(t, filepath.Join(dir, "outbox"), options())
		// Something else takes the room that is left, bit by bit.
		ballast := filepath.Join(dir, "ballast")
		must(t, os.WriteFile(ballast, make([]byte, 700_000+round*4096), 0o600))
		var acked []*packet.Sealed
		var failed *packet.Sealed
		for failed == nil {
			seq, err := o.NextSeq()
			must(t, err)
			s := sealed(t, seq, 20+round%7)
			switch _, err := o.Commit(s); {
			case err == nil:
				acked = append(acked, s)
			case errors.Is(err, syscall.ENOSPC):
				failed = s
				if strings.Contains(err.Error(), "index") {
					atIndex++
				}
			default:
				t.Fatalf("round %d: %v", round, err)
			}
		}
		full++
		if n, err := o.NextSeq(); err != nil || n != failed.Header.Seq {
			t.Fatalf("round %d: the failed capture took number %d (%v)", round, n, err)
		}
		var r *Refusal
		// The file system is full; whether another small file fits is chance.
		if err := o.Guard(); err != nil && (!errors.As(err, &r) || r.ZH == "") {
			t.Errorf("round %d: guard: %v", round, err)
		}
		check := func(want int) {
			t.Helper()
			mustVerify(t, o, want)
			if a := o.Alarms(); len(a) != 0 {
				t.Fatalf("round %d: %v", round, a)
			}
		}
		check(len(acked))
		if round%2 == 0 {
			must(t, os.Remove(ballast))
		} else {
			// The student gave up; the power went; somebody made room.
			must(t, o.Close())
			must(t, os.Remove(ballast))
			o = open(t, o.dir, options())
			if _, err := o.Get(failed.ID); err != nil {
				check(len(acked)) // nothing was left of it
			}
		}
		if _, err := o.Commit(failed); err != nil {
			t.Fatalf("round %d: the same bytes with room: %v", round, err)
		}
		saved += len(acked) + 1
		o = reopen(t, o, options())
		check(len(acked) + 1)
		must(t, o.Close())
		unmount()
	}
	count(t, "full disk (tmpfs of 3 MB): %d times ENOSPC, %d of them in the index, %d packets saved before or after: lost 0, half 0, gaps 0", full, atIndex, saved)
}

// TestDiskTurnsReadOnly breaks a real ext4 under the open store, as the kernel
// does after an error of the disk: every write fails with EROFS from then on.
func TestDiskTurnsReadOnly(t *testing.T) {
	image := filepath.Join(t.TempDir(), "disk")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 32<<20))
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no disk was turned read-only: mkfs.ext4: %v %s", err, out)
	}
	dir := t.TempDir()
	mount := func(args ...string) error {
		out, err := exec.Command("mount", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := mount("-o", "loop", image, dir); err != nil {
		t.Skipf("SKIPPED: no disk was turned read-only: mount -o loop needs root and a loop device: %v", err)
	}
	up := true
	t.Cleanup(func() {
		if up {
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
	})
	o := open(t, filepath.Join(dir, "outbox"), options())
	var acked []*packet.Sealed
	for range 5 {
		acked = append(acked, commit(t, o))
	}
	failed := sealed(t, 6, 20)
	if err := mount("-o", "remount,abort", dir); err != nil {
		t.Skipf("SKIPPED: this kernel does not abort an ext4 on request: %v", err)
	}
	if _, err := o.Commit(failed); !errors.Is(err, syscall.EROFS) && !errors.Is(err, syscall.EIO) {
		t.Fatalf("commit on a read-only disk: %v", err)
	}
	var r *Refusal
	if err := o.Guard(); !errors.As(err, &r) || !strings.Contains(r.ZH, "技术人员") {
		t.Errorf("guard: %v", err)
	}
	for _, s := range acked {
		if _, err := o.Read(s.ID); err != nil {
			t.Errorf("a saved packet cannot be read: %v", err)
		}
	}
	must(t, o.Close())
	must(t, unix.Unmount(dir, 0))
	up = false
	if out, err := exec.Command("e2fsck", "-p", image).CombinedOutput(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() > 1 { // 1: errors were corrected
			t.Fatalf("e2fsck: %v %s", err, out)
		}
	}
	must(t, mount("-o", "loop", image, dir))
	up = true
	o = open(t, filepath.Join(dir, "outbox"), options())
	for _, s := range acked {
		if b, err := o.Read(s.ID); err != nil || string(b) != string(s.Bytes) {
			t.Errorf("seq %d after the repair: %v", s.Header.Seq, err)
		}
	}
	if _, err := o.Commit(failed); err != nil {
		t.Errorf("the same bytes after the repair: %v", err)
	}
	mustVerify(t, o, len(acked)+1)
	must(t, o.Close())
	must(t, unix.Unmount(dir, 0))
	up = false
	count(t, "disk turned read-only (ext4, remount,abort): refused once, %d packets saved before it: lost 0", len(acked))
}
