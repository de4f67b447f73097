package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/durable"
)

type backupCmd struct {
	dataFlag
	File string `arg:"" type:"path" help:"备份文件，不得已存在 File to write; it must not exist."`
}

// Run works while the server runs and when it does not.
func (c *backupCmd) Run(e *env) error {
	return c.with(e, func(ctl *central.Control) error {
		var rep central.BackupReport
		form := url.Values{"file": {c.File}}
		if err := ctl.Do(e.ctx, http.MethodPost, "/backup", formType, []byte(form.Encode()), &rep); err != nil {
			return err
		}
		e.printf("已备份 Backed up  %s（照片包 packets %d，%d bytes）\n", rep.Path, rep.Packets, rep.Bytes)
		e.printf("恢复 To restore   yunzhao-central restore %s --data DIR --identity %s\n", rep.Path, recoveryName)
		return nil
	})
}

// recoveryName is what the first start calls the file that goes offline.
const recoveryName = "RECOVERY-IDENTITY-TAKE-OFFLINE.txt"

type restoreCmd struct {
	dataFlag
	File     string `arg:"" type:"existingfile" help:"备份文件 The backup."`
	Erased   string `type:"existingfile" placeholder:"FILE" help:"已删除学生的清单 erased.json；其中的学生不会恢复 The list of erased students (erased.json of the data directory): whom it names does not come back."`
	Identity string `type:"existingfile" placeholder:"FILE" help:"恢复密钥文件；不给则在备份旁边寻找 The recovery identity that was taken offline; looked for beside the backup."`
}

// Run fills an empty directory. The server that is lost must not come back
// beside the restored one.
func (c *restoreCmd) Run(e *env) error {
	path := c.Identity
	if path == "" {
		path = filepath.Join(filepath.Dir(c.File), recoveryName)
	}
	identity, err := readIdentity(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("请用 --identity 指明恢复密钥（首次启动时生成、应已离线保管的 %s）; name the recovery identity with --identity, the file that was taken offline after the first start", recoveryName)
	}
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open backup: %w", err)
	}
	defer f.Close()
	if c.Erased != "" {
		if err := takeTombstones(c.Erased, c.Data); err != nil {
			return err
		}
	}
	n, err := central.Restore(e.ctx, f, identity, c.Data, "cli", time.Now())
	if err != nil {
		return err
	}
	e.printf("已恢复 Restored  %s（照片包 packets %d）\n", c.Data, n)
	e.printf("备份之后收到的照片不在其中；各站点下次联网时会把仍保留的重新报到。备份之后登记的站点需要重新登记\nPhotos that came after the backup are not in it; stations offer what they still keep with their next heartbeat. Those enrolled after the backup must be enrolled again\n")
	return nil
}

// takeTombstones puts the list of erased students where a restore looks for it.
func takeTombstones(file, dir string) error {
	const limit = 256 << 20
	b, err := durable.ReadFile(file, limit)
	if err != nil {
		return fmt.Errorf("已删除学生的清单 list of erased students: %w", err)
	}
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return fmt.Errorf("%w: %s", central.ErrNotEmpty, dir)
	}
	if err := durable.MkdirAll(dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, central.FileTombstones), b); err != nil {
		return fmt.Errorf("已删除学生的清单 list of erased students: %w", err)
	}
	return nil
}

func readIdentity(path string) (age.Identity, error) {
	const limit = 64 << 10
	b, err := durable.ReadFile(path, limit)
	if err != nil {
		return nil, fmt.Errorf("恢复密钥 recovery identity: %w", err)
	}
	defer clear(b)
	for line := range bytes.Lines(b) {
		if text := strings.TrimSpace(string(line)); strings.HasPrefix(text, "AGE-SECRET-KEY-") {
			id, err := age.ParseX25519Identity(text)
			if err != nil {
				break // the error may repeat the key
			}
			return id, nil
		}
	}
	return nil, fmt.Errorf("%s 中没有恢复密钥 / holds no recovery identity", path)
}
