package central

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// logOf is a station's audit log as the station writes it.
type logOf struct {
	lines [][]byte
}

func (l *logOf) add(event string) []byte {
	prev := ""
	if n := len(l.lines); n > 0 {
		sum := sha256.Sum256(l.lines[n-1])
		prev = hex.EncodeToString(sum[:])
	}
	line, err := json.Marshal(map[string]any{"n": len(l.lines) + 1, "event": event, "prev": prev})
	if err != nil {
		panic(err)
	}
	l.lines = append(l.lines, line)
	return line
}

// session writes n lines and returns them as a packet carries them.
func (l *logOf) session(event string, n int) []byte {
	var out []byte
	for range n {
		out = append(append(out, l.add(event)...), '\n')
	}
	return out
}

func (l *logOf) copied() *logOf { return &logOf{slices.Clone(l.lines)} }

// Packets whose lines are of one log raise nothing in any order of arrival;
// those that cannot be of one log do, and are taken all the same.
func TestChainOfPackets(t *testing.T) {
	type sent struct {
		seq   uint64
		audit []byte
	}
	three := func() (*logOf, []sent) {
		l := &logOf{}
		l.add("start")
		a := sent{1, l.session("a", 3)}
		l.add("staff")
		l.add("staff")
		b := sent{2, l.session("b", 4)}
		return l, []sent{a, b, {3, l.session("c", 2)}}
	}
	for name, c := range map[string]struct {
		make   func() []sent
		forked bool
	}{
		"in order":       {func() []sent { _, s := three(); return s }, false},
		"newest first":   {func() []sent { _, s := three(); slices.Reverse(s); return s }, false},
		"middle last":    {func() []sent { _, s := three(); return []sent{s[2], s[0], s[1]} }, false},
		"some never":     {func() []sent { _, s := three(); return []sent{s[2], s[0]} }, false},
		"without lines":  {func() []sent { _, s := three(); s[1].audit = nil; return s }, false},
		"lines between":  {func() []sent { l, s := three(); l.add("x"); return append(s, sent{4, l.session("d", 2)}) }, false},
		"a copy goes on": {func() []sent { l, s := three(); l = l.copied(); return append(s, sent{4, l.session("d", 2)}) }, false},
		"two copies go on": {func() []sent {
			l, s := three()
			other := l.copied()
			return append(s, sent{4, l.session("d", 2)}, sent{5, other.session("e", 3)})
		}, true},
		"two copies go on, the later number first": {func() []sent {
			l, s := three()
			other := l.copied()
			return append(s, sent{5, other.session("e", 3)}, sent{4, l.session("d", 2)})
		}, true},
		"a line rewritten": {func() []sent {
			l, s := three()
			l.lines[5] = bytes.Replace(l.lines[5], []byte(`"b"`), []byte(`"B"`), 1)
			l.lines = l.lines[:6]
			return append(s, sent{4, l.session("d", 6)})
		}, true},
		"the line before rewritten": {func() []sent {
			l, s := three()
			l.lines[len(l.lines)-1] = []byte(`{"n":10,"event":"other"}`)
			return append(s, sent{4, l.session("d", 2)})
		}, true},
		"cut short, into lines that nobody sent": {func() []sent {
			l := &logOf{}
			l.add("start")
			short := l.copied()
			for range 9 {
				l.add("staff")
			}
			return []sent{{1, l.session("a", 3)}, {2, short.session("b", 3)}}
		}, true},
		"begun anew": {func() []sent { _, s := three(); l := &logOf{}; return append(s, sent{4, l.session("d", 2)}) }, true},
		"no chain in itself": {func() []sent {
			l, s := three()
			d := l.session("d", 3)
			return append(s, sent{4, bytes.Replace(d, []byte(`"d"`), []byte(`"D"`), 1)})
		}, true},
		"no lines at all in it": {func() []sent { _, s := three(); return append(s, sent{4, []byte("\x00\xff{\n[]\n")}) }, true},
		"huge numbers": {func() []sent {
			_, s := three()
			return append(s, sent{4, []byte(`{"n":18446744073709551615,"prev":""}` + "\n")})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k, other := w.kiosk(), w.kiosk()
			all := c.make()
			var packets []*packet.Sealed
			for i, s := range all {
				p := k.seal(studentA(i+1), func(sh *shot) { sh.in.Seq, sh.in.Audit = s.seq, s.audit })
				k.send(p)
				packets = append(packets, p)
			}
			// Another station's log is another log.
			l := &logOf{}
			other.send(other.seal(studentA(9), func(sh *shot) { sh.in.Audit = l.session("z", 5) }))

			flagged := 0
			for _, p := range packets {
				row, err := w.s.Packet(t.Context(), p.ID.String())
				if err != nil || row.Stage != StageOpened {
					t.Fatalf("%+v %v", row, err)
				}
				if slices.Contains(row.Flags, FlagForked) {
					flagged++
				}
			}
			var want []string
			if c.forked {
				want = []string{k.info.StationID}
			}
			st, err := w.s.Stats(t.Context())
			if err != nil || !slices.Equal(st.Forked, want) && len(st.Forked)+len(want) > 0 {
				t.Errorf("forked %v %v, want %v", st.Forked, err, want)
			}
			if (flagged == 1) != c.forked {
				t.Errorf("%d flagged", flagged)
			}
			for kk, told := range map[*kiosk]bool{k: c.forked, other: false} {
				var hello wire.Hello
				kk.call(http.MethodPost, "/v1/heartbeat", wire.Heartbeat{Software: "9.9"}, wire.TypeHello, &hello)
				if hello.Forked != told {
					t.Errorf("told %v, want %v", hello.Forked, told)
				}
			}
		})
	}
}

// An administrator who knows what was behind an alarm takes it back; the next
// sign raises it again.
func TestAlarmsAreSettled(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	send := func(i int, seq uint64, l *logOf) {
		k.send(k.seal(studentA(i), func(s *shot) { s.in.Seq, s.in.Audit = seq, l.session("s", 3) }))
	}
	forked := func() bool {
		st, err := w.s.Stats(t.Context())
		must(t, err)
		return len(st.Forked) == 1
	}
	l := &logOf{}
	send(1, 1, l)
	send(2, 2, &logOf{})
	if !forked() {
		t.Fatal("no alarm")
	}
	br := w.staffOf(RoleAdmin, "chief")["chief"]
	br.want(http.StatusOK, br.get("/admin"), "审计日志对不上", "/settle")
	must(t, w.s.SettleAlarms(t.Context(), k.info.StationID, "chief"))
	if forked() {
		t.Error("the alarm stands")
	}
	send(3, 3, l)
	if forked() {
		t.Error("the log that goes on raises it again")
	}
	send(4, 4, &logOf{})
	if !forked() {
		t.Error("the next sign raises nothing")
	}
	must(t, w.s.VerifyAudit(t.Context()))
}
