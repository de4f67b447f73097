// Command yunzhao is the station: the kiosk's window and its command line.
package main

import (
	"os"

	"github.com/yunzhao-station/yunzhao/app/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
