package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/uplink"
)

// SyncCmd exchanges with central without a window.
type SyncCmd struct {
	DataFlag   `embed:""`
	UntilEmpty bool `help:"直到全部传完 / Go on until everything is sent." name:"until-empty"`
	JSON       bool `help:"每轮一个 JSON / One JSON object a round." name:"json"`
}

// syncLine is one round.
type syncLine struct {
	Time    time.Time `json:"time"`
	Online  bool      `json:"online"`
	Pending int       `json:"pending"`
	Stored  int       `json:"stored"`
	Opened  int       `json:"opened"`
	Refused int       `json:"refused"`
	Roster  int       `json:"roster"`
	Error   string    `json:"error,omitempty"`
}

// Run exchanges once, or until nothing is left to send. It does not go on when
// going on is in vain: after a refusal that only a person can mend, or when all
// that is left are packets that central would not take.
func (c SyncCmd) Run(s *streams) error {
	dir, cfg, err := c.load()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg.Camera.Device = deviceScene // nothing is filmed here
	p, err := openParts(ctx, dir, cfg, false, log)
	if err != nil {
		return err
	}
	defer p.close(log)
	worker, box, roster := p.params.Uplink, p.params.Outbox, p.params.Roster
	for {
		err := worker.Exchange(ctx)
		st := box.Stats()
		line := syncLine{Time: time.Now(), Online: worker.Status().Online, Pending: st.Pending, Stored: st.Stored, Opened: st.Opened, Refused: st.Refused, Roster: roster.Count()}
		if err != nil {
			line.Error = centralWords(err)
		} else {
			line.Error = alarmWords(worker.Status().Problem)
		}
		if c.JSON {
			if err := json.NewEncoder(s.out).Encode(line); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintf(s.out, "待传 / pending %d  已存 / stored %d  已验 / opened %d  拒收 / refused %d  名单 / roster %d  %s\n",
			line.Pending, line.Stored, line.Opened, line.Refused, line.Roster, line.Error); err != nil {
			return err
		}
		if !c.UntilEmpty {
			if err != nil {
				return exitError(exitFailed)
			}
			return nil
		}
		switch due, ok := box.NextDue(); {
		case err == nil && st.Pending == 0:
			return nil
		case worker.Status().Problem != "" && alarmWords(worker.Status().Problem) == "": // with an alarm it still sends all it has
			return exitError(exitFailed)
		case err == nil && (!ok || time.Until(due) > uplink.RetryMax):
			return fmt.Errorf("还有 %d 份传不出去：中心不收，或文件有问题，都还在本机；详情见同步页或 yunzhao verify / %d photos cannot be sent: central would not take them, or their files are faulty; they are still here, see the sync page or yunzhao verify", st.Pending, st.Pending)
		}
		wait := time.Second
		if err != nil {
			wait = 3 * time.Second
		}
		select {
		case <-ctx.Done():
			return errors.New("中断 / interrupted")
		case <-time.After(wait):
		}
	}
}
