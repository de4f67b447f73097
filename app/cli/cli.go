// Package cli is the command line: one file a subcommand, all of them thin
// doors to the same code that the window uses. Exit codes are part of the
// interface: 0 done, 1 failed, 2 wrong usage or unreadable input, 3 a check of
// the photo failed.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/yunzhao-station/yunzhao/app/config"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// Version of the program, set by the linker.
var Version = "dev"

// commands is the whole command line.
type commands struct {
	Run         RunCmd         `cmd:"" help:"启动拍照站 / Start the station."`
	Kiosk       KioskCmd       `cmd:"" help:"全屏启动，崩溃或卡死时自动重启 / Start in full screen; start again after a crash or a hang."`
	Demo        DemoCmd        `cmd:"" help:"在真实窗口里演示完整流程并留下截图 / Drive the real window through whole visits and keep pictures."`
	Standardize StandardizeCmd `cmd:"" help:"把一帧照片标准化 / Make a standardised portrait from a frame."`
	Check       CheckCmd       `cmd:"" help:"检查一帧照片 / Check a frame against the rules."`
	Batch       BatchCmd       `cmd:"" help:"把一个文件夹的照片标准化，可中断后继续 / Standardise a folder of photos; can be stopped and resumed."`
	Layout      LayoutCmd      `cmd:"" help:"把标准照排到相纸上，带裁切线 / Lay a portrait out on photo paper, with cut marks."`
	Calibrate   CalibrateCmd   `cmd:"" help:"拍摄空背景并检查灯光 / Photograph the empty backdrop and judge the light."`
	Camera      CameraCmd      `cmd:"" help:"相机：列出、观察、拍一张 / Cameras: list, watch, take a shot."`
	Enroll      EnrollCmd      `cmd:"" help:"登记到审核中心 / Enrol this station at a central server."`
	Sync        SyncCmd        `cmd:"" help:"与审核中心同步 / Exchange with central without a window."`
	Simulate    SimulateCmd    `cmd:"" help:"无窗口跑 N 个完整会话 / Run N whole sessions without a window."`
	Conformance ConformanceCmd `cmd:"" help:"核对一台中心服务器是否守约 / Hold a central server to the contract."`
	Verify      VerifyCmd      `cmd:"" help:"核对本机每个照片包 / Verify every packet on this station."`
	Pin         PinCmd         `cmd:"" help:"工作人员的 PIN / Staff's PINs."`
	Key         KeyCmd         `cmd:"" help:"本机的密钥 / This computer's keys."`
	Settings    SettingsCmd    `cmd:"" help:"查看与修改设置 / Look at and change settings."`
	Report      ReportCmd      `cmd:"" help:"一天的日报：PDF 和 CSV / A day's report, as PDF and CSV."`
	Audit       AuditCmd       `cmd:"" help:"审计日志 / The audit log."`
	Export      ExportCmd      `cmd:"" help:"把未上传的照片包写到 U 盘 / Copy unsent packets onto a USB stick."`
	Import      ImportCmd      `cmd:"" help:"从 U 盘读入回执、审核结果与名单 / Take in acknowledgements, verdicts and the roster from a USB stick."`
	Packet      PacketCmd      `cmd:"" help:"查看、核对照片包文件 / Inspect or verify a packet file."`
	Doctor      DoctorCmd      `cmd:"" help:"检查运行条件并给出办法 / Check every precondition and say how to mend it."`
	Version     VersionCmd     `cmd:"" help:"版本 / Print the version."`
}

// exitError is how a subcommand ends the program.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// streams are the program's input and outputs, handed to every command.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command line and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		// A crash says where, never what: the values on the stack may be a
		// student's. The stack of the Go runtime would print pointers only, but
		// a panic's value can hold anything.
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "内部错误 / internal error: %T\n%s", r, debug.Stack())
			code = exitFailed
		}
	}()
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("yunzhao"),
		kong.Description("云照站：采集现场拍照站 / Yunzhao Station: an enrolment-photo kiosk."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintf(stderr, "internal: %v\n", err)
		return exitFailed
	}
	ctx, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "用法错误 / wrong usage: %v\n看看 / see: yunzhao --help\n", err)
		return exitUsage
	}
	err = ctx.Run(&streams{in: os.Stdin, out: stdout, err: stderr})
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "yunzhao: %v\n", usage)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "yunzhao: %v\n", err)
		return exitFailed
	}
}

// VersionCmd prints the version.
type VersionCmd struct{}

// Run prints it.
func (VersionCmd) Run(s *streams) error {
	_, err := fmt.Fprintf(s.out, "yunzhao %s %s %s/%s\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// DataFlag is the station's data directory.
type DataFlag struct {
	Data string `help:"数据目录 / Data directory ($$YUNZHAO_DATA)." type:"path" placeholder:"DIR"`
}

// dir is the given directory or the user's default one.
func (d DataFlag) dir() (string, error) { return d.dirOr("yunzhao") }

// load finds the directory and reads the settings in it.
func (d DataFlag) load() (dir string, cfg config.Config, err error) {
	if dir, err = d.dir(); err != nil {
		return "", cfg, err
	}
	cfg, err = config.Load(dir)
	return dir, cfg, err
}

// dirOr is the given directory or one with that name in the user's default
// place.
func (d DataFlag) dirOr(name string) (string, error) {
	if d.Data != "" {
		return filepath.Abs(d.Data)
	}
	// Not by the flag's parser: it takes an empty variable for the current folder.
	if x := os.Getenv("YUNZHAO_DATA"); x != "" {
		return filepath.Abs(x)
	}
	if x := os.Getenv("XDG_DATA_HOME"); x != "" {
		return filepath.Join(x, name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no data directory: give one with --data: %w", err)
	}
	return filepath.Join(home, ".local", "share", name), nil
}
