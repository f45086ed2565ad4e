// SPDX-License-Identifier: ISC

// Program dnsqr asks a recursive server a question and prints its answer; see
// dnsqr(1).
package main

import (
	"fmt"
	"os"

	"quill/internal/dnsclient"
	"quill/internal/dnsprint"
	"quill/internal/dnswire"
	"quill/internal/exit"
)

const prog = "dnsqr"

func main() {
	if len(os.Args) != 3 {
		usage()
	}
	kind, ok := dnsprint.Type(os.Args[1])
	if !ok {
		usage()
	}
	if err := run(kind, os.Args[2]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func usage() {
	os.Stderr.WriteString("dnsqr: usage: dnsqr type name\n")
	os.Exit(exit.Permanent)
}

// run asks and prints. That no answer came is a result too, and no error.
func run(kind uint16, name string) error {
	q, err := dnswire.Name(name)
	if err != nil {
		return fmt.Errorf("unable to parse: %w", err)
	}
	c, err := dnsclient.Recursive(os.Getenv)
	if err != nil {
		return err
	}
	c.EDNS = false // its record would be printed
	out := dnsprint.Head(nil, kind, q)
	packet, err := c.Ask(q, kind)
	if err != nil {
		out = append(append(out, err.Error()...), '\n')
	} else {
		packet[2] &^= 1    // RD and RA are
		packet[3] &^= 0x80 // a matter of course
		if out, err = dnsprint.Packet(out, packet); err != nil {
			return fmt.Errorf("unable to parse: %w", err)
		}
	}
	_, err = os.Stdout.Write(out)
	return err
}
