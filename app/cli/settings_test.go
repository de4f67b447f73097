package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/keys"
)

func TestSettingsFromTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	store, err := keys.Open(filepath.Join(dir, keysDir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.StationKey(); err != nil {
		t.Fatal(err)
	}
	do := func(want int, says string, args ...string) string {
		t.Helper()
		code, out, errs := yunzhao(t, append([]string{"settings"}, append(args, "--data", dir)...)...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Fatalf("%v: exit %d, %s%s", args, code, out, errs)
		}
		return out
	}
	var list []settingLine
	if err := json.Unmarshal([]byte(do(0, "", "list", "--json")), &list); err != nil || len(list) != len(config.Settings()) {
		t.Fatalf("%d settings, %v", len(list), err)
	}
	do(0, "音量", "list")
	do(0, "changed: sound.volume", "set", "sound.volume", "30")
	do(0, "nothing changed", "set", "sound.volume", "30")
	do(1, "must be between 0 and 100", "set", "sound.volume", "300")
	do(1, "there is no such setting", "set", "sound.colour", "1")
	file := filepath.Join(t.TempDir(), config.ExportName)
	do(0, "", "export", file)
	do(0, "", "set", "sound.volume", "90")
	do(0, "changed: sound.volume", "import", file)
	if c, err := config.Load(dir); err != nil || c.Sound.Volume != 30 {
		t.Errorf("%+v %v", c.Sound, err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "audit.jsonl"))
	if err != nil || strings.Count(string(log), "settings.set") != 3 {
		t.Errorf("%d changes on record, %v", strings.Count(string(log), "settings.set"), err)
	}
}
