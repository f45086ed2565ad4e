// SPDX-License-Identifier: ISC

// Program imapbench measures an IMAP server, one figure at a time; see
// imapbench(1).
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"quill/internal/procuse"
)

// verbs are what imapbench does.
var verbs = map[string]func(args []string) error{
	"box":      box,
	"command":  command,
	"sessions": sessions,
	"idle":     idle,
}

// usageError says that the command line is wrong.
type usageError string

func (e usageError) Error() string { return string(e) }

const usage = usageError("usage: imapbench box N folder | command|sessions|idle [options] addr:port")

// errServer says that the server did not do as it should.
var errServer = errors.New("the server refused")

func main() {
	err := error(usage)
	if len(os.Args) > 1 {
		if verb, known := verbs[os.Args[1]]; known {
			err = verb(os.Args[2:])
		}
	}
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "imapbench: "+err.Error())
	var u usageError
	switch {
	case errors.As(err, &u):
		os.Exit(100)
	case errors.Is(err, errServer):
		os.Exit(1)
	}
	os.Exit(111)
}

// Limits of options.
const (
	maxMessages = 1000000
	maxClients  = 5000
	maxCount    = 1000000
	maxUsers    = 10000
)

// options of a run against a server.
type options struct {
	addr           string
	user, password string
	first, users   int
	pids           []int
	clients, count int
	run            string
}

// parse reads the options of a verb and the server's address.
func parse(verb string, args []string) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("imapbench "+verb, flag.ContinueOnError)
	f.StringVar(&o.user, "user", "u%d@testingsmtp.org", "user; %d counts from -first through -users")
	f.StringVar(&o.password, "password", "pass", "password of all users")
	f.IntVar(&o.first, "first", 0, "number of the first user")
	f.IntVar(&o.users, "users", 1, "users")
	f.Func("pid", "processes whose CPU time and memory count, with commas", func(s string) (err error) {
		o.pids, err = procuse.Parse(s)
		return err
	})
	f.IntVar(&o.clients, "clients", 1, "clients at once")
	f.IntVar(&o.count, "count", 1, "sessions, or repetitions of a command")
	f.StringVar(&o.run, "run", "SELECT INBOX", "the command to measure")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError(err.Error())
	}
	if f.NArg() != 1 {
		return nil, usage
	}
	if o.clients < 1 || o.clients > maxClients || o.count < 1 || o.count > maxCount || o.users < 1 || o.users > maxUsers || o.first < 0 || o.first > maxUsers || strings.ContainsAny(o.run+o.user+o.password, "\r\n\"\\{") {
		return nil, usageError("an option is out of bounds: see LIMITS in imapbench(1)")
	}
	at, err := netip.ParseAddrPort(f.Arg(0))
	if err != nil || !at.Addr().IsLoopback() || at.Port() == 0 {
		return nil, usageError(fmt.Sprintf("%q is no address and port of this machine's loopback", f.Arg(0)))
	}
	o.addr = at.String()
	return o, nil
}

// name is the user of the nth client.
func (o *options) name(n int) string {
	return strings.ReplaceAll(o.user, "%d", strconv.Itoa(o.first+n%o.users))
}
