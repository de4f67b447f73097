package central

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestControlExportsWhatWasSealed(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := k.seal(studentA(1))
	k.send(p)
	stop, err := w.s.StartControl(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenControl(t.Context(), w.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}

	var stored, file Extract
	if err := c.Do(t.Context(), http.MethodGet, "/packets/"+p.ID.String(), "", nil, &stored); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), http.MethodPost, "/open", "application/octet-stream", p.Bytes, &file); err != nil {
		t.Fatal(err)
	}
	var m packet.Manifest
	if err := json.Unmarshal(stored.Manifest, &m); err != nil || m.PacketID != p.ID.String() || !bytes.Equal(stored.Portrait, file.Portrait) || len(stored.Original) == 0 {
		t.Fatalf("%+v %v", m, err)
	}
	bad := bytes.Clone(p.Bytes)
	bad[len(bad)-1] ^= 1
	if err := c.Do(t.Context(), http.MethodPost, "/open", "", bad, &file); err == nil {
		t.Fatal("a changed packet was opened")
	}
	trail, err := w.s.AuditTrail(t.Context(), 2)
	if err != nil || trail[0].Action != "packet.exported" || trail[0].Actor != actorCLI || trail[1].Action != "packet.exported" {
		t.Fatalf("%+v %v", trail, err)
	}
	var st []Station
	if err := c.Do(t.Context(), http.MethodGet, "/stations", "", nil, &st); err != nil || len(st) != 1 || st[0].ClaimKey != nil || st[0].ReceiptKey != nil {
		t.Fatalf("the stations' keys leave the server: %v", err)
	}
	if err := errors.Join(c.Close(), stop()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenControl(t.Context(), w.dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("a server without its socket: %v", err)
	}
}

func TestDemoIsTheSameEveryTimeAndNeverMixesWithRealData(t *testing.T) {
	w := newWorld(t)
	again, err := w.s.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Students) != len(w.demo.Students) || again.EnrolCode == w.demo.EnrolCode || again.ReviewerPassword == w.demo.ReviewerPassword {
		t.Fatalf("second call: %d students", len(again.Students))
	}
	for i, s := range again.Students {
		if s != w.demo.Students[i] {
			t.Fatalf("student %d differs", i)
		}
	}
	b, err := w.s.Batches(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b[0].ID = "real"
	if err := w.s.PutBatch(t.Context(), b[0], "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.SeedDemo(t.Context()); !errors.Is(err, ErrNotDemo) {
		t.Fatal(err)
	}
}

func TestMoreDemoStudentsAreOnTheListWithoutAFee(t *testing.T) {
	w := newWorld(t)
	more, err := w.s.AddDemoStudents(t.Context(), 120)
	if err != nil || len(more) != 120 {
		t.Fatalf("%d students, %v", len(more), err)
	}
	all, err := w.s.Students(t.Context(), DemoBatchFree)
	if err != nil || len(all) != 18+120 {
		t.Fatalf("%d students on the list, %v", len(all), err)
	}
	numbers := map[string]bool{}
	for _, s := range append(all, w.demo.Students...) {
		if s.IDType == wire.IDResident && roster.ValidResidentID(s.IDNumber) != nil {
			t.Errorf("%s: a number that does not check", s.Name)
		}
		numbers[s.IDNumber] = true
	}
	if want := len(w.demo.Students) - 1 + 120; len(numbers) != want { // one student is there twice
		t.Errorf("%d different numbers, want %d", len(numbers), want)
	}
	for _, n := range []int{-1, 600} {
		if _, err := w.s.AddDemoStudents(t.Context(), n); !errors.Is(err, ErrInvalid) {
			t.Errorf("%d more: %v", n, err)
		}
	}
}

// TestContrast holds the style sheet to 7:1 (WCAG 2.2, level AAA) for every
// pair of text and ground that it uses.
func TestContrast(t *testing.T) {
	css, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string]float64{"white": 1}
	for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllSubmatch(css, -1) {
		v, err := strconv.ParseUint(string(m[2]), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		linear := func(c uint64) float64 {
			x := float64(c&255) / 255
			if x <= 0.04045 {
				return x / 12.92
			}
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		colours[string(m[1])] = 0.2126*linear(v>>16) + 0.7152*linear(v>>8) + 0.0722*linear(v)
	}
	for _, pair := range [][2]string{
		{"ink", "bg"},
		{"ink", "card"},
		{"muted", "bg"},
		{"muted", "card"},
		{"blue", "card"},
		{"blue", "bg"},
		{"blue", "blue-soft"},
		{"white", "blue"},
		{"green", "card"},
		{"green", "green-soft"},
		{"white", "green"},
		{"red", "card"},
		{"red", "red-soft"},
		{"white", "red"},
		{"amber", "amber-soft"},
		{"muted", "blue-soft"},
	} {
		a, ok1 := colours[pair[0]]
		b, ok2 := colours[pair[1]]
		if !ok1 || !ok2 {
			t.Fatalf("no colour %v", pair)
		}
		if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 7 {
			t.Errorf("%s on %s: %.2f, want at least 7", pair[0], pair[1], ratio)
		}
	}
}
