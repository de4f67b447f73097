package central

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Buckets of the index. Values are JSON; keys joined with a zero byte keep
// what belongs together side by side.
var (
	bktMeta        = []byte("meta")
	bktBatches     = []byte("batches")      // id → wire.Batch
	bktStations    = []byte("stations")     // id → Station
	bktCodes       = []byte("codes")        // hash → Code
	bktUsers       = []byte("users")        // name → User
	bktLogins      = []byte("logins")       // hash of cookie → login
	bktStudents    = []byte("students")     // ref → sealedRow
	bktRosterLog   = []byte("roster_log")   // version → ref, each ref once
	bktByDocument  = []byte("by_document")  // batch, blinded document, ref → ""
	bktDataKeys    = []byte("data_keys")    // label → wrapped data key
	bktErased      = []byte("erased")       // ref of an erased student → ""
	bktRules       = []byte("rules")        // batch → BatchRules
	bktOpinions    = []byte("opinions")     // packet id → []Opinion
	bktExports     = []byte("exports")      // id → ExportRequest
	bktExported    = []byte("exported")     // packet id → time of its first export
	bktPurged      = []byte("purged")       // packet id → purgeRow
	bktPackets     = []byte("packets")      // id → Packet
	bktSequences   = []byte("sequences")    // station, sequence, packet id → ""
	bktChain       = []byte("chain")        // station, number of an audit line → its digest
	bktChainHeads  = []byte("chain_heads")  // station, sequence → number of the last audit line in the packet
	bktByState     = []byte("by_state")     // status, id → ""
	bktUnfinished  = []byte("unfinished")   // station, id of a packet whose bytes are missing → ""
	bktByStudent   = []byte("by_student")   // batch, ref, id → ""
	bktStationLog  = []byte("station_log")  // station, sequence → logItem
	bktLastAck     = []byte("last_ack")     // packet id → wire.Signed
	bktVerdictAt   = []byte("verdict_at")   // packet id → time of its last verdict
	bktClaims      = []byte("claims")       // session → claimRow
	bktPhones      = []byte("phones")       // hash of cookie → session
	bktBySession   = []byte("by_session")   // session, packet id → ""
	bktOrders      = []byte("orders")       // id → Order
	bktOrderOf     = []byte("order_of")     // batch, ref → order id
	bktNonces      = []byte("nonces")       // station, nonce → ""
	bktNonceExpiry = []byte("nonce_expiry") // unix seconds, station, nonce → ""
	bktSandbox     = []byte("sandbox")      // order id → sandboxPayment
	bktAudit       = []byte("audit")        // sequence → AuditEntry
	bktErasures    = []byte("erasures")     // packet id → erasureRow
	everyBucket    = [][]byte{bktSequences, bktChain, bktChainHeads, bktDataKeys, bktErased, bktRules, bktOpinions, bktExports, bktExported, bktPurged, bktErasures, bktMeta, bktBatches, bktStations, bktCodes, bktUsers, bktLogins, bktStudents, bktRosterLog, bktByDocument, bktPackets, bktByState, bktUnfinished, bktByStudent, bktStationLog, bktLastAck, bktVerdictAt, bktClaims, bktPhones, bktBySession, bktOrders, bktOrderOf, bktNonces, bktNonceExpiry, bktSandbox, bktAudit}
	keySchema      = []byte("schema")
	schemaVersion  = []byte("2")
	schemaPlain    = []byte("1")       // students in plain; migrate makes it 2
	keyMaster      = []byte("master")  // name of the master key that wraps
	keyShred       = []byte("shred")   // data keys were dropped; the master key is to change
	keyCompact     = []byte("compact") // free pages hold what must not stay
	keySealFiles   = []byte("seal_files")
	keyAuditHead   = []byte("audit_head")
	keyEpoch       = []byte("epoch") // wire.Hello.Epoch
)

const indexFile = "central.db"

