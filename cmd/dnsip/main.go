// SPDX-License-Identifier: ISC

// Program dnsip prints the IP addresses of names; see dnsip(1).
package main

import (
	"bufio"
	"fmt"
	"os"

	"quill/internal/dnsclient"
	"quill/internal/exit"
)

const prog = "dnsip"

func main() {
	if err := run(os.Args[1:]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// run prints a line for each name. As with djb's, an error ends it all.
func run(names []string) error {
	c, err := dnsclient.Recursive(os.Getenv)
	if err != nil {
		return err
	}
	lookup := c.IP4
	if len(names) > 0 && names[0] == "-6" {
		lookup, names = c.IP6, names[1:]
	}
	out := bufio.NewWriter(os.Stdout)
	for _, name := range names {
		ips, err := lookup(name)
		if err != nil {
			return fmt.Errorf("unable to find IP address for %s: %w", name, err)
		}
		for _, ip := range ips {
			fmt.Fprintf(out, "%s ", ip)
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}
