// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"quill/internal/getopt"
	"quill/internal/resolve"
	"quill/tcpserver"
)

// options is what the command line says.
type options struct {
	server     *tcpserver.Server
	host, port string
	backlog    int
	uid, gid   int // -1: stay
	printPort  bool
	inherited  bool
	only4      bool
	only6      bool
	rules      string
	lenient    bool
}

// flags is what the letters without an argument do.
var flags = map[byte]func(o *options){
	'v': func(o *options) { o.server.Verbosity = tcpserver.Verbose },
	'q': func(o *options) { o.server.Verbosity = tcpserver.Quiet },
	'Q': func(o *options) { o.server.Verbosity = tcpserver.Errors },
	'd': func(o *options) { o.server.Delay = true },
	'D': func(o *options) { o.server.Delay = false },
	'h': func(o *options) { o.server.Hosts = true },
	'H': func(o *options) { o.server.Hosts = false },
	'p': func(o *options) { o.server.Paranoid = true },
	'P': func(o *options) { o.server.Paranoid = false },
	'r': func(o *options) { o.server.Ident = true },
	'R': func(o *options) { o.server.Ident = false },
	'o': func(o *options) { o.server.KeepIPOpt = true },
	'O': func(o *options) { o.server.KeepIPOpt = false },
	'k': func(o *options) { o.server.Keep = true },
	'F': func(o *options) { o.inherited = true },
	'1': func(o *options) { o.printPort = true },
	'X': func(o *options) { o.lenient = true },
	'4': func(o *options) { o.only4 = true },
	'6': func(o *options) { o.only6 = true },
}

// values is what the letters with an argument do.
var values = map[byte]func(o *options, v string) error{
	'c': func(o *options, v string) error { return number(&o.server.Limit, v, 1, 100000) },
	'b': func(o *options, v string) error { return number(&o.backlog, v, 0, 65535) },
	'u': func(o *options, v string) error { return number(&o.uid, v, 0, 1<<31-2) },
	'g': func(o *options, v string) error { return number(&o.gid, v, 0, 1<<31-2) },
	'x': func(o *options, v string) error { o.rules = v; return nil },
	'B': func(o *options, v string) error { o.server.Banner = v; return nil },
	'l': func(o *options, v string) error { o.server.LocalHost = v; return nil },
	't': func(o *options, v string) error {
		n := 0
		err := number(&n, v, 0, 86400)
		o.server.Timeout = time.Duration(n) * time.Second
		return err
	},
}

// parse reads the command line.
func parse(args []string) (*options, error) {
	o := &options{uid: -1, gid: -1, backlog: tcpserver.DefaultBacklog, server: &tcpserver.Server{
		Limit: tcpserver.DefaultLimit, Hosts: true, Ident: true, Timeout: tcpserver.DefaultTimeout, Verbosity: tcpserver.Errors}}
	p := getopt.New(args, "1UXpPhHrRoOdDqQvkF46c:x:B:g:u:b:l:t:")
	for p.Next() {
		var err error
		switch f, v := flags[p.Opt()], values[p.Opt()]; {
		case f != nil:
			f(o)
		case v != nil:
			err = v(o, p.Arg())
		case p.Opt() == 'U':
			err = o.fromEnv()
		}
		if err != nil {
			return nil, fmt.Errorf("option -%c: %w", p.Opt(), err)
		}
	}
	if p.Err() != nil {
		return nil, p.Err()
	}
	rest := p.Rest()
	if !o.inherited {
		if len(rest) < 2 {
			return nil, errors.New("host and port are missing")
		}
		o.host, o.port, rest = rest[0], rest[1], rest[2:]
	}
	if len(rest) == 0 {
		return nil, errors.New("the program to run is missing")
	}
	o.server.Argv = rest
	if o.rules != "" {
		o.server.Rules = tcpserver.NewRules(o.rules, o.lenient)
	}
	return o, nil
}

// fromEnv takes uid and gid from UID and GID, as envuidgid sets them.
func (o *options) fromEnv() error {
	if err := number(&o.uid, os.Getenv("UID"), 0, 1<<31-2); err != nil {
		return err
	}
	return number(&o.gid, os.Getenv("GID"), 0, 1<<31-2)
}

// number reads a decimal number within bounds.
func number(into *int, v string, low, high int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return fmt.Errorf("%q is not a number from %d to %d", v, low, high)
	}
	*into = n
	return nil
}

// listen makes the sockets, or takes the inherited ones.
func (o *options) listen() ([]*tcpserver.Listener, error) {
	if o.inherited {
		return tcpserver.Inherited()
	}
	addr, err := o.address()
	if err != nil {
		return nil, err
	}
	port, err := resolve.Port(o.port)
	if err != nil {
		return nil, err
	}
	l, err := tcpserver.Listen(netip.AddrPortFrom(addr, port), o.backlog)
	if err != nil {
		return nil, fmt.Errorf("unable to bind: %w", err)
	}
	return []*tcpserver.Listener{l}, nil
}

// address is the host as an address: "" and "0" are all of IPv4's, or with -6
// all of both.
func (o *options) address() (netip.Addr, error) {
	switch {
	case (o.host == "" || o.host == "0") && o.only6:
		return netip.IPv6Unspecified(), nil
	case o.host == "" || o.host == "0":
		return netip.IPv4Unspecified(), nil
	}
	if a, err := netip.ParseAddr(o.host); err == nil {
		return a, nil
	}
	r, err := resolve.New(os.Getenv, nil)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range r.Addrs(o.host, o.server.Timeout) {
		if (a.Is4() || !o.only4) && (a.Is6() || !o.only6) {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no address known for host %s", o.host)
}

// gather is how long log lines may wait for others: a resident door tells four
// times of each connection, a spawned one is told of by its children too, in
// between.
func (o *options) gather() time.Duration {
	if o.server.Keep {
		return 2 * time.Millisecond
	}
	return 0
}
