package camera

import (
	"bytes"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// soakEnv asks for the whole soak, which every run of the tests cannot afford.
const soakEnv = "YUNZHAO_SOAK"

// residentKB is the resident memory of this process.
func residentKB(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(data))
	pages := 0
	for _, c := range fields[1] {
		pages = 10*pages + int(c-'0')
	}
	return pages * os.Getpagesize() >> 10
}

// Half an hour at 30 fps and a thousand shots, with a fault of some kind every
// few seconds: every shot is the frame that was on the screen, and neither
// memory nor goroutines grow.
func TestSoak(t *testing.T) {
	const fps = 30
	minutes, shots := 1, 40
	if os.Getenv(soakEnv) != "" {
		minutes, shots = 30, 1000
	}
	random := rand.New(rand.NewPCG(5, 30))
	faults := []func(*rig){
		func(r *rig) { r.gone = true },
		func(r *rig) { r.frozen = true },
		func(r *rig) { r.deaf = true },
		func(r *rig) { r.busy, r.gone = true, false; r.frozen = true },
		func(r *rig) { r.skip = 3 },
		func(r *rig) { r.slowOpen = time.Second; r.frozen = true },
	}
	well := func(r *rig) {
		r.gone, r.frozen, r.deaf, r.busy, r.skip, r.slowOpen = false, false, false, false, 0, 0
	}
	supervised(t, SupervisorParams{}, func(t *testing.T, r *rig, s *Supervisor) {
		r.set(func(r *rig) { r.padding = bytes.Repeat([]byte("x"), 100_000) })
		every := time.Duration(minutes) * time.Minute / time.Duration(shots)
		began := time.Now()
		var shown, shot Frame
		var last uint64
		taken, lost, goroutines, resident := 0, 0, 0, 0
		for taken < shots || time.Since(began) < time.Duration(minutes)*time.Minute {
			if taken == shots/10 { // warm
				debug.FreeOSMemory()
				goroutines, resident = runtime.NumGoroutine(), residentKB(t)
			}
			pass(time.Duration(random.Int64N(int64(2 * every))))
			// What the screen shows, whatever the camera does meanwhile.
			if err := s.Latest(t.Context(), last, &shown); err != nil {
				t.Fatal(err)
			}
			if shown.Seq <= last {
				t.Fatalf("frame %d after frame %d", shown.Seq, last)
			}
			last = shown.Seq
			faulty := random.IntN(4) == 0
			if faulty {
				r.set(faults[random.IntN(len(faults))])
			}
			pass(time.Duration(random.IntN(DefaultRing-3)) * time.Second / fps)
			switch {
			case !s.BySeq(shown.Seq, &shot):
				lost++
			case len(shot.Data) < 100_000 || shot.Seq != shown.Seq || !shot.Captured.Equal(shown.Captured) || !bytes.Equal(shot.Data, shown.Data):
				t.Fatalf("the shot of frame %d is frame %d", shown.Seq, shot.Seq)
			}
			taken++
			if faulty {
				pass(time.Duration(random.Int64N(int64(4 * time.Second))))
				r.set(well)
			}
		}
		synctest.Wait()
		if lost != 0 {
			t.Errorf("%d of %d shots were lost", lost, taken)
		}
		debug.FreeOSMemory()
		after := residentKB(t)
		st := s.Status()
		t.Logf("%v: %d frames (%d delivered), %d shots, %d opens; goroutines %d → %d, RSS %d → %d KB",
			time.Since(began).Round(time.Second), st.Seq, st.Counters.Delivered, taken, st.Opens, goroutines, runtime.NumGoroutine(), resident, after)
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines, %d after the first tenth", n, goroutines)
		}
		if os.Getenv(soakEnv) != "" && float64(after) > 1.05*float64(resident) {
			t.Errorf("RSS grew from %d to %d KB", resident, after)
		}
	})
}
