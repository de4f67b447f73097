package screen

import (
	"github.com/yunzhao-station/yunzhao/app/booth"
)

// whoseVisit is the student whose visit it is, masked, with the last four
// characters of the number, on the screens from the consent on: whoever sits
// down in the meantime sees that it is not theirs. "" = nobody, or the screen
// shows it itself.
func whoseVisit(v booth.View, lang booth.Lang) string {
	if v.Student == nil {
		return ""
	}
	switch v.State {
	case booth.Consent, booth.Guide, booth.Framing, booth.Countdown, booth.Shot, booth.Standardising, booth.Review,
		booth.Confirm, booth.Sealing, booth.Done:
	case booth.Locked, booth.Idle, booth.Identify, booth.Eligible, booth.Abandoned:
		return ""
	}
	tail := []rune(v.Student.NumberMasked)
	tail = tail[max(0, len(tail)-4):]
	return shortName(v.Student.NameMasked) + " " + string(tail) + booth.Text{ZH: " 不是我", EN: " Not me"}.In(lang)
}

// shortName is enough of a masked name to tell people apart by: names in Latin
// letters go on and on.
func shortName(masked string) string {
	const most = 5
	name := []rune(masked)
	if len(name) > most {
		name = append(name[:most], '…')
	}
	return string(name)
}

// notMe asks whether the person before the screen is really somebody else.
func (a *ask) notMe(v booth.View) {
	switch v.State {
	case booth.Done:
		a.text.set(a.ui, booth.Text{
			ZH: "照片已保存在这个名字下。不是您吗？记录在案后，请马上告诉工作人员。",
			EN: "The photo is saved under this name. Is it not yours? This goes on record; please tell the staff at once.",
		})
		a.yes.label(booth.Text{ZH: "不是我", EN: "Not me"})
	case booth.Sealing:
		return // a moment, and then Done
	default:
		a.text.set(a.ui, booth.Text{
			ZH: "这不是您的信息？本次的照片和信息会立即删除，请重新核对身份。",
			EN: "Is this not you? This photo and these details are deleted at once; then identify yourself again.",
		})
		a.yes.label(booth.Text{ZH: "不是我，重新核对", EN: "Not me, start again"})
	}
	a.no.label(booth.Text{ZH: "是我，继续", EN: "It is me"})
	a.open(booth.NotMe{})
}
