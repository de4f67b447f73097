package central

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a central server behind real HTTP on a real directory.
type world struct {
	t     *testing.T
	dir   string
	clock *clock
	s     *Server
	http  *httptest.Server
	demo  DemoInfo
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), clock: &clock{t: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}}
	w.start()
	t.Cleanup(w.stop)
	var err error
	if w.demo, err = w.s.SeedDemo(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) start() {
	w.t.Helper()
	s, err := Open(w.dir, Options{Now: w.clock.now, PublicURL: "http://127.0.0.1:1"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.s, w.http = s, httptest.NewServer(s.Handler())
}

func (w *world) stop() {
	w.http.Close()
	if err := w.s.Close(); err != nil {
		w.t.Error(err)
	}
}

// restart is what a crash leaves: whatever was not durable is gone.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// kiosk is a station as central sees one.
type kiosk struct {
	w    *world
	key  ed25519.PrivateKey
	info wire.Enrolled
	seq  uint64
}

func (w *world) enrolRequest(code string, pub ed25519.PublicKey) (int, []byte) {
	w.t.Helper()
	b, err := json.Marshal(wire.EnrollRequest{Version: wire.Version, Code: code, Name: "一号机", PublicKey: pub, Software: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.Post(w.http.URL+"/v1/enroll", "application/json", bytes.NewReader(b))
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, readAll(w.t, resp)
}

func readAll(t *testing.T, resp *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) kiosk() *kiosk {
	w.t.Helper()
	code, err := w.s.NewCode(w.t.Context(), nil, time.Hour, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	one, _, _ := strings.Cut(code, ".")
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	status, body := w.enrolRequest(one, pub)
	if status != http.StatusOK {
		w.t.Fatalf("enrol: %d %s", status, body)
	}
	k := &kiosk{w: w, key: priv}
	w.open(body, wire.TypeEnrolled, &k.info)
	return k
}

// open verifies an answer as a station does.
func (w *world) open(body []byte, typ string, v any) {
	w.t.Helper()
	var env wire.Signed
	if err := json.Unmarshal(body, &env); err != nil {
		w.t.Fatalf("answer is not an envelope: %v: %s", err, body)
	}
	if err := env.Open(w.s.PublicKey(), typ, v); err != nil {
		w.t.Fatalf("open %s: %v: %s", typ, err, body)
	}
}

func (k *kiosk) request(method, path string, body []byte, header map[string]string) *http.Request {
	k.w.t.Helper()
	req, err := http.NewRequest(method, k.w.http.URL+path, bytes.NewReader(body))
	if err != nil {
		k.w.t.Fatal(err)
	}
	for name, v := range header {
		req.Header.Set(name, v)
	}
	if err := wire.SignRequest(req, body, k.info.StationID, k.key, k.w.clock.now()); err != nil {
		k.w.t.Fatal(err)
	}
	return req
}

func (k *kiosk) do(req *http.Request) (int, []byte) {
	k.w.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.w.t.Fatal(err)
	}
	return resp.StatusCode, readAll(k.w.t, resp)
}

// call sends a signed JSON request and opens the signed answer.
func (k *kiosk) call(method, path string, in any, typ string, out any) {
	k.w.t.Helper()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			k.w.t.Fatal(err)
		}
	}
	status, answer := k.do(k.request(method, path, body, map[string]string{"Content-Type": "application/json"}))
	if status != http.StatusOK {
		k.w.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	k.w.open(answer, typ, out)
}

func wantError(t *testing.T, status int, body []byte, wantStatus int, wantCode string) {
	t.Helper()
	var e wire.Error
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("not an error body: %s", body)
	}
	if status != wantStatus || e.Code != wantCode {
		t.Fatalf("answer %d %s (%s), want %d %s", status, e.Code, e.Message, wantStatus, wantCode)
	}
}

func testJPEG(t *testing.T, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{100, uint8(150 + x%40), uint8(200 + y%50), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shot is what a test changes about a packet before it is sealed.
type shot struct {
	in         packet.Input
	recipients []string
	key        ed25519.PrivateKey
}

// seal makes a packet of a student as a station does.
func (k *kiosk) seal(ref string, change ...func(*shot)) *packet.Sealed {
	t := k.w.t
	t.Helper()
	k.seq++
	batch, _, _ := strings.Cut(ref, "/")
	ref = strings.TrimPrefix(ref, batch+"/")
	sh := shot{key: k.key, recipients: k.info.Recipients, in: packet.Input{
		ID: ulid.Make(), Seq: k.seq, Station: k.info.StationID, Spec: "chsi", Created: k.w.clock.now(),
		Manifest: packet.Manifest{
			Batch: batch, Student: packet.Student{Ref: ref, IdentifiedBy: "keypad"},
			Payment: packet.Payment{State: "unpaid"},
			Capture: packet.Capture{Camera: "test", At: k.w.clock.now()},
			Report:  json.RawMessage(`{"verdict":"warn","checks":[{"id":"roll","status":"pass","value":1.25,"unit":"°","min":-5,"max":5,"message_zh":"","message_en":""},{"id":"makeup","status":"manual","value":null,"unit":"","min":null,"max":null,"message_zh":"","message_en":""},{"id":"sharpness","status":"warn","value":41.5,"unit":"","min":50,"max":null,"message_zh":"","message_en":""}]}`),
		},
		Original: testJPEG(t, 320, 180), Portrait: testJPEG(t, 120, 160),
	}}
	for _, c := range change {
		c(&sh)
	}
	var to []age.Recipient
	for _, r := range sh.recipients {
		x, err := age.ParseX25519Recipient(r)
		if err != nil {
			t.Fatal(err)
		}
		to = append(to, x)
	}
	p, err := packet.Seal(sh.in, to, sh.key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func supersedes(id string) func(*shot) {
	return func(s *shot) { u := ulid.MustParse(id); s.in.Supersedes = &u }
}

func inSession(session string) func(*shot) {
	return func(s *shot) { s.in.Manifest.Claim.Session = session }
}

func declared(p *packet.Sealed) wire.Declared {
	d := wire.Declared{ID: p.ID.String(), SHA256: p.SHA256, Size: int64(len(p.Bytes)), Seq: p.Header.Seq}
	if p.Header.Supersedes != nil {
		d.Supersedes = p.Header.Supersedes.String()
	}
	return d
}

func (k *kiosk) declare(d ...wire.Declared) []wire.DeclareResult {
	k.w.t.Helper()
	var out wire.DeclareResponse
	k.call(http.MethodPost, "/v1/packets:declare", wire.DeclareRequest{Packets: d}, wire.TypeDeclared, &out)
	if len(out.Results) != len(d) {
		k.w.t.Fatalf("%d results for %d packets", len(out.Results), len(d))
	}
	return out.Results
}

func (k *kiosk) patch(id string, offset int64, body []byte) (int, []byte) {
	k.w.t.Helper()
	return k.do(k.request(http.MethodPatch, "/v1/packets/"+id, body, map[string]string{
		"Content-Type": "application/octet-stream", wire.HeaderUploadOffset: strconv.FormatInt(offset, 10),
	}))
}

// send declares and uploads a packet and returns the ack of the upload.
func (k *kiosk) send(p *packet.Sealed) wire.Ack {
	k.w.t.Helper()
	if r := k.declare(declared(p))[0]; r.State != wire.DeclareWant {
		k.w.t.Fatalf("declare: %+v", r)
	}
	status, body := k.patch(p.ID.String(), 0, p.Bytes)
	if status != http.StatusOK {
		k.w.t.Fatalf("upload: %d %s", status, body)
	}
	var ack wire.Ack
	k.w.open(body, wire.TypeAck, &ack)
	return ack
}

// atRest is what central's disk holds of a packet that was declared.
func (w *world) atRest(p *packet.Sealed) []byte {
	w.t.Helper()
	key, err := w.s.packetKey(w.t.Context(), p.ID.String())
	if err != nil {
		w.t.Fatal(err)
	}
	b := make([]byte, len(p.Bytes))
	if err := cryptAt(key, 0, b, p.Bytes); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// news is everything in the station's log.
func (k *kiosk) news() (verdicts map[string]wire.Verdict, acks map[string]wire.Ack) {
	k.w.t.Helper()
	verdicts, acks = map[string]wire.Verdict{}, map[string]wire.Ack{}
	since := uint64(0)
	for {
		var v wire.Verdicts
		k.call(http.MethodGet, "/v1/verdicts?since="+strconv.FormatUint(since, 10), nil, wire.TypeVerdicts, &v)
		for _, one := range v.Verdicts {
			verdicts[one.PacketID] = one
		}
		for _, s := range v.Acks {
			var a wire.Ack
			if err := s.Open(k.w.s.PublicKey(), wire.TypeAck, &a); err != nil {
				k.w.t.Fatal(err)
			}
			acks[a.ID] = a
		}
		if !v.More {
			return verdicts, acks
		}
		since = v.Cursor
	}
}

func (w *world) status(id string) string {
	w.t.Helper()
	p, err := w.s.Packet(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Status()
}

func (w *world) student(ref string) wire.Student {
	w.t.Helper()
	for _, b := range []string{DemoBatchPaid, DemoBatchFree} {
		all, err := w.s.Students(w.t.Context(), b)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, s := range all {
			if s.Ref == ref {
				return s
			}
		}
	}
	w.t.Fatalf("no student %s", ref)
	return wire.Student{}
}

// studentA is a ref as kiosk.seal wants it: batch/ref.
func studentA(n int) string { return fmt.Sprintf("%s/%s-%03d", DemoBatchPaid, DemoBatchPaid, n) }

func refOf(s string) string { return s[strings.IndexByte(s, '/')+1:] }

// testPortrait is a head and shoulders before a blue backdrop, enough to judge a page by.
func testPortrait(t *testing.T, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	cx, cy, r := float64(w)/2, float64(h)*0.40, float64(h)*0.19
	for y := range h {
		for x := range w {
			dx, dy := float64(x)-cx, float64(y)-cy
			c := color.RGBA{100, 197, 255, 255}
			if sx, sy := dx/(1.75*r), (float64(y)-float64(h))/(1.9*r); sx*sx+sy*sy < 1 {
				c = color.RGBA{40, 46, 66, 255}
			}
			if hy := dy + 0.35*r; dx*dx+hy*hy < 1.02*r*r {
				c = color.RGBA{38, 30, 28, 255}
			}
			if dx*dx/(0.68*r*r)+dy*dy/(1.1*r*r) < 1 && dy > -0.45*r {
				c = color.RGBA{233, 194, 168, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
