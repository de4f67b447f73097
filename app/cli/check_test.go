package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline"
)

func TestCheckJSON(t *testing.T) {
	d := newDesk(t)
	before, err := os.ReadDir(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	exit, out, errs := d.run("check frame.jpg --plate empty.jpg --json")
	var r pipeline.Report
	if err := json.Unmarshal([]byte(out), &r); exit != exitOK || err != nil || r.Verdict != pipeline.Warn || len(r.Checks) < 30 {
		t.Errorf("exit %d, %v, verdict %s, %d checks\n%s", exit, err, r.Verdict, len(r.Checks), errs)
	}
	exit, out, _ = d.run("check empty.jpg --spec chsi,inch1 --json")
	var list []pipeline.Report
	if err := json.Unmarshal([]byte(out), &list); exit != exitRefused || err != nil || len(list) != 2 || list[1].Spec != "inch1" {
		t.Errorf("several: exit %d, %v, %d reports", exit, err, len(list))
	}
	after, err := os.ReadDir(d.dir)
	if err != nil || len(after) != len(before) {
		t.Errorf("check wrote files: %v", after)
	}
}

func TestCheckInWords(t *testing.T) {
	d := newDesk(t)
	exit, out, _ := d.run("check empty.jpg")
	if exit != exitRefused || !strings.Contains(out, "single_face") || !strings.Contains(out, "人脸") || !strings.Contains(out, "No face") {
		t.Errorf("exit %d\n%s", exit, out)
	}
	exit, out, _ = d.run("check frame.jpg --plate empty.jpg")
	if exit != exitOK || !strings.Contains(out, "makeup") || strings.Contains(out, "没有写出照片") {
		t.Errorf("exit %d\n%s", exit, out)
	}
}
