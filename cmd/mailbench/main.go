// SPDX-License-Identifier: ISC

// Program mailbench puts load on a mail server and measures it; see
// mailbench(1).
package main

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"quill/internal/procuse"
)

// options of a run.
type options struct {
	kind, addr     string
	sessions       int
	reuse          int
	pipeline       bool
	size           int
	seconds        float64
	from, to       string
	users          int
	user, password string
	pids           []int
	asJSON, remote bool
}

// kinds of runs.
var kinds = map[string]func(o *options) client{"smtp": newSMTP, "pop3": newPOP3}

const usage = "usage: mailbench smtp|pop3|sink [options] host:port\n"

func main() {
	if len(os.Args) < 3 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(100)
	}
	o, err := parse(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mailbench: "+err.Error())
		os.Exit(100)
	}
	if o.kind == "sink" {
		err = sink(o.addr)
		fmt.Fprintln(os.Stderr, "mailbench: "+err.Error())
		os.Exit(111)
	}
	r := run(o, kinds[o.kind](o))
	r.print(o)
	if r.Errors > 0 {
		os.Exit(1)
	}
}

// parse reads the command line.
func parse(kind string, args []string) (*options, error) {
	o := &options{kind: kind}
	f := flag.NewFlagSet("mailbench "+kind, flag.ContinueOnError)
	f.IntVar(&o.sessions, "sessions", 50, "sessions at once")
	f.IntVar(&o.reuse, "reuse", 1, "messages a connection")
	f.BoolVar(&o.pipeline, "pipeline", false, "send MAIL, RCPT and DATA in one write")
	f.IntVar(&o.size, "size", 4096, "bytes of a message")
	f.Float64Var(&o.seconds, "seconds", 5, "how long")
	f.StringVar(&o.from, "from", "netwatcher@testingsmtp.org", "sender")
	f.StringVar(&o.to, "to", "sendmemail@testingsmtp.org", "recipient; %d counts through -users")
	f.IntVar(&o.users, "users", 1, "recipients or users to count through")
	f.StringVar(&o.user, "user", "sendmemail@testingsmtp.org", "POP3 user; %d counts through -users")
	f.StringVar(&o.password, "password", "lab", "POP3 password")
	f.Func("pid", "processes whose CPU time counts, with commas", func(s string) (err error) {
		o.pids, err = procuse.Parse(s)
		return err
	})
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	f.BoolVar(&o.remote, "remote", false, "allow another address than loopback")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.addr = f.Arg(0)
	_, known := kinds[kind]
	if !known && kind != "sink" || f.NArg() != 1 {
		return nil, fmt.Errorf("want smtp, pop3 or sink, options, and one host:port")
	}
	if o.sessions < 1 || o.sessions > 10000 || o.reuse < 1 || o.size < 100 || o.seconds <= 0 || o.seconds > 3600 || o.users < 1 {
		return nil, fmt.Errorf("an option is out of bounds: see LIMITS in mailbench(1)")
	}
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(host); !o.remote && (err != nil || !a.IsLoopback()) {
		return nil, fmt.Errorf("%s is not loopback: load on others' machines wants -remote", host)
	}
	return o, nil
}

// deadline is how long one session may take beyond the run's end.
const deadline = 30 * time.Second
