package screen

import (
	"testing"

	"fyne.io/fyne/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// BenchmarkShow is the interface goroutine's time for one view: another screen,
// and the same screen again with nothing new.
func BenchmarkShow(b *testing.B) {
	for _, s := range CrowdedSamples(booth.ZH) {
		b.Run(s.Name, func(b *testing.B) {
			bench := newBench(b, fyne.NewSize(1920, 1080))
			bench.w.Show(s.View)
			for b.Loop() {
				bench.w.Show(s.View)
			}
		})
	}
	b.Run("switch", func(b *testing.B) {
		bench := newBench(b, fyne.NewSize(1920, 1080))
		guide, consent := sample(b, false, "guide"), sample(b, false, "consent")
		bench.w.Show(guide)
		bench.w.Show(consent)
		for b.Loop() {
			bench.w.Show(guide)
			bench.w.Show(consent)
		}
	})
	b.Run("first guide", func(b *testing.B) {
		guide, consent := sample(b, false, "guide"), sample(b, false, "consent")
		for b.Loop() {
			b.StopTimer()
			bench := newBench(b, fyne.NewSize(1920, 1080))
			bench.w.Show(consent)
			b.StartTimer()
			bench.w.Show(guide)
		}
	})
}
