package people

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	identifyForm = `<form action="/m/identify" method="post"><input type="hidden" name="csrf" value="t"><input name="id_type"><input name="id_number"><input name="name"></form>`
	payForm      = `<form action="/m/pay" method="post"></form>`
	sandboxForm  = `<form action="/m/sandbox" method="post"></form>`
)

func TestPhone(t *testing.T) {
	for name, sandbox := range map[string]bool{"with a payment page": true, "paid at once": false} {
		t.Run(name, func(t *testing.T) {
			paid := false
			mux := http.NewServeMux()
			mux.HandleFunc("GET /k/{token}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/m/", http.StatusSeeOther) })
			mux.HandleFunc("GET /m/", func(w http.ResponseWriter, _ *http.Request) {
				if paid {
					fmt.Fprint(w, "<p>已支付</p>")
					return
				}
				fmt.Fprint(w, identifyForm, payForm)
			})
			mux.HandleFunc("POST /m/identify", func(w http.ResponseWriter, r *http.Request) {
				if r.PostFormValue("id_type") != "resident" || r.PostFormValue("id_number") != "1" || r.PostFormValue("name") != "演示" || r.PostFormValue("csrf") != "t" {
					t.Errorf("form %v", r.PostForm)
				}
				fmt.Fprint(w, payForm)
			})
			mux.HandleFunc("POST /m/pay", func(w http.ResponseWriter, _ *http.Request) {
				if sandbox {
					fmt.Fprint(w, sandboxForm)
					return
				}
				paid = true
			})
			mux.HandleFunc("POST /m/sandbox", func(http.ResponseWriter, *http.Request) { paid = true })
			srv := httptest.NewServer(mux)
			defer srv.Close()

			if _, err := ScanCode(t.Context(), srv.URL+"/elsewhere"); err == nil {
				t.Error("a code that leads nowhere was followed")
			}
			p, err := ScanCode(t.Context(), srv.URL+"/k/token")
			if err != nil {
				t.Fatal(err)
			}
			if says, err := p.Reads(t.Context(), "已支付"); says || err != nil {
				t.Errorf("before: %v, %v", says, err)
			}
			if err := p.Identify(t.Context(), "resident", "1", "演示"); err != nil {
				t.Fatal(err)
			}
			if err := p.Pay(t.Context()); err != nil || !paid {
				t.Errorf("paid %v, %v", paid, err)
			}
			if says, err := p.Reads(t.Context(), "已支付"); !says || err != nil {
				t.Errorf("after: %v, %v", says, err)
			}
		})
	}
}

func TestReviewer(t *testing.T) {
	var did []string
	in := false
	mux := http.NewServeMux()
	mux.HandleFunc("GET /review", func(w http.ResponseWriter, _ *http.Request) {
		if !in {
			fmt.Fprint(w, `<form action="/login" method="post"><input name="user"><input name="password"></form>`)
			return
		}
		fmt.Fprint(w, `<a href="/review/P1?back=1">1</a><a href="/review/P22">22</a>`)
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("user") != "demo" || r.PostFormValue("password") != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		in = true
	})
	mux.HandleFunc("GET /review/{id}", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		fmt.Fprintf(w, `<form action="/review/%s/approve" method="post"></form><form action="/review/%s/reject" method="post"><input name="note"><input name="reason"></form>`, id, id)
	})
	mux.HandleFunc("GET /review/{id}/portrait.jpg", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "pixels") })
	mux.HandleFunc("POST /review/{id}/{verdict}", func(_ http.ResponseWriter, r *http.Request) {
		did = append(did, strings.Join([]string{r.PathValue("id"), r.PathValue("verdict"), r.PostFormValue("reason"), r.PostFormValue("note")}, " "))
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()

	if _, err := LogIn(t.Context(), srv.URL, "demo", "wrong"); err == nil {
		t.Error("a wrong password opened the review")
	}
	r, err := LogIn(t.Context(), srv.URL, "demo", "secret")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"P1": true, "P22": true, "P2": false} {
		if got, err := r.Waiting(t.Context(), id); got != want || err != nil {
			t.Errorf("%s waiting: %v, %v", id, got, err)
		}
	}
	if pic, err := r.Picture(t.Context(), "P1", "portrait.jpg"); err != nil || string(pic) != "pixels" {
		t.Errorf("picture %q, %v", pic, err)
	}
	if err := r.Approve(t.Context(), "P1"); err != nil {
		t.Error(err)
	}
	if err := r.Reject(t.Context(), "P22", "expression", "再来"); err != nil {
		t.Error(err)
	}
	if got := strings.Join(did, "; "); got != "P1 approve  ; P22 reject expression 再来" {
		t.Errorf("did %q", got)
	}
}
