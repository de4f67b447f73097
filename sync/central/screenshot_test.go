package central

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// chromium is where Debian and Ubuntu put it.
const chromium = "/usr/bin/chromium"

// chrome is a real browser before a world's pages.
type chrome struct {
	ctx context.Context // of chromedp; ends after limit
	w   *world
}

// newChrome starts a headless browser for at most limit, or skips the test
// where there is none.
func newChrome(t *testing.T, w *world, limit time.Duration) *chrome {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skipf("SKIPPED: the pages are not tried in a browser, because %s is missing", chromium)
	}
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves the browser out")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "zh-CN"))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	root, stopRoot := chromedp.NewContext(alloc)
	t.Cleanup(stopRoot)
	// The first call starts the browser, which lives as long as its context.
	if err := chromedp.Do(root, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	ctx, cancel := context.WithTimeout(root, limit)
	t.Cleanup(cancel)
	return &chrome{ctx, w}
}

// sign hands a browser's cookies over.
func (c *chrome) sign(t *testing.T, cookies []*http.Cookie) {
	t.Helper()
	for _, k := range cookies {
		if _, err := chromedp.Call(c.ctx, network.SetCookie, network.SetCookieParams{Name: k.Name, Value: k.Value, URL: c.w.http.URL}); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *browser) cookies() []*http.Cookie {
	u, err := url.Parse(b.w.http.URL)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.c.Jar.Cookies(u)
}

// sight is one page in one state, as the tour shows it.
type sight struct {
	name    string
	width   int64 // px of the window that the page is made for first
	height  int64
	cookies []*http.Cookie
	path    string
	ready   string // a selector that appears when the page is whole
	// then is what a person does on the page before it is judged.
	then []chromedp.Action[chromedp.Void]
}

// inDocs names the pictures of docs/central.md, by sight.
var inDocs = map[string]string{
	"phone-unpaid": "pay", "phone-review": "phone", "review": "review", "review-zoom": "zoom", "conflict": "conflict",
	"review-disputed": "disputed", "exports": "exports", "provisional": "provisional", "students": "students", "stats": "stats",
}

// typed fills a field and sends its form.
func typed(field, text, then string) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{chromedp.SendKeys(field, text+"\r"), chromedp.WaitReady(then)}
}

// cashier is a provider whose pages are shown, and whose money is none.
type cashier struct {
	PaymentProvider
	url string
}

func (c cashier) Begin(_ context.Context, _ Order, ph Phone) (string, error) {
	if ph.InWeChat {
		return InWeChatPath, nil
	}
	return c.url, nil
}

func (cashier) AuthURL(redirect, state string) string { return redirect + "?code=c&state=" + state }

func (cashier) OpenID(context.Context, string) (string, error) { return "payer", nil }

func (cashier) Invoke(context.Context, Order, string) (WeChatInvoke, error) {
	return WeChatInvoke{AppID: "wx0", TimeStamp: "1", NonceStr: "n", Package: "prepay_id=p", SignType: "RSA", PaySign: "s"}, nil
}

