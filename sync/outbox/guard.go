package outbox

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
)

// Default limits of the disk guard.
const (
	// DefaultMinFree leaves room for about 3,000 more packets of 300 KB and for
	// the system's own needs: sessions are refused long before a write fails.
	DefaultMinFree = 1 << 30
	// DefaultMaxPending is about five full days of a desk without network.
	DefaultMaxPending = 4000
	// DefaultMaxAge of the oldest unsent packet: two weeks without central is
	// not a network problem any more.
	DefaultMaxAge = 14 * 24 * time.Hour
)

// Limits say when no new session may start. Zero values take the defaults.
type Limits struct {
	MinFree    uint64        // bytes
	MaxPending int           // packets not yet stored at central
	MaxAge     time.Duration // of the oldest of them
}

func (l Limits) withDefaults() Limits {
	if l.MinFree == 0 {
		l.MinFree = DefaultMinFree
	}
	if l.MaxPending == 0 {
		l.MaxPending = DefaultMaxPending
	}
	if l.MaxAge == 0 {
		l.MaxAge = DefaultMaxAge
	}
	return l
}

// Codes of a [Refusal].
const (
	RefuseDisk    = "disk_floor"
	RefuseCount   = "too_many_unsent"
	RefuseAge     = "unsent_too_old"
	RefuseWrite   = "disk_write_failed"
	RefuseIndex   = "index_unavailable"
	RefuseUnknown = "disk_unreadable"
)

// Refusal is why no new session may start now. It is an error with words for
// the desk.
type Refusal struct { //nolint:errname // read as the answer of Guard, which is what it is
	Code   string
	ZH, EN string // what to do
	Err    error  // optional cause
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return fmt.Sprintf("outbox: new sessions are refused: %s: %v", r.Code, r.Err)
	}
	return "outbox: new sessions are refused: " + r.Code
}

func (r *Refusal) Unwrap() error { return r.Err }

// Guard is asked before a student sits down. nil means that a photo taken now
// can be saved; otherwise the error is a [*Refusal]. After a failed write it
// tries a small one first, and it keeps room in the index for the next photos.
func (o *Outbox) Guard() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return &Refusal{Code: RefuseIndex, ZH: "存储未打开，请重新启动程序", EN: "The store is closed: restart the program", Err: ErrClosed}
	}
	if o.indexFailed {
		return &Refusal{Code: RefuseIndex, ZH: "存储索引出错，请重新启动程序（已保存的照片不受影响）", EN: "The store's index failed: restart the program (saved photos are safe)"}
	}
	free, err := o.fsys.Free(o.dir)
	if err != nil {
		return &Refusal{Code: RefuseUnknown, ZH: "无法读取磁盘，请联系技术人员", EN: "The disk cannot be read: call a technician", Err: err}
	}
	if free < o.limits.MinFree {
		return &Refusal{
			Code: RefuseDisk,
			ZH:   fmt.Sprintf("磁盘空间不足：剩余 %d MB，至少需要 %d MB，请联网上传或清理磁盘", free>>20, o.limits.MinFree>>20),
			EN:   fmt.Sprintf("Disk almost full: %d MB left, %d MB needed. Connect to upload, or free some space", free>>20, o.limits.MinFree>>20),
		}
	}
	pending, oldest := len(o.rows.unsent), o.rows.oldestUnsent()
	if pending >= o.limits.MaxPending {
		return &Refusal{
			Code: RefuseCount,
			ZH:   fmt.Sprintf("待上传照片过多（%d 张），请先联网上传或用 U 盘导出", pending),
			EN:   fmt.Sprintf("Too many photos wait to be sent (%d): connect and upload, or export to a USB stick", pending),
		}
	}
	if age := o.now().Sub(oldest); pending > 0 && age > o.limits.MaxAge {
		return &Refusal{
			Code: RefuseAge,
			ZH:   fmt.Sprintf("最早的未上传照片已有 %d 天，请先联网上传或用 U 盘导出；若本机日期不对，请先校准", int(age.Hours()/24)),
			EN:   fmt.Sprintf("The oldest unsent photo has waited %d days: connect and upload, or export to a USB stick. If this machine's date is wrong, set it first", int(age.Hours()/24)),
		}
	}
	if o.writeFailed {
		if err := o.probe(); err != nil {
			return &Refusal{Code: RefuseWrite, ZH: "磁盘写入失败，请联系技术人员", EN: "Writing to disk fails: call a technician", Err: err}
		}
		o.writeFailed = false
	}
	if err := o.makeRoom(); err != nil {
		return &Refusal{Code: RefuseWrite, ZH: "磁盘写入失败，请联系技术人员", EN: "Writing to disk fails: call a technician", Err: err}
	}
	return nil
}

// probe writes, syncs and removes a small file.
func (o *Outbox) probe() error {
	tmp := filepath.Join(o.dir, dirPackets, ulid.Make().String()+extTemp)
	err := o.writeTemp(tmp, make([]byte, 4096))
	return errors.Join(err, o.fsys.Remove(tmp))
}

// Stats is the store at a glance.
type Stats struct {
	Total         int
	Pending       int // saved here only, with and without a fault
	Stored        int
	Opened        int
	Refused       int
	Purged        int
	Faulty        int       // files missing or damaged
	Bytes         int64     // of files that are still here
	OldestPending time.Time // zero: none
	LastSeq       uint64    // of a committed packet
	FreeBytes     uint64    // 0 when it cannot be read
}

// Stats counts what is there.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.rows.stats
	s.OldestPending = o.rows.oldestUnsent()
	if free, err := o.fsys.Free(o.dir); err == nil {
		s.FreeBytes = free
	}
	return s
}

// Alarms lists what staff must know.
func (o *Outbox) Alarms() []Alarm {
	o.mu.Lock()
	out := append([]Alarm(nil), o.alarms...)
	if o.indexFailed {
		out = append(out, Alarm{Code: AlarmIndexFault, Detail: "the index failed while running; restart to rebuild it"})
	}
	o.mu.Unlock()
	for _, e := range o.pick(o.rows.troubled, func(*Entry) bool { return true }) {
		if e.Fault != "" {
			out = append(out, Alarm{Code: string(e.Fault), Packet: e.ID.String(), Detail: "state " + string(e.State)})
		}
		if e.held() {
			out = append(out, Alarm{Code: AlarmHeld, Packet: e.ID.String(), Detail: e.LastError})
		}
		if e.State == Refused {
			out = append(out, Alarm{Code: AlarmRefused, Packet: e.ID.String(), Detail: e.Reason})
		}
	}
	return out
}
