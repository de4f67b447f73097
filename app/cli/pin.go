package cli

import (
	"bufio"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/station"
)

// PinCmd groups what is done with staff's PINs.
type PinCmd struct {
	Set    PinSetCmd    `cmd:"" help:"设置 PIN（从标准输入读一行）/ Set a PIN, read as one line from standard input."`
	Remove PinRemoveCmd `cmd:"" help:"取消某人的 PIN / Take somebody's PIN away."`
	List   PinListCmd   `cmd:"" help:"谁有 PIN / Who has a PIN."`
}

// PinSetCmd sets a PIN. The PIN never is an argument: arguments are visible to
// every process and stay in the shell's history.
type PinSetCmd struct {
	DataFlag `embed:""`
	Role     string `help:"operator（值守）或 admin（管理）/ operator or admin." enum:"operator,admin" required:""`
	Staff    string `help:"工号，记入审计 / Staff id for the audit log (default: the role)." placeholder:"ID"`
}

// PinRemoveCmd takes a PIN away.
type PinRemoveCmd struct {
	DataFlag `embed:""`
	Staff    string `help:"工号 / Staff id." required:"" placeholder:"ID"`
}

// PinListCmd lists who has one.
type PinListCmd struct {
	DataFlag `embed:""`
	JSON     bool `help:"JSON." name:"json"`
}

// errRunning is said where a command needs the station to stand still.
var errRunning = errors.New("云照站正在运行，请先退出 / the station is running: end it first")

// stationFiles are a station's directory held for one command: nobody else has
// it open meanwhile.
type stationFiles struct {
	dir  string
	key  ed25519.PrivateKey
	lock *flock.Flock
}

// hold locks the directory of a station that is enrolled.
func (d DataFlag) hold(s *streams) (*stationFiles, error) {
	dir, key, err := d.key(s)
	if err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("数据目录 / data directory: %w", err)
	}
	if !got {
		return nil, errRunning
	}
	return &stationFiles{dir: dir, key: key, lock: lock}, nil
}

// key finds the directory of a station and its signing key.
func (d DataFlag) key(s *streams) (string, ed25519.PrivateKey, error) {
	dir, err := d.dir()
	if err != nil {
		return "", nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, keysDir)); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(s.err, "%s 不是云照站的数据目录 / is not a station's data directory\n", dir)
		return "", nil, exitError(exitUsage)
	}
	cfg, err := config.Load(dir)
	if err != nil {
		return "", nil, fmt.Errorf("设置有误 / wrong settings: %w", err)
	}
	store, err := openKeys(dir, cfg)
	if err != nil {
		return "", nil, err
	}
	key, err := store.StationKey()
	if err != nil {
		return "", nil, keyWords(err)
	}
	return dir, key, nil
}

// note writes what the command did into the station's audit log.
func (f *stationFiles) note(s *streams, event, detail string) error {
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
	return station.NoteAudit(f.dir, f.key, log, station.AuditEntry{At: time.Now(), Role: "shell", Event: event, Detail: detail})
}

// Run reads the PIN and stores its hash.
func (c PinSetCmd) Run(s *streams) error {
	f, err := c.hold(s)
	if err != nil {
		return err
	}
	defer func() { _ = f.lock.Unlock() }()
	line, err := bufio.NewReader(io.LimitReader(s.in, 64)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("PIN 没有读到 / read the PIN: %w", err)
	}
	who := booth.Staff{ID: c.Staff, Role: booth.Role(c.Role)}
	if who.ID == "" {
		who.ID = c.Role
	}
	switch err := station.OpenPINs(f.dir, nil).Set(who, strings.TrimRight(line, "\r\n")); {
	case errors.Is(err, station.ErrPINDigits):
		return errors.New("PIN 须为 4–12 位数字，管理员 6–12 位 / a PIN is 4 to 12 digits, an admin's 6 to 12")
	case errors.Is(err, station.ErrPINSimple):
		return errors.New("PIN 太简单：不能是同一个数字，也不能是顺子 / too easy to guess: not one digit repeated, not a run")
	case errors.Is(err, station.ErrPINTaken):
		return errors.New("这个 PIN 已有人在用，请换一个 / somebody else has this PIN: choose another")
	case errors.Is(err, station.ErrPINStaff):
		return errors.New("工号只能用 a-z 0-9 - _，最多 32 个字符 / a staff id is 1 to 32 of a-z, 0-9, - and _")
	case err != nil:
		return err
	}
	if err := f.note(s, "pin.set", who.ID+" "+c.Role); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "已设置 / set: %s (%s)\n", who.ID, c.Role)
	return err
}

// Run removes the PIN.
func (c PinRemoveCmd) Run(s *streams) error {
	f, err := c.hold(s)
	if err != nil {
		return err
	}
	defer func() { _ = f.lock.Unlock() }()
	switch err := station.OpenPINs(f.dir, nil).Remove(c.Staff); {
	case errors.Is(err, station.ErrPINUnknown):
		return errors.New("没有这个工号 / nobody has this staff id")
	case err != nil:
		return err
	}
	if err := f.note(s, "pin.removed", c.Staff); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "已取消 / removed: %s\n", c.Staff)
	return err
}

// pinOwner is one line of the list.
type pinOwner struct {
	Staff string    `json:"staff"`
	Role  string    `json:"role"`
	SetAt time.Time `json:"set_at"`
}

// Run lists.
func (c PinListCmd) Run(s *streams) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	owners, err := station.OpenPINs(dir, nil).Owners()
	if err != nil {
		return err
	}
	list := []pinOwner{}
	for _, o := range owners {
		list = append(list, pinOwner{Staff: o.Staff.ID, Role: string(o.Staff.Role), SetAt: o.SetAt})
	}
	if c.JSON {
		return json.NewEncoder(s.out).Encode(list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(s.out, "还没有设置 PIN：yunzhao pin set --role operator / no PIN is set: yunzhao pin set --role operator")
		return err
	}
	for _, o := range list {
		fmt.Fprintf(s.out, "%-16s %-8s %s\n", o.Staff, o.Role, o.SetAt.Local().Format(time.DateTime))
	}
	return nil
}

// PINs of the demonstration, printed at each start. A station in service has
// none until somebody sets one.
const (
	demoPIN      = "4071"
	demoAdminPIN = "908172"
)

// demoPINs gives the demonstration's staff their PINs, once.
func demoPINs(dir string, log *slog.Logger) error {
	pins := station.OpenPINs(dir, nil)
	owners, err := pins.Owners()
	if err == nil && len(owners) == 0 {
		err = errors.Join(pins.Set(booth.Staff{Role: booth.RoleOperator}, demoPIN), pins.Set(booth.Staff{Role: booth.RoleAdmin}, demoAdminPIN))
	}
	if err != nil {
		return fmt.Errorf("演示 PIN / demonstration's PINs: %w", err)
	}
	log.Info("demo staff: hold the name at the top left, or press F12", "operator_pin", demoPIN, "admin_pin", demoAdminPIN)
	return nil
}
