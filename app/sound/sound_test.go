package sound

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// heard collects what a loudspeaker would have played: tones and voice at once.
type heard struct {
	began time.Time
	takes time.Duration // how long everything takes to play

	mu     sync.Mutex
	log    []string
	broken error
	tried  int
}

func (h *heard) note(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, fmt.Sprintf("%d %s", time.Since(h.began).Milliseconds(), s))
}

// attempt counts one and tells whether the loudspeaker works.
func (h *heard) attempt() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried++
	return h.broken
}

func (h *heard) wait(ctx context.Context) error {
	select {
	case <-time.After(h.takes):
		return nil
	case <-ctx.Done():
		h.note("cut")
		return ctx.Err()
	}
}

var toneNames = map[Tone]string{Tick: "tick", LastTick: "last", Stopped: "stopped", Shutter: "shutter", Saved: "saved"}

func (h *heard) play(ctx context.Context, p PCM) error {
	if err := h.attempt(); err != nil {
		return err
	}
	for t, name := range toneNames {
		if bytes.Equal(t.PCM(100).Samples, p.Samples) {
			h.note(name)
			return h.wait(ctx)
		}
	}
	h.note(string(p.Samples))
	return h.wait(ctx)
}

func (h *heard) say(_ context.Context, lang booth.Lang, text string) (PCM, error) {
	s := string(lang) + ":" + text
	if len(s)%2 == 1 {
		s += "."
	}
	return PCM{22050, []byte(s)}, nil
}

// play runs a script of views on the test's clock.
func play(t *testing.T, h *heard, voice bool, script func(show func(booth.View), pass func(time.Duration))) *bytes.Buffer {
	t.Helper()
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		h.began = time.Now()
		o := Options{Play: h.play, Volume: 100, Log: slog.New(slog.NewTextHandler(&log, nil))}
		if voice {
			o.Say = h.say
		}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		script(func(v booth.View) { s.Show(v); synctest.Wait() }, func(d time.Duration) { <-time.After(d); synctest.Wait() })
		stop()
		<-ended
	})
	return &log
}

func framing(hint string) booth.View {
	return booth.View{SessionID: "A", State: booth.Framing, Lang: booth.ZH, Live: booth.LiveView{Hint: booth.Text{ZH: hint, EN: hint}, Ready: hint == "ok"}}
}

func state(s booth.State, count int) booth.View {
	return booth.View{SessionID: "A", State: s, Lang: booth.ZH, Countdown: count}
}

func TestAVisitIsHeard(t *testing.T) {
	h := &heard{takes: 100 * time.Millisecond}
	play(t, h, true, func(show func(booth.View), pass func(time.Duration)) {
		for _, s := range []booth.State{booth.Idle, booth.Identify, booth.Eligible, booth.Consent, booth.Guide} {
			show(state(s, 0))
		}
		for range 10 { // a second of "left", at the pace of the live checks
			show(framing("left"))
			pass(100 * time.Millisecond)
		}
		for range 40 {
			show(framing("ok"))
			pass(100 * time.Millisecond)
		}
		for n := 3; n > 0; n-- {
			for range 10 {
				show(state(booth.Countdown, n))
				pass(100 * time.Millisecond)
			}
		}
		for _, s := range []booth.State{booth.Shot, booth.Standardising, booth.Review, booth.Confirm, booth.Sealing, booth.Done, booth.Idle} {
			show(state(s, 0))
			pass(time.Second)
		}
	})
	want := "700 zh:left.|3200 zh:ok.|5000 tick|6000 tick|7000 last|8000 shutter|13000 saved"
	if got := strings.Join(h.log, "|"); got != want {
		t.Errorf("heard\n%s, want\n%s", got, want)
	}
}

func TestHintsAreSpokenAtAPaceThatCanBeFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		hints []string // a second of each
		want  string
	}{
		"one goes on":              {strings.Split(strings.Repeat("left,", 17), ","), "700 zh:left.|8700 zh:left.|16700 zh:left."},
		"each second another":      {strings.Fields("a b c d e f"), "700 zh:a|3700 zh:d"},
		"ready is said once":       {strings.Split(strings.Repeat("ok,", 12), ","), "700 zh:ok."},
		"nothing for the restless": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &heard{takes: 100 * time.Millisecond}
			play(t, h, true, func(show func(booth.View), pass func(time.Duration)) {
				for _, hint := range c.hints {
					for range 10 {
						show(framing(hint))
						pass(100 * time.Millisecond)
					}
				}
				if c.hints == nil { // hints that change faster than they could be said
					for i := range 50 {
						show(framing([]string{"a", "b"}[i%2]))
						pass(300 * time.Millisecond)
					}
				}
			})
			if got := strings.Join(h.log, "|"); got != c.want {
				t.Errorf("heard %s, want %s", got, c.want)
			}
		})
	}
}

