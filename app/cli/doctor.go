package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/host"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/sync/keys"
)

// DoctorCmd checks what a station needs before a student sits down.
type DoctorCmd struct {
	DataFlag `embed:""`
	JSON     bool `help:"JSON." name:"json"`
}

// Finding is one precondition.
type Finding struct {
	ID     string `json:"id"`
	Status string `json:"status"` // ok, warn, fail
	Title  string `json:"title"`  // Chinese / English
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Run prints the findings; it fails when one of them keeps a station from
// working.
func (c DoctorCmd) Run(s *streams) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	found := examine(dir)
	bad := false
	for _, f := range found {
		bad = bad || f.Status == "fail"
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			fmt.Fprintf(s.out, "%-4s  %-28s %s\n", map[string]string{"ok": "✓", "warn": "!", "fail": "✗"}[f.Status], f.Title, f.Detail)
			if f.Fix != "" {
				fmt.Fprintf(s.out, "      → %s\n", f.Fix)
			}
		}
	}
	if bad {
		return exitError(exitFailed)
	}
	return nil
}

func examine(dir string) []Finding {
	return []Finding{
		doctorSettings(dir), doctorData(dir), doctorDisk(dir), doctorEnrolled(dir), doctorKeys(dir), doctorCamera(),
		doctorFaces(), doctorDisplay(), doctorClock(), doctorSwap(), doctorCoreDumps(),
	}
}

func doctorSettings(dir string) Finding {
	f := Finding{ID: "settings", Title: "设置 / settings", Status: "ok", Detail: filepath.Join(dir, config.FileName)}
	if _, err := config.Load(dir); err != nil {
		f.Status, f.Detail, f.Fix = "fail", err.Error(), "改正上面指出的键 / correct the key named above"
	}
	return f
}

func doctorData(dir string) Finding {
	f := Finding{ID: "data", Title: "数据目录 / data directory", Status: "ok", Detail: dir}
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Detail = dir + "（首次启动时创建 / made at the first start）"
	case err != nil:
		f.Status, f.Detail, f.Fix = "fail", err.Error(), "检查权限 / check the permissions"
	case !st.IsDir():
		f.Status, f.Fix = "fail", "这里不是目录 / not a directory: choose another with --data"
	case st.Mode().Perm()&0o077 != 0:
		f.Status, f.Detail = "fail", fmt.Sprintf("%s 权限 / mode %#o", dir, st.Mode().Perm())
		f.Fix = "chmod 700 " + dir
	case unix.Access(dir, unix.W_OK) != nil:
		f.Status, f.Fix = "fail", "无写权限或只读 / not writable: check owner and mount"
	}
	return f
}

func doctorDisk(dir string) Finding {
	f := Finding{ID: "disk", Title: "磁盘空间 / disk", Status: "ok"}
	at := dir
	for {
		if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		at = filepath.Dir(at)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		f.Status, f.Detail = "fail", err.Error()
		return f
	}
	free := int64(st.Bavail) * st.Bsize >> 20
	c, err := config.Load(dir)
	if err != nil {
		c = config.Default()
	}
	f.Detail = fmt.Sprintf("可用 / free %d MB", free)
	if free < int64(c.Outbox.FreeFloorMB) {
		f.Status = "fail"
		f.Fix = fmt.Sprintf("少于 %d MB，请清理 / less than %d MB: free some space", c.Outbox.FreeFloorMB, c.Outbox.FreeFloorMB)
	}
	return f
}

func doctorEnrolled(dir string) Finding {
	f := Finding{ID: "enrolled", Title: "已登记 / enrolled", Status: "ok"}
	var e keys.Enrolment
	err := keys.ErrNotEnrolled
	if _, statErr := os.Stat(filepath.Join(dir, keysDir)); statErr == nil { // looking must not create anything
		var store *keys.Store
		cfg, cfgErr := config.Load(dir)
		if cfgErr != nil {
			cfg = config.Default()
		}
		if store, err = openKeys(dir, cfg); err == nil {
			e, err = store.Enrolment()
		}
	}
	switch {
	case errors.Is(err, keys.ErrNotEnrolled):
		f.Status, f.Detail = "warn", "还没有登记 / not enrolled yet"
		f.Fix = "yunzhao enroll --central URL --code CODE（或 / or: yunzhao run --demo）"
	case err != nil:
		f.Status, f.Detail, f.Fix = "fail", err.Error(), "重新登记或恢复备份 / enrol again or restore the backup"
	default:
		f.Detail = e.Enrolled.StationID + " " + e.URL
	}
	return f
}

