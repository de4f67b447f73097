package scene_test

import (
	"testing"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/cameratest"
	"github.com/yunzhao-station/yunzhao/camera/scene"
)

func TestConformance(t *testing.T) {
	for name, free := range map[string]bool{"paced": false, "free run": true} {
		t.Run(name, func(t *testing.T) {
			booth, err := scene.New(scene.Options{Width: 320, Height: 180, FPS: 100, FreeRun: free, Occupied: true})
			if err != nil {
				t.Fatal(err)
			}
			cameratest.Run(t, func(t *testing.T) camera.Source {
				src, err := booth.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return src
			})
		})
	}
}
