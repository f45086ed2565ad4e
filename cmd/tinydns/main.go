// SPDX-License-Identifier: ISC

// Program tinydns answers DNS questions from data.cdb over UDP and TCP; see
// tinydns(8).
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"quill/internal/dnsserve"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
)

const prog = "tinydns"

// gcPercent keeps what is thrown away small beside what lives, which is little;
// answers over UDP throw nothing away.
const gcPercent = 50

func main() {
	debug.SetGCPercent(gcPercent)
	if len(os.Args) != 1 {
		exit.Usage("tinydns (its options are in the environment: IP, PORT, ROOT, UID, GID, ANSWERS, LOG, ...)")
	}
	if err := run(); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func run() error {
	signal.Ignore(syscall.SIGPIPE) // answers matter more than a log that nobody reads
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	socks, err := dnsserve.Open()
	if err != nil {
		return err
	}
	c, err := readConfig()
	if err != nil {
		return err
	}
	var counts net.Listener
	if c.metrics.IsValid() && !socks.One() {
		if counts, err = net.Listen("tcp", c.metrics.String()); err != nil {
			return fmt.Errorf("$METRICS: unable to bind: %w", err)
		}
	}
	if err := confine(c.root); err != nil {
		return err
	}
	s := newServer(c)
	go s.log.write()
	go s.store.watch()
	if counts != nil {
		go (&metrics{&s.tallies, s.store, s.log}).serve(counts)
	}
	if !socks.One() {
		s.log.put([]byte("starting "+prog+"\n"), 1)
	}
	ended := (&dnsserve.Server{New: s.signing, Warn: s.warn, Transfer: s.transfer}).Serve(socks)
	select {
	case <-stop:
	case <-ended:
	}
	s.stop()
	return nil
}

// confine goes to the root folder, as root locks itself in there and becomes UID
// and GID, and gives up programs, new sockets and all files but those of the
// folder.
func confine(root string) error {
	if err := privilege.Enter(root); err != nil {
		return err
	}
	return sandbox.Confine(prog, sandbox.Rules{
		Deny:  sandbox.NoBackdoor | sandbox.NoExec | sandbox.NoSocket,
		Files: &sandbox.Files{Read: []string{"."}},
	})
}