func doctorCamera() Finding {
	f := Finding{ID: "camera", Title: "相机 / camera", Status: "ok"}
	devices, err := listCameras()
	switch {
	case err != nil:
		f.Status, f.Detail = "warn", err.Error()
		f.Fix = "把用户加入 video 组 / add the user to group video"
	case len(devices) == 0:
		f.Status, f.Detail = "warn", "没有相机，将使用模拟相机 / none: the simulated camera is used"
		f.Fix = "插好 USB 相机 / plug the USB camera in"
	default:
		var names []string
		for _, d := range devices {
			names = append(names, d.Identity.Name+" "+d.Identity.ID)
		}
		f.Detail = strings.Join(names, "; ")
	}
	return f
}

func doctorFaces() Finding {
	f := Finding{ID: "faces", Title: "人脸检测 / face detection", Status: "ok", Detail: "pigo"}
	if _, err := face.NewDetector(); err != nil {
		f.Status, f.Detail, f.Fix = "fail", err.Error(), "重新安装本程序 / reinstall the program"
	}
	return f
}

func doctorDisplay() Finding {
	f := Finding{ID: "display", Title: "显示 / display", Status: "ok", Detail: os.Getenv("DISPLAY") + os.Getenv("WAYLAND_DISPLAY")}
	if f.Detail != "" {
		return f
	}
	f.Status, f.Detail = "warn", "没有显示器 / no display"
	f.Fix = "yunzhao demo 会自带虚拟屏 / yunzhao demo brings its own"
	if _, err := exec.LookPath("Xvfb"); err != nil {
		f.Status, f.Fix = "fail", "apt-get install xvfb"
	}
	return f
}

func doctorClock() Finding {
	f := Finding{ID: "clock", Title: "时钟 / clock", Status: "ok", Detail: "已同步 / synchronised"}
	if synced, err := host.ClockSynchronised(); err != nil || !synced {
		f.Status, f.Detail = "warn", "系统时钟未与时间服务器同步 / the clock is not synchronised"
		f.Fix = "systemctl enable --now systemd-timesyncd"
	}
	return f
}

// doctorSwap warns when memory can reach a disk in the clear.
func doctorSwap() Finding {
	f := Finding{ID: "swap", Title: "交换区 / swap", Status: "ok", Detail: "关闭或加密 / off or encrypted"}
	file, err := os.Open("/proc/swaps")
	if err != nil {
		f.Detail = "无 / none"
		return f
	}
	defer func() { _ = file.Close() }()
	for sc, first := bufio.NewScanner(file), true; sc.Scan(); first = false {
		fields := strings.Fields(sc.Text())
		if first || len(fields) == 0 {
			continue
		}
		if !strings.HasPrefix(fields[0], "/dev/dm-") && !strings.HasPrefix(fields[0], "/dev/zram") {
			f.Status, f.Detail = "warn", fields[0]+" 未加密 / not encrypted"
			f.Fix = "swapoff -a（并从 /etc/fstab 去掉 / and remove it from /etc/fstab）"
		}
	}
	return f
}

func doctorCoreDumps() Finding {
	f := Finding{ID: "core-dumps", Title: "内核转储 / core dumps", Status: "ok", Detail: "本程序关闭 / switched off by the station"}
	if err := forbidCoreDumps(); err != nil {
		f.Status, f.Detail, f.Fix = "fail", err.Error(), "ulimit -c 0"
	}
	return f
}

// forbidCoreDumps keeps pictures and numbers in memory from reaching the disk
// when the program crashes.
func forbidCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switch core dumps off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("switch core dumps off: %w", err)
	}
	return nil
}
