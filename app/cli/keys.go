package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/keys"
)

// envPassphrase unlocks the data key where nobody can type it.
const envPassphrase = "YUNZHAO_PASSPHRASE" //nolint:gosec // the name of a variable

// openKeys opens the keys of the station in dir, made and kept as its settings
// say.
func openKeys(dir string, cfg config.Config) (*keys.Store, error) {
	store, err := keys.OpenWith(filepath.Join(dir, keysDir), keys.Options{TPM: cfg.Keys.TPM, Protect: keys.Mode(cfg.Keys.Protect)})
	if err != nil {
		return nil, fmt.Errorf("本机密钥 / station keys: %w", err)
	}
	return store, nil
}

// keyWords says in one sentence why keys do not open and what to do about it.
func keyWords(err error) error {
	switch {
	case errors.Is(err, keys.ErrOtherTPM):
		return errors.New("密钥封存在另一台电脑的 TPM 里，这份数据在本机打不开：请放回原来的电脑；原机已坏或主板已换，见 docs/reliability.md“换了电脑” / the keys are sealed by the TPM of another computer and do not open here: put the data back on that computer; if it is broken or its board was changed, see \"another computer\" in docs/reliability.md")
	case errors.Is(err, keys.ErrNoTPM):
		return fmt.Errorf("密钥封存在 TPM 里，而本机的 TPM 用不了：请在 BIOS 里启用它，并让本用户能访问（加入 tss 组），再看设置 keys.tpm / the keys are sealed by a TPM, and this computer's cannot be used: enable it in the BIOS, let this user have it (group tss), see keys.tpm in the settings: %w", err)
	case errors.Is(err, keys.ErrNeedsPhrase):
		return errors.New("名单用口令保护：请在环境变量 " + envPassphrase + " 中给出口令，或在窗口里输入 / the roster is protected: give the passphrase in " + envPassphrase + ", or type it into the window")
	case errors.Is(err, keys.ErrPassphrase):
		return errors.New("口令不对 / the passphrase is wrong")
	case errors.Is(err, keys.ErrShortPhrase):
		return errors.New("口令至少 8 个字符 / a passphrase has at least 8 characters")
	}
	return fmt.Errorf("本机密钥 / station keys: %w", err)
}

// openDataKey unlocks what protects the roster, and makes it at the first start
// as the settings say. phrase is the start-of-day passphrase, where one is used.
func openDataKey(store *keys.Store, phrase string, log *slog.Logger) (*keys.DataKey, error) {
	key, err := store.DataKey(phrase)
	if errors.Is(err, keys.ErrNoDataKey) {
		key, err = store.CreateDataKey(phrase)
	}
	if err != nil {
		return nil, keyWords(err)
	}
	if mode, err := store.DataKeyMode(); err == nil && mode == keys.Plain {
		log.Warn("the data key lies on the disk in the clear, for demonstrations only: seal it with yunzhao key protect")
	}
	return key, nil
}

// doctorKeys tells how the keys are kept and whether they open here.
func doctorKeys(dir string) Finding {
	f := Finding{ID: "keys", Title: "密钥 / keys", Status: "ok"}
	cfg, err := config.Load(dir)
	if err != nil {
		cfg = config.Default() // that the settings are wrong is said in their own line
	}
	if _, err := os.Stat(filepath.Join(dir, keysDir)); errors.Is(err, fs.ErrNotExist) { // looking must not create anything
		f.Detail = "首次启动时创建 / made at the first start: keys.protect = " + cfg.Keys.Protect
		return f
	}
	store, err := openKeys(dir, cfg)
	if err != nil {
		f.Status, f.Detail, f.Fix = "fail", err.Error(), "检查权限 / check the permissions"
		return f
	}
	data, dataErr := store.DataKeyMode()
	if errors.Is(dataErr, keys.ErrNoDataKey) {
		data, dataErr = "–", nil
	}
	stationMode, stationErr := store.StationKeyMode()
	if errors.Is(stationErr, fs.ErrNotExist) {
		stationMode, stationErr = "–", nil
	}
	f.Detail = fmt.Sprintf("数据密钥 / data key: %s，站点密钥 / station key: %s", data, stationMode)
	if data == keys.TPM && dataErr == nil {
		_, dataErr = store.DataKey("")
	}
	if err := errors.Join(dataErr, stationErr); err != nil {
		f.Status, f.Fix = "fail", keyWords(err).Error()
		return f
	}
	tpm := store.CheckTPM()
	switch want := keys.Mode(cfg.Keys.Protect); {
	case want == keys.TPM && tpm != nil:
		f.Status, f.Fix = "fail", keyWords(tpm).Error()
	case want == keys.TPM && (data != keys.TPM || stationMode != keys.TPM), want == keys.Passphrase && data == keys.Plain:
		f.Status = "fail"
		f.Fix = fmt.Sprintf("设置要求 %s：yunzhao key protect --with %s / the settings ask for %s: run that", want, want, want)
	case (data == keys.Plain || stationMode == keys.Plain) && tpm == nil:
		f.Status = "warn"
		f.Fix = "有明文密钥，谁拿到磁盘谁就能读名单；本机有 TPM：yunzhao key protect --with tpm / a key lies in the clear: whoever has the disk reads the roster. This computer has a TPM: run that"
	case data == keys.Plain:
		f.Status = "warn"
		f.Fix = "数据密钥是明文，只适合演示：yunzhao key protect --with passphrase，或启用 BIOS 里的 TPM / the data key lies in the clear, which is for demonstrations: run that, or enable the TPM in the BIOS"
	}
	return f
}
