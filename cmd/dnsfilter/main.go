// SPDX-License-Identifier: ISC

// Program dnsfilter puts the names of IP addresses beside them, in lines from
// descriptor 0; see dnsfilter(1).
package main

import (
	"fmt"
	"os"

	"quill/internal/dnsclient"
	"quill/internal/dnsprint"
	"quill/internal/exit"
	"quill/internal/getopt"
)

const prog = "dnsfilter"

// How much is under way at once.
const (
	defaultQueries, maxQueries = 10, 1000
	defaultLines, maxLines     = 1000, 1000000
)

func main() {
	queries, lines, six := defaultQueries, defaultLines, false
	o := getopt.New(os.Args[1:], "c:l:6")
	for o.Next() {
		switch o.Opt() {
		case 'c':
			queries = bounded(o.Arg(), maxQueries)
		case 'l':
			lines = bounded(o.Arg(), maxLines)
		case '6':
			six = true
		}
	}
	if o.Err() != nil {
		usage(o.Opt())
	}
	c, err := dnsclient.Recursive(os.Getenv)
	if err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	f := newFilter(c.HostName, queries, lines, six)
	if err := f.run(os.Stdin, os.Stdout); err != nil {
		exit.Die(prog, exit.Temporary, fmt.Errorf("unable to copy lines: %w", err))
	}
}

// usage says what is wrong with an option, as djb's does, and ends with his
// code.
func usage(opt byte) {
	wrong := "illegal option"
	if opt == 'c' || opt == 'l' {
		wrong = "option requires an argument"
	}
	fmt.Fprintf(os.Stderr, "dnsfilter: %s -- %c\ndnsfilter: usage: dnsfilter [ -c concurrency ] [ -l lines ]\n", wrong, opt)
	os.Exit(exit.Temporary)
}

// bounded is a number from 1 to most.
func bounded(s string, most uint64) int {
	n, _ := dnsprint.Digits(s)
	return int(min(max(n, 1), most))
}
