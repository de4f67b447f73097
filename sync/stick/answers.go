// Package stick carries what goes between a station and central on a USB
// stick where there is no network: sealed packets one way; acknowledgements,
// verdicts and the roster the other; requests to erase and what became of them. It is a transport and nothing more: every
// object on the stick is the one that would have travelled by network, with its
// signature, and counts for the same. A packet on a stick is not sent; it is
// sent when central's signed acknowledgement has come back.
//
// On the stick, below the directory that is given:
//
//	yunzhao/packets/STATION/SHA256.pkt    as they lie in the outbox (docs/packet.md)
//	yunzhao/packets/STATION/ID.erase      the station's signed request to erase a packet
//	yunzhao/answers/STATION.answers       for that station's eyes only
//
// Sticks are pulled out, filled up and lost. Files get their names only when
// they are whole and durable, what is there already is not written again, and
// the roster travels encrypted under a key that the station and central share.
package stick

import (
	"bufio"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Names on the stick.
const (
	dirRoot    = "yunzhao"
	dirPackets = "packets"
	dirAnswers = "answers"
	extPacket  = ".pkt"
	extErase   = ".erase"
	extAnswers = ".answers"
)

// PacketRoot is the directory on a stick that has one directory of packets for
// each station.
func PacketRoot(root string) string { return filepath.Join(root, dirRoot, dirPackets) }

// AnswersPath is the file on a stick with central's answers to a station.
func AnswersPath(root, station string) string {
	return filepath.Join(root, dirRoot, dirAnswers, station+extAnswers)
}

// Errors of reading answers.
var (
	// ErrAnswers means that the bytes are not answers to this station.
	ErrAnswers = errors.New("stick: not answers for this station, or damaged")
	// ErrTorn means that the file ends before its end: the stick was pulled out
	// while it was written, say. What came before is genuine.
	ErrTorn = errors.New("stick: the answers are not complete")
)

// The answers file: magic, a random file id, and records of
//
//	length (4 bytes, big endian) · nonce (24) · XChaCha20-Poly1305
//
// whose plaintext is one byte, 0 or for the last record 1, and a wire.Signed
// as JSON (none in the last). The additional data is the context, the file id
// and the record's number (8 bytes, big endian), so that records can be neither
// moved, doubled nor left out. The key is HKDF-SHA256 of the claim key that both
// sides know, with the station's id as salt and the context as info.
const (
	answersMagic   = "YZANS\x01\r\n"
	answersContext = "yunzhao/answers/1"
	fileIDBytes    = 16
	// maxRecord bounds one object: a roster page of a thousand students is 400 kB.
	maxRecord = 16 << 20

	kindObject = 0
	kindLast   = 1
)

func answersAEAD(claimKey []byte, station string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, claimKey, []byte(station), answersContext, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("stick: key of the answers: %w", err)
	}
	return chacha20poly1305.NewX(key)
}

func additional(id []byte, n uint64) []byte {
	b := append([]byte(answersContext), id...)
	return binary.BigEndian.AppendUint64(b, n)
}

// WriteAnswers encrypts signed objects for one station. claimKey is the
// station's, of 32 bytes.
func WriteAnswers(w io.Writer, claimKey []byte, station string, objects func(yield func(wire.Signed) error) error) error {
	aead, err := answersAEAD(claimKey, station)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	id := make([]byte, fileIDBytes)
	rand.Read(id) // never fails (crypto/rand)
	if _, err := out.WriteString(answersMagic + string(id)); err != nil {
		return fmt.Errorf("stick: write answers: %w", err)
	}
	n := uint64(0)
	record := func(kind byte, object []byte) error {
		plain := append([]byte{kind}, object...)
		defer clear(plain)
		sealed := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
		rand.Read(sealed) // likewise
		sealed = aead.Seal(sealed, sealed, plain, additional(id, n))
		if len(sealed) > maxRecord {
			return fmt.Errorf("stick: write answers: an object of %d bytes, limit %d", len(sealed), maxRecord)
		}
		n++
		_, err := out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed...))
		return err
	}
	err = objects(func(s wire.Signed) error {
		b, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("stick: encode answer: %w", err)
		}
		defer clear(b)
		return record(kindObject, b)
	})
	if err == nil {
		err = record(kindLast, nil)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("stick: write answers: %w", err)
	}
	return nil
}

// ReadAnswers hands out the objects in their order. They are whole and were
// encrypted by somebody with the claim key; that central signed them is for
// the caller to check. ErrTorn comes after the objects before the tear.
func ReadAnswers(r io.Reader, claimKey []byte, station string, each func(wire.Signed) error) error {
	aead, err := answersAEAD(claimKey, station)
	if err != nil {
		return err
	}
	in := bufio.NewReader(r)
	head := make([]byte, len(answersMagic)+fileIDBytes)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(answersMagic)]) != answersMagic {
		return ErrAnswers
	}
	id := head[len(answersMagic):]
	for n := uint64(0); ; n++ {
		sealed, err := readRecord(in)
		if err != nil {
			return err
		}
		if len(sealed) < aead.NonceSize() {
			return ErrAnswers
		}
		plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], additional(id, n))
		if err != nil || len(plain) == 0 || plain[0] > kindLast {
			return ErrAnswers
		}
		if plain[0] == kindLast {
			if _, err := in.ReadByte(); err != io.EOF {
				return ErrAnswers
			}
			return nil
		}
		var s wire.Signed
		err = json.Unmarshal(plain[1:], &s)
		clear(plain)
		if err != nil {
			return ErrAnswers
		}
		if err := each(s); err != nil {
			return err
		}
	}
}

func readRecord(in *bufio.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, torn(err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxRecord {
		return nil, ErrAnswers
	}
	// Read as it comes: a length that lies must not take memory.
	b, err := io.ReadAll(io.LimitReader(in, int64(n)))
	if err != nil {
		return nil, torn(err)
	}
	if len(b) < int(n) {
		return nil, ErrTorn
	}
	return b, nil
}

// torn tells a file that ends from a stick that cannot be read.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTorn
	}
	return fmt.Errorf("stick: read answers: %w", err)
}
