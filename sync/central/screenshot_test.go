package central

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// chromium is where Debian and Ubuntu put it.
const chromium = "/usr/bin/chromium"

// TestPagesInABrowser opens the pages in a real browser at the sizes they are
// made for: nothing may be wider than the screen, the scripts must run under
// the content security policy, and the reviewer's keys must work. With
// YUNZHAO_SCREENSHOTS=DIR it leaves a picture of each page there.
func TestPagesInABrowser(t *testing.T) {
	if _, err := os.Stat(chromium); err != nil {
		t.Skipf("SKIPPED: the pages are not tried in a browser, because %s is missing", chromium)
	}
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves the browser out")
	}
	w := newWorld(t)
	k := w.kiosk()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "zh-CN"))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	defer stop()
	root, stopRoot := chromedp.NewContext(alloc)
	defer stopRoot()
	// The first call starts the browser, which lives as long as its context.
	if err := chromedp.Do(root, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	ctx, cancel := context.WithTimeout(root, 90*time.Second)
	defer cancel()

	shots := os.Getenv("YUNZHAO_SCREENSHOTS")
	look := func(name string, width, height int64, cookies []*http.Cookie, path string, more ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range cookies {
			_, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: w.http.URL})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		err := chromedp.Do(ctx, append([]chromedp.Action[chromedp.Void]{chromedp.Navigate(w.http.URL + path)}, more...)...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		over, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - window.innerWidth`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if over > 0 {
			t.Errorf("%s is %d pixels wider than the screen", name, over)
		}
		if shots != "" {
			png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := os.WriteFile(filepath.Join(shots, name+".png"), png, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cookies := func(b *browser) []*http.Cookie {
		u, err := url.Parse(w.http.URL)
		if err != nil {
			t.Fatal(err)
		}
		return b.c.Jar.Cookies(u)
	}
	phone := func(n int) (*browser, string) {
		b := w.browser()
		session := ulid.Make()
		b.get("/k/" + k.token(session, time.Hour))
		if n > 0 {
			b.identify(w.student(refOf(studentA(n))))
		}
		return b, session.String()
	}
	const pw, ph = 360, 780
	look("phone-error", pw, ph, nil, "/k/none")
	fresh, _ := phone(0)
	look("phone-identify", pw, ph, cookies(fresh), "/m/")
	two, _ := phone(105)
	look("phone-choose", pw, ph, cookies(two), "/m/")
	b, session := phone(1)
	look("phone-unpaid", pw, ph, cookies(b), "/m/")
	b.post("/m/pay", nil)
	look("phone-sandbox", pw, ph, cookies(b), "/m/sandbox")
	b.post("/m/sandbox", nil)
	look("phone-paid", pw, ph, cookies(b), "/m/")

	pictures := func(s *shot) {
		s.in.Portrait, s.in.Original = testPortrait(t, 480, 640), testPortrait(t, 1920, 1080)
	}
	p := k.seal(studentA(1), inSession(session), pictures)
	k.send(p)
	look("phone-review", pw, ph, cookies(b), "/m/", chromedp.WaitVisible(".portrait"))
	rejected, rs := phone(2)
	pr := k.seal(studentA(2), inSession(rs), pictures)
	k.send(pr)
	if err := w.s.Reject(t.Context(), pr.ID.String(), "rev", "clothing", "请换深色有领上衣"); err != nil {
		t.Fatal(err)
	}
	look("phone-rejected", pw, ph, cookies(rejected), "/m/")

	look("login", 1280, 800, nil, "/login")
	var queue []string
	for n := 3; n <= 6; n++ {
		one := k.seal(studentA(n), pictures, func(s *shot) { s.in.Manifest.Capture.Simulated = n%2 == 0 })
		k.send(one)
		queue = append(queue, one.ID.String())
	}
	k.send(k.seal(studentA(6), pictures))
	staff := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	look("queue", 1440, 900, cookies(staff), "/review")
	look("review", 1440, 900, cookies(staff), "/review/"+p.ID.String())
	look("conflict", 1440, 900, cookies(staff), "/review/"+queue[3])
	look("admin", 1440, 900, cookies(staff), "/admin")
	look("admin-phone", pw, ph, cookies(staff), "/admin")
	look("batch", 1440, 900, cookies(staff), "/admin/batches/"+DemoBatchPaid)
	look("audit", 1440, 900, cookies(staff), "/admin/audit")

	// R then 8 returns the first photo as blurred; the next appears by itself.
	shows := func(id string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitReady(`body[data-keys="ready"] #current img[src="/review/` + id + `/portrait.jpg"]`)
	}
	err := chromedp.Do(ctx, chromedp.Navigate(w.http.URL+"/review/"+p.ID.String()), shows(p.ID.String()),
		chromedp.KeyEvent("r"), chromedp.KeyEvent("8"), shows(queue[0]), chromedp.KeyEvent("a"), shows(queue[1]))
	if err != nil {
		t.Fatal(err)
	}
	if row, err := w.s.Packet(t.Context(), p.ID.String()); err != nil || row.RejectReason != "blur" {
		t.Fatalf("after R 8: %+v %v", row, err)
	}
	if got := w.status(queue[0]); got != wire.VerdictApproved {
		t.Fatalf("after A: %s", got)
	}
}
