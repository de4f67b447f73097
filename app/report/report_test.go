package report

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/assets/fonts"
)

var testDay = time.Date(2026, 9, 7, 18, 30, 0, 0, time.UTC)

func crowdedDay() booth.DayReport {
	r := booth.DayReport{At: testDay, Saved: 396, Left: 12, Captured: 398, Kept: 397, Sent: 390, Acked: 388, Missing: []string{"A"}, Strangers: []string{"B"}}
	for i := range 10 {
		r.Hours = append(r.Hours, booth.DayHour{Hour: 8 + i, Saved: 20 + 7*i})
	}
	for _, name := range []booth.Text{{ZH: "核对身份", EN: "identify"}, {ZH: "须知、取景", EN: "rules, pose"}, {ZH: "查看、提交", EN: "review, submit"}, {ZH: "合计", EN: "in all"}} {
		r.Steps = append(r.Steps, booth.DayStep{Name: name, Seconds: 12.3})
	}
	r.Retakes = []booth.DayRetake{{Name: booth.Text{ZH: "检查不合格", EN: "a check failed"}, Count: 9}, {Name: booth.Text{ZH: "同学不满意", EN: "by wish"}}}
	for i := range 40 {
		r.Differences = append(r.Differences, booth.DayDifference{
			Packet: fmt.Sprintf("7Q3K-%04d", i), Level: map[bool]booth.Level{true: booth.Bad, false: booth.Warn}[i < 2],
			What: booth.Text{ZH: "日志说封存过，照片库里没有", EN: "The log says it was sealed; it is not among the photos"},
			Do:   booth.Text{ZH: "照片安全在本机。接上网络，或用 U 盘导出（yunzhao export）。", EN: "It is safe here. Connect the network, or export it to a USB stick (yunzhao export)."},
		})
	}
	return r
}

// pages counts the pages of a PDF by its page objects.
func pages(pdf []byte) int { return bytes.Count(pdf, []byte("/Type /Page\n")) }

func TestPDF(t *testing.T) {
	named := crowdedDay()
	for i := range 60 {
		named.People = append(named.People, booth.DayPerson{At: testDay, Name: "张小明·阿不都热西提㐂", Number: "**002X", Packet: fmt.Sprint(i), State: booth.Text{ZH: "等待审核", EN: "in review"}})
	}
	var longest booth.DayReport
	longest.At, longest.Captured, longest.Kept = testDay, 1234567, 1234567
	longest.Differences = []booth.DayDifference{{Packet: strings.Repeat("W", 200), What: booth.Text{ZH: strings.Repeat("照", 300), EN: strings.Repeat("photo ", 100)}, Do: booth.Text{}}}
	for name, c := range map[string]struct {
		day   booth.DayReport
		pages int
	}{
		"a day with nobody": {booth.DayReport{At: testDay}, 1},
		"a day with much":   {crowdedDay(), 3},
		"with names":        {named, 4},
		"the longest words": {longest, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := Head{School: "内蒙古民族幼儿师范高等专科学校（呼和浩特市赛罕区校区）", Station: "东门一号", Version: "1.2.3"}
			pdf, err := PDF(h, c.day)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(pdf, []byte("%PDF-")) || pages(pdf) < c.pages || len(pdf) > 4<<20 {
				t.Errorf("%d pages, %d bytes", pages(pdf), len(pdf))
			}
			again, err := PDF(h, c.day)
			if err != nil || !bytes.Equal(pdf, again) {
				t.Errorf("the same day gives another file: %v", err)
			}
			if dir := os.Getenv("YUNZHAO_REPORT"); dir != "" { // to look at
				if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".pdf"), pdf, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			look, err := exec.LookPath("pdfinfo")
			if err != nil {
				t.Skip("pdfinfo (poppler-utils) is not installed: another reader does not judge the file")
			}
			cmd := exec.CommandContext(t.Context(), look, "-")
			cmd.Stdin = bytes.NewReader(pdf)
			if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("A4")) {
				t.Errorf("%s %v", out, err)
			}
		})
	}
}

func TestLinesBreakWhereTheyMay(t *testing.T) {
	f, err := newFace(mustFont(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"照片安全在本机。接上网络，或用 U 盘导出（yunzhao export）。", "It is safe here. Connect the network, or export it.", strings.Repeat("W", 90), ""} {
		lines := f.wrap(text, 3, 40)
		for _, l := range lines {
			if f.width(l, 3) > 40+1e-6 {
				t.Errorf("%q is too wide", l)
			}
		}
		if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%q became %q", text, lines)
		}
	}
	if lines := f.wrap("connect network", 3, 13); lines[0] != "connect" {
		t.Errorf("a word is torn: %q", lines)
	}
}

func mustFont(t *testing.T) []byte {
	t.Helper()
	if len(fonts.Regular) == 0 {
		t.Fatal("no typeface is embedded")
	}
	return fonts.Regular
}

// TestEveryCharacterOfTheReportIsInTheTypeface looks for what the page itself says.
func TestEveryCharacterOfTheReportIsInTheTypeface(t *testing.T) {
	f, err := newFace(fonts.Regular)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range "日报截至拍成已保存送达签收=≠□全部对上不见差异有的还没都照片人完就离开快慢每小时步的中位秒数为什么重今天没有办法含学生姓名按个人信息管单／/（）“”：，" {
		if i, err := f.font.GlyphIndex(&f.buf, r); err != nil || i == 0 {
			t.Errorf("no %q", r)
		}
	}
}
