// Command yunzhao-central is the reference central server of Yunzhao Station
// and its administration on the command line.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: the exit code is 0, 1 when the work failed
// and 2 when the command line was not understood.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c commands
	code := -1
	parser, err := kong.New(&c, kong.Name("yunzhao-central"),
		kong.Description("云照站中心服务器 The reference central server of Yunzhao Station."),
		kong.Vars{"version": version}, kong.Writers(stdout, stderr), kong.UsageOnError(),
		kong.Exit(func(n int) { code = n }))
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	k, err := parser.Parse(args)
	if code >= 0 { // --help or --version has been answered
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "yunzhao-central: %v\n", err)
		return 2
	}
	e := &env{ctx: ctx, in: stdin, out: stdout, log: slog.New(slog.NewTextHandler(stderr, nil))}
	if err := k.Run(e); err != nil {
		fmt.Fprintf(stderr, "yunzhao-central: %v\n", err)
		return 1
	}
	return 0
}
