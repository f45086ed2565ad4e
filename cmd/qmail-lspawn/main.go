// SPDX-License-Identifier: ISC

// Program qmail-lspawn runs local deliveries for qmail-send: it reads them from
// descriptor 0 and reports on descriptor 1; see qmail-lspawn(8).
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/sandbox"
	"quill/internal/spawn"
	"quill/internal/users"
)

const prog = "qmail-lspawn"

// atOnce is how many deliveries run at once; qmail-lspawn(8).
const atOnce = 120

func main() {
	if len(os.Args) != 2 {
		exit.Usage("qmail-lspawn defaultdelivery")
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGTERM, syscall.SIGINT) // it ends when its caller does
	if err := run(os.Args[1]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

func run(defaultDelivery string) error {
	// Users' programs start below us: so no more than this.
	if err := sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoAdmin, BecomesUsers: true}); err != nil {
		return err
	}
	home := control.Home()
	if err := os.Chdir(home); err != nil {
		return err
	}
	s := &spawner{home: home, defaultDelivery: defaultDelivery, users: users.Open(home), foreign: os.Getenv("QMAILLOCAL"), out: os.Stdout, workers: make(map[privilege.ID]*worker)}
	if privilege.Root() {
		s.idle = idleLimit
	}
	s.write(spawn.AppendNetstring(nil, strconv.Itoa(atOnce)))
	in := bufio.NewReader(os.Stdin)
	var running sync.WaitGroup
	defer s.close()
	defer running.Wait()
	for {
		text, err := spawn.ReadNetstring(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("deliveries: %w", err)
		}
		d, err := spawn.ParseDelivery(text)
		if err != nil {
			return fmt.Errorf("delivery: %w", err)
		}
		running.Add(1)
		go func() {
			defer running.Done()
			s.report(d.Num, s.deliver(d))
		}()
	}
}

// logf writes one line to descriptor 2.
func logf(format string, args ...any) {
	os.Stderr.WriteString(prog + ": " + fmt.Sprintf(format, args...) + "\n")
}
