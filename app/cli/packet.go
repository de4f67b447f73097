package cli

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// PacketCmd looks at packet files from outside: what the station itself cannot
// open, nobody opens here.
type PacketCmd struct {
	Inspect PacketInspectCmd `cmd:"" help:"显示照片包的公开部分 / Show what a packet says to everybody."`
	Verify  PacketVerifyCmd  `cmd:"" help:"核对照片包的签名 / Check a packet's signature."`
}

// PacketInspectCmd shows the header of a packet file.
type PacketInspectCmd struct {
	File string `arg:"" help:"照片包文件 / The packet file." type:"existingfile"`
	JSON bool   `help:"JSON." name:"json"`
}

// packetInfo is what anyone may know of a packet.
type packetInfo struct {
	ID         string    `json:"id"`
	Version    int       `json:"version"`
	Station    string    `json:"station"`
	Seq        uint64    `json:"seq"`
	Spec       string    `json:"spec"`
	Created    time.Time `json:"created"`
	Supersedes string    `json:"supersedes,omitempty"`
	SHA256     string    `json:"sha256"`
	Size       int64     `json:"size"`
	Manifest   uint32    `json:"manifest_bytes"`
	Original   uint32    `json:"original_bytes"`
	Portrait   uint32    `json:"portrait_bytes"`
	Audit      uint32    `json:"audit_bytes"`
}

// Run prints it. It proves nothing about who made the file: that is verify's.
func (c PacketInspectCmd) Run(s *streams) error {
	p, err := readPacketFile(c.File)
	if err != nil {
		fmt.Fprintf(s.err, "这不是完整的照片包 / not a whole packet: %v\n", err)
		return exitError(exitUsage)
	}
	h := p.Header
	info := packetInfo{
		ID: h.ID.String(), Version: h.Version, Station: h.Station, Seq: h.Seq, Spec: h.Spec, Created: h.Created(),
		SHA256: p.SHA256, Size: p.Size,
		Manifest: h.Sizes.Manifest, Original: h.Sizes.Original, Portrait: h.Sizes.Portrait, Audit: h.Sizes.Audit,
	}
	if h.Supersedes != nil {
		info.Supersedes = h.Supersedes.String()
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(info)
	}
	fmt.Fprintf(s.out, "编号 / id          %s\n版本 / version     %d\n站点 / station     %s\n序号 / sequence    %d\n规格 / spec        %s\n时间 / created     %s\n",
		info.ID, info.Version, info.Station, info.Seq, info.Spec, info.Created.Format(time.RFC3339))
	if info.Supersedes != "" {
		fmt.Fprintf(s.out, "替代 / supersedes  %s\n", info.Supersedes)
	}
	_, err = fmt.Fprintf(s.out, "大小 / size        %d\nSHA-256            %s\n内含 / inside      manifest %d, original %d, portrait %d, audit %d\n",
		info.Size, info.SHA256, info.Manifest, info.Original, info.Portrait, info.Audit)
	return err
}

// PacketVerifyCmd checks a packet file against a station's key.
type PacketVerifyCmd struct {
	DataFlag `embed:""`
	File     string `arg:"" help:"照片包文件 / The packet file." type:"existingfile"`
	Key      string `help:"站点公钥（64 位十六进制）；缺省用本机的 / The station's public key, 64 hex digits (default: this station's)." placeholder:"HEX"`
}

// Run says whether the packet is as that station signed it.
func (c PacketVerifyCmd) Run(s *streams) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	p, err := readPacketFile(c.File)
	if err != nil {
		fmt.Fprintf(s.err, "这不是完整的照片包 / not a whole packet: %v\n", err)
		return exitError(exitUsage)
	}
	if err := p.Verify(key); err != nil {
		fmt.Fprintf(s.out, "✗ %s 签名不符：内容被改动，或不是这台站点的 / the signature does not fit: changed, or of another station\n", p.Header.ID)
		return exitError(exitFailed)
	}
	_, err = fmt.Fprintf(s.out, "✓ %s %s\n", p.Header.ID, p.SHA256)
	return err
}

// key is the given one, or that of the station in the data directory.
func (c PacketVerifyCmd) key() (ed25519.PublicKey, error) {
	if c.Key != "" {
		b, err := hex.DecodeString(c.Key)
		if err != nil || len(b) != ed25519.PublicKeySize {
			return nil, errors.New("--key：应为 64 位十六进制公钥 / must be a public key of 64 hex digits")
		}
		return b, nil
	}
	dir, cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, keysDir, "station.key")); err != nil { // looking must not make one
		return nil, fmt.Errorf("%s 没有站点密钥，请用 --key / has no station key: give one with --key", dir)
	}
	store, err := openKeys(dir, cfg)
	if err != nil {
		return nil, err
	}
	key, err := store.StationKey()
	if err != nil {
		return nil, keyWords(err)
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("station key: not Ed25519")
	}
	return public, nil
}

func readPacketFile(path string) (*packet.Packet, error) {
	b, err := durable.ReadFile(path, int64(packet.MaxSize))
	if err != nil {
		return nil, err
	}
	return packet.Parse(b)
}
