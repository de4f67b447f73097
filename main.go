// Command yunzhao is the station: the kiosk's window and its command line.
package main

import (
	"os"

	"github.com/yunzhao-station/yunzhao/app/cli"
	"github.com/yunzhao-station/yunzhao/camera/helper"
)

func main() {
	if helper.Wanted(os.Args) { // before anything else is prepared
		os.Exit(cli.CameraHelper())
	}
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
