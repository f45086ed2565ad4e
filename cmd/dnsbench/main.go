// SPDX-License-Identifier: ISC

// Program dnsbench puts questions to a name server, as many as it can, and
// measures what comes back; see dnsbench(1).
package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
)

// verbs are what dnsbench does.
var verbs = map[string]func(args []string) error{
	"data":  data,
	"flood": flood,
	"spoof": spoof,
	"sink":  sink,
	"ready": ready,
	"use":   use,
}

// usageError says that the command line is wrong.
type usageError string

func (e usageError) Error() string { return string(e) }

const usage = usageError("usage: dnsbench data N folder | flood [options] addr:port | spoof [options] addr:port | sink [options] addr:port | ready addr:port program [argument...] | use pid")

// errServer says that the server did not do as it should.
var errServer = errors.New("wrong answers, or none")

func main() {
	err := error(usage)
	if len(os.Args) > 1 {
		if verb, known := verbs[os.Args[1]]; known {
			err = verb(os.Args[2:])
		}
	}
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "dnsbench: "+err.Error())
	var u usageError
	switch {
	case errors.As(err, &u):
		os.Exit(100)
	case errors.Is(err, errServer):
		os.Exit(1)
	}
	os.Exit(111)
}

// loopback reads addr:port. Floods stay on this machine: there is no option for
// another's.
func loopback(s string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(s)
	if err != nil {
		return at, usageError(fmt.Sprintf("%q is no addr:port", s))
	}
	if !at.Addr().Is4() || !at.Addr().IsLoopback() || at.Port() == 0 {
		return at, usageError(fmt.Sprintf("%s is not in 127.0.0.0/8: dnsbench floods its own machine only", at))
	}
	return at, nil
}

// number reads one within bounds.
func number(what, s string, low, high int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, usageError(fmt.Sprintf("%s is %q: want a number from %d to %d", what, s, low, high))
	}
	return n, nil
}
