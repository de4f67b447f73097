package sound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// ErrNone reports that the computer has no program to make sound with.
var ErrNone = errors.New("sound: neither aplay nor paplay is installed")

// maxSpeech bounds what a voice may answer: half a minute.
const maxSpeech = 2 << 20

// Find looks for the computer's player and voice: ALSA's aplay or PulseAudio's
// paplay, and espeak-ng, which need not be there; say is nil without it. lookup
// is exec.LookPath but for tests.
func Find(lookup func(string) (string, error)) (play func(context.Context, PCM) error, say func(context.Context, booth.Lang, string) (PCM, error), err error) {
	for _, name := range []string{"aplay", "paplay"} {
		path, err := lookup(name)
		if err != nil {
			continue
		}
		play = func(ctx context.Context, p PCM) error { return playWith(ctx, name, path, p) }
		break
	}
	if play == nil {
		return nil, nil, ErrNone
	}
	if path, err := lookup("espeak-ng"); err == nil {
		say = func(ctx context.Context, lang booth.Lang, text string) (PCM, error) {
			return speakWith(ctx, path, lang, text)
		}
	}
	return play, say, nil
}

// playWith pipes raw samples into a player.
func playWith(ctx context.Context, name, path string, p PCM) error {
	if len(p.Samples) == 0 {
		return nil
	}
	args := []string{"-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", strconv.Itoa(p.Rate), "-"}
	if name == "paplay" {
		args = []string{"--raw", "--format=s16le", "--channels=1", "--rate=" + strconv.Itoa(p.Rate)}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = bytes.NewReader(p.Samples)
	return run(cmd, name)
}

// speakWith has espeak-ng turn a sentence into samples. The sentence goes by
// standard input: it is text, never an argument.
func speakWith(ctx context.Context, path string, lang booth.Lang, text string) (PCM, error) {
	voice := "cmn"
	if lang == booth.EN {
		voice = "en"
	}
	cmd := exec.CommandContext(ctx, path, "-v", voice, "-s", "160", "--stdin", "--stdout")
	cmd.Stdin = strings.NewReader(text)
	out := limited{max: maxSpeech}
	cmd.Stdout = &out
	if err := run(cmd, "espeak-ng"); err != nil {
		return PCM{}, err
	}
	return parseWAV(out.Bytes())
}

// run waits for a program and tells the first of what it complains about.
func run(cmd *exec.Cmd, name string) error {
	complaint := limited{max: 300}
	cmd.Stderr = &complaint
	cmd.WaitDelay = time.Second // its children may hold the pipes
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("sound: %s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	return nil
}

// limited keeps the first bytes of what a program writes and drops the rest.
type limited struct {
	bytes.Buffer
	max int
}

var _ io.Writer = (*limited)(nil)

func (l *limited) Write(p []byte) (int, error) {
	if room := l.max - l.Len(); room > 0 {
		_, _ = l.Buffer.Write(p[:min(room, len(p))]) // a buffer takes everything
	}
	return len(p), nil
}

// Scale makes samples quieter: 100 percent is as they are.
func (p PCM) Scale(volume int) PCM {
	gain := float64(min(max(volume, 0), 100)) / 100
	gain *= gain
	out := make([]byte, len(p.Samples)&^1)
	for i := 0; i+1 < len(p.Samples); i += 2 {
		v := int16(uint16(p.Samples[i]) | uint16(p.Samples[i+1])<<8)
		v = int16(gain * float64(v))
		out[i], out[i+1] = byte(v), byte(uint16(v)>>8)
	}
	return PCM{p.Rate, out}
}
