package wire

import (
	"crypto/ed25519"
	"time"
)

// Types of the erasure's signed payloads. TypeErase is the only envelope that a
// station signs; its key is another than central's, so neither passes for the
// other.
const (
	TypeErase  = "erase"  // station → central
	TypeErased = "erased" // central → station
)

// DeclareErased answers for a packet that was erased at its station's request:
// its bytes are never taken again.
const DeclareErased = "erased"

// EraseRequest is what a student's wish to be erased comes to: one packet,
// named by what central was or would be told of it. No student data. It travels
// in a [Signed] with TypeErase under the station's key and its id as KeyID.
type EraseRequest struct {
	StationID string    `json:"station_id"`
	Packet    Declared  `json:"packet"`
	At        time.Time `json:"at"` // when the student asked, by the station's clock
}

// States of an erasure.
const (
	EraseDone   = "erased" // the photo and what named the student are gone; the id is refused from now on
	EraseDecide = "decide" // the photo is approved: a person at central must decide; ask again
	EraseKept   = "kept"   // that person decided that the photo stays
)

// Erased answers an EraseRequest, signed with TypeErased.
type Erased struct {
	StationID string    `json:"station_id"`
	ID        string    `json:"id"`
	SHA256    string    `json:"sha256"`
	State     string    `json:"state"`
	At        time.Time `json:"at"`
}

// SignErase makes a station's request to erase one of its packets.
func SignErase(key ed25519.PrivateKey, station string, packet Declared, at time.Time) (Signed, error) {
	return Sign(key, station, TypeErase, EraseRequest{StationID: station, Packet: packet, At: at.UTC()})
}
