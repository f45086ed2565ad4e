// SPDX-License-Identifier: ISC

// Program dnstrace follows a question from the root servers to every server
// that can have a say in it; see dnstrace(1).
package main

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"

	"quill/internal/dnsclient"
	"quill/internal/dnsprint"
	"quill/internal/dnswire"
	"quill/internal/exit"
)

const prog = "dnstrace"

func main() {
	if len(os.Args) < 4 {
		usage()
	}
	kind, ok := dnsprint.Type(os.Args[1])
	if !ok {
		usage()
	}
	if err := run(kind, os.Args[2], os.Args[3:]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func usage() {
	os.Stderr.WriteString("dnstrace: usage: dnstrace type name rootip ...\n")
	os.Exit(exit.Permanent)
}

// run traces. All servers are asked at one port: that of the last root.
func run(kind uint16, name string, roots []string) error {
	q, err := dnswire.Name(name)
	if err != nil {
		return fmt.Errorf("unable to parse %s: %w", name, err)
	}
	addrs, port, err := find(roots)
	if err != nil {
		return err
	}
	t := newTracer(bufio.NewWriter(os.Stdout), func(server netip.Addr, name []byte, kind uint16) ([]byte, error) {
		c := dnsclient.Client{Servers: []netip.AddrPort{netip.AddrPortFrom(server, port)}, Times: dnsclient.DefaultTimes(false)}
		return c.Ask(name, kind)
	})
	return t.trace(kind, dnswire.Lower(q), addrs)
}

// find is the addresses of the root servers.
func find(roots []string) (addrs []netip.Addr, port uint16, err error) {
	c, err := dnsclient.Recursive(os.Getenv)
	if err != nil {
		return nil, 0, err
	}
	rules, err := dnsclient.ReadRules(os.Getenv)
	if err != nil {
		return nil, 0, err
	}
	for _, root := range roots {
		var host string
		host, port = dnsclient.SplitPort(root)
		_, ips, err := rules.Qualify(host, c.IP4)
		if err != nil {
			return nil, 0, fmt.Errorf("unable to find IP address for %s: %w", root, err)
		}
		addrs = append(addrs, ips...)
	}
	return addrs, port, nil
}
