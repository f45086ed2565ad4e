// SPDX-License-Identifier: ISC

// Program dnsq asks one server a question and prints its answer; see dnsq(1).
package main

import (
	"fmt"
	"os"

	"quill/internal/dnsclient"
	"quill/internal/dnsprint"
	"quill/internal/dnswire"
	"quill/internal/exit"
)

const prog = "dnsq"

func main() {
	if len(os.Args) < 4 {
		usage()
	}
	kind, ok := dnsprint.Type(os.Args[1])
	if !ok {
		usage()
	}
	if err := run(kind, os.Args[2], os.Args[3]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func usage() {
	os.Stderr.WriteString("dnsq: usage: dnsq type name server\n")
	os.Exit(exit.Permanent)
}

// run asks and prints. That no answer came is a result too, and no error.
func run(kind uint16, name, server string) error {
	q, err := dnswire.Name(name)
	if err != nil {
		return parsing(err)
	}
	c, err := client(server)
	if err != nil {
		return parsing(err)
	}
	out := dnsprint.Head(nil, kind, q)
	packet, err := c.Ask(q, kind)
	if err != nil {
		out = append(append(out, err.Error()...), '\n')
	} else if out, err = dnsprint.Packet(out, packet); err != nil {
		return parsing(err)
	}
	_, err = os.Stdout.Write(out)
	return err
}

func parsing(err error) error { return fmt.Errorf("unable to parse: %w", err) }

// client asks the server of this name or address.
func client(server string) (*dnsclient.Client, error) {
	rules, err := dnsclient.ReadRules(os.Getenv)
	if err != nil {
		return nil, err
	}
	recursive, err := dnsclient.Recursive(os.Getenv)
	if err != nil {
		return nil, err
	}
	servers, err := recursive.Find(rules, server)
	return &dnsclient.Client{Servers: servers, Times: dnsclient.DefaultTimes(false)}, err
}
