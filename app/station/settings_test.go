package station

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/config"
)

func TestChangedSettingsAreOnRecord(t *testing.T) {
	dir := t.TempDir()
	start := func(c config.Config) string {
		t.Helper()
		key, _ := auditKey()
		a, err := openAudit(dir, key, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		s := &Station{p: Params{DataDir: dir, Config: c}, audit: a, log: slog.New(slog.DiscardHandler)}
		if err := s.noteSettings(); err != nil {
			t.Fatal(err)
		}
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(filepath.Join(dir, auditFile))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		return lines[len(lines)-1]
	}
	c := config.Default()
	if last := start(c); last != "" {
		t.Fatalf("the first start is on record as a change: %s", last)
	}
	if last := start(c); last != "" {
		t.Fatalf("nothing changed and yet: %s", last)
	}
	c.Operator.IdleSeconds, c.Station.Name = 30, "东门一号"
	if last := start(c); !strings.Contains(last, `"settings.changed","detail":"operator.idle_s, station.name"`) {
		t.Errorf("%s", last)
	}
	n := strings.Count(start(c), "settings.changed")
	if last := start(c); n != 1 || strings.Count(last, "settings.changed") != 1 {
		t.Errorf("told again: %s", last)
	}
	writeFile(t, filepath.Join(dir, settingsFile), []byte("{"))
	if last := start(c); !strings.Contains(last, "cannot be read") {
		t.Errorf("%s", last)
	}
	if st, err := os.Stat(filepath.Join(dir, settingsFile)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if got := changedSettings(map[string]string{"a.b": "1", "gone.key": "1"}, map[string]string{"a.b": "1", "new.key": "1"}); strings.Join(got, " ") != "gone.key new.key" {
		t.Errorf("%v", got)
	}
}
