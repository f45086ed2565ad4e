// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"io"
	"os"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/mailid"
	"quill/maildir"
	"quill/queue"
	"quill/queue/inject"
)

// newOffice wires deliveries to Maildirs and to the queue: by queued's socket in
// a worker, else, and where QMAILQUEUE names a program, by pipes.
func newOffice(resident bool) *office {
	in := inject.New(control.Home(), os.Getenv("QMAILQUEUE"), !resident)
	o := &office{
		deliverer: maildir.NewDeliverer(""),
		submit:    func(l *letter) (string, error) { return submit(in, l) },
	}
	if resident {
		o.filler = newFiller()
	}
	return o
}

// submit queues a letter as a new message and gives its id.
func submit(in *inject.Injector, l *letter) (string, error) {
	m, err := in.Begin(mailid.New(), nil)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(tolerant{m}, l.content); err != nil {
		m.Abort()
		return "", fmt.Errorf("read message: %w", err)
	}
	e := &queue.Envelope{Sender: l.sender}
	for _, to := range l.recipients {
		e.Recipients = append(e.Recipients, queue.Recipient{Addr: to})
	}
	r := m.Commit(e)
	switch {
	case r.OK():
		return r.ID.String(), nil
	case r.Permanent():
		return "", failure{exit.Permanent, r.Text[1:]}
	case r.Text == "":
		return "", failure{exit.Temporary, "the queue gave no reason (#4.3.0)"}
	}
	return "", failure{exit.Temporary, r.Text[1:]}
}

// tolerant takes all that is written: what went wrong with a message is Commit's
// to say.
type tolerant struct{ inject.Message }

func (t tolerant) Write(p []byte) (int, error) {
	t.Message.Write(p)
	return len(p), nil
}
