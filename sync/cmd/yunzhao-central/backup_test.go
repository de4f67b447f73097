package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

func TestBackupWhileItRunsAndRestore(t *testing.T) {
	data, away := filepath.Join(t.TempDir(), "data"), t.TempDir()
	out, stop := serve(t, "--data", data, "--demo")
	out.wait(t, `Enrolment code +(\S+)`)
	file := filepath.Join(away, "b.age")
	restored := filepath.Join(t.TempDir(), "restored")
	for _, step := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no directory", []string{"backup", filepath.Join(away, "none", "b.age"), "--data", data}, 1, "backup"},
		{"running", []string{"backup", file, "--data", data}, 0, "Backed up"},
		{"over a file", []string{"backup", file, "--data", data}, 1, "exist"},
		{"without the identity", []string{"restore", file, "--data", restored}, 1, "--identity"},
		{"not an identity", []string{"restore", file, "--data", restored, "--identity", file}, 1, "recovery identity"},
		{"over a directory in use", []string{"restore", file, "--data", data, "--identity", filepath.Join(data, "keys", recoveryName)}, 1, "not empty"},
		{"restored", []string{"restore", file, "--data", restored, "--identity", filepath.Join(data, "keys", recoveryName)}, 0, "Restored"},
		{"audit", []string{"verify-audit", "--data", restored}, 0, "whole"},
	} {
		t.Run(step.name, func(t *testing.T) {
			code, out, errOut := command(t, "", step.args...)
			if code != step.code || !strings.Contains(out+errOut, step.want) {
				t.Fatalf("exit %d\n%s\n%s", code, out, errOut)
			}
			if strings.Contains(out+errOut, "AGE-SECRET-KEY") {
				t.Error("a key was printed")
			}
		})
	}
	if _, err := os.Stat(filepath.Join(restored, "keys", recoveryName)); !os.IsNotExist(err) {
		t.Errorf("the recovery identity was in the backup: %v", err)
	}
	count := func(dir string) (st central.Stats) {
		code, out, errOut := command(t, "", "stats", "--json", "--data", dir)
		if err := json.Unmarshal([]byte(out), &st); code != 0 || err != nil {
			t.Fatalf("stats: %d %v %s", code, err, errOut)
		}
		return st
	}
	if c := stop(); c != 0 {
		t.Fatalf("serve ended with %d", c)
	}
	if a, b := count(data), count(restored); a.Students == 0 || a.Students != b.Students || a.Batches != b.Batches {
		t.Errorf("%+v, restored %+v", a, b)
	}
}
