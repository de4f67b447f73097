package station

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/durable"
)

// settingsFile keeps the settings that the station last ran with, so that a
// change made while it stood still comes on record at the next start.
const settingsFile = "settings.last.json"

// noteSettings writes into the audit log which settings have changed since the
// last start; their values are in the settings file.
func (s *Station) noteSettings() error {
	now, err := s.p.Config.Flat()
	if err != nil {
		return fmt.Errorf("station: settings: %w", err)
	}
	path := filepath.Join(s.p.DataDir, settingsFile)
	var before map[string]string
	data, err := durable.ReadFile(path, 1<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the first start
	case err != nil:
		return fmt.Errorf("station: settings: %w", err)
	default:
		if json.Unmarshal(data, &before) != nil {
			s.note("", "settings.changed", "what was there before cannot be read")
		} else if changed := changedSettings(before, now); len(changed) > 0 {
			s.note("", "settings.changed", strings.Join(changed, ", "))
		}
	}
	again, err := json.Marshal(now)
	if err == nil && string(again) != string(data) {
		err = durable.WriteFile(path, again)
	}
	if err != nil {
		return fmt.Errorf("station: settings: %w", err)
	}
	return nil
}

// changedSettings are the names of those that differ, in order.
func changedSettings(before, now map[string]string) []string {
	var out []string
	for key, v := range now {
		if old, ok := before[key]; !ok || old != v {
			out = append(out, key)
		}
	}
	for key := range before {
		if _, ok := now[key]; !ok {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}