// tour leads through every page in the states that people see, calling visit
// at each. It returns the packets that wait for a reviewer: the first, then
// those of the queue.
func tour(t *testing.T, w *world, visit func(sight)) (staff *browser, waiting []string) {
	t.Helper()
	k := w.kiosk()
	phone := func(n int) (*browser, string) {
		b := w.browser()
		session := ulid.Make()
		b.get("/k/" + k.token(session, time.Hour))
		if n > 0 {
			b.identify(w.student(refOf(studentA(n))))
		}
		return b, session.String()
	}
	onPhone := func(name string, b *browser, path, ready string) {
		s := sight{name: name, width: 360, height: 780, path: path, ready: ready}
		if b != nil {
			s.cookies = b.cookies()
		}
		visit(s)
	}
	onDesk := func(name string, b *browser, path string) {
		s := sight{name: name, width: 1440, height: 900, path: path}
		if b != nil {
			s.cookies = b.cookies()
		}
		visit(s)
	}
	onPhone("phone-error", nil, "/k/none", ".sign")
	fresh, _ := phone(0)
	onPhone("phone-identify", fresh, "/m/", "form")
	two, _ := phone(105)
	onPhone("phone-choose", two, "/m/", ".choice")
	b, session := phone(1)
	onPhone("phone-unpaid", b, "/m/", ".amount")
	b.post("/m/pay", nil)
	onPhone("phone-sandbox", b, "/m/sandbox", ".amount")
	// WeChat's cashier, inside WeChat and outside of it.
	// A browser that is answered 204 stays on the page before.
	stay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(stay.Close)
	w.s.pay = cashier{w.s.sandbox, stay.URL}
	onPhone("phone-wechat", b, InWeChatPath+"?code=c&state="+w.s.csrfToken(b.cookies()[0].Value), "#pay")
	visit(sight{name: "phone-cashier", width: 360, height: 780, cookies: b.cookies(), path: "/m/", ready: ".amount", then: []chromedp.Action[chromedp.Void]{
		chromedp.Click(`form[action="/m/pay"] button`), chromedp.WaitReady(`a[href="` + stay.URL + `"]`),
	}})
	w.s.pay = w.s.sandbox
	b.post("/m/sandbox", nil)
	onPhone("phone-paid", b, "/m/", ".receipt")

	pictures := func(s *shot) {
		s.in.Portrait, s.in.Original = testPortrait(t, 480, 640), testPortrait(t, 1920, 1080)
	}
	p := k.seal(studentA(1), inSession(session), pictures)
	k.send(p)
	onPhone("phone-review", b, "/m/", ".portrait")
	rejected, rs := phone(2)
	pr := k.seal(studentA(2), inSession(rs), pictures)
	k.send(pr)
	if err := w.s.Reject(t.Context(), pr.ID.String(), "rev", "clothing", "请换深色有领上衣"); err != nil {
		t.Fatal(err)
	}
	onPhone("phone-rejected", rejected, "/m/", ".photo-card.bad")
	approved, as := phone(7)
	pa := k.seal(studentA(7), inSession(as), pictures)
	k.send(pa)
	w.clock.add(90 * time.Minute)
	if err := w.s.Approve(t.Context(), pa.ID.String(), "rev"); err != nil {
		t.Fatal(err)
	}
	onPhone("phone-approved", approved, "/m/", ".photo-card.ok")
	held, hs := phone(8)
	ph := k.seal(studentA(9), inSession(hs), pictures)
	k.send(ph)
	onPhone("phone-held", held, "/m/", ".photo-card.bad")

	onDesk("login", nil, "/login")
	waiting = []string{p.ID.String(), ph.ID.String()}
	for n := 3; n <= 6; n++ {
		one := k.seal(studentA(n), pictures, func(s *shot) { s.in.Manifest.Capture.Simulated = n%2 == 0 })
		k.send(one)
		waiting = append(waiting, one.ID.String())
	}
	k.send(k.seal(studentA(6), pictures))
	staff = w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	onDesk("queue", staff, "/review")
	onDesk("queue-rejected", staff, "/review?status=rejected")
	onDesk("queue-empty", staff, "/review?status=refused")
	onDesk("review", staff, "/review/"+waiting[0])
	onDesk("review-decided", staff, "/review/"+pa.ID.String())
	onDesk("review-held", staff, "/review/"+ph.ID.String())
	onDesk("conflict", staff, "/review/"+waiting[5])
	onDesk("staff-error", staff, "/review/none")
	onDesk("stats", staff, "/stats")
	onDesk("admin", staff, "/admin")
	onDesk("batch", staff, "/admin/batches/"+DemoBatchPaid)
	onDesk("batch-new", staff, "/admin/batches/new")
	onDesk("audit", staff, "/admin/audit")

	// What a closer look shows, and what two people do.
	onDeskThen := func(name, path, ready string, then ...chromedp.Action[chromedp.Void]) {
		visit(sight{name: name, width: 1440, height: 900, cookies: staff.cookies(), path: path, ready: ready, then: then})
	}
	onDeskThen("review-zoom", "/review/"+waiting[0], `body[data-keys="ready"]`, chromedp.KeyEvent("z"), chromedp.WaitReady("#zoom[open] img"), chromedp.KeyEvent("z"))
	onDeskThen("conflict-compare", "/review/"+waiting[5], `body[data-keys="ready"]`, chromedp.KeyEvent("c"), chromedp.WaitReady("#zoom[open] img"))
	onDeskThen("students", "/admin/students", "form", typed(`input[name="text"]`, w.student(refOf(studentA(7))).IDNumber, `form[action$="/erase"]`)...)
	for _, u := range []string{"anna", "bert"} {
		must(t, w.s.PutUser(t.Context(), u, "long enough password", []string{RoleAdmin}, nil, "test"))
	}
	for _, purpose := range []string{"学籍注册平台", "校园卡中心"} {
		x, err := w.s.AskExport(t.Context(), DemoBatchPaid, "{student_no}", purpose, "anna")
		must(t, err)
		if purpose == "学籍注册平台" {
			must(t, w.s.DecideExport(t.Context(), x.ID, true, w.demo.ReviewerUser))
		}
	}
	onDeskThen("queue-found", "/review", "form", typed(`input[name="text"]`, w.student(refOf(studentA(7))).IDNumber, `h2`)...)
	onDeskThen("exports", "/admin/exports", "table")
	stranger := stranger(DemoBatchPaid)
	stranger.Name = w.student(refOf(studentA(11))).Name
	k.send(k.seal(DemoBatchPaid+"/"+stranger.Ref, pictures, added(stranger)))
	onDeskThen("provisional", "/admin/provisional", "img")
	onDeskThen("refunds", "/admin/refunds", "h2")
	must(t, w.s.PutRules(t.Context(), DemoBatchPaid, BatchRules{FourEyes: true}, "test"))
	must(t, w.s.Approve(t.Context(), waiting[4], "anna"))
	must(t, w.s.Reject(t.Context(), waiting[4], "bert", "lighting", ""))
	onDeskThen("review-disputed", "/review/"+waiting[4], "#current")
	must(t, w.s.Approve(t.Context(), waiting[3], w.demo.ReviewerUser))
	onDesk("queue-four-eyes", staff, "/review")
	onDesk("review-waits", staff, "/review/"+waiting[3])
	// The keys are tried on a batch without four eyes.
	must(t, w.s.PutRules(t.Context(), DemoBatchPaid, BatchRules{}, "test"))
	return staff, waiting
}

