package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
)

// VerifyCmd reads every packet on this station: digest, signature, index row.
type VerifyCmd struct {
	DataFlag `embed:""`
	JSON     bool `help:"JSON." name:"json"`
}

// verifyResult is the command's answer.
type verifyResult struct {
	Clean   bool           `json:"clean"`
	Checked int            `json:"checked"`
	Bytes   int64          `json:"bytes"`
	Purged  int            `json:"purged"`
	Packets []verifyPacket `json:"packets"`
	Bad     []verifyBad    `json:"bad"`
	Alarms  []string       `json:"alarms"`
}

type verifyPacket struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"`
	Seq    uint64 `json:"seq"`
	State  string `json:"state"`
}

type verifyBad struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// Run verifies; an adopted orphan is clean, anything else is not.
func (c VerifyCmd) Run(s *streams) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, keysDir)); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(s.err, "%s 不是云照站的数据目录 / is not a station's data directory\n", dir)
		return exitError(exitUsage)
	}
	cfg, err := config.Load(dir)
	if err != nil {
		return err
	}
	store, err := openKeys(dir, cfg)
	if err != nil {
		return err
	}
	key, err := store.StationKey()
	if err != nil {
		return keyWords(err)
	}
	box, err := openOutbox(dir, key, cfg, nil, nil, slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError})))
	if errors.Is(err, outbox.ErrLocked) {
		return errors.New("云照站正在运行，请先退出 / the station is running: end it first")
	}
	if err != nil {
		return err
	}
	defer func() { _ = box.Close() }()
	report, err := box.VerifyAll(context.Background())
	if err != nil {
		return err
	}
	res := verifyResult{Checked: report.Checked, Bytes: report.Bytes, Purged: report.Purged, Packets: []verifyPacket{}, Bad: []verifyBad{}, Alarms: []string{}}
	for _, e := range box.List() {
		res.Packets = append(res.Packets, verifyPacket{ID: e.ID.String(), SHA256: e.SHA256, Seq: e.Seq, State: string(e.State)})
	}
	for _, b := range report.Bad {
		res.Bad = append(res.Bad, verifyBad{ID: b.ID.String(), Error: b.Err.Error()})
	}
	for _, a := range box.Alarms() {
		res.Alarms = append(res.Alarms, a.Code)
	}
	res.Clean = len(res.Bad) == 0 && len(res.Alarms) == 0
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		if err := e.Encode(res); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.out, "核对 / verified %d, 清除 / purged %d, 有问题 / bad %d, 警报 / alarms %d\n", res.Checked, res.Purged, len(res.Bad), len(res.Alarms))
		for _, b := range res.Bad {
			fmt.Fprintf(s.out, "✗ %s %s\n", b.ID, b.Error)
		}
		for _, a := range res.Alarms {
			fmt.Fprintf(s.out, "! %s\n", a)
		}
	}
	if !res.Clean {
		return exitError(exitFailed)
	}
	return nil
}
