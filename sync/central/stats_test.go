package central

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// counted is a tally without the waits, which are compared by themselves.
type counted struct{ captured, received, refused, approved, rejected, waiting int }

func count(t tally) counted {
	return counted{t.Captured, t.Received, t.Refused, t.Approved, t.Rejected, t.Waiting}
}

func (w *world) statistics(u User, q statQuery) (st *statistics) {
	w.t.Helper()
	err := w.s.view(w.t.Context(), func(tx *bolt.Tx) (err error) {
		st, err = w.s.statistics(tx, u, q)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// twoDays is a day with three photos of one batch and one of the other, of
// which two are decided, and a second day with one decision and a refused packet.
func twoDays(t *testing.T) (w *world, first, second *kiosk) {
	w = newWorld(t)
	first, second = w.kiosk(), w.kiosk()
	free := fmt.Sprintf("%s/%s-%03d", DemoBatchFree, DemoBatchFree, 1)
	var ids []string
	for _, ref := range []string{studentA(1), studentA(2), studentA(3)} {
		p := first.seal(ref)
		first.send(p)
		ids = append(ids, p.ID.String())
	}
	p := second.seal(free)
	second.send(p)
	w.clock.add(time.Hour)
	if err := w.s.Approve(t.Context(), ids[0], "wang"); err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Hour)
	if err := w.s.Reject(t.Context(), ids[1], "wang", "blur", ""); err != nil {
		t.Fatal(err)
	}
	w.clock.add(24 * time.Hour)
	if err := w.s.Reject(t.Context(), p.ID.String(), "li", "eyes", ""); err != nil {
		t.Fatal(err)
	}
	bad := first.seal(studentA(4), func(s *shot) { s.in.Manifest.Student.Ref = "nobody" })
	first.send(bad)
	return w, first, second
}

func TestStatistics(t *testing.T) {
	w, first, second := twoDays(t)
	admin := User{Name: "root", Roles: []string{RoleAdmin}}
	both := []string{DemoBatchPaid, DemoBatchFree}
	for _, tc := range []struct {
		name      string
		user      User
		query     statQuery
		total     counted
		batches   map[string]counted
		stations  map[string]counted
		reviewers map[string]counted
		reasons   []string
		median    time.Duration
		days      int
	}{
		{
			"an administrator sees everything", admin,
			statQuery{},
			counted{4, 5, 1, 1, 2, 1},
			map[string]counted{DemoBatchPaid: {3, 3, 0, 1, 1, 1}, DemoBatchFree: {1, 1, 0, 0, 1, 0}},
			map[string]counted{first.info.StationID: {3, 4, 1, 1, 1, 1}, second.info.StationID: {1, 1, 0, 0, 1, 0}},
			map[string]counted{"wang": {approved: 1, rejected: 1}, "li": {rejected: 1}},
			[]string{"blur", "eyes"},
			2 * time.Hour, 90,
		},
		{
			"today alone, and what waits from before", admin,
			statQuery{days: 1},
			counted{0, 1, 1, 0, 1, 1},
			map[string]counted{DemoBatchPaid: {waiting: 1}, DemoBatchFree: {rejected: 1}},
			map[string]counted{first.info.StationID: {received: 1, refused: 1, waiting: 1}, second.info.StationID: {rejected: 1}},
			map[string]counted{"li": {rejected: 1}},
			[]string{"eyes"},
			26 * time.Hour, 1,
		},
		{
			"a reviewer sees the own batches and the own work",
			User{Name: "wang", Roles: []string{RoleReviewer}, Batches: []string{DemoBatchPaid}},
			statQuery{days: 7},
			counted{3, 3, 0, 1, 1, 1},
			map[string]counted{DemoBatchPaid: {3, 3, 0, 1, 1, 1}},
			map[string]counted{first.info.StationID: {3, 3, 0, 1, 1, 1}},
			map[string]counted{"wang": {approved: 1, rejected: 1}},
			[]string{"blur"},
			time.Hour, 7,
		},
		{
			"one batch",
			User{Name: "wang", Roles: []string{RoleReviewer}, Batches: both},
			statQuery{batch: DemoBatchFree},
			counted{1, 1, 0, 0, 1, 0},
			map[string]counted{DemoBatchFree: {1, 1, 0, 0, 1, 0}},
			map[string]counted{second.info.StationID: {1, 1, 0, 0, 1, 0}},
			map[string]counted{},
			[]string{"eyes"},
			26 * time.Hour, 90,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := w.statistics(tc.user, tc.query)
			if got := count(st.Total); got != tc.total {
				t.Errorf("total %+v, want %+v", got, tc.total)
			}
			for _, part := range []struct {
				name string
				rows []*statRow
				want map[string]counted
			}{{"batches", st.Batches, tc.batches}, {"stations", st.Stations, tc.stations}, {"reviewers", st.Reviewers, tc.reviewers}} {
				got := map[string]counted{}
				for _, r := range part.rows {
					got[r.Key] = count(r.tally)
				}
				if !reflect.DeepEqual(got, part.want) {
					t.Errorf("%s %+v, want %+v", part.name, got, part.want)
				}
			}
			var want []statCount
			for _, code := range tc.reasons {
				zh, en := reasonText(code)
				want = append(want, statCount{zh, en, 1})
			}
			for _, c := range want {
				found := false
				for _, g := range st.Reasons {
					found = found || g == c
				}
				if !found {
					t.Errorf("reasons %+v lack %+v", st.Reasons, c)
				}
			}
			if len(st.Reasons) != len(want) {
				t.Errorf("reasons %+v, want %+v", st.Reasons, want)
			}
			if got := st.Total.Waits.Quantile(0.5); got != tc.median {
				t.Errorf("median wait %s, want %s", got, tc.median)
			}
			if len(st.Days) != tc.days {
				t.Errorf("%d days, want %d", len(st.Days), tc.days)
			}
			spread, received := 0, 0
			for _, c := range st.Spread {
				spread += c.N
			}
			if want := tc.total.approved + tc.total.rejected; spread != want {
				t.Errorf("the spread has %d waits, want %d", spread, want)
			}
			for _, d := range st.Days {
				received += d.Received
			}
			if received != tc.total.received {
				t.Errorf("the days received %d, want %d", received, tc.total.received)
			}
		})
	}
	if st := w.statistics(admin, statQuery{}); st.Oldest != 26*time.Hour {
		t.Errorf("the oldest has waited %s", st.Oldest)
	}
}

func TestStatisticsPage(t *testing.T) {
	w, _, _ := twoDays(t)
	if err := w.s.PutUser(t.Context(), "wang", "a long password", []string{RoleReviewer}, []string{DemoBatchPaid}, "test"); err != nil {
		t.Fatal(err)
	}
	admin := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	admin.want(200, admin.get("/stats"), "统计", "<svg", "照片模糊", "闭眼", "演示批次乙", "li", "wang", `class="back"`)
	for _, st := range w.demo.Students {
		admin.lacks(st.Name, st.IDNumber, st.Ref)
	}
	admin.want(200, admin.get("/stats?days=7&batch="+DemoBatchFree), "闭眼")
	admin.lacks("照片模糊")
	admin.want(200, admin.get("/stats?days=x&batch="), "照片模糊")
	admin.want(404, admin.get("/stats?batch=none"))

	wang := w.staffBrowser("wang", "a long password")
	wang.want(200, wang.get("/stats"), "照片模糊", "wang", `href="/stats" aria-current`)
	wang.lacks("闭眼", "演示批次乙", "<td>li</td>", "/admin")
	wang.want(404, wang.get("/stats?batch="+DemoBatchFree))

	nobody := w.browser()
	nobody.want(200, nobody.get("/stats"), "登录")

	w.clock.add(200 * 24 * time.Hour)
	admin = w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	admin.want(200, admin.get("/stats"), "待审核") // the one that was forgotten
	empty := newWorld(t)
	b := empty.staffBrowser(empty.demo.ReviewerUser, empty.demo.ReviewerPassword)
	b.want(200, b.get("/stats"), "这段时间没有照片")
}

func TestQuantile(t *testing.T) {
	for _, tc := range []struct {
		w    waits
		q    float64
		want time.Duration
	}{
		{nil, 0.5, -1},
		{waits{7}, 0.9, 7},
		{waits{3, 1, 2}, 0.5, 2},
		{waits{4, 3, 2, 1, 5, 6, 7, 8, 9, 10}, 0.9, 9},
		{waits{1, 2}, 0.5, 1},
		{waits{1, 2}, 1, 2},
	} {
		if got := tc.w.Quantile(tc.q); got != tc.want {
			t.Errorf("%v at %v: %d, want %d", tc.w, tc.q, got, tc.want)
		}
	}
}

func TestChartsStayWithinTheirFrame(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 99, 100, 101, 12345} {
		for _, days := range []int{1, 7, 90} {
			var rows []*statRow
			for range days {
				rows = append(rows, &statRow{Key: "2026-09-01", tally: tally{Received: n, Approved: n / 2, Rejected: n - n/2}})
			}
			c := drawDays(rows)
			bars := c.Bars
			list := drawBars([]statCount{{"甲", "a", n}, {"乙", "b", 0}})
			if wantBars := (min(n, 1) + min(n/2, 1) + min(n-n/2, 1)) * days; len(c.Bars) != wantBars {
				t.Errorf("%d photos on %d days: %d bars, want %d", n, days, len(c.Bars), wantBars)
			}
			for _, b := range append(bars, list.Bars...) {
				if b.W <= 0 || b.H <= 0 || b.X < 0 || b.Y < 0 || b.X+b.W > chartWidth || b.Y+b.H > chartHeight {
					t.Errorf("%d photos on %d days: bar %+v", n, days, b)
				}
			}
			if len(c.Dates) > 7 || len(c.Dates) == 0 {
				t.Errorf("%d dates under %d days", len(c.Dates), days)
			}
		}
	}
	for n, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 4, 11: 20, 61: 100, 1000: 1000} {
		if got := niceTop(n); got != want {
			t.Errorf("the scale for %d ends at %d, want %d", n, got, want)
		}
	}
}

func TestHowLong(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "—", 0: "<1 分钟", time.Second: "<1 分钟", 90 * time.Minute: "90 分钟", 100 * time.Minute: "1.7 小时", 47 * time.Hour: "47.0 小时", 60 * time.Hour: "2.5 天",
	} {
		if got := howLong(d); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
