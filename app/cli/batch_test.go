package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"
)

// folder is a desk with photos in in.d and room for portraits in out.d.
func folder(t *testing.T, photos map[string]string) desk {
	t.Helper()
	d := newDesk(t)
	if err := os.Mkdir(d.path("in.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, like := range photos {
		b, err := os.ReadFile(d.path(like))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.path("in.d/"+name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// rows of the table, by file and standard.
func (d desk) rows() map[string]map[string]string {
	d.t.Helper()
	b, err := os.ReadFile(d.path("out.d/report.csv"))
	if err != nil {
		d.t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string]map[string]string{}
	for _, l := range lines[1:] {
		m := map[string]string{}
		for i, k := range lines[0] {
			m[k] = l[i]
		}
		key := m["file"] + " " + m["spec"]
		if out[key] != nil {
			d.t.Errorf("%s has two rows", key)
		}
		out[key] = m
	}
	return out
}

func TestBatch(t *testing.T) {
	d := folder(t, map[string]string{
		"a.jpg": "frame.jpg", "b.png": "frame16.png", "b.jpg": "frame.jpg", "empty.jpg": "empty.jpg", "cut.jpg": "cut.jpg",
		"notes.txt": "text.jpg", ".hidden": "text.jpg", "zero.jpg": "zero.jpg", "huge.jpg": "huge.jpg",
	})
	if err := os.Mkdir(d.path("in.d/more.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	exit, out, errs := d.run("batch in.d --plate empty.jpg --spec chsi,inch1 --out out.d --json")
	var sum summary
	if err := json.Unmarshal([]byte(out), &sum); exit != exitRefused || err != nil {
		t.Fatalf("exit %d, %v\n%s%s", exit, err, out, errs)
	}
	if sum.Files != 8 || sum.Done != 8 || sum.Written != 3 || sum.Refused != 1 || sum.Unreadable != 4 || sum.Reused != 0 {
		t.Errorf("%+v", sum)
	}
	if n := strings.Count(errs, "\n"); n != 8 || !strings.Contains(errs, "8/8") || strings.Contains(errs, "cut") || strings.Contains(errs, "\r") {
		t.Errorf("progress without a terminal:\n%s", errs)
	}
	rows := d.rows()
	if len(rows) != 16 {
		t.Errorf("%d rows", len(rows))
	}
	for key, want := range map[string][2]string{ // verdict, photo
		"a.jpg chsi": {"warn", "a-chsi.jpg"}, "b.png inch1": {"warn", "b.png-inch1.jpg"}, "b.jpg inch1": {"warn", "b.jpg-inch1.jpg"},
		"empty.jpg chsi": {"fail", ""}, "cut.jpg chsi": {verdictUnreadable, ""}, "notes.txt inch1": {verdictUnreadable, ""},
		"zero.jpg chsi": {verdictUnreadable, ""}, "huge.jpg chsi": {verdictUnreadable, ""},
	} {
		r := rows[key]
		if r["verdict"] != want[0] || r["photo"] != want[1] || (r["reason_zh"] != "") != (want[1] == "") || (r["reason_en"] != "") != (want[1] == "") {
			t.Errorf("%s: %v %v %v", key, r["verdict"], r["photo"], r["reason_zh"])
		}
		if want[1] == "" {
			continue
		}
		b, err := os.ReadFile(d.path("out.d/" + want[1]))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil || r["bytes"] != fmt.Sprint(len(b)) || r["eye_line"] != "pass" && strings.HasSuffix(key, "chsi") || r["total_ms"] == "" || r["single_face.value"] != "0" {
			t.Errorf("%s: %v %v", key, err, r)
		}
	}
	entries, err := os.ReadDir(d.path("out.d"))
	if err != nil || len(entries) != 6+1+1 { // portraits, table, ledger
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

// What is done is not done again, what has changed is.
func TestBatchResumes(t *testing.T) {
	d := folder(t, map[string]string{"a.jpg": "frame.jpg", "b.jpg": "frame.jpg", "c.jpg": "frame.jpg"})
	run := func(want summary, flags string) {
		t.Helper()
		_, out, errs := d.run("batch in.d --plate empty.jpg --out out.d --json " + flags)
		var got summary
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v %s%s", err, out, errs)
		}
		got.Seconds, got.Report, got.Jobs = 0, "", 0
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	replace := func(name, like string) {
		t.Helper()
		b, err := os.ReadFile(d.path(like))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.path(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(summary{Files: 3, Done: 3, Written: 3}, "")
	first, err := os.Stat(d.path("out.d/a.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if exit, _, errs := d.run("standardize frame.jpg --plate empty.jpg --out single.jpg"); exit != exitOK {
		t.Fatal(errs)
	}
	one, err1 := os.ReadFile(d.path("single.jpg"))
	many, err2 := os.ReadFile(d.path("out.d/a.jpg"))
	if err1 != nil || err2 != nil || !bytes.Equal(one, many) {
		t.Errorf("batch and standardize make different files of the same photo: %v %v", err1, err2)
	}
	run(summary{Files: 3, Done: 3, Written: 3, Reused: 3}, "")
	again, err := os.Stat(d.path("out.d/a.jpg"))
	if err != nil || !os.SameFile(first, again) {
		t.Errorf("a finished photo was written again, %v", err)
	}
	if r := d.rows()["a.jpg chsi"]; r["made"] != madeEarlier || r["bytes"] != fmt.Sprint(first.Size()) {
		t.Errorf("row of an earlier photo: %v", r)
	}
	// A portrait that was tampered with, one that was removed.
	replace("out.d/a.jpg", "text.jpg")
	if err := os.Remove(d.path("out.d/b.jpg")); err != nil {
		t.Fatal(err)
	}
	run(summary{Files: 3, Done: 3, Written: 3, Reused: 1}, "")
	// Another photo under the same name; its old portrait must not pass for the new.
	replace("in.d/a.jpg", "empty.jpg")
	run(summary{Files: 3, Done: 3, Written: 2, Refused: 1, Reused: 2}, "")
	if d.has("out.d/a.jpg") {
		t.Error("the portrait of the photo before is still there")
	}
	run(summary{Files: 3, Done: 3, Written: 2, Refused: 1, Reused: 3}, "")
	// Another setting makes all anew.
	run(summary{Files: 3, Done: 3, Written: 2, Refused: 1}, "--background white")
	// A ledger cut in the middle of a line loses that line only.
	path := d.path("out.d/" + ledgerDir + "/" + ledgerFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-40], 0o600); err != nil {
		t.Fatal(err)
	}
	run(summary{Files: 3, Done: 3, Written: 2, Refused: 1, Reused: 2}, "--background white")
}

func TestBatchRefusesToStart(t *testing.T) {
	d := folder(t, map[string]string{"a.jpg": "frame.jpg"})
	if err := os.Mkdir(d.path("none.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for args, word := range map[string]string{
		"nowhere.d --out out.d":                                "没有这个文件夹",
		"frame.jpg --out out.d":                                "这不是文件夹",
		"none.d --out out.d":                                   "没有文件",
		"in.d --out in.d":                                      "不能是照片文件夹",
		"in.d --out frame.jpg":                                 "无法新建",
		"in.d --out out.d --jobs=-1":                           "--jobs",
		"in.d --out out.d --plate text.jpg":                    "空背景",
		"in.d --out out.d --spec nope":                         "chsi",
		"in.d":                                                 "out",
		"in.d --out out.d --background ultraviolet":            "white",
		"in.d --out out.d --mount-rotation 45":                 "270",
		"in.d --plate empty.jpg --plate small.jpg --out out.d": "尺寸不一致",
	} {
		exit, out, errs := d.run("batch " + args)
		if exit != exitUsage || out != "" || !strings.Contains(errs, word) {
			t.Errorf("%s: exit %d, says %q, want %q", args, exit, errs, word)
		}
	}
	l, err := openLedger(d.path("none.d"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if exit, _, errs := d.run("batch in.d --out none.d"); exit != exitUsage || !strings.Contains(errs, "另一个") {
		t.Errorf("beside another: exit %d %s", exit, errs)
	}
}

// program is the variable that turns the test binary into the program itself.
const program = "YUNZHAO_TEST_AS_PROGRAM"

// TestAsProgram is no test: it is the program, for tests that kill it.
func TestAsProgram(t *testing.T) {
	args := os.Getenv(program)
	if args == "" {
		t.Skip("only runs when a test starts it as a process of its own")
	}
	os.Exit(Main(strings.Split(args, "\n"), os.Stdout, os.Stderr))
}

// Killed at any point, a run leaves whole portraits only, and the next one goes
// on from there.
func TestBatchSurvivesKill(t *testing.T) {
	photos := map[string]string{}
	const n = 8
	for i := range n {
		photos[fmt.Sprintf("p%d.jpg", i)] = "frame.jpg"
	}
	d := folder(t, photos)
	earlier := 0
	for kill := 1; kill <= 2; kill++ {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAsProgram$")
		cmd.Env = append(os.Environ(), program+"="+strings.Join([]string{
			"batch", d.path("in.d"), "--plate", d.path("empty.jpg"), "--out", d.path("out.d"), "--jobs", "2",
		}, "\n"))
		progress, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// In the middle of the work: after the third line, while others are made.
		seen, buf := 0, make([]byte, 256)
		for seen < 3*kill {
			k, err := progress.Read(buf)
			if err != nil {
				t.Fatalf("it ended after %d photos: %v", seen, err)
			}
			seen += bytes.Count(buf[:k], []byte("\n"))
		}
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		entries, err := os.ReadDir(d.path("out.d"))
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		for _, e := range entries {
			if e.Name() == ledgerDir {
				continue
			}
			b, err := os.ReadFile(d.path("out.d/" + e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
				t.Errorf("%s was left half: %v", e.Name(), err)
			}
			whole++
		}
		if whole < seen || whole >= n || whole < earlier {
			t.Errorf("%d portraits after %d were said to be done", whole, seen)
		}
		earlier = whole
	}
	if err := os.WriteFile(d.path("out.d/"+ledgerDir+"/new-123"), []byte("half a portrait"), 0o600); err != nil {
		t.Fatal(err)
	}
	exit, out, errs := d.run("batch in.d --plate empty.jpg --out out.d --json")
	var sum summary
	if err := json.Unmarshal([]byte(out), &sum); exit != exitOK || err != nil || sum.Written != n || sum.Reused < 5 {
		t.Fatalf("exit %d, %v, %+v %s", exit, err, sum, errs)
	}
	if left, _ := filepath.Glob(d.path("out.d/" + ledgerDir + "/" + tempPattern)); len(left) > 0 || len(d.rows()) != n {
		t.Errorf("leftovers %v, %d rows", left, len(d.rows()))
	}
}

// The plate may lie among the photos; it is none of them, by whatever name.
func TestBatchLeavesPlatesOut(t *testing.T) {
	d := folder(t, map[string]string{"a.jpg": "frame.jpg", "wall.jpg": "empty.jpg"})
	if err := os.Symlink(d.path("in.d/wall.jpg"), d.path("plate.jpg")); err != nil {
		t.Fatal(err)
	}
	b, err := BatchCmd{
		Dir: d.path("in.d"), Out: d.path("out.d"), ruleFlags: ruleFlags{Spec: []string{"chsi"}, Plate: []string{d.path("plate.jpg")}},
	}.prepare()
	if err != nil {
		t.Fatal(err)
	}
	defer b.ledger.close()
	if len(b.items) != 1 || b.items[0].name != "a.jpg" {
		t.Errorf("%+v", b.items)
	}
}

// Stopped by a signal, it says so and leaves a table of what is done.
func TestBatchInterrupted(t *testing.T) {
	d := folder(t, map[string]string{"a.jpg": "frame.jpg"})
	c := BatchCmd{Dir: d.path("in.d"), Out: d.path("out.d"), ruleFlags: ruleFlags{Spec: []string{"chsi"}}}
	b, err := c.prepare()
	if err != nil {
		t.Fatal(err)
	}
	defer b.ledger.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sum, err := b.run(ctx, newProgress(io.Discard, 1))
	if err != nil || !sum.Interrupted || len(d.rows()) != sum.Done {
		t.Fatalf("%+v %v", sum, err)
	}
	var out bytes.Buffer
	if err := sum.print(&streams{out: &out}, false); err != nil || !strings.Contains(out.String(), "再次运行") {
		t.Errorf("%v %s", err, out.String())
	}
}

func TestDefaultJobs(t *testing.T) {
	for _, tc := range []struct {
		cpus      int
		available uint64
		want      int
	}{
		{2, 16 << 30, 1},
		{3, 16 << 30, 2},
		{8, 16 << 30, 4},
		{8, 512 << 20, 3},
		{8, 64 << 20, 1},
		{1, 0, 1},
	} {
		if got := defaultJobs(tc.cpus, tc.available); got != tc.want {
			t.Errorf("%d processors, %d MB: %d jobs, want %d", tc.cpus, tc.available>>20, got, tc.want)
		}
	}
	if availableMemory() < 16<<20 {
		t.Error("no memory is available")
	}
}

// For Excel, the table says its encoding, and no name is taken for a formula.
func TestTableForExcel(t *testing.T) {
	for _, excel := range []bool{false, true} {
		var b bytes.Buffer
		err := table(&b, excel, func(each func(string, row) error) error {
			return each(madeNow, row{File: "=HYPERLINK(1).jpg", Spec: "chsi", ReasonZH: "文件是空的", ReasonEN: "empty, \"zero\""})
		})
		if err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if strings.HasPrefix(text, "\uFEFF") != excel || strings.Contains(text, "\r\n") != excel || strings.Contains(text, "\n'=") != excel {
			t.Errorf("excel %v: %q", excel, text)
		}
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\uFEFF"))).ReadAll()
		if err != nil || len(lines) != 2 || lines[1][2] != verdictUnreadable || lines[1][4] != `empty, "zero"` {
			t.Errorf("excel %v: %v %q", excel, err, lines)
		}
	}
}

func TestProgressBar(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, 4)
	p.terminal = true
	p.step(outcome{"warn", false})
	p.step(outcome{verdictUnreadable, false})
	p.end()
	if s := b.String(); strings.Count(s, "\r") != 2 || !strings.Contains(s, "2/4   50%  ✗ 1") || strings.Count(s, "█") != 7+15 {
		t.Errorf("%q", s)
	}
}

func TestBatchOnTheCommandLine(t *testing.T) {
	var c commands
	k, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Parse([]string{"batch", "a", "--plate", "p", "--plate", "q", "--spec", "chsi,inch1", "--out", "o"}); err != nil {
		t.Fatal(err)
	}
	if b := c.Batch; len(b.Plate) != 2 || len(b.Spec) != 2 || b.Jobs != 0 {
		t.Errorf("%+v", b)
	}
}
