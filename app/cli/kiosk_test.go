package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// What the kiosk was told must reach the station that it watches, as that
// station understands it.
func TestKioskHandsItsArgumentsOn(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "kiosk", "--log=info --fullscreen"},
		{"in a window", "kiosk --windowed --size 1280x800", "--log=info --size=1280x800"},
		{"demo", "kiosk --demo --data /d --camera scene --log debug", "--log=debug --fullscreen --demo --data=/d --camera=scene"},
		{"automation", "kiosk --automation /s", "--log=info --fullscreen --automation=/s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("YUNZHAO_DATA", "")
			var got commands
			parse(t, &got, strings.Fields(c.in))
			args := got.Kiosk.arguments()
			if text := strings.Join(args, " "); text != c.want {
				t.Fatalf("arguments %q, want %q", text, c.want)
			}
			var again commands
			parse(t, &again, append([]string{"run"}, args...))
			want := got.Kiosk.RunCmd
			want.Fullscreen = want.Fullscreen || !got.Kiosk.Windowed
			if again.Run != want {
				t.Errorf("the station understands %+v, want %+v", again.Run, want)
			}
		})
	}
}

func parse(t *testing.T, into *commands, args []string) {
	t.Helper()
	parser, err := kong.New(into)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
}

func TestAStationThatCannotStartSaysWhyOnTheScreen(t *testing.T) {
	why := errors.New("照片库打不开 / the outbox does not open")
	v := startFault(booth.ZH, time.Unix(0, 0), why)
	f := v.Fault
	if f == nil || !strings.Contains(f.Body.ZH, why.Error()) {
		t.Fatalf("the cause is not on the screen: %+v", f)
	}
	for _, text := range []booth.Text{f.Title, f.Body, f.Safe, f.Action} {
		if slices.Contains([]string{text.ZH, text.EN}, "") {
			t.Errorf("not in both languages: %+v", text)
		}
	}
}
