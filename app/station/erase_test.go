package station

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// The visit under way and the photo that was saved before are gone, on this
// machine and at central, and the student may be photographed anew.
func TestStaffEraseAStudent(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayNone)
	r.toReview(who)
	if v := r.submit(); v.State != booth.Done {
		t.Fatalf("not saved: %+v", v.Fault)
	}
	saved := r.box.List()[0]
	r.unlock("4071")
	r.st.Send(booth.EraseStudent{})
	r.wait("the outcome", func(v booth.View) bool {
		return v.State == booth.Idle && v.Operator != nil && v.Operator.Notice != nil && strings.Contains(v.Operator.Notice.EN, "1 photos are to be erased")
	})
	for _, event := range []string{"erase.asked", "erase.queued"} {
		if got := r.audited(event); len(got) != 1 || got[0].By != "operator" || got[0].Session == "" {
			t.Errorf("%s: %+v", event, got)
		}
	}
	if got := r.audited("erase.queued"); len(got) == 1 && got[0].Detail != saved.ID.String() {
		t.Errorf("%+v", got)
	}
	if err := r.up.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	e, err := r.box.Get(saved.ID)
	if err != nil || e.State != outbox.Purged || e.Reason != outbox.ReasonErased {
		t.Fatalf("%+v %v", e, err)
	}
	if list, err := r.box.Erasing(); err != nil || len(list) != 0 {
		t.Errorf("%d requests wait; %v", len(list), err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "outbox", "packets", saved.SHA256+".pkt")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still here: %v", err)
	}
	if l := r.roster.Local(who.Batch, who.Ref); l.Packet != "" {
		t.Errorf("the roster still knows the photo: %+v", l)
	}
	if found := r.leftovers(who); len(found) > 0 {
		t.Errorf("readable on disk: %s", strings.Join(found, ", "))
	}
	// Nothing keeps the student from another photo, which replaces none.
	st, err := r.roster.Student(who.Ref)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := r.roster.Batch(who.Batch)
	if rec := r.st.record(st, b); rec.Capture != "" && rec.Capture != "none" || rec.Supersedes != "" {
		t.Errorf("%q, replaces %q", rec.Capture, rec.Supersedes)
	}
}
