package config

import (
	"fmt"

	"github.com/pelletier/go-toml/v2"
)

// Flat names every setting as the file does, "section.key", with its value.
func (c Config) Flat() (map[string]string, error) {
	data, err := toml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("config: write settings: %w", err)
	}
	var tree map[string]map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		return nil, fmt.Errorf("config: read settings: %w", err)
	}
	flat := map[string]string{}
	for section, values := range tree {
		for key, v := range values {
			flat[section+"."+key] = fmt.Sprint(v)
		}
	}
	return flat, nil
}
