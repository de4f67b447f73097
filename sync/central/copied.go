package central

import (
	"encoding/json"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// FlagCopied marks photos that share a station's sequence number.
const FlagCopied = "station_copied"

// seqOwner is the prefix of the packets that stand under one number of a station.
func seqOwner(station string, seq uint64) []byte {
	return joinKey(station, string(seqKey(seq)))
}

// takeSequence notes which packet has a station's sequence number, in the
// transaction that puts the new packet p into the index. A station gives each
// number once. Two packets under one number were therefore made by two
// computers with the same key, which is a copied data directory, or by one
// whose data were put back from a copy. Nobody can tell which of the two photos
// is the right one's, so both are kept and flagged, the station is marked, and
// it is told with its next heartbeat.
func (s *Server) takeSequence(tx *bolt.Tx, p *Packet) error {
	others := suffixes(tx, bktSequences, seqOwner(p.Station, p.Seq), 0)
	others = slices.DeleteFunc(others, func(id string) bool { return id == p.ID })
	if err := putSequence(tx, *p); err != nil {
		return err
	}
	if len(others) == 0 {
		return nil
	}
	p.Flags = append(p.Flags, FlagCopied)
	for _, id := range others {
		o, err := getPacket(tx, id)
		if err != nil {
			return fmt.Errorf("central: packet %s of the same number: %w", id, err)
		}
		if slices.Contains(o.Flags, FlagCopied) {
			continue
		}
		o.Flags = append(o.Flags, FlagCopied)
		if err := putPacket(tx, o); err != nil {
			return err
		}
	}
	st, err := getJSON[Station](tx, bktStations, []byte(p.Station))
	if err != nil {
		return fmt.Errorf("central: station of packet %s: %w", p.ID, err)
	}
	if st.CopiedAt.IsZero() {
		st.CopiedAt = s.now().UTC()
		if err := putJSON(tx, bktStations, []byte(st.ID), st); err != nil {
			return err
		}
	}
	s.log.Error("ALARM: two packets under one sequence number: a copied station", "station", p.Station, "seq", p.Seq, "packet", p.ID, "other", others[0])
	return appendAudit(tx, s.now(), "station:"+p.Station, "alarm.station_copied", p.Station,
		fmt.Sprintf("sequence %d: %s and %s", p.Seq, others[0], p.ID))
}

// shared reports whether another packet stands under the number of p.
func shared(tx *bolt.Tx, p Packet) bool {
	return len(suffixes(tx, bktSequences, seqOwner(p.Station, p.Seq), 2)) > 1
}

func putSequence(tx *bolt.Tx, p Packet) error {
	if err := tx.Bucket(bktSequences).Put(append(append(seqOwner(p.Station, p.Seq), 0), p.ID...), []byte{}); err != nil {
		return fmt.Errorf("central: note the number of packet %s: %w", p.ID, err)
	}
	return nil
}

// noteSequences fills in the numbers of packets that came before they were
// noted.
func noteSequences(tx *bolt.Tx) error {
	return tx.Bucket(bktPackets).ForEach(func(_, raw []byte) error {
		var p Packet
		if err := json.Unmarshal(raw, &p); err != nil {
			return fmt.Errorf("central: read packets: %w", err)
		}
		return putSequence(tx, p)
	})
}