func TestAStoppedCountdownIsSaidAtOnce(t *testing.T) {
	h := &heard{takes: 100 * time.Millisecond}
	play(t, h, true, func(show func(booth.View), pass func(time.Duration)) {
		show(state(booth.Countdown, 3))
		pass(500 * time.Millisecond)
		v := framing("ok")
		v.Capture.Stopped = &booth.Text{ZH: "先停一下：往左", EN: "On hold"}
		for range 20 {
			show(v)
			pass(100 * time.Millisecond)
		}
	})
	if got := strings.Join(h.log, "|"); !strings.HasPrefix(got, "0 tick|500 stopped|500 zh:先停一下：往左") && !strings.HasPrefix(got, "0 tick|500 zh:先停一下：往左") || strings.Count(got, "先停") != 1 {
		t.Errorf("heard %s", got)
	}
}

func TestNothingIsSaidToTheNextStudent(t *testing.T) {
	h := &heard{takes: 5 * time.Second}
	play(t, h, true, func(show func(booth.View), pass func(time.Duration)) {
		for range 10 {
			show(framing("left"))
			pass(100 * time.Millisecond)
		}
		show(booth.View{State: booth.Idle})
		pass(time.Second)
		next := framing("left")
		next.SessionID, next.Lang = "B", booth.EN
		for range 10 {
			show(next)
			pass(100 * time.Millisecond)
		}
		v := next
		v.Fault = &booth.Fault{Code: "camera"}
		show(v)
		pass(time.Second)
	})
	if got := strings.Join(h.log, "|"); got != "700 zh:left.|1000 cut|2700 en:left.|3000 cut" {
		t.Errorf("heard %s", got)
	}
}

func TestWithoutAVoiceThereAreTones(t *testing.T) {
	h := &heard{}
	play(t, h, false, func(show func(booth.View), pass func(time.Duration)) {
		for range 20 {
			show(framing("left"))
			pass(100 * time.Millisecond)
		}
		show(state(booth.Countdown, 1))
		pass(time.Second)
	})
	if got := strings.Join(h.log, "|"); got != "2000 last" {
		t.Errorf("heard %s", got)
	}
}

func TestALoudspeakerThatFailsIsLeftAlone(t *testing.T) {
	h := &heard{broken: errors.New("no such device")}
	log := play(t, h, true, func(show func(booth.View), pass func(time.Duration)) {
		for n := 50; n > 0; n-- {
			show(state(booth.Countdown, n))
			pass(time.Second)
		}
		if h.tried != tries {
			t.Errorf("tried %d times within a minute", h.tried)
		}
		h.mu.Lock()
		h.broken = nil // somebody has plugged it in
		h.mu.Unlock()
		for n := 50; n > 0; n-- {
			show(state(booth.Countdown, n))
			pass(time.Second)
		}
	})
	if h.tried < 30 {
		t.Errorf("tried %d times: it is not heard once it works", h.tried)
	}
	if n := strings.Count(log.String(), "no sound"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log)
	}
}

func TestAPlayerThatHangsHoldsUpNothing(t *testing.T) {
	h := &heard{takes: time.Hour}
	play(t, h, true, func(show func(booth.View), pass func(time.Duration)) {
		for n := 200; n > 0; n-- {
			show(state(booth.Countdown, n))
			pass(100 * time.Millisecond)
		}
	})
	if len(h.log) < 4 || h.log[1] != "8000 cut" {
		t.Errorf("heard %v", h.log)
	}
}