// openIndex opens or creates the index. A new one is made aside and renamed,
// so that a crash during creation leaves nothing half made.
func openIndex(dir string) (db *bolt.DB, err error) {
	path := filepath.Join(dir, indexFile)
	// bbolt panics on some kinds of corruption.
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("central: %s is damaged: %v; restore the backup", path, r)
		}
	}()
	open := openBolt
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		tmp := path + ".new"
		if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("central: clear an unfinished index: %w", err)
		}
		fresh, err := open(tmp)
		if err != nil {
			return nil, fmt.Errorf("central: create index: %w", err)
		}
		err = fresh.Update(func(tx *bolt.Tx) error {
			for _, b := range everyBucket {
				if _, err := tx.CreateBucketIfNotExists(b); err != nil {
					return err
				}
			}
			return tx.Bucket(bktMeta).Put(keySchema, schemaVersion)
		})
		if err := errors.Join(err, fresh.Close()); err != nil {
			return nil, fmt.Errorf("central: create index: %w", err)
		}
		if err := os.Rename(tmp, path); err != nil {
			return nil, fmt.Errorf("central: create index: %w", err)
		}
		if err := durable.SyncDir(dir); err != nil {
			return nil, fmt.Errorf("central: create index: %w", err)
		}
	}
	db, err = open(path)
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("central: open index: %w", err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		numbered := tx.Bucket(bktSequences) != nil
		for _, b := range everyBucket {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		if !numbered {
			if err := noteSequences(tx); err != nil {
				return err
			}
		}
		if v := tx.Bucket(bktMeta).Get(keySchema); !bytes.Equal(v, schemaVersion) && !bytes.Equal(v, schemaPlain) {
			return fmt.Errorf("index has schema %q, this program knows %q", v, schemaVersion)
		}
		if tx.Bucket(bktMeta).Get(keyEpoch) == nil {
			return newEpoch(tx)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("central: open index: %w", err), db.Close())
	}
	return db, nil
}

func openBolt(path string) (*bolt.DB, error) {
	return bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
}

// newEpoch gives the store a name that it never had.
func newEpoch(tx *bolt.Tx) error {
	var b [8]byte
	rand.Read(b[1:])                          // never fails (crypto/rand)
	v := binary.BigEndian.Uint64(b[:])>>4 | 1 // exact in JSON numbers elsewhere, and not 0
	binary.BigEndian.PutUint64(b[:], v)
	return tx.Bucket(bktMeta).Put(keyEpoch, b[:])
}

func epochOf(tx *bolt.Tx) uint64 {
	if b := tx.Bucket(bktMeta).Get(keyEpoch); len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// joinKey joins parts with a zero byte. No part contains one: ids are made by
// us and outside values are checked on entry.
func joinKey(parts ...string) []byte {
	var b []byte
	for i, p := range parts {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, p...)
	}
	return b
}

func seqKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// getJSON reads one value; ErrNotFound when there is none.
func getJSON[T any](tx *bolt.Tx, bucket, key []byte) (T, error) {
	var v T
	raw := tx.Bucket(bucket).Get(key)
	if raw == nil {
		return v, ErrNotFound
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("central: read %s: %w", bucket, err)
	}
	return v, nil
}

func putJSON(tx *bolt.Tx, bucket, key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("central: write %s: %w", bucket, err)
	}
	if err := tx.Bucket(bucket).Put(key, raw); err != nil {
		return fmt.Errorf("central: write %s: %w", bucket, err)
	}
	return nil
}

