package demo

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/drive"
	"github.com/yunzhao-station/yunzhao/app/drive/remote"
)

// target is what the window shows by that name; the zero Target if nothing.
func (s *site) target(id string) remote.Target {
	s.t.Helper()
	targets, err := s.client.Targets(s.within())
	s.must("targets", err)
	for _, t := range targets {
		if t.ID == id {
			return t
		}
	}
	return remote.Target{}
}

// says waits until the region shows a text with word in it.
func (s *site) says(id, word string) {
	s.t.Helper()
	s.expect(id+" to say "+word, func(remote.State) bool { return strings.Contains(s.target(id).Text, word) })
}

// Staff look at the camera on its page while its cable is pulled and put back, take
// a test shot and make a bundle, all in the real window.
func TestE2ECameraPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.do(s.leave)
	s.setPIN("operator", "li", operatorPIN)
	s.startKiosk()
	keep := func(name string) {
		s.must("make folder", os.MkdirAll(s.shots, 0o700))
		s.must("keep a picture", drive.SavePNG(filepath.Join(s.shots, name), s.screen()))
	}
	s.openPage(operatorPIN)
	s.tapAll("op-pages", "page-camera")
	s.says("camera-state", "相机")
	shown := frames(s.expect("the live picture", func(st remote.State) bool { return frames(st) > 10 }))
	s.must("pull the cable", s.kiosk.Scene(s.within(), "unplug"))
	s.says("camera-state", "检查")
	s.must("put it back", s.kiosk.Scene(s.within(), "plug"))
	s.says("camera-state", "模拟相机")
	s.expect("the picture again", func(st remote.State) bool { return frames(st) > shown+10 })
	keep("camera-page.png")
	s.tapAll("camera-shot")
	s.says("camera-notice", "试拍成功")
	keep("camera-page-shot.png")
	s.do(s.settled)
	s.tapAll("camera-shot") // the live picture again
	s.do(s.settled)
	s.tapAll("camera-bundle")
	s.says("camera-notice", "诊断包已存到")
	files, err := filepath.Glob(filepath.Join(s.data, "diagnosis", "camera-*.zip"))
	s.must("look for the bundle", err)
	if len(files) != 1 {
		t.Errorf("bundles %q", files)
	}
	s.tapAll("staff-back")
	before := frames(s.expect("the menu", func(remote.State) bool { return s.target("page-camera").ID != "" }))
	s.must("wait", pause(context.WithoutCancel(s.within()), watched/5))
	if after := frames(s.expect("the menu", func(remote.State) bool { return true })); after > before+2 {
		t.Errorf("%d frames were drawn while the page is closed", after-before)
	}
}
