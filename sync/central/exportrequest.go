package central

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// States of an export request.
const (
	ExportAsked     = "asked"
	ExportConfirmed = "confirmed"
	ExportRefused   = "refused"
)

const (
	// exportWait: a request that nobody has confirmed within a week is void.
	exportWait = 7 * 24 * time.Hour
	// exportOpen: a confirmed export is fetched within a day, or asked for anew.
	exportOpen = 24 * time.Hour
)

// ExportRequest is one person's wish to take a batch's approved photos out, and
// what another person said to it.
type ExportRequest struct {
	ID        string    `json:"id"`
	Batch     string    `json:"batch"`
	Names     string    `json:"names"`   // rule of the files' names: FileName
	Purpose   string    `json:"purpose"` // for whom and what, in one line
	Packets   []string  `json:"packets"` // what was approved when it was asked for
	State     string    `json:"state"`
	AskedBy   string    `json:"asked_by"`
	AskedAt   time.Time `json:"asked_at"`
	DecidedBy string    `json:"decided_by,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	FetchedAt time.Time `json:"fetched_at,omitzero"` // last
	Fetched   int       `json:"fetched"`             // times
}

// Open reports whether photos may leave by this request at now.
func (x ExportRequest) Open(now time.Time) bool {
	return x.State == ExportConfirmed && now.Sub(x.DecidedAt) <= exportOpen
}

// Void reports whether nothing can come of the request any more.
func (x ExportRequest) Void(now time.Time) bool {
	return x.State == ExportRefused || x.State == ExportAsked && now.Sub(x.AskedAt) > exportWait ||
		x.State == ExportConfirmed && !x.Open(now)
}

// ErrTwoPeople refuses an export by one person.
var ErrTwoPeople = errors.New("central: an export takes two people: one asks, another confirms")

// AskExport asks for a batch's approved photos. Nothing leaves before
// ConfirmExport.
func (s *Server) AskExport(ctx context.Context, batch, names, purpose, actor string) (x ExportRequest, err error) {
	if _, err := FileName(names, wire.Student{Ref: "r", IDNumber: "n", StudentNo: "s", Name: "名"}); err != nil {
		return x, err
	}
	purpose, ok := cleanText(purpose, 120)
	if !ok || purpose == "" {
		return x, fmt.Errorf("%w: say for whom the photos are, in one line of at most 120 characters", ErrInvalid)
	}
	id, err := s.newULID()
	if err != nil {
		return x, err
	}
	photos, err := s.exportable(ctx, batch, "")
	if err != nil {
		return x, err
	}
	err = s.update(ctx, func(tx *bolt.Tx) error {
		if _, err := getJSON[wire.Batch](tx, bktBatches, []byte(batch)); err != nil {
			return err
		}
		x = ExportRequest{ID: id, Batch: batch, Names: names, Purpose: purpose, State: ExportAsked, AskedBy: actor, AskedAt: s.now().UTC(), Packets: photos}
		if len(x.Packets) == 0 {
			return fmt.Errorf("%w: the batch has no approved photos", ErrState)
		}
		if err := putJSON(tx, bktExports, []byte(id), x); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "export.asked", id, fmt.Sprintf("%d photos of %s", len(x.Packets), batch))
	})
	return x, err
}

// DecideExport confirms or refuses a request. Who asked cannot confirm.
func (s *Server) DecideExport(ctx context.Context, id string, confirm bool, actor string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		x, err := getJSON[ExportRequest](tx, bktExports, []byte(id))
		if err != nil {
			return err
		}
		switch {
		case x.State != ExportAsked || x.Void(s.now()):
			return fmt.Errorf("%w: this request is decided or too old", ErrState)
		case confirm && x.AskedBy == actor:
			return ErrTwoPeople
		}
		x.State, x.DecidedBy, x.DecidedAt = ExportRefused, actor, s.now().UTC()
		if confirm {
			x.State = ExportConfirmed
		}
		if err := putJSON(tx, bktExports, []byte(id), x); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "export."+x.State, id, "asked by "+x.AskedBy)
	})
}

// ExportRequests lists the requests, newest first.
func (s *Server) ExportRequests(ctx context.Context) (out []ExportRequest, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		out, err = list[ExportRequest](tx, bktExports)
		return err
	})
	slices.Reverse(out)
	return out, err
}

// exportable lists the approved photos that still have a picture: of a batch
// ("" = all), or those of a request.
func (s *Server) exportable(ctx context.Context, batch, request string) (ids []string, err error) {
	ids = []string{}
	err = s.view(ctx, func(tx *bolt.Tx) error {
		if request != "" {
			x, err := getJSON[ExportRequest](tx, bktExports, []byte(request))
			if err != nil {
				return fmt.Errorf("central: export request: %w", err)
			}
			ids = x.Packets
			return nil
		}
		all, err := listPackets(tx, PacketFilter{Status: wire.VerdictApproved, Batch: batch})
		for _, p := range all {
			if tx.Bucket(bktPurged).Get([]byte(p.ID)) == nil {
				ids = append(ids, p.ID)
			}
		}
		return err
	})
	return ids, err
}

// mayLeave refuses the export of a packet of a batch that wants two people,
// unless a confirmed request has it.
func (s *Server) mayLeave(tx *bolt.Tx, p Packet, request string) error {
	rules, err := rulesOf(tx, p.Batch)
	if err != nil || !rules.TwoToExport && request == "" {
		return err
	}
	x, err := getJSON[ExportRequest](tx, bktExports, []byte(request))
	if errors.Is(err, ErrNotFound) {
		return ErrTwoPeople
	}
	if err != nil {
		return err
	}
	if !x.Open(s.now()) {
		return fmt.Errorf("%w: this request is not confirmed, or its day is over", ErrTwoPeople)
	}
	if !slices.Contains(x.Packets, p.ID) {
		return fmt.Errorf("%w: this photo is not in the request", ErrTwoPeople)
	}
	return nil
}

// MarkExported says that approved photos have arrived where they were exported
// to: retention may count from now. Repeated, the first time stays.
func (s *Server) MarkExported(ctx context.Context, ids ...string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		for _, id := range ids {
			p, err := getPacket(tx, id)
			if err != nil {
				return err
			}
			if p.State != wire.VerdictApproved || tx.Bucket(bktExported).Get([]byte(id)) != nil {
				continue
			}
			if err := putJSON(tx, bktExported, []byte(id), s.now().UTC()); err != nil {
				return err
			}
		}
		return nil
	})
}

// ListName is the list that goes with exported portraits.
const ListName = "photos.csv"

// ListHeader is its first line.
func ListHeader() []string {
	return []string{"文件", "学号", "姓名", "证件号码", "学校", "层次", "专业", "批次", "照片编号", "通过时间", "SHA-256"}
}

// ListRow is the line of one photo in that list.
func (x Export) ListRow(file string) []string {
	sum := sha256.Sum256(x.Portrait)
	s := x.Student
	return []string{
		file, s.StudentNo, s.Name, s.IDNumber, s.School, s.Level, s.Major, s.Batch, x.PacketID,
		x.Approved.UTC().Format(time.RFC3339), hex.EncodeToString(sum[:]),
	}
}

// writeExport writes a confirmed request's photos and their list as a zip. Each
// photo is on record before it leaves. A photo that cannot be named is left
// out and its line in the list says why.
func (s *Server) writeExport(ctx context.Context, w io.Writer, x ExportRequest, actor string) error {
	out := zip.NewWriter(w)
	rows := [][]string{ListHeader()}
	taken := map[string]bool{}
	var gone []string
	const together = 50 // photos in memory, and audit lines in one transaction
	for part := range slices.Chunk(x.Packets, together) {
		ready := map[string]Export{}
		for _, id := range part {
			e, err := s.approved(ctx, id, x.ID)
			name := ""
			if err == nil {
				name, err = FileName(x.Names, e.Student)
			}
			if err == nil && taken[name] {
				err = fmt.Errorf("%w: another photo has this file name", ErrInvalid)
			}
			switch {
			case errors.Is(err, ErrInvalid), errors.Is(err, ErrState), errors.Is(err, ErrNotFound), errors.Is(err, ErrPurged):
				row := make([]string, len(rows[0]))
				row[0], row[8] = "未导出 not exported："+explain(err).ZH, id
				rows = append(rows, row)
				continue
			case err != nil:
				return err
			}
			taken[name], ready[name] = true, e
		}
		err := s.update(ctx, func(tx *bolt.Tx) error {
			for _, name := range slices.Sorted(maps.Keys(ready)) {
				if err := appendAudit(tx, s.now(), actor, "portrait.exported", ready[name].PacketID, x.ID); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(ready)) {
			e := ready[name]
			f, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: e.Approved})
			if err != nil {
				return err
			}
			if _, err := f.Write(e.Portrait); err != nil {
				return err
			}
			rows, gone = append(rows, e.ListRow(name)), append(gone, e.PacketID)
		}
	}
	f, err := out.CreateHeader(&zip.FileHeader{Name: ListName, Method: zip.Deflate, Modified: s.now()})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(f, "\xef\xbb\xbf"); err != nil { // spreadsheets take the text for UTF-8 then
		return err
	}
	if err := csv.NewWriter(f).WriteAll(rows); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return s.MarkExported(ctx, gone...)
}

// fetchExport is a confirmed request for one of the two people who agreed on it.
func (s *Server) fetchExport(ctx context.Context, id, actor string) (x ExportRequest, err error) {
	err = s.update(ctx, func(tx *bolt.Tx) error {
		if x, err = getJSON[ExportRequest](tx, bktExports, []byte(id)); err != nil {
			return err
		}
		if !x.Open(s.now()) {
			return fmt.Errorf("%w: this request is not confirmed, or its day is over", ErrState)
		}
		if actor != x.AskedBy && actor != x.DecidedBy {
			return ErrTwoPeople
		}
		x.Fetched++
		x.FetchedAt = s.now().UTC()
		if err := putJSON(tx, bktExports, []byte(id), x); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "export.fetched", id, fmt.Sprintf("%d photos", len(x.Packets)))
	})
	return x, err
}
