// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"quill/internal/procuse"
)

// client plays one connection: it calls done after each message or session, and
// stops when that says so.
type client interface {
	play(c net.Conn, r *bufio.Reader, done func() bool) error
}

// run keeps o.sessions connections busy for the time.
func run(o *options, c client) *result {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  []time.Duration
		res  = &result{Kind: o.kind}
		used = procuse.CPU(o.pids...)
	)
	start := time.Now()
	end := start.Add(time.Duration(o.seconds * float64(time.Second)))
	for range o.sessions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mine, errs, first := worker(o, c, end)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			res.Errors += errs
			if first != nil && res.FirstError == "" {
				res.FirstError = first.Error()
			}
		}()
	}
	wg.Wait()
	res.Seconds = time.Since(start).Seconds()
	res.Count = len(all)
	res.Rate = float64(len(all)) / res.Seconds
	if len(all) > 0 {
		slices.Sort(all)
		at := func(p float64) float64 {
			return float64(all[min(len(all)-1, int(p*float64(len(all))))].Microseconds()) / 1000
		}
		res.P50, res.P90, res.P99, res.Max = at(0.5), at(0.9), at(0.99), at(1)
		res.CPU = (procuse.CPU(o.pids...) - used).Seconds() * 1000 / float64(len(all))
	}
	return res
}

// worker plays connections one after another until the time is up.
func worker(o *options, c client, end time.Time) (times []time.Duration, errs int, first error) {
	for time.Now().Before(end) {
		last := time.Now()
		err := connect(o, c, end, func() bool {
			now := time.Now()
			times = append(times, now.Sub(last))
			last = now
			return now.Before(end)
		})
		if err != nil {
			errs++
			if first == nil {
				first = err
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return times, errs, first
}

func connect(o *options, c client, end time.Time, done func() bool) error {
	conn, err := net.DialTimeout("tcp", o.addr, deadline)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(end.Add(deadline))
	return c.play(conn, bufio.NewReader(conn), done)
}

// expect reads a reply to its last line, which must start so.
func expect(r *bufio.Reader, want string) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(line, []byte(want)) {
			return errors.New(strings.TrimSpace(string(line)))
		}
		if want[0] == '+' || len(line) < 4 || line[3] != '-' {
			return nil
		}
	}
}

// smtpLoad sends messages, each command after the reply to the last; or, with
// -pipeline, MAIL, RCPT and DATA together (RFC 2920).
type smtpLoad struct {
	o    *options
	body []byte
	mail []byte
	rcpt []byte // where it is always the same
	next counter
}

// counter counts through users.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) of(max int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n % max
}

func newSMTP(o *options) client {
	b := []byte("From: " + o.from + "\r\nSubject: load\r\n\r\n")
	line := strings.Repeat("x", 70) + "\r\n"
	for len(b) < o.size {
		b = append(b, line[max(0, len(line)-max(3, o.size-len(b))):]...)
	}
	l := &smtpLoad{o: o, body: append(b, ".\r\n"...), mail: []byte("MAIL FROM:<" + o.from + ">\r\n")}
	if !strings.Contains(o.to, "%d") {
		l.rcpt = []byte("RCPT TO:<" + o.to + ">\r\n")
	}
	return l
}

// recipient is the next RCPT.
func (l *smtpLoad) recipient() []byte {
	if l.rcpt != nil {
		return l.rcpt
	}
	return fmt.Appendf(nil, "RCPT TO:<"+l.o.to+">\r\n", l.next.of(l.o.users))
}

func (l *smtpLoad) play(c net.Conn, r *bufio.Reader, done func() bool) error {
	if err := expect(r, "2"); err != nil {
		return err
	}
	say := func(b []byte, want string) error {
		if _, err := c.Write(b); err != nil {
			return err
		}
		return expect(r, want)
	}
	if err := say([]byte("EHLO localhost\r\n"), "2"); err != nil {
		return err
	}
	message := l.lockstep
	if l.o.pipeline {
		message = l.pipelined
	}
	for range l.o.reuse {
		if err := message(r, say); err != nil {
			return err
		}
		if !done() {
			break
		}
	}
	return say([]byte("QUIT\r\n"), "2")
}

// lockstep sends one message, a command at a time.
func (l *smtpLoad) lockstep(_ *bufio.Reader, say func([]byte, string) error) error {
	if err := say(l.mail, "2"); err != nil {
		return err
	}
	if err := say(l.recipient(), "2"); err != nil {
		return err
	}
	if err := say([]byte("DATA\r\n"), "3"); err != nil {
		return err
	}
	return say(l.body, "2")
}

// pipelined sends one message, its commands in one write.
func (l *smtpLoad) pipelined(r *bufio.Reader, say func([]byte, string) error) error {
	group := slices.Concat(l.mail, l.recipient(), []byte("DATA\r\n"))
	if err := say(group, "2"); err != nil {
		return err
	}
	if err := expect(r, "2"); err != nil {
		return err
	}
	if err := expect(r, "3"); err != nil {
		return err
	}
	return say(l.body, "2")
}

// pop3Load logs in, STAT, one RETR, QUIT.
type pop3Load struct {
	o    *options
	next counter
}

func newPOP3(o *options) client { return &pop3Load{o: o} }

func (l *pop3Load) play(c net.Conn, r *bufio.Reader, done func() bool) error {
	if err := expect(r, "+OK"); err != nil {
		return err
	}
	user := l.o.user
	if strings.Contains(user, "%d") {
		user = fmt.Sprintf(user, l.next.of(l.o.users))
	}
	for _, s := range []string{"USER " + user, "PASS " + l.o.password, "STAT", "RETR 1", "QUIT"} {
		if _, err := c.Write([]byte(s + "\r\n")); err != nil {
			return err
		}
		if err := expect(r, "+OK"); err != nil {
			return fmt.Errorf("%s: %w", s[:4], err)
		}
		for s == "RETR 1" {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if string(line) == ".\r\n" {
				break
			}
		}
	}
	done()
	return nil
}
