// SPDX-License-Identifier: ISC

// Program rbldns answers DNS questions about a list of addresses from data.cdb;
// see rbldns(8).
package main

import (
	"errors"
	"os"

	"quill/internal/dnsdaemon"
	"quill/internal/dnsrbl"
	"quill/internal/dnsreply"
	"quill/internal/dnswire"
	"quill/internal/exit"
)

const prog = "rbldns"

func main() {
	if len(os.Args) != 1 {
		exit.Usage(prog + " (its options are in the environment: IP, PORT, ROOT, UID, GID, BASE, NS, ANSWERS, LOG)")
	}
	p := &dnsdaemon.Program{Name: prog, Files: []string{"."}}
	data := newStore(p.Warn)
	p.Engine, p.Begin = func() (dnsdaemon.Engine, error) { return newServer(data) }, data.first
	if err := p.Run(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// newServer is the server as the environment wants it.
func newServer(data *store) (*server, error) {
	base, set := os.LookupEnv("BASE")
	if !set {
		return nil, errors.New("$BASE not set: it names the zone of the list")
	}
	name, err := dnswire.Name(base)
	if err != nil {
		return nil, errors.New("unable to parse $BASE")
	}
	old, err := dnsdaemon.Classic()
	if err != nil {
		return nil, err
	}
	servers, err := dnsdaemon.Servers()
	if err != nil {
		return nil, err
	}
	zone := dnsreply.Zone{Base: dnswire.Lower(name), Servers: servers}
	return &server{list: &dnsrbl.List{Zone: zone, Old: old}, store: data}, nil
}
