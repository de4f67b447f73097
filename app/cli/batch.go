package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// BatchCmd standardises a folder of frames.
type BatchCmd struct {
	Dir string `arg:"" help:"照片文件夹（不含子文件夹）/ The folder of photos; folders in it are left alone." type:"path"`
	ruleFlags
	Out   string `help:"写到哪个文件夹，没有则新建 / The folder to write to, made if absent." required:"" type:"path" placeholder:"DIR"`
	Jobs  int    `help:"同时处理几张，0 为按处理器和内存 / Photos at the same time; 0 goes by processors and memory." default:"0" placeholder:"N"`
	Force bool   `help:"检查不通过也写出照片 / Write photos even when a check fails."`
	JSON  bool   `help:"最后以 JSON 输出汇总 / Print the summary as JSON." name:"json"`
	Excel bool   `help:"report.csv 带 BOM，可直接用 Excel 打开 / Begin report.csv with a BOM, for Excel."`
}

// reportName is the table in the folder that is written to.
const reportName = "report.csv"

// Run makes every photo that is not made yet. It ends with 0 when every photo
// was written, 3 when some were refused or could not be read, 1 when it was
// interrupted or the folder cannot be written to, 2 when it could not start.
func (c BatchCmd) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := c.prepare()
	if err != nil {
		return complain(s.err, err)
	}
	defer b.ledger.close()
	sum, err := b.run(ctx, newProgress(s.err, len(b.items)))
	if err != nil {
		return err
	}
	if err := sum.print(s, c.JSON); err != nil {
		return err
	}
	switch {
	case sum.Interrupted:
		return exitError(exitFailed)
	case sum.Refused+sum.Unreadable > 0:
		return exitError(exitRefused)
	}
	return nil
}

// item is one file of the folder.
type item struct {
	name string   // of the file
	outs []string // names of its portraits, one a standard
}

// row is what became of one file under one standard.
type row struct {
	File   string
	Spec   string
	Photo  string           `json:",omitempty"` // name of the portrait, "" if none was written
	SHA256 string           `json:",omitempty"` // of the portrait
	Report *pipeline.Report `json:",omitempty"` // nil: the file could not be read
	// Why there is no photo, for a person.
	ReasonZH string `json:",omitempty"`
	ReasonEN string `json:",omitempty"`
}

// batch is a folder's worth of work, validated.
type batch struct {
	cmd    BatchCmd
	specs  []*spec.Spec
	plate  *pipeline.Plate
	items  []item
	jobs   int
	ledger *ledger
	// settings is the digest of everything but the photo itself that a portrait
	// depends on.
	settings string
	detector *face.Detector
	texts    spec.Texts
}

func (c BatchCmd) prepare() (*batch, error) {
	b := &batch{cmd: c}
	var err error
	if b.specs, err = c.standards(); err != nil {
		return nil, err
	}
	switch st, err := os.Stat(c.Dir); {
	case err != nil:
		return nil, usageError{"没有这个文件夹：" + c.Dir, "There is no such folder: " + c.Dir}
	case !st.IsDir():
		return nil, usageError{"这不是文件夹：" + c.Dir, "This is no folder: " + c.Dir}
	}
	if c.Jobs < 0 {
		return nil, usageError{"--jobs 不能为负数。", "--jobs must not be negative."}
	}
	if b.plate, err = c.plate(); err != nil {
		return nil, err
	}
	if err := b.list(); err != nil {
		return nil, err
	}
	if b.jobs = c.Jobs; b.jobs == 0 {
		b.jobs = defaultJobs(runtime.GOMAXPROCS(0), availableMemory())
	}
	b.jobs = min(b.jobs, len(b.items))
	limitPhotoMemory(0, b.jobs)
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return nil, usageError{"无法新建输出文件夹：" + c.Out, "The folder to write to cannot be made: " + c.Out}
	}
	in, err1 := os.Stat(c.Dir)
	out, err2 := os.Stat(c.Out)
	if err1 != nil || err2 != nil || !out.IsDir() || os.SameFile(in, out) {
		return nil, usageError{"输出文件夹不能是照片文件夹本身：" + c.Out, "The folder to write to must be another than the photos': " + c.Out}
	}
	if b.texts, err = spec.LoadTexts(); err != nil {
		return nil, fmt.Errorf("load texts: %w", err)
	}
	if b.detector, err = face.NewDetector(); err != nil {
		return nil, fmt.Errorf("load face models: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d %v\n", Version, c.MountRotation, c.Force)
	if b.plate != nil {
		fmt.Fprintf(h, "plate %s\n", b.plate.ID)
	}
	for _, sp := range b.specs {
		fmt.Fprintf(h, "%+v\n", *sp)
	}
	b.settings = hex.EncodeToString(h.Sum(nil))
	b.ledger, err = openLedger(c.Out)
	return b, err
}

