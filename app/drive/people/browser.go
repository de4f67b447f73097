// Package people plays the people who are not at the desk: the student's phone
// and the reviewer, each a small browser that reads central's real pages and
// fills in their real forms. The demonstration and the end-to-end tests use it;
// what the pages do not offer, it cannot do.
package people

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// maxPage bounds what is read of a page or a picture.
const maxPage = 32 << 20

// ErrNoForm means that the page does not offer what was to be done.
var ErrNoForm = errors.New("people: the page has no such form")

// Browser follows redirects, keeps cookies and fills in forms. It runs no
// scripts: the pages must work without.
type Browser struct {
	http *http.Client
	url  *url.URL
	page *html.Node
}

// NewBrowser starts without cookies, as a phone that was never here.
func NewBrowser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil { // documented never to happen with nil options
		jar = nil
	}
	return &Browser{http: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// Get opens a page; relative addresses count from the present one.
func (b *Browser) Get(ctx context.Context, addr string) error {
	u, err := b.resolve(addr)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("people: open page: %w", err)
	}
	return b.do(req)
}

func (b *Browser) resolve(addr string) (*url.URL, error) {
	u, err := url.Parse(addr)
	if err != nil {
		return nil, fmt.Errorf("people: address: %w", err)
	}
	if b.url != nil {
		u = b.url.ResolveReference(u)
	}
	return u, nil
}

func (b *Browser) do(req *http.Request) error {
	if b.url != nil && req.Method == http.MethodPost {
		req.Header.Set("Origin", b.url.Scheme+"://"+b.url.Host)
	}
	resp, err := b.http.Do(req) //nolint:gosec // a browser goes where its user sends it
	if err != nil {
		return fmt.Errorf("people: %s: %w", req.Method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 400 {
		return fmt.Errorf("people: %s %s: %s", req.Method, req.URL.Path, resp.Status)
	}
	page, err := html.Parse(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return fmt.Errorf("people: read page: %w", err)
	}
	b.url, b.page = resp.Request.URL, page
	return nil
}

// Path of the page that is open.
func (b *Browser) Path() string { return b.url.Path }

// Text is what a person reads on the page, with single spaces.
func (b *Browser) Text() string {
	var sb strings.Builder
	walk(b.page, func(n *html.Node) bool {
		if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style") {
			return false
		}
		if n.Type == html.TextNode {
			sb.WriteString(n.Data)
			sb.WriteByte(' ')
		}
		return true
	})
	return strings.Join(strings.Fields(sb.String()), " ")
}

// Links lists the addresses of the page's links.
func (b *Browser) Links() []string { return b.attrs("a", "href") }

// Images lists the addresses of the page's pictures.
func (b *Browser) Images() []string { return b.attrs("img", "src") }

func (b *Browser) attrs(tag, key string) []string {
	var out []string
	walk(b.page, func(n *html.Node) bool {
		if n.Type == html.ElementNode && n.Data == tag {
			if v := attr(n, key); v != "" {
				out = append(out, v)
			}
		}
		return true
	})
	return out
}

// Fetch downloads what an address of the page refers to, such as a picture.
func (b *Browser) Fetch(ctx context.Context, addr string) ([]byte, error) {
	u, err := b.resolve(addr)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("people: fetch: %w", err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("people: fetch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("people: fetch %s: %s", u.Path, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxPage))
}

// Has tells whether the page offers a form whose action contains part.
func (b *Browser) Has(part string) bool { return b.form(part) != nil }

// Submit fills in the form whose action contains part, leaving every field
// that is not named as the page has it, and sends it.
func (b *Browser) Submit(ctx context.Context, part string, fields map[string]string) error {
	f := b.form(part)
	if f == nil {
		return fmt.Errorf("%w: %q at %s", ErrNoForm, part, b.Path())
	}
	values := url.Values{}
	walk(f, func(n *html.Node) bool {
		if n.Type != html.ElementNode {
			return true
		}
		name := attr(n, "name")
		if name == "" {
			return true
		}
		switch n.Data {
		case "input":
			switch attr(n, "type") {
			case "submit", "button", "file":
			case "checkbox", "radio":
				if has(n, "checked") {
					values.Add(name, attr(n, "value"))
				}
			default:
				values.Add(name, attr(n, "value"))
			}
		case "select":
			values.Add(name, chosen(n))
		case "textarea":
			values.Add(name, "")
		}
		return true
	})
	for k, v := range fields {
		values.Set(k, v)
	}
	u, err := b.resolve(attr(f, "action"))
	if err != nil {
		return err
	}
	method := strings.ToUpper(attr(f, "method"))
	if method != http.MethodPost {
		u.RawQuery = values.Encode()
		return b.Get(ctx, u.String())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return fmt.Errorf("people: send form: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

func (b *Browser) form(part string) *html.Node {
	var found *html.Node
	walk(b.page, func(n *html.Node) bool {
		if found == nil && n.Type == html.ElementNode && n.Data == "form" && strings.Contains(attr(n, "action"), part) {
			found = n
		}
		return found == nil
	})
	return found
}

// chosen is the value of a list's selected entry, or of its first.
func chosen(list *html.Node) string {
	first, value, seen := "", "", false
	walk(list, func(n *html.Node) bool {
		if n.Type == html.ElementNode && n.Data == "option" {
			v := attr(n, "value")
			if !seen {
				first, seen = v, true
			}
			if has(n, "selected") {
				value = v
			}
		}
		return true
	})
	if value == "" {
		return first
	}
	return value
}

// walk visits n and what is below it while visit agrees to go deeper.
func walk(n *html.Node, visit func(*html.Node) bool) {
	if n == nil || !visit(n) {
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}
