package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/durable"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, want := range []string{"one", "", "three"} {
		if err := durable.WriteFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := durable.ReadFile(path, 5)
		if err != nil || string(got) != want {
			t.Fatalf("%q %v", got, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != durable.FileMode {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := durable.ReadFile(path, 4); err == nil {
		t.Error("a file over the limit was read")
	}
	// A target that cannot be replaced: the error is told and nothing stays behind.
	sub := filepath.Join(dir, "d")
	if err := os.MkdirAll(filepath.Join(sub, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(sub, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if err := durable.WriteFile(filepath.Join(dir, "none", "f"), nil); err == nil {
		t.Error("written into a directory that is not there")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestMkdirAll(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "a", "b", "c")
	for range 2 { // also when it is there
		if err := durable.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
		for d := dir; d != base; d = filepath.Dir(d) {
			if info, err := os.Stat(d); err != nil || d == dir && info.Mode().Perm() != durable.DirMode {
				t.Errorf("%s: %v", d, err)
			}
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(base, "file")
	if err := durable.WriteFile(file, nil); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "below")} {
		if err := durable.MkdirAll(bad); err == nil {
			t.Errorf("%s was made", bad)
		}
	}
}
