// SPDX-License-Identifier: ISC

// Program walldns answers reverse DNS questions so that nothing is told; see
// walldns(8).
package main

import (
	"fmt"
	"os"

	"quill/internal/dnsdaemon"
	"quill/internal/dnsreply"
	"quill/internal/dnswall"
	"quill/internal/exit"
)

const prog = "walldns"

func main() {
	if len(os.Args) != 1 {
		exit.Usage(prog + " (its options are in the environment: IP, PORT, ROOT, UID, GID, BASE, NS, ANSWERS, LOG)")
	}
	p := &dnsdaemon.Program{Name: prog, Engine: engine}
	if err := p.Run(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// engine is the wall as the environment wants it.
func engine() (dnsdaemon.Engine, error) {
	old, err := dnsdaemon.Classic()
	if err != nil {
		return nil, err
	}
	bases, err := dnsreply.Names(os.Getenv("BASE"))
	if err != nil {
		return nil, fmt.Errorf("unable to parse $BASE: %w", err)
	}
	servers, err := dnsdaemon.Servers()
	if err != nil {
		return nil, err
	}
	w := &dnswall.Wall{Old: old}
	for _, b := range bases {
		w.Zones = append(w.Zones, dnsreply.Zone{Base: b, Servers: servers})
	}
	return w, nil
}
