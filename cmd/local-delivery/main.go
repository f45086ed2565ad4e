// SPDX-License-Identifier: ISC

// Command local-delivery delivers one message as a .qmail file says, or, kept
// resident by a spawner, many at once.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/dotqmail"
	"quill/internal/exit"
	"quill/internal/getopt"
	"quill/internal/mailid"
	"quill/internal/sandbox"
)

const (
	prog  = "local-delivery"
	usage = prog + ": usage: local-delivery [ -nN ] user homedir local dash ext domain sender defaultdelivery\n"
)

// words is how many arguments a delivery has.
const words = 8

func main() {
	unix.Umask(0o077)
	// Programs get descriptors 0 to 2 and none that somebody left open.
	unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	// The user's programs start here, with his rights whole: so no more than this.
	if err := sandbox.Confine(prog, sandbox.Rules{Deny: sandbox.NoAdmin}); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	link, resident := chain.FromEnv()
	dry, args, ok := options(os.Args[1:])
	if !ok || resident && len(args) != 0 || !resident && len(args) != words {
		os.Stderr.WriteString(usage)
		os.Exit(exit.Permanent)
	}
	parent, _ := mailid.Parse(os.Getenv("QUILLID"))
	post := newOffice(resident)
	if resident {
		if err := link.Hello(os.Args); err != nil {
			exit.Die(prog, exit.Temporary, err)
		}
		w := &worker{link: link, office: post, limits: defaultLimits}
		err := w.serve()
		post.filler.end()
		if err != nil {
			exit.Die(prog, exit.Temporary, err)
		}
		return
	}
	j := &job{office: post, limits: defaultLimits, dry: dry, parent: parent, msg: os.Stdin, out: writer(1), err: writer(2)}
	if !j.arguments(args) {
		os.Stderr.WriteString(usage)
		os.Exit(exit.Permanent)
	}
	j.progOut, j.progErr = os.Stdout, os.Stderr
	// Before the files it leaves in tmp/ are old enough to be cleaned up.
	time.AfterFunc(defaultLimits.delivery, func() { exit.Die(prog, exit.Temporary, errors.New("delivery took too long")) })
	os.Exit(j.run())
}

// options reads -n and -N.
func options(args []string) (dry bool, rest []string, ok bool) {
	p := getopt.New(args, "nN")
	for p.Next() {
		dry = p.Opt() == 'n'
	}
	return dry, p.Rest(), p.Err() == nil
}

// arguments takes the eight words; it is false where they cannot be right.
func (j *job) arguments(a []string) bool {
	if len(a) != words || a[1] == "" || a[1][0] != '/' {
		return false
	}
	j.to = dotqmail.Address{User: a[0], Home: a[1], Local: a[2], Dash: a[3], Ext: a[4], Host: a[5], Sender: a[6]}
	j.defaultDelivery = a[7]
	return true
}

// writer is a descriptor written to as it is: a reader that has gone is no
// reason to die (os.Stdout would, by SIGPIPE).
type writer int

func (w writer) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n, err := unix.Write(int(w), p[done:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, fmt.Errorf("write: %w", err)
		}
		done += n
	}
	return len(p), nil
}

var _ io.Writer = writer(0)
