// Command uvcsim is a USB camera in software, for tests: it plugs itself into
// the kernel's vhci-hcd as a USB/IP device through a pair of sockets, so that
// the real uvcvideo driver binds to it and /dev/videoN is a real UVC node, with
// MJPEG and YUYV, the controls of a webcam, and every fault on demand.
//
//	uvcsim render DIR    draws the pictures that the camera will send
//	uvcsim serve DIR     is the camera, until it is told to quit
//	uvcsim COMMAND [N]   tells it what to do: see commands in camera.go
//
// It needs root and a kernel that may be spoiled: run it in a virtual machine.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// socket is where the camera is told what to do.
const socket = "/run/uvcsim.sock"

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "uvcsim: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, log io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "render":
		return render(args[1])
	case len(args) == 2 && args[0] == "serve":
		return serve(ctx, args[1], log)
	case len(args) == 0:
		return fmt.Errorf("usage: uvcsim render DIR | serve DIR | COMMAND [N]")
	}
	return tell(ctx, strings.Join(args, " "))
}

// tell sends one command to the camera that runs.
func tell(ctx context.Context, command string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintln(c, command); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	if answer = strings.TrimSpace(answer); answer != "ok" {
		return fmt.Errorf("%s: %s", command, answer)
	}
	return nil
}

// serve is the camera, plugged in from the start.
func serve(ctx context.Context, dir string, log io.Writer) error {
	c := &cam{}
	if err := c.load(dir); err != nil {
		return err
	}
	_ = os.Remove(socket) // left by one that was killed
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := c.plug(); err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			quit, err := c.command(lines.Text())
			answer := "ok"
			if err != nil {
				answer = err.Error()
			}
			fmt.Fprintf(log, "uvcsim: %s: %s\n", lines.Text(), answer)
			fmt.Fprintln(conn, answer)
			if quit {
				return nil
			}
		}
		_ = conn.Close()
	}
}
