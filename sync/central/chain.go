package central

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// FlagForked marks photos whose audit lines do not fit those that the station
// sent before.
const FlagForked = "audit_forked"

// chainDigestSize is how much of a line's SHA-256 central keeps.
const chainDigestSize = 16

// chainLine is what central needs of one line of a station's audit log.
type chainLine struct {
	N    uint64 `json:"n"`
	Prev string `json:"prev"` // hex SHA-256 of the line before, "" for the first
}

// chainKey is where the digest of a station's n-th line lies.
func chainKey(station string, n uint64) []byte { return joinKey(station, string(seqKey(n))) }

// followChain holds the audit lines that came in a packet against those that
// came before, whatever the order of arrival, and returns why they cannot be of
// one log, "" when they can. It notes them either way: what came first counts.
//
// A station numbers its lines, each line names the digest of the one before, and
// a later packet was sealed further on in the log. So these are told apart from
// a log that only grew: a copied directory whose two logs grew apart, lines that
// were rewritten, and a log that was cut short or begun anew.
func followChain(tx *bolt.Tx, p Packet, c *packet.Contents) (problem string, err error) {
	lines, head := tx.Bucket(bktChain), tx.Bucket(bktChainHeads)
	note := func(n uint64, sum []byte) error {
		key := chainKey(p.Station, n)
		switch known := lines.Get(key); {
		case known == nil:
			if err := lines.Put(key, bytes.Clone(sum[:chainDigestSize])); err != nil { // kept until the commit
				return fmt.Errorf("central: note audit line: %w", err)
			}
		case !bytes.Equal(known, sum[:chainDigestSize]) && problem == "":
			problem = fmt.Sprintf("line %d is not the one that came before", n)
		}
		return nil
	}
	last := uint64(0)
	var sum [sha256.Size]byte
	for line := range bytes.Lines(c.Audit) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) == 0 {
			continue
		}
		var l chainLine
		prev := []byte(nil)
		if json.Unmarshal(line, &l) == nil {
			if prev, err = hex.DecodeString(l.Prev); err != nil {
				prev = nil
			}
		}
		if l.N <= last || (l.N == 1) != (len(prev) == 0) || l.N > 1 && len(prev) != sha256.Size ||
			last > 0 && l.N == last+1 && !bytes.Equal(prev, sum[:]) {
			return "the lines of one packet are no chain", nil
		}
		sum, last = sha256.Sum256(line), l.N
		if l.N > 1 {
			if err := note(l.N-1, prev); err != nil {
				return "", err
			}
		}
		if err := note(l.N, sum[:]); err != nil {
			return "", err
		}
	}
	if last == 0 { // a station without a log, or of before
		return problem, nil
	}
	before, after := neighbours(head, p.Station, p.Seq)
	if problem == "" && (before >= last || after != 0 && after <= last) {
		problem = fmt.Sprintf("line %d of packet number %d is out of order: the log was cut short or begun anew", last, p.Seq)
	}
	if err := head.Put(chainKey(p.Station, p.Seq), seqKey(last)); err != nil {
		return "", fmt.Errorf("central: note audit head: %w", err)
	}
	return problem, nil
}

// neighbours returns the last audit line of the packets of a station that were
// sealed just before and just after number seq, 0 where there is none.
func neighbours(heads *bolt.Bucket, station string, seq uint64) (before, after uint64) {
	prefix := joinKey(station, "")
	of := func(k, v []byte) uint64 {
		if !bytes.HasPrefix(k, prefix) || len(v) != 8 {
			return 0
		}
		return binary.BigEndian.Uint64(v)
	}
	c := heads.Cursor()
	key := chainKey(station, seq)
	k, v := c.Seek(key)
	if bytes.Equal(k, key) { // another packet of the same number: a copied station has its own alarm
		k, v = c.Next()
	}
	after = of(k, v)
	c.Seek(key)
	return of(c.Prev()), after
}

// takeChain follows the station's log in the transaction that admits packet p.
// The photo is taken whatever the log says: the student has nothing to do with
// it. The packet is flagged, the station marked, and everybody told.
func (s *Server) takeChain(tx *bolt.Tx, p *Packet, c *packet.Contents) error {
	problem, err := followChain(tx, *p, c)
	if err != nil || problem == "" {
		return err
	}
	p.Flags = append(p.Flags, FlagForked)
	st, err := getJSON[Station](tx, bktStations, []byte(p.Station))
	if err != nil {
		return fmt.Errorf("central: station of packet %s: %w", p.ID, err)
	}
	if st.ForkedAt.IsZero() {
		st.ForkedAt = s.now().UTC()
		if err := putJSON(tx, bktStations, []byte(st.ID), st); err != nil {
			return err
		}
	}
	s.log.Error("ALARM: a station's audit log is not the one of before", "station", p.Station, "seq", p.Seq, "packet", p.ID, "problem", problem)
	return appendAudit(tx, s.now(), "station:"+p.Station, "alarm.audit_forked", p.Station, p.ID+": "+problem)
}

// SettleAlarms takes a station's standing alarms back, once somebody has found
// out what was behind them. The flags of photos and the audit log keep them; the
// next sign of trouble raises them again.
func (s *Server) SettleAlarms(ctx context.Context, id, actor string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		st, err := getJSON[Station](tx, bktStations, []byte(id))
		if err != nil {
			return err
		}
		if st.CopiedAt.IsZero() && st.ForkedAt.IsZero() {
			return nil
		}
		st.CopiedAt, st.ForkedAt = time.Time{}, time.Time{}
		if err := putJSON(tx, bktStations, []byte(id), st); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "station.settled", id, "")
	})
}
