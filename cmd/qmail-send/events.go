// SPDX-License-Identifier: ISC

package main

import (
	"container/heap"
	"strconv"
	"strings"
	"time"

	"quill/internal/mailid"
	"quill/internal/qmaillog"
	"quill/internal/schedule"
	"quill/internal/spawn"
	"quill/queue"
)

func safe(s string) string { return qmaillog.Safe(s) }

// giveUp is what is added to a report when a message has been tried too long.
const giveUp = "I'm not going to try again; this message has been in the queue too long.\n"

// told deals with a durable record: all state comes from these, whether they
// are replayed or new, so that nothing is believed before it is on disk.
func (s *sender) told(e queue.Event) {
	if e.CaughtUp {
		s.caught()
		return
	}
	if e.Kind == queue.Enqueue {
		s.arrived(e)
		return
	}
	m := s.messages[e.ID]
	if m == nil {
		return
	}
	switch e.Kind {
	case queue.Done:
		s.ended(m)
	case queue.Hold:
		m.held = true
	case queue.Release:
		m.held = false
		for _, r := range m.rcpts {
			if !r.done && !r.running && r.index < 0 {
				s.schedule(r, time.Now())
			}
		}
	case queue.Result, queue.Next:
		if e.Rcpt < len(m.rcpts) {
			s.outcome(m.rcpts[e.Rcpt], e)
		}
	}
}

// caught is told when the log has told all there was: what was not saved before
// a connection was lost is saved now, and messages that only lack their end get
// it.
func (s *sender) caught() {
	if s.caughtUp {
		return
	}
	s.caughtUp = true
	for k, rec := range s.unsaved {
		if m := s.messages[k.id]; m == nil || m.rcpts[k.rcpt].done {
			delete(s.unsaved, k)
			continue
		}
		s.queue.record(k, rec)
	}
	for _, m := range s.messages {
		s.finish(m)
	}
}

