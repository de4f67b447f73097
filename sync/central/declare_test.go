package central

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// One station that announces and never sends takes nobody else's room, and what
// it sends makes room again.
func TestAStationsUnfinishedPacketsAreItsOwn(t *testing.T) {
	w := newWorld(t)
	w.s.unfinished = 3
	a, b := w.kiosk(), w.kiosk()
	idle := func(k *kiosk) int {
		t.Helper()
		k.seq++
		d := wire.Declared{ID: ulid.Make().String(), SHA256: fmt.Sprintf("%064x", k.seq), Size: 10, Seq: k.seq}
		body, err := json.Marshal(wire.DeclareRequest{Packets: []wire.Declared{d}})
		if err != nil {
			t.Fatal(err)
		}
		status, _ := k.do(k.request(http.MethodPost, "/v1/packets:declare", body, map[string]string{"Content-Type": "application/json"}))
		return status
	}
	p := a.seal(refOf(studentA(1)))
	a.declare(declared(p))
	for range 2 {
		if got := idle(a); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
	}
	if got := idle(a); got != http.StatusServiceUnavailable {
		t.Errorf("a fourth: status %d", got)
	}
	if got := idle(b); got != http.StatusOK {
		t.Errorf("another station: status %d", got)
	}
	a.send(p)
	if got := idle(a); got != http.StatusOK {
		t.Errorf("with room again: status %d", got)
	}
}
