package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// watched is how long the kiosk's processor time is added up.
const watched = 10 * time.Second

// TestPreviewCPU measures what the built kiosk takes of the processor while
// somebody stands before the mirror, with the window on a virtual screen.
func TestPreviewCPU(t *testing.T) {
	if os.Getenv("YUNZHAO_BENCH") == "" {
		t.Skip("nothing is measured without YUNZHAO_BENCH=1: see make bench-preview")
	}
	s := newSite(t, "[times]\npose_s = 300\n[capture]\nauto = false\n")
	who := s.student(wire.PayNone, 0)
	idle, err := s.load(s.within())
	s.must("watch", err)
	s.do(s.tapped("start", "identify"), func(ctx context.Context) error { return s.typeNumber(ctx, who.IDNumber) }, s.tapped("submit", "eligible"), s.agree)
	s.expect("the mirror", func(st remote.State) bool { return st.State == "framing" && frames(st) > 30 })
	before := s.expect("the mirror", field("state", "framing"))
	mirror, err := s.load(s.within())
	s.must("watch", err)
	after := s.expect("the mirror", field("state", "framing"))
	fmt.Printf("\n| 整个程序 / the whole kiosk, 1280×800, software OpenGL, simulated camera included | 一个核的占比 / of one core |\n|---|---|\n")
	fmt.Printf("| 首页 / welcome | %.0f %% |\n| 镜子，%.1f 帧每秒 / mirror, frames a second | %.0f %% |\n", 100*idle, float64(frames(after)-frames(before))/watched.Seconds(), 100*mirror)
}

// frames is how many pictures the mirror has shown.
func frames(st remote.State) uint64 {
	v, _ := st.Field("frames")
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	var out uint64
	_, _ = fmt.Sscan(n.String(), &out)
	return out
}

// load is the part of one core that the kiosk takes for a while.
func (d *desk) load(ctx context.Context) (float64, error) {
	before, err := d.ticks()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := pause(ctx, watched); err != nil {
		return 0, err
	}
	after, err := d.ticks()
	const perSecond = 100 // USER_HZ of every Linux that Go runs on
	return float64(after-before) / perSecond / time.Since(began).Seconds(), err
}

// ticks is the processor time that the kiosk has used.
func (d *desk) ticks() (uint64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.process.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the kiosk's processor time: %w", err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest) // from the third on
	var user, system uint64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, fmt.Errorf("read the kiosk's processor time: %w", err)
	}
	return user + system, nil
}
