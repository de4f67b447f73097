package main

import (
	"encoding/json"
	"fmt"
	"image"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	fyneapp "fyne.io/fyne/v2/app"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/screen"
)

func rss() string {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, "VmRSS") {
			return strings.Fields(l)[1]
		}
	}
	return "?"
}

func main() {
	a := fyneapp.NewWithID("zz")
	var size image.Point
	fmt.Sscanf(os.Args[1], "%dx%d", &size.X, &size.Y)
	intents := make(chan booth.Intent, 100)
	w, err := screen.New(a, screen.Options{Size: size, Fullscreen: len(os.Args) > 3, OnIntent: func(i booth.Intent) { intents <- i }})
	if err != nil {
		panic(err)
	}
	go func() {
		time.Sleep(2 * time.Second)
		shot := func(n string) { exec.Command("import", "-window", "root", os.Args[2]+"/gl-"+n+".png").Run() }
		for _, s := range screen.Samples(booth.ZH) {
			if os.Getenv("WEDGE") != "" && s.Name != "02-identify-empty" {
				continue
			}
			w.Show(s.View)
			if s.View.State == booth.Framing || s.View.State == booth.Countdown {
				time.Sleep(300 * time.Millisecond)
				start := time.Now()
				first := w.Shown()
				n := uint64(0)
				shown := map[uint64]bool{}
				for time.Since(start) < 3*time.Second {
					n++
					pw, ph := w.PreviewSize()
					buf := w.Buffer(pw, ph)
					for i := range buf.Pix {
						buf.Pix[i] = uint8(i/4*7 + int(n)*3)
					}
					w.Offer(buf, n+first)
					time.Sleep(33 * time.Millisecond)
					shown[w.Shown()] = true
				}
				pw, ph := w.PreviewSize()
				fmt.Printf("%s: preview %dx%d offered %d, %d shown in 3 s, rss %s kB\n", s.Name, pw, ph, n, len(shown), rss())
			}
			time.Sleep(500 * time.Millisecond)
			shot(s.Name)
			switch s.View.State {
			case booth.Idle, booth.Eligible, booth.Review, booth.Confirm:
				for _, t := range w.Targets() {
					if t.Enabled && t.ID != "abandon" && t.ID != "reveal" {
						exec.Command("xdotool", "mousemove", fmt.Sprint(t.X+t.W/2), fmt.Sprint(t.Y+t.H/2), "click", "1").Run()
						select {
						case i := <-intents:
							fmt.Printf("%s: %s -> %T%+v\n", s.Name, t.ID, i, i)
						case <-time.After(time.Second):
							fmt.Printf("%s: %s -> NOTHING\n", s.Name, t.ID)
						}
						time.Sleep(320 * time.Millisecond)
					}
					if t.ID == "reveal" {
						exec.Command("xdotool", "mousemove", fmt.Sprint(t.X+t.W/2), fmt.Sprint(t.Y+t.H/2), "mousedown", "1").Run()
						fmt.Printf("%s: hold %+v\n", s.Name, <-intents)
						exec.Command("xdotool", "mousemove", "5", "400").Run()
						select {
						case i := <-intents:
							fmt.Printf("%s: slid off %+v\n", s.Name, i)
						case <-time.After(time.Second):
							fmt.Println("slid off NOTHING")
						}
						exec.Command("xdotool", "mouseup", "1").Run()
						time.Sleep(320 * time.Millisecond)
						for len(intents) > 0 {
							fmt.Printf("extra %+v\n", <-intents)
						}
					}
				}
			}
			if s.Name == "02-identify-empty" {
				exec.Command("sh", "-c", "xdotool key --delay 8 1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X Return").Run()
				time.Sleep(400 * time.Millisecond)
				var last booth.Intent
				n := 0
				for len(intents) > 0 {
					last = <-intents
					n++
				}
				fmt.Printf("wedge: %d intents, last %T%+v\n", n, last, last)
			}
		}
		var m runtime.MemStats
		for r := 0; r < 20; r++ {
			for _, s := range screen.CrowdedSamples(booth.EN) {
				w.Show(s.View)
				time.Sleep(30 * time.Millisecond)
			}
			if r%5 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&m)
				fmt.Printf("round %d: rss %s kB heap %d kB goroutines %d\n", r, rss(), m.HeapAlloc/1024, runtime.NumGoroutine())
			}
		}
		json.NewEncoder(os.Stdout).Encode(w.Targets()[0])
		w.Close()
	}()
	w.ShowAndRun()
}