// list reads every value of a small bucket, in the order of the keys.
func list[T any](tx *bolt.Tx, bucket []byte) ([]T, error) {
	var out []T
	err := tx.Bucket(bucket).ForEach(func(_, raw []byte) error {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("central: read %s: %w", bucket, err)
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

// suffixes lists what follows prefix and a zero byte in the keys of an index
// bucket, at most limit of them (0 = all).
func suffixes(tx *bolt.Tx, bucket, prefix []byte, limit int) []string {
	p := append(bytes.Clone(prefix), 0)
	var out []string
	c := tx.Bucket(bucket).Cursor()
	for k, _ := c.Seek(p); k != nil && bytes.HasPrefix(k, p); k, _ = c.Next() {
		out = append(out, string(k[len(p):]))
		if limit > 0 && len(out) == limit {
			break
		}
	}
	return out
}

func getPacket(tx *bolt.Tx, id string) (Packet, error) {
	return getJSON[Packet](tx, bktPackets, []byte(id))
}

// putPacket is the only way a packet's row is written. An approved row is
// refused any change here, below every handler.
func putPacket(tx *bolt.Tx, p Packet) error {
	old, err := getPacket(tx, p.ID)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case old.State == wire.VerdictApproved:
		if reflect.DeepEqual(old, p) {
			return nil
		}
		return ErrApproved
	default:
		if err := tx.Bucket(bktByState).Delete(joinKey(old.Status(), old.ID)); err != nil {
			return fmt.Errorf("central: index packet: %w", err)
		}
	}
	if err := putJSON(tx, bktPackets, []byte(p.ID), p); err != nil {
		return err
	}
	index := map[string][]byte{string(bktByState): joinKey(p.Status(), p.ID)}
	if p.StudentRef != "" {
		index[string(bktByStudent)] = joinKey(p.Batch, p.StudentRef, p.ID)
	}
	if p.Session != "" {
		index[string(bktBySession)] = joinKey(p.Session, p.ID)
	}
	// Made where it is missing: an older index, or one out of a backup.
	unfinished, err := tx.CreateBucketIfNotExists(bktUnfinished)
	if err != nil {
		return fmt.Errorf("central: index packet: %w", err)
	}
	if key := joinKey(p.Station, p.ID); p.Stage == StageDeclared {
		err = unfinished.Put(key, nil)
	} else {
		err = unfinished.Delete(key)
	}
	if err != nil {
		return fmt.Errorf("central: index packet: %w", err)
	}
	for bucket, key := range index {
		if err := tx.Bucket([]byte(bucket)).Put(key, nil); err != nil {
			return fmt.Errorf("central: index packet: %w", err)
		}
	}
	return nil
}

// packetsOf lists a student's packets in one batch, oldest first.
func packetsOf(tx *bolt.Tx, batch, ref string) ([]Packet, error) {
	var out []Packet
	for _, id := range suffixes(tx, bktByStudent, joinKey(batch, ref), 0) {
		p, err := getPacket(tx, id)
		if err != nil {
			return nil, fmt.Errorf("central: packet %s of a student: %w", id, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// logItem is one line of what a station is told by GET /v1/verdicts: a verdict
// or an ack.
type logItem struct {
	Verdict *wire.Verdict `json:"verdict,omitempty"`
	Ack     *wire.Signed  `json:"ack,omitempty"`
}

func appendStationLog(tx *bolt.Tx, station string, item logItem) error {
	b, err := tx.Bucket(bktStationLog).CreateBucketIfNotExists([]byte(station))
	if err != nil {
		return fmt.Errorf("central: station log: %w", err)
	}
	n, err := b.NextSequence()
	if err != nil {
		return fmt.Errorf("central: station log: %w", err)
	}
	raw, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("central: station log: %w", err)
	}
	return b.Put(seqKey(n), raw)
}

// appendAudit writes one line of who did what, in the transaction that does it.
func appendAudit(tx *bolt.Tx, now time.Time, actor, action, target, detail string) error {
	b := tx.Bucket(bktAudit)
	n, err := b.NextSequence()
	if err != nil {
		return fmt.Errorf("central: audit: %w", err)
	}
	e := AuditEntry{
		Seq: n, At: now.UTC(), Actor: actor, Action: action, Target: target, Detail: detail,
		Prev: string(tx.Bucket(bktMeta).Get(keyAuditHead)),
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("central: audit: %w", err)
	}
	sum := sha256.Sum256(raw)
	if err := b.Put(seqKey(n), raw); err != nil {
		return fmt.Errorf("central: audit: %w", err)
	}
	if err := tx.Bucket(bktMeta).Put(keyAuditHead, []byte(hex.EncodeToString(sum[:]))); err != nil {
		return fmt.Errorf("central: audit: %w", err)
	}
	return nil
}

// verifyAudit walks the chain and reports the first line that does not follow
// from the one before.
func verifyAudit(tx *bolt.Tx) error {
	var prev string
	var last uint64
	err := tx.Bucket(bktAudit).ForEach(func(k, raw []byte) error {
		var e AuditEntry
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("central: audit line %d cannot be read: %w", last+1, err)
		}
		if e.Prev != prev || e.Seq != last+1 || !bytes.Equal(k, seqKey(e.Seq)) {
			return fmt.Errorf("central: audit line %d does not follow line %d", e.Seq, last)
		}
		sum := sha256.Sum256(raw)
		prev, last = hex.EncodeToString(sum[:]), e.Seq
		return nil
	})
	if err != nil {
		return err
	}
	if head := string(tx.Bucket(bktMeta).Get(keyAuditHead)); head != prev {
		return errors.New("central: the last audit lines are missing")
	}
	return nil
}