// list takes every file of the folder that is not hidden and is no plate, and
// gives each portrait a name of its own.
func (b *batch) list() error {
	entries, err := os.ReadDir(b.cmd.Dir)
	if err != nil {
		return usageError{"无法读取文件夹：" + b.cmd.Dir, "The folder cannot be read: " + b.cmd.Dir}
	}
	var plates []fs.FileInfo
	for _, p := range b.cmd.Plate {
		if st, err := os.Stat(p); err == nil {
			plates = append(plates, st)
		}
	}
	stems := map[string]int{}
	stem := func(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }
	var names []string
next:
	for _, e := range entries {
		st, err := os.Stat(filepath.Join(b.cmd.Dir, e.Name()))
		if err == nil && !st.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		for _, p := range plates {
			if err == nil && os.SameFile(p, st) {
				continue next
			}
		}
		names = append(names, e.Name())
		stems[stem(e.Name())]++
	}
	if len(names) == 0 {
		return usageError{"文件夹里没有文件：" + b.cmd.Dir, "There are no files in the folder: " + b.cmd.Dir}
	}
	taken := map[string]bool{}
	for _, name := range names {
		base := stem(name)
		if stems[base] > 1 || base == "" {
			base = name // two photos that differ in their endings only
		}
		for taken[base] {
			base += "_"
		}
		taken[base] = true
		it := item{name: name}
		for _, sp := range b.specs {
			it.outs = append(it.outs, forSpec(base+".jpg", sp.ID, len(b.specs) > 1))
		}
		b.items = append(b.items, it)
	}
	return nil
}

// outcome of one file: the worst verdict of its standards, and whether an
// earlier run made it.
type outcome struct {
	verdict string
	reused  bool
}