// open shows a page in a window of that size and fails the test when
// it is wider than the window.
func (c *chrome) open(t *testing.T, s sight, width, height int64) {
	t.Helper()
	if err := chromedp.Do(c.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	c.sign(t, s.cookies)
	if err := chromedp.Do(c.ctx, chromedp.Navigate(c.w.http.URL+s.path)); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if s.ready != "" {
		if err := chromedp.Do(c.ctx, chromedp.WaitReady(s.ready)); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	if err := chromedp.Do(c.ctx, s.then...); err != nil {
		t.Fatalf("%s: what is done on it: %v", s.name, err)
	}
	over, err := chromedp.Run(c.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - window.innerWidth`))
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if over > 0 {
		t.Errorf("%s at %d×%d is %d pixels wider than the screen", s.name, width, height, over)
	}
}

// picture leaves what is on the screen in YUNZHAO_SCREENSHOTS, if that is set.
func (c *chrome) picture(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("YUNZHAO_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// document leaves a small picture for docs/central.md, if YUNZHAO_DOCS is set.
func (c *chrome) document(t *testing.T, s sight) {
	t.Helper()
	if os.Getenv("YUNZHAO_DOCS") == "" || inDocs[s.name] == "" {
		return
	}
	const quality = 60
	jpg, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(quality))
	must(t, err)
	must(t, os.WriteFile(filepath.Join("../../docs/images", "central-"+inDocs[s.name]+".jpg"), jpg, 0o644))
}

// shows waits until the review of a packet is on the screen and listens to keys.
func shows(id string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitReady(`body[data-keys="ready"] #current img[src="/review/` + id + `/portrait.jpg"]`)
}

// TestPagesInABrowser opens the pages in a real browser at the sizes they are
// made for: nothing may be wider than the screen, the scripts must run under
// the content security policy, and the reviewer's keys must work. With
// YUNZHAO_SCREENSHOTS=DIR it leaves a picture of each page there.
func TestPagesInABrowser(t *testing.T) {
	w := newWorld(t)
	c := newChrome(t, w, 120*time.Second)
	_, waiting := tour(t, w, func(s sight) {
		c.open(t, s, s.width, s.height)
		c.picture(t, s.name)
		c.document(t, s)
	})

	// R then 8 returns the first photo as blurred; the next appears by itself.
	err := chromedp.Do(c.ctx, chromedp.EmulateViewport(1440, 900), chromedp.Navigate(w.http.URL+"/review/"+waiting[0]), shows(waiting[0]),
		chromedp.KeyEvent("r"), chromedp.KeyEvent("8"))
	if err != nil {
		t.Fatal(err)
	}
	// The next is held: A does nothing there, N goes on.
	err = chromedp.Do(c.ctx, shows(waiting[1]), chromedp.KeyEvent("a"), chromedp.KeyEvent("n"), shows(waiting[2]), chromedp.KeyEvent("a"), shows(waiting[3]))
	if err != nil {
		t.Fatal(err)
	}
	if row, err := w.s.Packet(t.Context(), waiting[0]); err != nil || row.RejectReason != "blur" {
		t.Fatalf("after R 8: %+v %v", row, err)
	}
	for i, want := range map[int]string{1: wire.VerdictInReview, 2: wire.VerdictApproved} {
		if got := w.status(waiting[i]); got != want {
			t.Fatalf("after A: photo %d is %s, want %s", i, got, want)
		}
	}
}

// violation is what axe-core found, with the elements it found it on.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// axeRun opens every fold of the page, so that what lies in it is judged too.
const axeRun = `document.querySelectorAll("details").forEach(d => { d.open = true });
axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help,
  nodes: v.nodes.map(n => ({html: n.html.slice(0, 300), failureSummary: n.failureSummary}))})))`

// TestPagesAreAccessible holds every page, at the size of a phone and of a
// desk, to all of axe-core's rules: WCAG 2.2 A and AA and its best practices.
func TestPagesAreAccessible(t *testing.T) {
	file := os.Getenv("YUNZHAO_AXE")
	if file == "" {
		t.Skip("SKIPPED: the pages' accessibility is not checked, as YUNZHAO_AXE names no axe-core; make test-pages does it")
	}
	axe, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	c := newChrome(t, w, 10*time.Minute)
	seen := 0
	tour(t, w, func(s sight) {
		for _, size := range [][2]int64{{360, 780}, {1440, 900}} {
			name := s.name + "-" + strconv.FormatInt(size[0], 10)
			c.open(t, s, size[0], size[1])
			// Through the debugger, which the content security policy does not bind.
			if _, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](string(axe)+";true")); err != nil {
				t.Fatalf("%s: load axe-core: %v", name, err)
			}
			found, err := chromedp.Run(c.ctx, chromedp.Evaluate[[]violation](axeRun, chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatalf("%s: run axe-core: %v", name, err)
			}
			c.picture(t, name)
			seen++
			for _, v := range found {
				for _, n := range v.Nodes {
					t.Errorf("%s: %s (%s): %s\n\t%s\n\t%s", name, v.ID, v.Impact, v.Help, n.HTML, strings.ReplaceAll(n.Summary, "\n", "\n\t"))
				}
			}
		}
	})
	t.Logf("axe-core looked at %d pages and sizes", seen)
}

// TestTwentyPhotosByKeyboard reviews twenty photos in a real browser with
// nothing but keys, every fifth returned, and says how long each took from the
// key to the next photo on the screen.
func TestTwentyPhotosByKeyboard(t *testing.T) {
	const photos = 20
	w := newWorld(t)
	c := newChrome(t, w, 3*time.Minute)
	k := w.kiosk()
	portrait, original := testPortrait(t, 480, 640), testPortrait(t, 1920, 1080)
	var ids []string
	for n := range photos {
		ref := studentA(n + 1)
		if n >= 18 { // the paid batch has eighteen in a row
			ref = DemoBatchFree + "/" + DemoBatchFree + "-" + []string{"001", "002"}[n-18]
		}
		p := k.seal(ref, func(s *shot) { s.in.Portrait, s.in.Original = portrait, original })
		k.send(p)
		ids = append(ids, p.ID.String())
	}
	staff := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	c.sign(t, staff.cookies())
	err := chromedp.Do(c.ctx, chromedp.EmulateViewport(1440, 900), chromedp.Navigate(w.http.URL+"/review/next"), shows(ids[0]))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for i, id := range ids {
		keys := []chromedp.Action[chromedp.Void]{chromedp.KeyEvent("a")}
		if i%5 == 4 {
			keys = []chromedp.Action[chromedp.Void]{chromedp.KeyEvent("r"), chromedp.KeyEvent("4")}
		}
		next := chromedp.WaitReady(`.empty`) // nothing is left
		if i+1 < photos {
			next = shows(ids[i+1])
		}
		if err := chromedp.Do(c.ctx, append(keys, next)...); err != nil {
			t.Fatalf("photo %d (%s): %v", i+1, w.status(id), err)
		}
		whole := `Promise.all([...document.images].map(i => i.decode())).then(() => true)`
		if _, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](whole, chromedp.EvalAwaitPromise)); err != nil {
			t.Fatalf("pictures after photo %d: %v", i+1, err)
		}
	}
	each := time.Since(start).Seconds() / photos
	for i, id := range ids {
		want := wire.VerdictApproved
		if i%5 == 4 {
			want = wire.VerdictRejected
		}
		if got := w.status(id); got != want {
			t.Errorf("photo %d is %s, want %s", i+1, got, want)
		}
	}
	t.Logf("%d photos reviewed by keyboard: %.2f s a photo, from the key to both pictures of the next", photos, each)
}
