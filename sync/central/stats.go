package central

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// tally counts what happened to photos. Each event counts in the period it
// happened in, so a photo may be captured in one and approved in the next.
type tally struct {
	Captured int // by the station's clock; known once a packet is opened
	Received int // whole and durable here
	Refused  int // received, and no usable packet
	Approved int
	Rejected int
	Waiting  int // before the reviewers now, whenever they came
	Waits    waits
}

// Any reports whether there is anything to show.
func (t *tally) Any() bool {
	return t.Captured+t.Received+t.Approved+t.Rejected+t.Waiting > 0
}

// waits are the times from opened to decided.
type waits []time.Duration

// Quantile is the wait that the share q of the photos did not exceed (nearest
// rank), or less than nothing when there is none.
func (w waits) Quantile(q float64) time.Duration {
	if len(w) == 0 {
		return -1
	}
	slices.Sort(w)
	return w[max(0, int(math.Ceil(q*float64(len(w))))-1)]
}

// statRow is one line of a table.
type statRow struct {
	Key  string
	Name string // what people call it; the key where they do not
	tally
}

// statCount is one bar of a list.
type statCount struct {
	ZH, EN string
	N      int
}

// statistics is what the page shows, of the batches that the user may review.
type statistics struct {
	Total     tally
	Days      []*statRow // every day of the period, oldest first; Key is 2006-01-02
	Batches   []*statRow
	Stations  []*statRow
	Reviewers []*statRow
	Reasons   []statCount // of the rejected, most frequent first
	Spread    []statCount // of the waits
	Oldest    time.Duration
}

// waitClasses divide the waits; a batch promises its result in working days.
var waitClasses = []struct {
	under  time.Duration // 0: no limit
	zh, en string
}{
	{time.Hour, "1 小时内", "under 1 h"},
	{4 * time.Hour, "4 小时内", "under 4 h"},
	{24 * time.Hour, "1 天内", "under 1 day"},
	{48 * time.Hour, "2 天内", "under 2 days"},
	{7 * 24 * time.Hour, "7 天内", "under 7 days"},
	{0, "7 天以上", "longer"},
}

// statQuery narrows the statistics.
type statQuery struct {
	batch string // "" = every batch that the user may review
	days  int    // today and the days before; 0 = all
}

// maxStatDays bounds the days that are counted one by one.
const maxStatDays = 90

const dayFormat = "2006-01-02"

