package booth

import "testing"

// ever is the last effect of its kind since the desk was set up.
func ever[E Effect](d *desk) (e E, ok bool) {
	for _, x := range d.all {
		if y, is := x.(E); is {
			e, ok = y, true
		}
	}
	return e, ok
}

func TestSettingsAreAnAdminsOnly(t *testing.T) {
	changes := []Intent{ChangeSetting{Key: "sound.volume", Value: "30"}, ExportSettings{}, ImportSettings{}, Restart{}}
	nothing := func(d *desk, who string) {
		t.Helper()
		for _, in := range changes {
			d.do(in)
		}
		_, saved := ever[SaveSetting](d)
		_, written := ever[WriteSettings](d)
		_, read := ever[ReadSettings](d)
		_, again := ever[Again](d)
		if saved || written || read || again {
			t.Errorf("%s changes settings", who)
		}
	}
	d := newDesk(t)
	nothing(d, "a student")
	d = newDesk(t).staff(RoleOperator)
	d.do(OpenPage{Page: PageSettings})
	if p := d.view().Operator.Page; p == PageSettings {
		t.Error("an operator opens the settings")
	}
	nothing(d, "an operator")
	d.m.op.page = PageSettings // as if the page had been left open for somebody else
	nothing(d, "an operator before an admin's page")
	d = newDesk(t).staff(RoleAdmin)
	nothing(d, "an admin on another page")
	d.do(OpenPage{Page: PageSettings})
	for _, in := range changes {
		d.do(in)
	}
	if e, ok := ever[SaveSetting](d); !ok || e.Key != "sound.volume" || e.Value != "30" || e.By.Role != RoleAdmin {
		t.Errorf("%+v %v", e, ok)
	}
	if _, ok := ever[Again](d); !ok || len(d.audits("station.restart")) != 1 || len(d.audits("settings.exported")) != 1 {
		t.Error("the restart or the export is not done or not on record")
	}
	d = newDesk(t).staff(RoleAdmin)
	d.do(OpenPage{Page: PageSettings}).do(ChangeSetting{Key: "station.name", Value: string(make([]byte, maxSetting+1))})
	if _, ok := ever[SaveSetting](d); ok {
		t.Error("a value of any length is taken")
	}
}

func TestAChangedSettingIsOnRecordWhoeverLooks(t *testing.T) {
	d := newDesk(t).staff(RoleAdmin)
	d.do(OpenPage{Page: PageSettings})
	if d.view().Operator.Settings != nil {
		t.Error("settings are shown before they were read")
	}
	read := SettingsRead{
		Settings: SettingsView{Pending: 1, Lines: []SettingLine{{Key: "sound.volume"}}}, Changed: []SettingChange{{"sound.volume", "70", "30"}},
		By: Staff{ID: "wang", Role: RoleAdmin}, Told: &Text{"已保存", "Saved"}, Level: OK,
	}
	d.say(read)
	if v := d.view().Operator.Settings; v == nil || v.Pending != 1 || !v.Can || v.Told.EN != "Saved" {
		t.Errorf("%+v", v)
	}
	d.do(CloseOperator{})
	d.say(read)
	got := d.audits("settings.set")
	if len(got) != 2 || got[1].Detail != "sound.volume" || got[1].Value != "30" || got[1].Limit != "70" || got[1].By.ID != "wang" {
		t.Errorf("%+v", got)
	}
}

func TestNoRestartWhileAStudentIsHere(t *testing.T) {
	d := newDesk(t).do(Start{}).staff(RoleAdmin)
	d.do(OpenPage{Page: PageSettings}).say(SettingsRead{})
	if d.view().Operator.Settings.Can {
		t.Error("a restart is offered")
	}
	d.do(Restart{})
	if _, ok := ever[Again](d); ok {
		t.Error("the station restarts under a visit")
	}
}
