package screen

import "github.com/yunzhao-station/yunzhao/app/booth"

// Role is whom a window is for.
type Role int

// Roles. With one display everybody shares one window. With two, the student's
// shows the mirror and one thing at a time, and the operator's console shows how
// everything stands and takes what only staff may do.
const (
	RoleShared Role = iota
	RoleStudent
	RoleConsole
)

// students tells whether the window is the student's alone: figures and what
// staff answer are on the console.
func (u *ui) students() bool { return u.role == RoleStudent }

// build makes the screens that the window's role needs and has none of yet.
// Interface goroutine.
func (w *Window) build() {
	u := w.ui
	if u.role != RoleConsole && w.screens[booth.Idle] == nil {
		capture, eligible := newCapture(u, w.preview), newEligible(u)
		for state, s := range map[booth.State]screen{
			booth.Idle:          newIdle(u),
			booth.Identify:      newIdentify(u),
			booth.Eligible:      eligible,
			booth.Consent:       newConsent(u),
			booth.Guide:         newGuide(u),
			booth.Framing:       capture,
			booth.Countdown:     capture,
			booth.Shot:          capture,
			booth.Standardising: capture,
			booth.Review:        newReview(u),
			booth.Confirm:       newConfirm(u),
			booth.Sealing:       newSealing(u),
			booth.Done:          newDone(u),
			booth.Abandoned:     newAbandoned(u),
		} {
			w.screens[state] = s
		}
		w.fault = newFault(u)
		seen := map[screen]bool{}
		for _, state := range states {
			if s := w.screens[state]; s != nil && !seen[s] {
				seen[s] = true
				w.stack(s)
			}
		}
		w.stack(w.fault)
	}
	if u.role == RoleStudent && w.waiting == nil {
		w.waiting = newWaiting(u)
		w.stack(w.waiting)
	}
	if u.role != RoleStudent && w.operator == nil {
		w.locked = newLocked(u)
		w.operator = newOperatorPage(u)
		w.staff = map[booth.StaffPage]screen{booth.PageMenu: newStaffMenu(u)}
		w.stack(w.locked)
		w.stack(w.operator)
		w.stack(w.staff[booth.PageMenu])
		for _, e := range staffEntries() {
			w.staff[e.page] = e.make(u)
			w.stack(w.staff[e.page])
		}
	}
	if u.role == RoleShared && w.setup == nil {
		w.setup = newSetupPage(u)
		w.stack(w.setup)
	}
	if u.role == RoleConsole && w.console == nil {
		w.console = newConsole(u)
		w.stack(w.console)
	}
}

// stack puts a screen into the window, hidden, below the chrome and the question.
func (w *Window) stack(s screen) {
	w.all = append(w.all, s)
	s.base().root.Hide()
	w.layers.Add(s.base().root)
}

// SetRole makes the window another's: the remaining one of two displays serves
// everybody. Interface goroutine.
func (w *Window) SetRole(r Role) {
	if w.ui.role == r {
		return
	}
	w.ui.role = r
	w.build()
	w.resized(w.size) // places what is new
	if w.view.State != "" {
		w.apply(w.view)
	}
}

// choose is the screen that shows v, and the view that the chrome around it gets.
func (w *Window) choose(v booth.View) (next screen, around booth.View) {
	around = v
	// The chrome shows nothing of the visit below staff's page.
	quiet := func() {
		around.State, around.Fault, around.Toast, around.Warning, around.Next = booth.Locked, nil, nil, false, nil
	}
	switch {
	case v.Setup != nil && w.setup != nil:
		quiet()
		return w.setup, around
	case w.ui.role == RoleStudent && (v.Operator != nil || v.State == booth.Locked):
		quiet()
		return w.waiting, around
	case v.Operator != nil:
		quiet()
		if p := w.staff[v.Operator.Page]; p != nil && v.Operator.Unlocked {
			return p, around
		}
		return w.operator, around
	case v.State == booth.Locked && w.locked != nil:
		if v.Fault == nil || w.ui.role == RoleConsole {
			return w.locked, around
		}
	case w.ui.role == RoleConsole:
		return w.console, around
	}
	next = w.screens[v.State]
	if next == nil || v.Fault != nil {
		next = w.fault
	}
	return next, around
}

// newWaiting is what the student sees while staff are at work.
func newWaiting(u *ui) screen {
	s := newNotice(u, "", nil)
	s.fill = func(s *notice, v booth.View) {
		s.tone(booth.Note, "person")
		if v.State == booth.Locked {
			s.head.set(s.ui, booth.Text{ZH: "暂停服务", EN: "Closed for a moment"})
			s.body.set(s.ui, booth.Text{ZH: "工作人员马上就来，请稍等。", EN: "The staff will be here soon. Please wait."})
			return
		}
		s.head.set(s.ui, booth.Text{ZH: "工作人员正在处理，请稍候", EN: "The staff are helping: one moment"})
		if v.SessionID != "" {
			s.safe.set(s.ui, booth.Text{ZH: "您的信息和照片都还在，一会儿从这里继续。", EN: "Your details and your photo are still here; you go on from where you were."})
		}
	}
	return s
}