// statistics counts in one pass over the index; no photo is opened and no
// student is named. Reviewers see how they did themselves, administrators all.
func (s *Server) statistics(tx *bolt.Tx, u User, q statQuery) (*statistics, error) {
	now := s.now().Local()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	var from time.Time
	if q.days > 0 {
		from = today.AddDate(0, 0, 1-q.days)
	}
	out := &statistics{}
	rows := map[string]map[string]*statRow{"day": {}, "batch": {}, "station": {}, "reviewer": {}}
	row := func(kind, key string) *statRow {
		r := rows[kind][key]
		if r == nil {
			r = &statRow{Key: key, Name: key}
			rows[kind][key] = r
		}
		return r
	}
	shown := maxStatDays
	if q.days > 0 {
		shown = min(shown, q.days)
	}
	for i := shown - 1; i >= 0; i-- {
		out.Days = append(out.Days, row("day", today.AddDate(0, 0, -i).Format(dayFormat)))
	}
	reasons := map[string]int{}
	err := tx.Bucket(bktPackets).ForEach(func(_, raw []byte) error {
		var p Packet
		if err := json.Unmarshal(raw, &p); err != nil {
			return fmt.Errorf("central: read packets: %w", err)
		}
		// What was never opened belongs to no batch: only who sees all sees it.
		if !u.MayReview(p.Batch) || q.batch != "" && p.Batch != q.batch {
			return nil
		}
		// at calls count for everything that an event at t belongs to.
		at := func(t time.Time, count func(*tally)) {
			if t.IsZero() || t.Before(from) {
				return
			}
			count(&out.Total)
			if d := rows["day"][t.Local().Format(dayFormat)]; d != nil {
				count(&d.tally)
			}
			if p.Batch != "" {
				count(&row("batch", p.Batch).tally)
			}
			count(&row("station", p.Station).tally)
		}
		at(p.CapturedAt, func(t *tally) { t.Captured++ })
		at(p.StoredAt, func(t *tally) {
			t.Received++
			if p.Stage == StageRefused {
				t.Refused++
			}
		})
		switch p.State {
		case wire.VerdictApproved, wire.VerdictRejected:
			decide := func(t *tally) {
				if p.State == wire.VerdictApproved {
					t.Approved++
				} else {
					t.Rejected++
				}
				t.Waits = append(t.Waits, max(0, p.DecidedAt.Sub(p.OpenedAt)))
			}
			at(p.DecidedAt, decide)
			if p.DecidedAt.Before(from) {
				break
			}
			if u.Has(RoleAdmin) || p.Reviewer == u.Name {
				decide(&row("reviewer", p.Reviewer).tally)
			}
			if p.State == wire.VerdictRejected {
				reasons[p.RejectReason]++
			}
		case wire.VerdictInReview, wire.VerdictConflict:
			out.Oldest = max(out.Oldest, now.Sub(p.OpenedAt))
			for _, t := range []*tally{&out.Total, &row("batch", p.Batch).tally, &row("station", p.Station).tally} {
				t.Waiting++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for kind, to := range map[string]*[]*statRow{"batch": &out.Batches, "station": &out.Stations, "reviewer": &out.Reviewers} {
		for key, r := range rows[kind] {
			switch kind {
			case "batch":
				if b, err := getJSON[wire.Batch](tx, bktBatches, []byte(key)); err == nil {
					r.Name = b.School + " " + b.Title
				}
			case "station":
				if st, err := getJSON[Station](tx, bktStations, []byte(key)); err == nil && st.Name != "" {
					r.Name = st.Name
				}
			}
			*to = append(*to, r)
		}
		slices.SortFunc(*to, func(a, b *statRow) int { return cmp.Compare(a.Key, b.Key) })
	}
	for code, n := range reasons {
		zh, en := reasonText(code)
		out.Reasons = append(out.Reasons, statCount{zh, en, n})
	}
	slices.SortFunc(out.Reasons, func(a, b statCount) int { return cmp.Or(b.N-a.N, cmp.Compare(a.EN, b.EN)) })
	for i, c := range waitClasses {
		out.Spread = append(out.Spread, statCount{ZH: c.zh, EN: c.en})
		for _, w := range out.Total.Waits {
			if (c.under == 0 || w < c.under) && (i == 0 || w >= waitClasses[i-1].under) {
				out.Spread[i].N++
			}
		}
	}
	return out, nil
}

type statsView struct {
	frame
	*statistics
	Query struct {
		Batch string
		Days  int
	}
	Periods []statPeriod
	Choice  []wire.Batch
	Chart   dayChart
	Tables  []statTable
	// Newest first, without the days on which nothing happened.
	DayRows    []*statRow
	ReasonBars barChart
	SpreadBars barChart
}

type statPeriod struct {
	Days   int // 0 = all
	ZH, EN string
}

type statTable struct {
	ZH, EN string
	Rows   []*statRow
}

func (s *Server) showStatistics(w http.ResponseWriter, r *http.Request, ss staffSession) {
	v := statsView{frame: s.frame(ss, "stats"), Periods: []statPeriod{{7, "近 7 天", "7 days"}, {30, "近 30 天", "30 days"}, {maxStatDays, "近 90 天", "90 days"}, {0, "全部", "All"}}}
	v.Query.Days = 30
	if n, err := strconv.Atoi(r.URL.Query().Get("days")); err == nil && slices.ContainsFunc(v.Periods, func(p statPeriod) bool { return p.Days == n }) {
		v.Query.Days = n
	}
	v.Query.Batch = r.URL.Query().Get("batch")
	err := s.view(r.Context(), func(tx *bolt.Tx) error {
		all, err := list[wire.Batch](tx, bktBatches)
		if err != nil {
			return err
		}
		for _, b := range all {
			if ss.user.MayReview(b.ID) {
				v.Choice = append(v.Choice, b)
			}
		}
		if v.Query.Batch != "" && !slices.ContainsFunc(v.Choice, func(b wire.Batch) bool { return b.ID == v.Query.Batch }) {
			return ErrNotFound
		}
		v.statistics, err = s.statistics(tx, ss.user, statQuery{v.Query.Batch, v.Query.Days})
		return err
	})
	if err != nil {
		s.staffFail(w, err)
		return
	}
	for _, d := range slices.Backward(v.Days) {
		if d.Any() {
			v.DayRows = append(v.DayRows, d)
		}
	}
	v.Tables = []statTable{{"批次", "Batches", v.Batches}, {"站点", "Stations", v.Stations}}
	v.Chart = drawDays(v.Days)
	v.ReasonBars, v.SpreadBars = drawBars(v.Reasons), drawBars(v.Spread)
	s.render(w, http.StatusOK, "stats", v)
}

// bar is one rectangle of a chart; class says its colour.
type bar struct {
	X, Y, W, H float64
	Class      string
}

// mark is a text in a chart.
type mark struct {
	X, Y float64
	Text string
}

// Sizes of the charts in their own units, which are pixels at a desk.
const (
	chartWidth  = 640.0
	chartHeight = 220.0
	chartLeft   = 44.0 // for the numbers of the scale
	chartRight  = 16.0 // for half of the last date
	chartTop    = 12.0
	chartBase   = 190.0 // the line the bars stand on
	listLine    = 40.0  // height of one line of a list of bars
	listLeft    = 290.0 // for its names
)

// dayChart shows a pair of bars a day: received, and decided on top of each other.
type dayChart struct {
	Bars  []bar
	Dates []mark
	Scale []mark
}

// drawDays lays the days out from left to right.
func drawDays(days []*statRow) dayChart {
	top := 1
	for _, d := range days {
		top = max(top, d.Received, d.Approved+d.Rejected)
	}
	top = niceTop(top)
	var c dayChart
	for _, n := range []int{0, top / 2, top} {
		c.Scale = append(c.Scale, mark{chartLeft - 6, heightOf(n, top), strconv.Itoa(n)})
	}
	if top == 1 {
		c.Scale = c.Scale[1:] // 0 twice
	}
	step := (chartWidth - chartLeft - chartRight) / float64(len(days))
	every := (len(days) + 6) / 7 // seven dates fit
	for i, d := range days {
		x := chartLeft + float64(i)*step
		add := func(x float64, under, n int, class string) {
			if n > 0 {
				y := heightOf(under+n, top)
				c.Bars = append(c.Bars, bar{x, y, step * 0.38, heightOf(under, top) - y, class})
			}
		}
		add(x+step*0.1, 0, d.Received, "got")
		add(x+step*0.52, 0, d.Approved, "good")
		add(x+step*0.52, d.Approved, d.Rejected, "back")
		if (len(days)-1-i)%every == 0 {
			c.Dates = append(c.Dates, mark{x + step/2, chartBase + 20, d.Key[5:]})
		}
	}
	return c
}

func heightOf(n, top int) float64 {
	return chartBase - (chartBase-chartTop)*float64(n)/float64(top)
}

// niceTop is the end of the scale: 1, or the next even number of 2, 4, 6, 10
// times a power of ten.
func niceTop(n int) int {
	if n <= 1 {
		return 1
	}
	for unit := 1; ; unit *= 10 {
		for _, f := range []int{2, 4, 6, 10} {
			if n <= f*unit {
				return f * unit
			}
		}
	}
}

// barChart is a list of names with a bar each.
type barChart struct {
	Height float64
	Bars   []bar
	Names  []mark // Chinese
	Under  []mark // English, beneath
	Counts []mark
}

func drawBars(counts []statCount) barChart {
	top := 1
	for _, c := range counts {
		top = max(top, c.N)
	}
	out := barChart{Height: listLine * float64(len(counts))}
	for i, c := range counts {
		y := listLine * float64(i)
		long := (chartWidth - listLeft - 60) * float64(c.N) / float64(top)
		out.Names = append(out.Names, mark{listLeft - 10, y + 18, c.ZH})
		out.Under = append(out.Under, mark{listLeft - 10, y + 32, c.EN})
		if c.N > 0 {
			out.Bars = append(out.Bars, bar{listLeft, y + 10, long, listLine - 20, "got"})
		}
		out.Counts = append(out.Counts, mark{listLeft + long + 8, y + 25, strconv.Itoa(c.N)})
	}
	return out
}

// howLong says a wait in the largest unit that keeps two digits.
func howLong(d time.Duration) string {
	switch {
	case d < 0: // as waits.Quantile says that there is none
		return "—"
	case d < time.Minute:
		return "<1 分钟 min"
	case d < 100*time.Minute:
		return strconv.Itoa(int(d.Minutes())) + " 分钟 min"
	case d < 48*time.Hour:
		return strconv.FormatFloat(d.Hours(), 'f', 1, 64) + " 小时 h"
	}
	return strconv.FormatFloat(d.Hours()/24, 'f', 1, 64) + " 天 d"
}
