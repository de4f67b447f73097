package uplink

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// listenNetwork calls news whenever the kernel tells of a link, an address or
// a route, until ctx ends.
func listenNetwork(ctx context.Context, news func()) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("uplink: listen to network: %w", err)
	}
	f := os.NewFile(uintptr(fd), "netlink") // non-blocking: Close ends a Read
	defer func() { _ = f.Close() }()        // read only
	stop := context.AfterFunc(ctx, func() { _ = f.Close() })
	defer stop()
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return fmt.Errorf("uplink: listen to network: %w", err)
	}
	buf := make([]byte, 16<<10)
	for {
		// What exactly happened does not matter, so nothing is parsed. An
		// overrun (ENOBUFS) is news too; any other error ends the watch.
		if _, err := f.Read(buf); err != nil && !errors.Is(err, unix.ENOBUFS) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("uplink: listen to network: %w", err)
		}
		news()
	}
}
