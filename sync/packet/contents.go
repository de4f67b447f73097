package packet

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"filippo.io/age"
)

// Names of the files inside, in their order.
const (
	FileManifest = "manifest.json"
	FileOriginal = "original.jpg"
	FilePortrait = "portrait.jpg"
	FileAudit    = "audit.jsonl"
)

// Contents is an opened packet.
type Contents struct {
	Header       Header
	Manifest     Manifest
	ManifestJSON []byte // as sealed, canonical
	Original     []byte
	Portrait     []byte
	Audit        []byte
}

// maxTarTrailer is what may follow the last file: padding and the two empty
// blocks, or the 10 KiB records that other writers of tar like to fill.
const maxTarTrailer = 10 << 10

// encrypt writes the tar of the four files through age.
func encrypt(recipients []age.Recipient, manifest []byte, in Input) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(manifest) + len(in.Original) + len(in.Portrait) + len(in.Audit) + 16<<10)
	enc, err := age.Encrypt(&out, recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypt for central: %w", err)
	}
	tw := tar.NewWriter(enc)
	for _, f := range []struct {
		name string
		data []byte
	}{
		{FileManifest, manifest}, {FileOriginal, in.Original}, {FilePortrait, in.Portrait}, {FileAudit, in.Audit},
	} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o600, Size: int64(len(f.data)), Format: tar.FormatUSTAR}
		if err := tw.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
		if _, err := tw.Write(f.data); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("encrypt for central: %w", err)
	}
	return out.Bytes(), nil
}

// Open decrypts and validates: the four files, their sizes against the header,
// their digests against the manifest, and the manifest's identity against the
// header. Verify must have succeeded on p before.
func (p *Packet) Open(identities ...age.Identity) (*Contents, error) {
	if !p.verified {
		return nil, ErrUnverified
	}
	r, err := age.Decrypt(bytes.NewReader(p.cipher), identities...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDecrypt, err)
	}
	s := p.Header.Sizes
	c := &Contents{Header: p.Header}
	tr := tar.NewReader(r)
	for _, f := range []struct {
		name string
		size uint32
		to   *[]byte
	}{
		{FileManifest, s.Manifest, &c.ManifestJSON},
		{FileOriginal, s.Original, &c.Original},
		{FilePortrait, s.Portrait, &c.Portrait},
		{FileAudit, s.Audit, &c.Audit},
	} {
		h, err := tr.Next()
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrContents, f.name, err)
		}
		if h.Typeflag != tar.TypeReg || h.Name != f.name || h.Size != int64(f.size) {
			return nil, fmt.Errorf("%w: want %s of %d bytes", ErrContents, f.name, f.size)
		}
		// The size is the header's, which is bounded, never the archive's own word.
		*f.to = make([]byte, f.size)
		if _, err := io.ReadFull(tr, *f.to); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrContents, f.name, err)
		}
	}
	if _, err := tr.Next(); err != io.EOF {
		return nil, fmt.Errorf("%w: more than four files", ErrContents)
	}
	// Reading to the end also makes age check its last block.
	trailer, err := io.ReadAll(io.LimitReader(r, maxTarTrailer+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDecrypt, err)
	}
	if len(trailer) > maxTarTrailer || len(bytes.Trim(trailer, "\x00")) != 0 {
		return nil, fmt.Errorf("%w: data after the archive", ErrContents)
	}
	if !isJPEG(c.Original) || !isJPEG(c.Portrait) {
		return nil, fmt.Errorf("%w: a photo is not a JPEG file", ErrContents)
	}
	m, err := ParseManifest(c.ManifestJSON)
	if err != nil {
		return nil, err
	}
	if err := m.matches(p.Header); err != nil {
		return nil, err
	}
	for _, d := range []struct {
		name string
		data []byte
		want string
	}{
		{FileOriginal, c.Original, m.Digests.Original},
		{FilePortrait, c.Portrait, m.Digests.Portrait},
		{FileAudit, c.Audit, m.Digests.Audit},
	} {
		if digest(d.data) != d.want {
			return nil, fmt.Errorf("%w: digest of %s", ErrContents, d.name)
		}
	}
	c.Manifest = m
	return c, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