// run works through the files. Only failing to write ends it early.
func (b *batch) run(parent context.Context, show *progress) (*summary, error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	todo := make(chan int)
	done := make(chan int)
	results := make([]outcome, len(b.items))
	sum := &summary{Files: len(b.items), Jobs: b.jobs}
	began := time.Now()
	var workers sync.WaitGroup
	for range b.jobs {
		workers.Go(func() {
			maker, err := pipeline.New(pipeline.Options{Texts: b.texts, Detector: b.detector})
			if err != nil {
				cancel(err)
				return
			}
			for i := range todo {
				if results[i], err = b.one(ctx, maker, b.items[i]); err != nil {
					cancel(err)
					return
				}
				done <- i
			}
		})
	}
	go func() {
		defer close(todo)
		for i := range b.items {
			select {
			case todo <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		workers.Wait()
		close(done)
	}()
	for i := range done {
		sum.add(results[i])
		show.step(results[i])
	}
	show.end()
	sum.Seconds = time.Since(began).Seconds()
	sum.Interrupted = parent.Err() != nil
	if err := context.Cause(ctx); err != nil && !sum.Interrupted {
		return nil, fmt.Errorf("batch: %w", err)
	}
	sum.Report = filepath.Join(b.cmd.Out, reportName)
	err := b.ledger.put(reportName, func(w io.Writer) error {
		return table(w, b.cmd.Excel, func(each func(made string, r row) error) error {
			for i, it := range b.items {
				if results[i].verdict == "" {
					continue // not reached
				}
				rows, err := b.ledger.rows(it)
				if err != nil {
					return err
				}
				made := madeNow
				if results[i].reused {
					made = madeEarlier
				}
				for _, r := range rows {
					if err := each(made, r); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", reportName, err)
	}
	return sum, nil
}

// one makes the portraits of one file, unless they are there.
func (b *batch) one(ctx context.Context, maker *pipeline.Standardizer, it item) (outcome, error) {
	start := time.Now()
	data, err := codec.ReadFile(filepath.Join(b.cmd.Dir, it.name))
	if err != nil {
		return b.unreadable(it, err)
	}
	digest := sha256.Sum256(data)
	key := b.settings + ":" + hex.EncodeToString(digest[:])
	if rows, err := b.ledger.finished(it, key); rows != nil || err != nil {
		return outcome{worst(rows), true}, err
	}
	frame, err := codec.LoadBytes(data)
	if err != nil {
		return b.unreadable(it, err)
	}
	defer clear(frame.Pix)
	var rows []row
	err = maker.StandardizeAll(ctx, pipeline.Input{
		Frame: frame, Plate: b.plate, Camera: station.CameraName(b.cmd.Camera), Rotation: b.cmd.MountRotation, Force: b.cmd.Force, Decode: time.Since(start),
	}, b.specs, func(r *pipeline.Result) error {
		defer r.Wipe()
		report := r.Report // Wipe empties r
		line := row{File: it.name, Spec: report.Spec, Report: &report}
		if r.JPEG != nil && (b.cmd.Force || r.Report.Verdict != pipeline.Fail) {
			line.Photo = it.outs[len(rows)]
			hash := sha256.Sum256(r.JPEG)
			line.SHA256 = hex.EncodeToString(hash[:])
			if err := b.ledger.putBytes(line.Photo, r.JPEG); err != nil {
				return fmt.Errorf("write photo: %w", err)
			}
		}
		for _, c := range r.Report.Checks {
			if c.Status == pipeline.Fail {
				line.ReasonZH, line.ReasonEN = c.MessageZH, c.MessageEN
				break
			}
		}
		rows = append(rows, line)
		return nil
	})
	switch {
	case errors.Is(err, pipeline.ErrInput):
		return b.unreadable(it, &codec.FileError{ZH: errTooSmall.zh, EN: errTooSmall.en, Err: err})
	case err != nil:
		return outcome{}, err
	}
	return outcome{worst(rows), false}, b.ledger.finish(it, key, rows)
}

// unreadable is a file that is no photo: rows that say so.
func (b *batch) unreadable(it item, err error) (outcome, error) {
	var fe *codec.FileError
	if !errors.As(err, &fe) {
		return outcome{}, err
	}
	var rows []row
	for _, sp := range b.specs {
		rows = append(rows, row{File: it.name, Spec: sp.ID, ReasonZH: fe.ZH, ReasonEN: fe.EN})
	}
	return outcome{worst(rows), false}, b.ledger.finish(it, "", rows)
}

// defaultJobs is how many photos are made at the same time: one for every two
// processors, because most of the work on one photo runs on two, as far as memory
// allows.
func defaultJobs(cpus int, available uint64) int {
	const (
		program = 128 << 20 // libraries, models, plate
		photo   = 128 << 20 // with room for a camera of twice full HD
	)
	fit := 1
	if available > program {
		fit = int(min((available-program)/photo, 1024))
	}
	return max(min((cpus+1)/2, fit), 1)
}

// availableMemory is what Linux says may be used without swapping, in bytes; a
// gigabyte where it does not say.
func availableMemory() uint64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err == nil {
		for line := range strings.Lines(string(data)) {
			var kb uint64
			if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kb); n == 1 {
				return kb << 10
			}
		}
	}
	return 1 << 30
}
