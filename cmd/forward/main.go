// SPDX-License-Identifier: ISC

// Command forward sends the message on its descriptor 0 on, for a .qmail file.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/mailid"
	"quill/queue"
	"quill/queue/inject"
)

const prog = "forward"

func main() {
	sender, ok := os.LookupEnv("NEWSENDER")
	if !ok {
		exit.Die(prog, exit.Permanent, errors.New("NEWSENDER not set"))
	}
	dtline, ok := os.LookupEnv("DTLINE")
	if !ok {
		exit.Die(prog, exit.Permanent, errors.New("DTLINE not set"))
	}
	if len(os.Args) < 2 {
		exit.Usage(prog + " address ...")
	}
	id, code, err := forward(sender, dtline, os.Args[1:])
	if err != nil {
		exit.Die(prog, code, err)
	}
	// Queued is queued, whether anybody listens; os.Stderr would die of SIGPIPE.
	unix.Write(2, []byte(prog+": qp "+id+"\n"))
}

// forward queues what is on descriptor 0 and gives the new message's id, or an
// exit code and the reason.
func forward(sender, dtline string, to []string) (id string, code int, err error) {
	in := inject.New(control.Home(), os.Getenv("QMAILQUEUE"), true)
	m, err := in.Begin(mailid.New(), nil)
	if err != nil {
		return "", exit.Temporary, err
	}
	if _, err := io.Copy(tolerant{m}, io.MultiReader(strings.NewReader(dtline), os.Stdin)); err != nil {
		m.Abort()
		return "", exit.Temporary, fmt.Errorf("unable to read message: %w", err)
	}
	e := &queue.Envelope{Sender: sender}
	for _, a := range to {
		e.Recipients = append(e.Recipients, queue.Recipient{Addr: a})
	}
	r := m.Commit(e)
	switch {
	case r.OK():
		return r.ID.String(), exit.OK, nil
	case r.Permanent():
		return "", exit.Permanent, errors.New(r.Text[1:])
	}
	return "", exit.Temporary, errors.New(strings.TrimPrefix(r.Text, "Z"))
}

// tolerant takes all that is written: what went wrong with a message is Commit's
// to say.
type tolerant struct{ inject.Message }

func (t tolerant) Write(p []byte) (int, error) {
	t.Message.Write(p)
	return len(p), nil
}
