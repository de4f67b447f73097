package central

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// stranger is a student whom the desk adds.
func stranger(batch string) wire.Provisional {
	return wire.Provisional{
		Ref: wire.ProvisionalPrefix + ulid.Make().String(), Batch: batch, Name: "测试外来", IDType: wire.IDResident,
		IDNumber: residentNumber(time.Date(2005, 3, 4, 0, 0, 0, 0, time.UTC), 777), Reason: "transfer", Operator: "li",
	}
}

// added seals a packet of p.
func added(p wire.Provisional) func(*shot) {
	return func(sh *shot) {
		sh.in.Manifest.Batch, sh.in.Manifest.Student.Ref, sh.in.Manifest.Student.Provisional = p.Batch, p.Ref, &p
	}
}

func TestCentralDecidesAboutAProvisionalStudent(t *testing.T) {
	for _, decision := range []string{DecideAccept, DecideMerge, DecideRefuse} {
		t.Run(decision, func(t *testing.T) {
			w := newWorld(t)
			k := w.kiosk()
			ctx := t.Context()
			p := stranger(DemoBatchFree)
			sealed := k.seal(DemoBatchFree+"/"+p.Ref, added(p))
			id := sealed.ID.String()
			k.send(sealed)
			if got := w.status(id); got != wire.VerdictInReview {
				t.Fatalf("the photo is %s", got)
			}
			list, err := w.s.Provisionals(ctx, DemoBatchFree)
			if err != nil || len(list) != 1 || list[0].Student.Ref != p.Ref || !slices.Equal(list[0].Packets, []string{id}) {
				t.Fatalf("%+v %v", list, err)
			}
			if err := w.s.Approve(ctx, id, "rev"); !errors.Is(err, ErrHeld) {
				t.Errorf("approved before it is decided: %v", err)
			}
			if err := w.s.Release(ctx, id, "rev"); !errors.Is(err, ErrHeld) {
				t.Errorf("a reviewer lifts what central decides: %v", err)
			}
			into := DemoBatchFree + "-001"
			for _, bad := range []string{"", "nobody", p.Ref, DemoBatchPaid + "-001"} {
				if err := w.s.DecideProvisional(ctx, p.Ref, DecideMerge, bad, "admin"); !errors.Is(err, ErrInvalid) {
					t.Errorf("merged into %q: %v", bad, err)
				}
			}
			if err := w.s.DecideProvisional(ctx, p.Ref, "maybe", "", "admin"); !errors.Is(err, ErrInvalid) {
				t.Errorf("an unknown decision: %v", err)
			}
			must(t, w.s.DecideProvisional(ctx, p.Ref, decision, into, "admin"))
			if err := w.s.DecideProvisional(ctx, p.Ref, decision, into, "admin"); !errors.Is(err, ErrState) {
				t.Errorf("decided twice: %v", err)
			}
			verdicts, _ := k.news()
			switch decision {
			case DecideAccept:
				if st := w.student(p.Ref); st.Provisional {
					t.Error("still provisional")
				}
				must(t, w.s.Approve(ctx, id, "rev"))
			case DecideMerge:
				if v := verdicts[id]; v.StudentRef != into || v.State != wire.VerdictInReview {
					t.Errorf("the station heard %+v", v)
				}
				must(t, w.s.Approve(ctx, id, "rev"))
				if st := w.student(into); st.Capture != wire.VerdictApproved {
					t.Errorf("the student of the roster is %q", st.Capture)
				}
			case DecideRefuse:
				if v := verdicts[id]; v.State != wire.VerdictRejected || v.Reason != reasonNotListed || v.NoteZH == "" {
					t.Errorf("the station heard %+v", v)
				}
			}
			if list, err := w.s.Provisionals(ctx, DemoBatchFree); err != nil || len(list) != 0 {
				t.Errorf("still open: %+v %v", list, err)
			}
		})
	}
}

func TestWhatIsNoProvisionalStudentIsRefused(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	for name, change := range map[string]func(*wire.Provisional){
		"a ref of central's making": func(p *wire.Provisional) { p.Ref = "stu-made-up" },
		"other batch":               func(p *wire.Provisional) { p.Batch = DemoBatchPaid },
		"no reason":                 func(p *wire.Provisional) { p.Reason = "" },
		"no name":                   func(p *wire.Provisional) { p.Name = " " },
		"a number that is none":     func(p *wire.Provisional) { p.IDNumber = "370899200502307777" },
		"no kind":                   func(p *wire.Provisional) { p.IDType = "" },
	} {
		t.Run(name, func(t *testing.T) {
			p := stranger(DemoBatchFree)
			change(&p)
			ack := k.send(k.seal(DemoBatchFree+"/"+p.Ref, added(p), func(sh *shot) { sh.in.Manifest.Batch = DemoBatchFree }))
			if _, acks := k.news(); acks[ack.ID].Stage != wire.AckRefused {
				t.Errorf("%+v", acks[ack.ID])
			}
		})
	}
}

func TestALikenessIsPointedOut(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := stranger(DemoBatchFree)
	p.Name = "测 试 乙一" // of the roster, as somebody else writes it
	k.send(k.seal(DemoBatchFree+"/"+p.Ref, added(p)))
	list, err := w.s.Provisionals(t.Context(), DemoBatchFree)
	if err != nil || len(list) != 1 || len(list[0].Like) != 1 || list[0].Like[0].Ref != DemoBatchFree+"-001" {
		t.Errorf("%+v %v", list, err)
	}
}
