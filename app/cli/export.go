package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/stick"
)

// ExportCmd copies packets onto a USB stick, for a station without a network.
type ExportCmd struct {
	DataFlag `embed:""`
	To       string `help:"U 盘目录 / Directory of the USB stick." required:"" type:"existingdir" placeholder:"PATH"`
	All      bool   `help:"也导出中心已收到的 / Also what central has acknowledged."`
}

// Run exports. What is exported is not sent: it counts as sent when import has
// brought central's signed acknowledgement.
func (c ExportCmd) Run(s *streams) error {
	st, err := c.openStores(s)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	x, err := stick.Export(ctx, c.To, st.enrolment.Enrolled.StationID, st.outbox, c.All)
	if x.Copied+x.Erase > 0 {
		err = errors.Join(err, st.note(s, "stick.exported", fmt.Sprintf("%d packets, %d requests to erase", x.Copied, x.Erase)))
	}
	if err = errors.Join(err, st.close()); err != nil {
		return fmt.Errorf("U 盘导出没有完成，再次运行会接着做 / the export is not complete; run it again to go on: %w", stickProblem(err))
	}
	if _, err := fmt.Fprintf(s.out, "U 盘上的照片包 / packets on the stick %d，其中新写入 / new %d（%.1f MB）\n", x.Packets, x.Copied, float64(x.Bytes)/1e6); err != nil {
		return err
	}
	if x.Erase > 0 {
		if _, err := fmt.Fprintf(s.out, "学生要求删除的申请 / requests to erase %d\n", x.Erase); err != nil {
			return err
		}
	}
	if x.Faulty > 0 {
		fmt.Fprintf(s.err, "%d 个照片包在本机已损坏或丢失，未导出：请运行 yunzhao verify / %d packets are damaged or missing here and were not exported: run yunzhao verify\n", x.Faulty, x.Faulty)
		return exitError(exitFailed)
	}
	if x.Packets+x.Erase > 0 {
		_, err = fmt.Fprintln(s.out, "请安全弹出 U 盘带到中心；带回回执之前，照片仍算未上传。\nEject the stick and take it to the centre; until its acknowledgements are back the photos count as unsent.")
	}
	return err
}

// ImportCmd takes in central's answers from a USB stick.
type ImportCmd struct {
	DataFlag `embed:""`
	From     string `help:"U 盘目录 / Directory of the USB stick." required:"" type:"existingdir" placeholder:"PATH"`
}

// Run imports.
func (c ImportCmd) Run(s *streams) error {
	st, err := c.openStores(s)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := st.enrolment.Enrolled
	r := stick.Reader{Station: e.StationID, ClaimKey: e.ClaimKey, Central: e.CentralKey, Outbox: st.outbox, Roster: st.roster, Recipients: st.keys.SaveRecipients}
	x, err := r.Import(ctx, c.From)
	pending := st.outbox.Stats().Pending
	if x != (stick.Imported{}) {
		err = errors.Join(err, st.note(s, "stick.imported", fmt.Sprintf("%d acknowledgements, %d verdicts, %d students, %d erasures", x.Acks, x.Verdicts, x.Students, x.Erased)))
	}
	err = errors.Join(err, st.close())
	if err == nil || x != (stick.Imported{}) {
		fmt.Fprintf(s.out, "回执 / acknowledgements %d，审核结果 / verdicts %d，名单 / students %d，待传 / unsent %d\n", x.Acks, x.Verdicts, x.Students, pending)
	}
	if x.Erased > 0 {
		fmt.Fprintf(s.out, "学生要求删除的，中心已答复 / requests to erase that central has settled: %d\n", x.Erased)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("U 盘上没有给本站的回执，请在中心运行 yunzhao-central export-answers / the stick has no answers for this station: run yunzhao-central export-answers at the centre")
	case errors.Is(err, stick.ErrTorn):
		return errors.New("回执文件不完整（写入时被拔出？），完整的部分已生效，请在中心重新导出 / the answers are not complete (pulled out while they were written?); what was whole has been taken in; export them again at the centre")
	case errors.Is(err, stick.ErrAnswers):
		return fmt.Errorf("U 盘上的回执不是中心给本站的，或已损坏，没有采用 / the answers are not central's for this station, or damaged, and were not taken: %w", err)
	case err != nil:
		return fmt.Errorf("U 盘导入没有完成 / the import is not complete: %w", err)
	case x.Strange > 0:
		return fmt.Errorf("%d 个回执与本机照片不符，已忽略，请联系技术支持 / %d acknowledgements are about other bytes than this station has and were ignored: call technical support", x.Strange, x.Strange)
	}
	return nil
}

// stores are the parts of a station that a stick works on. The caller closes
// them.
type stores struct {
	*stationFiles
	keys      *keys.Store
	enrolment keys.Enrolment
	roster    *roster.Store
	outbox    *outbox.Outbox
}

// openStores opens them where no station is running.
func (d DataFlag) openStores(s *streams) (_ *stores, err error) {
	files, err := d.hold(s)
	if err != nil {
		return nil, err
	}
	st := &stores{stationFiles: files}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	cfg, err := config.Load(st.dir)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
	store, err := openKeys(st.dir, cfg)
	if err != nil {
		return nil, err
	}
	st.keys = store
	if st.enrolment, err = store.Enrolment(); err != nil {
		return nil, fmt.Errorf("本机还没有登记 / this station is not enrolled: %w", err)
	}
	data, err := openDataKey(store, os.Getenv(envPassphrase), log)
	if err != nil {
		return nil, err
	}
	if st.roster, err = roster.Open(filepath.Join(st.dir, rosterDir), data); err != nil {
		return nil, fmt.Errorf("名单 / roster: %w", err)
	}
	st.outbox, err = openOutbox(st.dir, st.key, cfg, data, st.enrolment.Enrolled.CentralKey, log)
	return st, err
}

func (st *stores) close() error {
	var err error
	if st.outbox != nil {
		err = st.outbox.Close()
	}
	return errors.Join(err, st.lock.Unlock())
}

// stickProblem says at the desk what a full or protected stick is.
func stickProblem(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("U 盘已满 / the stick is full: %w", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("U 盘写保护 / the stick is write-protected: %w", err)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("U 盘读写出错或已拔出 / the stick fails or was pulled out: %w", err)
	}
	return err
}
