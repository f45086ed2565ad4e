// SPDX-License-Identifier: ISC

package main

import (
	"io"
	"strings"
	"time"

	"quill/internal/addr"
	"quill/internal/mailid"
	"quill/internal/qsbmf"
	"quill/queue"
)

// doubleBounce is the sender of a bounce about a bounce.
const doubleBounce = "#@[]"

// finish ends a message whose recipients are all done: with its end alone, or
// with a bounce that is its end as well.
func (s *sender) finish(m *message) {
	if m.ending {
		return
	}
	var failures []qsbmf.Failure
	for _, r := range m.rcpts {
		if !r.done {
			return
		}
		if r.failure != "" {
			failures = append(failures, qsbmf.Failure{Recipient: s.set.routes.StripPrepend(r.addr), Text: r.failure})
		}
	}
	m.ending = true
	if len(failures) > 0 && m.sender != doubleBounce {
		s.bounce(m, failures)
		return
	}
	if len(failures) > 0 {
		logf("triple bounce: discarding bounce/%v", m.id)
	}
	s.queue.end(m.id)
}

// bounce submits the bounce of a message.
func (s *sender) bounce(m *message, failures []qsbmf.Failure) {
	n := qsbmf.Notice{From: s.set.bounceFrom + "@" + s.set.bounceHost, To: verpReturn(m.sender), Host: s.set.me, At: time.Now(), Sender: m.sender, Failures: failures}
	env := &queue.Envelope{Params: queue.Params{{Key: "origin", Value: "bounce"}, {Key: "id", Value: mailid.New().String()}, {Key: "ends", Value: m.id.String()}}}
	if m.sender == "" {
		n.Double = true
		n.To = s.set.doubleTo + "@" + s.set.doubleHost
		env.Sender = doubleBounce
	}
	env.Recipients = []queue.Recipient{{Addr: n.To}}
	original, err := s.original(m)
	if err != nil {
		logf("alert: msg %v: unable to read it for its bounce: %v; the bounce goes without it", m.id, err)
	}
	s.queue.submit(m.id, env, append([]byte(n.Text()), original...))
}

// original is the start of a message, as much as a bounce copies.
func (s *sender) original(m *message) ([]byte, error) {
	f, err := queue.OpenPlace(s.home, m.place, m.id)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, s.set.bounceMax+1)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if n > s.set.bounceMax {
		return append(b[:s.set.bounceMax], "\n--- Rest of message truncated.\n"...), nil
	}
	return b[:n], nil
}

// verp expands a sender of the form pre@host-@[] for one recipient:
// prerecipient=domain@host (variable envelope return paths).
func verp(sender, rcpt string) string {
	pre, ok := strings.CutSuffix(sender, "-@[]")
	if !ok || sender == doubleBounce {
		return sender
	}
	base, host, ok := addr.SplitLast(pre)
	local, domain, ok2 := addr.SplitLast(rcpt)
	if !ok || !ok2 {
		return sender
	}
	return base + local + "=" + domain + "@" + host
}

// verpReturn is where the bounce of such a sender's message goes: pre@host.
func verpReturn(sender string) string {
	pre, ok := strings.CutSuffix(sender, "-@[]")
	if !ok {
		return sender
	}
	return pre
}
