// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"time"

	"quill/internal/mailid"
	"quill/queue"
)

// client is our two connections to queued: one follows the log, one submits.
// When either fails, both are begun anew, and the log tells everything again.
type client struct {
	s       *sender
	submits *queue.Client // nil while there is no connection
}

func newClient(s *sender) *client { return &client{s: s} }

// Pauses between tries to reach queued.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 5 * time.Second
)

// follow reads the log for ever, and connects again whenever it is cut off.
func (c *client) follow() {
	pause := firstPause
	for complained := false; ; {
		told, err := c.once()
		if told {
			pause, complained = firstPause, false
			c.s.events <- c.s.disconnected
			logf("warning: %v; connecting again", err)
		} else if !complained && pause > time.Second {
			complained = true
			logf("warning: unable to follow the queue: %v; trying again and again", err)
		}
		time.Sleep(pause)
		pause = min(2*pause, lastPause)
	}
}

// once connects and follows until that fails; told says whether it had begun.
func (c *client) once() (told bool, err error) {
	submits, err := queue.Dial(c.s.home)
	if err != nil {
		return false, err
	}
	defer submits.Close()
	f, err := queue.Follow(c.s.home, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	for {
		batch, err := some(f)
		if len(batch) > 0 {
			if !told {
				told = true
				c.s.events <- func() { c.submits = submits }
			}
			c.s.events <- func() {
				for i := range batch {
					c.s.told(batch[i])
				}
			}
		}
		if err != nil {
			return told, err
		}
	}
}

// most is how many events of the log are dealt with as one.
const most = 256

// some is the next event, and those that have come with it.
func some(f *queue.Follower) (batch []queue.Event, err error) {
	for len(batch) == 0 || len(batch) < most && f.Ready() {
		e, err := f.Next()
		if err != nil {
			return batch, err
		}
		batch = append(batch, e)
	}
	return batch, nil
}

// record submits a result; it is believed when the log tells of it.
func (c *client) record(k key, rec record) {
	c.submits.Record(rec.kind, k.id, k.rcpt, rec.text, func(_ uint64, err error) {
		var refused *queue.Refusal
		if errors.As(err, &refused) {
			go func() { c.s.events <- func() { c.s.notRecorded(k, rec, err) } }()
		}
	})
}

// end submits the end of a message.
func (c *client) end(id mailid.ID) {
	c.submits.Record(queue.Done, id, 0, nil, func(_ uint64, err error) { c.retry(id, "end", err) })
}

// submit submits a bounce.
func (c *client) submit(id mailid.ID, env *queue.Envelope, text []byte) {
	c.submits.Submit(env, text, func(_ mailid.ID, err error) { c.retry(id, "bounce", err) })
}

// retry has a message's end tried again after a while when queued refused it. A
// lost connection brings everything back by itself.
func (c *client) retry(id mailid.ID, what string, err error) {
	var refused *queue.Refusal
	if !errors.As(err, &refused) {
		return
	}
	logf("warning: %s of msg %v: %v; trying again in %v", what, id, err, systemFailure)
	time.AfterFunc(systemFailure, func() {
		c.s.events <- func() {
			if m := c.s.messages[id]; m != nil && c.s.caughtUp {
				m.ending = false
				c.s.finish(m)
			}
		}
	})
}
