package station

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
)

// dayBegun is when staff last ended a start-of-day checklist, as the audit log
// knows it: a station that restarts at noon does not ask for the morning again.
// Zero = never, or the log that said so was put aside.
func (s *Station) dayBegun() (time.Time, error) {
	log, err := os.ReadFile(filepath.Join(s.p.DataDir, auditFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, fmt.Errorf("station: when the day began: %w", err)
	}
	return lastBegun(log), nil
}

// lastBegun looks from the end, so that a log of many months costs no more.
func lastBegun(log []byte) time.Time {
	mark := []byte(`"event":"` + booth.EventDayBegun + `"`)
	for at := bytes.LastIndex(log, mark); at >= 0; at = bytes.LastIndex(log[:at], mark) {
		line := log[bytes.LastIndexByte(log[:at], '\n')+1:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		var e AuditEntry
		if json.Unmarshal(line, &e) == nil && e.Event == booth.EventDayBegun {
			return e.At
		}
	}
	return time.Time{}
}

// startLines are what only the start-of-day checklist has. It reads the PIN file
// and is called beside the loop.
func (s *Station) startLines() []booth.StatusLine {
	owners, err := s.pins.Owners()
	return []booth.StatusLine{
		{ID: "pin", Title: booth.Text{ZH: "PIN", EN: "PINs"}, Lamp: pinLamp(owners, err)},
		{ID: "sound", Title: booth.Text{ZH: "声音", EN: "Sound"}, Lamp: soundLamp(s.p.Config.Sound, s.p.Sound != nil)},
	}
}

func pinLamp(owners []PINOwner, err error) booth.Lamp {
	has := func(r booth.Role) bool {
		return slices.ContainsFunc(owners, func(o PINOwner) bool { return o.Staff.Role == r })
	}
	switch {
	case err != nil:
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "PIN 文件不能用。", EN: "The PIN file cannot be used."}}
	case len(owners) == 0:
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "还没有设置 PIN。", EN: "No PIN is set."}}
	case !has(booth.RoleAdmin):
		return booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "没有管理员 PIN，没有人能清除照片或退出。", EN: "No admin has a PIN: nobody can purge or shut down."}}
	}
	return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: fmt.Sprintf("%d 人有 PIN", len(owners)), EN: fmt.Sprintf("%d people have one", len(owners))}}
}

// soundLamp: audible tells whether there is something to play with and the
// station was started so that it does.
func soundLamp(c config.Sound, audible bool) booth.Lamp {
	switch {
	case c.Mode == "off":
		return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "设置里已关闭", EN: "Switched off in the settings"}}
	case !audible:
		return booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "没有声音：本机找不到播放程序，或以演示方式启动。", EN: "Silent: nothing to play with was found, or this is a demonstration."}}
	case c.Volume == 0:
		return booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "音量是 0。", EN: "The volume is 0."}}
	}
	return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: fmt.Sprintf("已打开，音量 %d%%", c.Volume), EN: fmt.Sprintf("On, volume %d %%", c.Volume)}}
}
