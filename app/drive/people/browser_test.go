package people

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const page = `<html><head><style>.x{}</style><script>bad()</script></head><body><p>你好
  世界</p><img src="/pic"><a href="/next">on</a>
<form action="/send" method="post"><input type="hidden" name="csrf" value="tok"><input name="who">
<input type="checkbox" name="off" value="1"><input type="radio" name="r" value="a"><input type="radio" name="r" value="b" checked>
<select name="kind"><option value="one">1</option><option value="two" selected>2</option></select>
<button type="submit" name="go" value="1">ok</button></form></body></html>`

func TestBrowserFillsInRealForms(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "s", Value: "1", Path: "/"})
		fmt.Fprint(w, page)
	})
	mux.HandleFunc("GET /pic", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "pixels") })
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("s")
		_ = r.ParseForm()
		fmt.Fprintf(w, "<p>%v %s</p>", err == nil, r.PostForm.Encode())
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()

	b := NewBrowser()
	if err := b.Get(t.Context(), srv.URL+"/"); err != nil {
		t.Fatal(err)
	}
	if got := b.Text(); got != "你好 世界 on 1 2 ok" {
		t.Fatalf("text %q", got)
	}
	if pic, err := b.Fetch(t.Context(), b.Images()[0]); err != nil || string(pic) != "pixels" {
		t.Fatalf("%q %v", pic, err)
	}
	if err := b.Submit(t.Context(), "/other", nil); !errors.Is(err, ErrNoForm) {
		t.Fatalf("a form that is not there: %v", err)
	}
	if err := b.Submit(t.Context(), "/send", map[string]string{"who": "演示"}); err != nil {
		t.Fatal(err)
	}
	got := b.Text()
	for _, want := range []string{"true", "csrf=tok", "kind=two", "r=b", "who=%E6%BC%94%E7%A4%BA"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if strings.Contains(got, "off=") || strings.Contains(got, "go=") {
		t.Errorf("%q has what was not ticked", got)
	}
	if err := b.Get(t.Context(), "/missing"); err == nil {
		t.Fatal("404 taken for a page")
	}
}
