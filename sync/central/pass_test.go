package central

import (
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/claim"
)

func TestThePhoneShowsAPassOfItsStudent(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	st := w.student(refOf(studentA(1)))
	b := w.browser()

	b.want(200, b.get("/k/"+k.token(ulid.Make(), time.Hour)))
	b.get("/m/pass.png") // a phone that has told nobody's name
	b.want(200, b.get("/m/"))
	b.want(200, b.identify(st), "/m/pass.png")
	text := codeOn(t, b, "/m/pass.png")
	p, err := claim.OpenPass(text, k.info.CentralKey, w.clock.now())
	if err != nil || p.Ref != st.Ref || p.Batch != st.Batch {
		t.Fatalf("%+v %v", p, err)
	}
	if strings.Contains(text, st.Name) || strings.Contains(text, st.IDNumber) {
		t.Error("the pass names its student")
	}
	if codeOn(t, b, "/m/pass.png") == text {
		t.Error("two looks show the same pass: the second visit could not use it")
	}
}
