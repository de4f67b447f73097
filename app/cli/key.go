package cli

import (
	"bufio"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/keys"
)

// KeyCmd groups what is done with this computer's keys.
type KeyCmd struct {
	Show    KeyShowCmd    `cmd:"" help:"密钥怎样保管 / How the keys are kept."`
	Protect KeyProtectCmd `cmd:"" help:"换一种方式保管密钥 / Keep the keys in another way."`
}

// KeyShowCmd tells how the keys are kept.
type KeyShowCmd struct {
	DataFlag `embed:""`
	JSON     bool `help:"JSON." name:"json"`
}

// keyState is the command's answer.
type keyState struct {
	Data        keys.Mode `json:"data_key"`
	Station     keys.Mode `json:"station_key"`
	Fingerprint string    `json:"fingerprint"` // of the station's public key
}

// Run prints it.
func (c KeyShowCmd) Run(s *streams) error {
	store, err := c.openedKeys(s)
	if err != nil {
		return err
	}
	st, err := stateOf(store)
	if err != nil {
		return keyWords(err)
	}
	if c.JSON {
		return json.NewEncoder(s.out).Encode(st)
	}
	_, err = fmt.Fprintf(s.out, "数据密钥 / data key     %s\n站点密钥 / station key  %s\n公钥指纹 / fingerprint  %s\n", st.Data, st.Station, st.Fingerprint)
	return err
}

func stateOf(store *keys.Store) (keyState, error) {
	var st keyState
	key, err := store.StationKey()
	if err != nil {
		return st, err
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return st, errors.New("station key: not Ed25519")
	}
	st.Fingerprint = keys.Fingerprint(public)
	if st.Station, err = store.StationKeyMode(); err != nil {
		return st, err
	}
	if st.Data, err = store.DataKeyMode(); errors.Is(err, keys.ErrNoDataKey) {
		st.Data, err = "–", nil
	}
	return st, err
}

// openedKeys opens the keys of a directory that has some.
func (d DataFlag) openedKeys(s *streams) (*keys.Store, error) {
	dir, err := d.dir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, keysDir, "station.key")); err != nil { // looking must not make one
		fmt.Fprintf(s.err, "%s 不是云照站的数据目录 / is not a station's data directory\n", dir)
		return nil, exitError(exitUsage)
	}
	cfg, err := config.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("设置有误 / wrong settings: %w", err)
	}
	return openKeys(dir, cfg)
}

// KeyProtectCmd keeps the same keys in another way.
type KeyProtectCmd struct {
	DataFlag `embed:""`
	With     string `help:"tpm（本机 TPM）、passphrase（开工口令，从标准输入读一行）或 plain（明文，仅演示）/ tpm, passphrase (one line from standard input) or plain (in the clear, demonstrations only)." enum:"tpm,passphrase,plain" required:""`
}

// Run seals the keys anew; nothing that they protect changes.
func (c KeyProtectCmd) Run(s *streams) error {
	f, err := c.hold(s)
	if err != nil {
		return err
	}
	defer func() { _ = f.lock.Unlock() }()
	store, err := c.openedKeys(s)
	if err != nil {
		return err
	}
	mode, phrase := keys.Mode(c.With), ""
	if mode == keys.Passphrase {
		line, err := bufio.NewReader(io.LimitReader(s.in, 1024)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("口令没有读到 / read the passphrase: %w", err)
		}
		phrase = strings.TrimRight(line, "\r\n")
	}
	// The data key first: it is the one that may be refused.
	err = store.ProtectData(os.Getenv(envPassphrase), mode, phrase)
	if errors.Is(err, keys.ErrNoDataKey) {
		err = nil // made at the first start, as the settings say
	}
	if err == nil && mode != keys.Passphrase {
		err = store.ProtectStation(mode)
	}
	if err != nil {
		return keyWords(err)
	}
	if err := f.note(s, "key.protected", c.With); err != nil {
		return err
	}
	st, err := stateOf(store)
	if err != nil {
		return keyWords(err)
	}
	_, err = fmt.Fprintf(s.out, "数据密钥 / data key: %s，站点密钥 / station key: %s\n", st.Data, st.Station)
	return err
}
