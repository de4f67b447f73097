package central

import (
	"net/url"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestProvisionalStudentsAreDecidedOnAPage(t *testing.T) {
	for decision, want := range map[string]string{DecideAccept: wire.VerdictInReview, DecideMerge: wire.VerdictInReview, DecideRefuse: wire.VerdictRejected} {
		t.Run(decision, func(t *testing.T) {
			w := newWorld(t)
			k := w.kiosk()
			admin := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
			admin.want(200, admin.get("/admin/provisional"), "没有待决定的学生")
			known := w.student(DemoBatchFree + "-001")
			p := stranger(DemoBatchFree)
			p.Name = known.Name
			sealed := k.seal(DemoBatchFree+"/"+p.Ref, added(p))
			k.send(sealed)
			id := sealed.ID.String()

			admin.want(200, admin.get("/admin/provisional"), p.Name, p.IDNumber, "转入", "li", `value="`+known.Ref+`"`, "号码不同", "姓名相同", "/review/"+id)
			if strings.Contains(admin.page, w.student(DemoBatchFree+"-002").IDNumber) {
				t.Error("the page shows a student whom it cannot be")
			}
			// The review sends people here, and offers nothing that central must decide.
			admin.want(200, admin.get("/review/"+id), "/admin/provisional")
			admin.lacks(`action="/review/`+id+`/release"`, `action="/review/`+id+`/approve"`)

			admin.get("/admin/provisional")
			admin.want(422, admin.post("/admin/provisional/"+p.Ref, url.Values{"decision": {"maybe"}}))
			admin.want(422, admin.post("/admin/provisional/"+p.Ref, url.Values{"decision": {DecideMerge}, "into": {"nobody"}}))
			admin.want(200, admin.post("/admin/provisional/"+p.Ref, url.Values{"decision": {decision}, "into": {known.Ref}}), "没有待决定的学生")
			if got := w.status(id); got != want {
				t.Errorf("the photo is %s, want %s", got, want)
			}
			admin.want(422, admin.post("/admin/provisional/"+p.Ref, url.Values{"decision": {decision}, "into": {known.Ref}}))
			if got := w.said("provisional."+decision, p.Ref); len(got) != 1 || got[0] != w.demo.ReviewerUser {
				t.Errorf("on record: %v", got)
			}
			if len(w.said("provisional.viewed", "")) == 0 {
				t.Error("who looked is not on record")
			}
			row, err := w.s.Packet(t.Context(), id)
			must(t, err)
			if ref := map[string]string{DecideAccept: p.Ref, DecideMerge: known.Ref, DecideRefuse: p.Ref}[decision]; row.StudentRef != ref {
				t.Errorf("the photo is of %s, want %s", row.StudentRef, ref)
			}
		})
	}
	w := newWorld(t)
	reviewer := w.staffOf(RoleReviewer, "anna")["anna"]
	reviewer.want(403, reviewer.get("/admin/provisional"))
}
