package config

import "fmt"

// Operator tells how staff reach their page. PINs are not settings: they are set
// with `yunzhao pin set`.
type Operator struct {
	IdleSeconds int    `toml:"idle_s"`     // the unlocked page closes after this long without a touch
	Corner      bool   `toml:"corner"`     // holding the station's name, top left, asks for the PIN
	Key         string `toml:"key"`        // so does this key, f1 to f12; "" = none
	ManualPIN   bool   `toml:"manual_pin"` // the manual checks are answered on the operator page only
	Checklist   bool   `toml:"checklist"`  // the first to unlock on a day finds the start-of-day checklist
}

// defaultOperator is a desk that staff share with the students.
func defaultOperator() Operator {
	return Operator{IdleSeconds: 90, Corner: true, Key: "f12", Checklist: true}
}

// OperatorKeys are the keys that may ask for the PIN.
func OperatorKeys() []string {
	keys := make([]string, 12)
	for i := range keys {
		keys[i] = fmt.Sprintf("f%d", i+1)
	}
	return keys
}