// arrived takes a new message, or one that the log tells of again.
func (s *sender) arrived(e queue.Event) {
	env, err := queue.ParseEnvelope(e.Text)
	if err != nil {
		logf("alert: msg %v: envelope: %v", e.ID, err)
		return
	}
	m := &message{id: e.ID, place: e.At, sender: env.Sender}
	if ends, ok := mailid.Parse(env.Params.Value("ends")); ok {
		if old := s.messages[ends]; old != nil {
			logf("bounce msg %v qp %v", ends, e.ID)
			s.ended(old)
		}
	}
	now := time.Now()
	again := e.ID.Time().Before(s.started)
	m.rcpts = make([]*recipient, 0, len(env.Recipients))
	for i, r := range env.Recipients {
		addr, local := s.set.routes.Rewrite(r.Addr)
		rcpt := &recipient{m: m, number: i, addr: addr, local: local, index: -1, again: again}
		m.rcpts = append(m.rcpts, rcpt)
		if d := s.byKey(key{m.id, i}); d != nil {
			rcpt.running = true
			continue
		}
		s.schedule(rcpt, now)
	}
	s.messages[m.id] = m
	if !s.known[m.id] {
		s.known[m.id] = true
		logf("new msg %v\ninfo msg %v: bytes %s from <%s> qp %v uid %s", m.id, m.id, orZero(env.Params.Value("bytes")), safe(m.sender), m.id, orZero(env.Params.Value("uid")))
	}
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

func (s *sender) byKey(k key) *delivery {
	for _, d := range s.running {
		if d.key == k {
			return d
		}
	}
	return nil
}

// outcome takes note of a durable result or next time.
func (s *sender) outcome(r *recipient, e queue.Event) {
	delete(s.unsaved, key{e.ID, e.Rcpt})
	if e.Kind == queue.Next {
		if n, err := strconv.ParseInt(string(e.Text), 10, 63); err == nil && !r.done && !r.running {
			s.schedule(r, schedule.Bound(time.Unix(n, 0), r.m.id.Time(), time.Now(), step(r)))
		}
		return
	}
	if len(e.Text) == 0 || e.Text[0] == 'Z' || r.done {
		return
	}
	r.done = true
	if r.index >= 0 {
		heap.Remove(&s.due, r.index)
	}
	if e.Text[0] == 'D' {
		r.failure = string(e.Text[1:])
	}
	if s.caughtUp {
		s.finish(r.m)
	}
}

func step(r *recipient) int {
	if r.local {
		return schedule.Local
	}
	return schedule.Remote
}

// ended forgets a message whose end is on disk.
func (s *sender) ended(m *message) {
	for _, r := range m.rcpts {
		if r.index >= 0 {
			heap.Remove(&s.due, r.index)
		}
		delete(s.unsaved, key{m.id, r.number})
	}
	delete(s.messages, m.id)
	delete(s.known, m.id)
	logf("end msg %v", m.id)
}

// reported takes a spawner's report.
func (s *sender) reported(num int, report string) {
	d := s.running[num]
	if d == nil {
		logf("warning: report of delivery %d, which does not run", num)
		return
	}
	delete(s.running, num)
	m := s.messages[d.key.id]
	var r *recipient
	if m != nil && d.key.rcpt < len(m.rcpts) {
		r = m.rcpts[d.key.rcpt]
		r.running, r.again = false, false
	}
	crashed := strings.HasPrefix(report, spawn.Crashed)
	if (crashed || strings.HasPrefix(report, spawn.Moved)) && r != nil && r.atOnce < maxAtOnce {
		r.atOnce++
		r.again = crashed
		logf("delivery %d: deferral: %s", num, safe(report[1:]))
		s.status()
		s.schedule(r, time.Now())
		return
	}
	now := time.Now()
	letter := report[0]
	if letter == 'Z' && schedule.Expired(d.key.id.Time(), now, s.set.lifetime) {
		letter = 'D'
		report = "D" + strings.TrimSuffix(report[1:], "\n") + "\n" + giveUp
	}
	logf("delivery %d: %s: %s", num, map[byte]string{'K': "success", 'Z': "deferral", 'D': "failure"}[letter], safe(report[1:]))
	s.status()
	rec := record{queue.Result, []byte(report)}
	if letter == 'Z' {
		local := r == nil || r.local
		at := schedule.Next(d.key.id.Time(), now, map[bool]int{true: schedule.Local, false: schedule.Remote}[local])
		rec = record{queue.Next, strconv.AppendInt(nil, at.Unix(), 10)}
	}
	s.unsaved[d.key] = rec
	if s.caughtUp {
		s.queue.record(d.key, rec)
	}
}

// spawnerDied puts everything that ran in a dead spawner off for now: its
// outcome is unknown.
func (s *sender) spawnerDied() {
	for num, d := range s.running {
		delete(s.running, num)
		logf("delivery %d: deferral: spawner_died/", num)
		if m := s.messages[d.key.id]; m != nil && d.key.rcpt < len(m.rcpts) {
			r := m.rcpts[d.key.rcpt]
			r.running, r.again = false, true
			s.schedule(r, time.Now())
		}
	}
	s.status()
}

// disconnected forgets what the log told: it will tell it again, but not of
// what ended meanwhile. What runs goes on.
func (s *sender) disconnected() {
	s.caughtUp = false
	s.messages = make(map[mailid.ID]*message)
	s.due = nil
}

// notRecorded is told when queued did not take a record: it is tried again
// when the log is there again, or after a pause.
func (s *sender) notRecorded(k key, rec record, err error) {
	logf("alert: unable to record a result of msg %v: %v", k.id, err)
	time.AfterFunc(time.Second, func() {
		s.events <- func() {
			if _, ok := s.unsaved[k]; ok && s.caughtUp && s.messages[k.id] != nil {
				s.queue.record(k, rec)
			}
		}
	})
}
