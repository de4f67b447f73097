package screen

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
)

// realSettings is the settings page with the settings that there are, each
// changed to value of the table's own.
func realSettings(lang booth.Lang) booth.View {
	set := &booth.SettingsView{Can: true}
	for _, g := range config.Sections() {
		set.Groups = append(set.Groups, booth.SettingGroup{ID: g.ID, Name: booth.Text(g.Name)})
	}
	for _, s := range config.Settings() {
		value, _ := config.Default().Value(s.Key)
		l := booth.SettingLine{
			Key: s.Key, Group: s.Section(), Kind: booth.SettingKind(s.Kind), Name: booth.Text(s.Name), About: booth.Text(s.About), Allowed: booth.Text(s.Allowed()),
			Value: value, Shown: booth.Text(s.Shown(value)), Standard: booth.Text(s.Shown(value)), Most: s.Max, Typed: s.Typed,
		}
		for _, c := range s.Choices {
			l.Choices = append(l.Choices, booth.SettingOption{Value: c.Value, Name: booth.Text(c.Name)})
		}
		set.Lines = append(set.Lines, l)
	}
	v := sample0(lang, "48-settings")
	op := *v.Operator
	op.Settings = set
	v.Operator = &op
	return v
}

// sample0 is the everyday sample of that name.
func sample0(lang booth.Lang, name string) booth.View {
	for _, s := range Samples(lang) {
		if s.Name == name {
			return s.View
		}
	}
	return booth.View{}
}

func settingsOf(b *testBench) *settingsPage {
	p, _ := b.w.staff[booth.PageSettings].(*settingsPage)
	return p
}

// settingsParts are the parts of the settings page that no view shows.
func settingsParts() map[string]func(b *testBench, lang booth.Lang) {
	open := func(b *testBench, lang booth.Lang) *settingsPage {
		settingsOf(b).forget()
		b.w.Show(realSettings(lang))
		return settingsOf(b)
	}
	edit := func(key string) func(b *testBench, lang booth.Lang) {
		return func(b *testBench, lang booth.Lang) {
			p := open(b, lang)
			p.chosen = key
			p.turn(settingsEdit)
		}
	}
	parts := map[string]func(b *testBench, lang booth.Lang){
		"list": func(b *testBench, lang booth.Lang) { open(b, lang) },
		"found": func(b *testBench, lang booth.Lang) {
			p := open(b, lang)
			p.query = "camera"
			p.turn(settingsList)
		},
		"search": func(b *testBench, lang booth.Lang) { open(b, lang).turn(settingsSearch) },
		"typed": func(b *testBench, lang booth.Lang) {
			p := open(b, lang)
			p.chosen = "camera.device"
			p.turn(settingsEdit)
			p.turn(settingsTyped)
		},
		"letters": func(b *testBench, lang booth.Lang) {
			p := open(b, lang)
			p.chosen = "station.name"
			p.turn(settingsEdit)
			p.typer.turn(layerLetters)
			p.typer.show()
		},
		"han": func(b *testBench, lang booth.Lang) {
			p := open(b, lang)
			p.chosen = "station.name"
			p.turn(settingsEdit)
			p.typer.turn(layerLetters)
			p.typer.press(1)
		},
		"signs": func(b *testBench, lang booth.Lang) {
			p := open(b, lang)
			p.chosen = "scan.wedge_pattern"
			p.turn(settingsEdit)
			for range 120 {
				p.typer.add('W')
			}
			p.typer.turn(layerSigns)
			p.typer.show()
		},
	}
	for _, s := range config.Settings() {
		parts["edit-"+s.Key] = edit(s.Key)
	}
	return parts
}

func TestEveryPartOfTheSettingsPageFits(t *testing.T) {
	for name, size := range testSizes {
		if size.Width > 3000 {
			continue // in design units 1920×1080 once more
		}
		t.Run(name, func(t *testing.T) {
			b := newBench(t, size)
			for _, lang := range []booth.Lang{booth.ZH, booth.EN} {
				for part, show := range settingsParts() {
					show(b, lang)
					checkText(t, b, fmt.Sprintf("%s/%s", lang, part), size)
				}
			}
		})
	}
}

func TestASettingIsFoundByNameKeyMeaningAndPinyin(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	for query, want := range map[string]string{
		"rotation": "camera.mount_rotation", "音量": "sound.volume", "yl": "sound.volume", "countdown": "times.countdown_s", "DJS": "times.countdown_s", "sha-256": "central.pin_sha256",
	} {
		settingsOf(b).forget()
		settingsOf(b).query = query
		b.w.Show(realSettings(booth.ZH))
		if p := settingsOf(b); !slices.Contains(p.keys, want) || len(p.keys) > 4 {
			t.Errorf("%q finds %v, want %s among few", query, p.keys, want)
		}
	}
	settingsOf(b).query = "nothing like it"
	b.w.Show(realSettings(booth.ZH))
	if p := settingsOf(b); len(p.keys) != 0 {
		t.Errorf("nonsense finds %v", p.keys)
	}
}

func TestASettingIsChangedByTouchAndByKeyboard(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	p := settingsOf(b)
	b.w.Show(realSettings(booth.ZH))
	pick := func(key string) {
		t.Helper()
		p.chosen = key
		p.turn(settingsEdit)
	}
	saved := func(want booth.ChangeSetting) {
		t.Helper()
		b.now = b.now.Add(1e9)
		p.save.Tapped(nil)
		if !slices.Contains(b.sent, booth.Intent(want)) {
			t.Errorf("saved %v, want %+v", b.sent, want)
		}
	}
	pick("capture.auto")
	p.options[1].onTap()
	saved(booth.ChangeSetting{Key: "capture.auto", Value: "false"})
	pick("times.countdown_s")
	b.w.typedRune('5')
	b.w.typedRune('x') // no digit
	saved(booth.ChangeSetting{Key: "times.countdown_s", Value: "5"})
	pick("station.name")
	p.typer.clear()
	p.typer.turn(layerLetters)
	p.typer.press(strings.IndexByte(typerKeys[layerLetters], 'd')) // 东
	at := slices.Index(p.typer.offered(), '东')
	for at-p.typer.first >= len(p.typer.keys) {
		p.typer.foot[footNext].onTap()
	}
	p.typer.press(at - p.typer.first)
	saved(booth.ChangeSetting{Key: "station.name", Value: "东"})
}

func TestTheCommonCharactersAreAllThere(t *testing.T) {
	if n := len(commonHan()); n != 3755 {
		t.Fatalf("%d characters, GB 2312 has 3755 of level 1", n)
	}
	for _, word := range []string{"东西南北门号楼一二三", "大学学院职业技术师范中学校区", "图书馆体育馆行政服务大厅"} {
		for _, r := range word {
			found := false
			for _, l := range typerKeys[layerLetters] {
				found = found || slices.Contains(hanByInitial(l), r)
			}
			if !found {
				t.Errorf("%c cannot be typed", r)
			}
		}
	}
}
