package station

import (
	"context"
	"image"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
)

const (
	// cardWait is how long somebody may take to hold the grey card in place.
	cardWait = 20 * time.Second
	// cardSteady is how many frames in a row must show it: a hand that passes is
	// no card.
	cardSteady = 8
	// cardLife is how long a card tells the light of the calibrations after it;
	// lamps and daylight change over a day.
	cardLife = time.Hour
)

// lightCard is the grey card that was read last.
type lightCard struct {
	mu   sync.Mutex
	card *calibrate.Card
	at   time.Time
}

func (l *lightCard) keep(c *calibrate.Card, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.card, l.at = c, at
}

// recent is the card where it was read not long ago; nil otherwise.
func (l *lightCard) recent(now time.Time) *calibrate.Card {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.card == nil || now.Sub(l.at) > cardLife || now.Before(l.at) {
		return nil
	}
	return l.card
}

// readCard waits until a grey card is held over the middle of the picture and
// reads the colour of the light off it, for the calibrations that follow.
func (s *Station) readCard(ctx context.Context) (booth.Text, booth.Level) {
	var frame camera.Frame
	var raw, turned image.RGBA
	defer func() {
		frame.Wipe()
		clear(raw.Pix)
		clear(turned.Pix)
	}()
	ctx, cancel := context.WithTimeout(ctx, cardWait)
	defer cancel()
	steady, pictures := 0, 0
	var last *calibrate.Card
	for steady < cardSteady {
		if err := s.p.Camera.Latest(ctx, max(frame.Seq, s.p.Camera.Status().Seq), &frame); err != nil {
			break // the time is over
		}
		img, err := s.uprightFrame(&raw, &turned, &frame)
		if err != nil {
			continue // a damaged frame; the next one comes
		}
		pictures++
		card, err := calibrate.ReadCard(img)
		if err != nil {
			steady = 0
			continue
		}
		steady, last = steady+1, card
	}
	switch {
	case pictures == 0:
		return noPicture, booth.Bad
	case steady < cardSteady:
		return booth.Text{
			ZH: "画面正中没有看到灰卡。请在座位处把灰卡正对相机，盖住十字线中间，再按一次。",
			EN: "There was no grey card in the middle. Hold it at the seat, facing the camera, over the crossing of the lines, and press again.",
		}, booth.Warn
	}
	s.card.keep(last, time.Now())
	f := last.Judge()
	s.log.Info("grey card", "status", string(f.Status), "kelvin", valueOf(f.Value))
	level := booth.OK
	if f.Status != calibrate.Pass {
		level = booth.Warn
	}
	return booth.Text{
		ZH: "灰卡：" + f.ZH + "一小时内重拍的空背景按它判断光的颜色。",
		EN: "Grey card: " + f.EN + " Backdrop photos of the next hour judge the light by it.",
	}, level
}
