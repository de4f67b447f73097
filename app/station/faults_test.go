package station

import (
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
)

// TestEveryRefusalOfTheOutboxHasAPage: the codes are the outbox's, the words of
// the pages the booth's, and nothing else joins them.
func TestEveryRefusalOfTheOutboxHasAPage(t *testing.T) {
	pages := map[string]bool{}
	for _, f := range booth.Faults() {
		pages[f.Code] = true
	}
	for _, code := range []string{
		outbox.RefuseDisk, outbox.RefuseCount, outbox.RefuseAge, outbox.RefuseWrite, outbox.RefuseIndex, outbox.RefuseUnknown,
	} {
		if !pages[code] {
			t.Errorf("no page for %q", code)
		}
	}
}
