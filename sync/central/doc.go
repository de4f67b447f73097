// Package central is the reference central server: the HTTP interface that
// stations speak (package wire, openapi.yaml), the page a student opens on a
// phone, and the pages of reviewers and administrators. One directory holds
// all of its state; one process owns that directory.
//
// It promises that whatever it has answered is on disk: an acknowledgement is
// signed only after the bytes and the index that name them are durable. It
// promises that an approved photo never changes, at the level of the store and
// not by the good manners of the handlers.
//
// Photos are kept as the sealed packets that stations sent and are decrypted
// in memory for the one request that shows them. No plain picture is written.
//
// It knows nothing of cameras, image processing or the booth: checks and
// reports reach it as JSON inside a packet's manifest.
//
// # Caveats
//
// One process, one directory: no replication. Students are encrypted at rest, but
// the key lies in the same directory: a stolen disk is readable unless it is
// encrypted itself. Open makes the directory readable for its owner only.
package central