func TestNewRefusesWhatCannotBeHeard(t *testing.T) {
	ok := func(context.Context, PCM) error { return nil }
	for name, o := range map[string]Options{"no player": {}, "too loud": {Play: ok, Volume: 101}, "less than silent": {Play: ok, Volume: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func loudest(p PCM) (most int, last int) {
	for i := 0; i+1 < len(p.Samples); i += 2 {
		v := int(int16(binary.LittleEndian.Uint16(p.Samples[i:])))
		most, last = max(most, v, -v), v
	}
	return most, last
}

func TestTones(t *testing.T) {
	for tone, name := range toneNames {
		full, half := tone.PCM(100), tone.PCM(50)
		most, last := loudest(full)
		if most < 4000 || most > 32767 || math.Abs(float64(last)) > 300 {
			t.Errorf("%s: peak %d, ends at %d", name, most, last)
		}
		if quarter, _ := loudest(half); math.Abs(float64(quarter)-float64(most)/4) > 20 {
			t.Errorf("%s: peak %d at half volume, %d at full", name, quarter, most)
		}
		if zero, _ := loudest(tone.PCM(0)); zero != 0 {
			t.Errorf("%s: %d at no volume", name, zero)
		}
		if d := float64(len(full.Samples)) / 2 / float64(full.Rate); d < .05 || d > 1 {
			t.Errorf("%s lasts %.2f s", name, d)
		}
		scaled, _ := loudest(full.Scale(50))
		if quarter, _ := loudest(half); scaled < quarter-2 || scaled > quarter+2 {
			t.Errorf("%s: scaled to %d, made at %d", name, scaled, quarter)
		}
	}
	if p := Silence.PCM(100); len(p.Samples) != 0 {
		t.Error("silence sounds")
	}
}

// wav is a file as espeak-ng writes it to a pipe: the lengths are not known yet.
func wav(rate uint32, data []byte) []byte {
	le := binary.LittleEndian
	b := append([]byte("RIFF"), le.AppendUint32(nil, 0x7ffff024)...)
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, rate)
	b = le.AppendUint32(b, 2*rate)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "LIST\x03\x00\x00\x00abc\x00data"...)
	b = le.AppendUint32(b, 0x7ffff000)
	return append(b, data...)
}

func TestWAV(t *testing.T) {
	good := wav(22050, []byte{1, 2, 3, 4, 5})
	if p, err := parseWAV(good); err != nil || p.Rate != 22050 || !bytes.Equal(p.Samples, []byte{1, 2, 3, 4}) {
		t.Errorf("%+v %v", p, err)
	}
	stereo := append([]byte(nil), good...)
	stereo[22] = 2
	for name, b := range map[string][]byte{
		"nothing": nil, "text": []byte("espeak: no voice"), "cut in the header": good[:30], "no data": good[:40],
		"two channels": stereo, "no rate": wav(0, nil), "data first": append(good[:12:12], "data\x02\x00\x00\x00ab"...),
	} {
		if p, err := parseWAV(b); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(wav(22050, []byte{1, 2, 3, 4}))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseWAV(b); err == nil && (p.Rate < 4000 || len(p.Samples)%2 != 0 || len(p.Samples) > len(b)) {
			t.Errorf("%d Hz, %d bytes of %d", p.Rate, len(p.Samples), len(b))
		}
	})
}

// programs puts scripts in the place of the real ones.
func programs(t *testing.T, scripts map[string]string) func(string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\ncd "+dir+"\n"+body), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) (string, error) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			return "", err
		}
		return path, nil
	}
}

func TestPrograms(t *testing.T) {
	speech := wav(16000, []byte("samples!"))
	dir := t.TempDir()
	voice := filepath.Join(dir, "speech.wav")
	if err := os.WriteFile(voice, speech, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, player := range []string{"aplay", "paplay"} {
		heardAs, args, said := filepath.Join(dir, player), filepath.Join(dir, player+".args"), filepath.Join(dir, player+".text")
		find := programs(t, map[string]string{
			player:      fmt.Sprintf("echo \"$@\" > %s; cat > %s", args, heardAs),
			"espeak-ng": fmt.Sprintf("echo \"$@\" > %s; cat >> %s; cat %s", said, said, voice),
		})
		play, say, err := Find(find)
		if err != nil || say == nil {
			t.Fatal(err)
		}
		text := "请往左移一点 -v $(reboot)"
		pcm, err := say(t.Context(), booth.ZH, text)
		if err != nil || pcm.Rate != 16000 || string(pcm.Samples) != "samples!" {
			t.Fatalf("%+v %v", pcm, err)
		}
		if b, _ := os.ReadFile(said); !bytes.HasPrefix(b, []byte("-v cmn ")) || !bytes.HasSuffix(b, []byte(text)) {
			t.Errorf("espeak-ng got %q", b)
		}
		if err := play(t.Context(), pcm); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(heardAs); string(b) != "samples!" {
			t.Errorf("%s got %q", player, b)
		}
		if b, _ := os.ReadFile(args); !bytes.Contains(b, []byte("16000")) {
			t.Errorf("%s was called with %q", player, b)
		}
	}
	if _, _, err := Find(programs(t, nil)); !errors.Is(err, ErrNone) {
		t.Errorf("nothing installed: %v", err)
	}
	play, say, err := Find(programs(t, map[string]string{"aplay": "echo 'no such device' >&2; exit 1"}))
	if err != nil || say != nil {
		t.Fatalf("a voice that is not there: %v", err)
	}
	if err := play(t.Context(), Tick.PCM(50)); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("a player that fails: %v", err)
	}
	play, _, err = Find(programs(t, map[string]string{"aplay": "exec sleep 60"}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := play(ctx, Tick.PCM(50)); err == nil {
		t.Error("a player that hangs was waited for")
	}
}
