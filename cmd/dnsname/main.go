// SPDX-License-Identifier: ISC

// Program dnsname prints the names of IP addresses; see dnsname(1).
package main

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"

	"quill/internal/dnsclient"
	"quill/internal/dnsprint"
	"quill/internal/exit"
)

const prog = "dnsname"

func main() {
	if err := run(os.Args[1:]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// run prints a line for each address. As with djb's, an error ends it all.
func run(addresses []string) error {
	c, err := dnsclient.Recursive(os.Getenv)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, a := range addresses {
		ip, _, ok := dnsprint.IP4(a)
		if six, err := netip.ParseAddr(a); err == nil && six.Is6() {
			ip, ok = six, true
		}
		if !ok {
			return fmt.Errorf("unable to parse IP address %s", a)
		}
		name, err := c.HostName(ip)
		if err != nil {
			return fmt.Errorf("unable to find host name for %s: %w", a, err)
		}
		fmt.Fprintln(out, name)
	}
	return out.Flush()
}
