// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnstransfer"
	"quill/internal/dnswire"
	"quill/internal/transferfiles"
)

// Limits; tinydns-notify(8) lists them.
const (
	tries      = 5
	firstWait  = time.Second // for an answer; doubled at each try
	maxAtOnce  = 64
	maxMessage = 4096
	// settle is how long a data.cdb is there before servers are told, so that
	// tinydns has taken it when they ask; readPerSecond is the bytes that it
	// reads through in a second, at least.
	settle        = time.Second
	readPerSecond = 50e6
)

// errQuiet says that nobody answered.
var errQuiet = errors.New("no answer")

// job is a target with what it is to be told.
type job struct {
	target dnstransfer.Target
	key    *dnstransfer.Key
	msg    []byte
	serial uint32
	wait   time.Duration // for the first answer
}

// notify tells all targets, but those that said knows to have been told; nil
// knows of none. The error names those who do not know now.
func notify(targets []dnstransfer.Target, keys dnstransfer.Keys, said state) error {
	var failed []error
	var jobs []job
	err := transferfiles.Use(func(m *cdb.Map) error {
		for _, t := range targets {
			j, err := prepare(m, t, keys)
			if err != nil {
				failed = append(failed, err)
			} else if serial, known := said[place(t)]; !known || serial != j.serial {
				jobs = append(jobs, j)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(jobs) > 0 {
		if err := settled(); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	room := make(chan struct{}, maxAtOnce)
	for _, j := range jobs {
		room <- struct{}{}
		wait.Go(func() {
			defer func() { <-room }()
			err := j.tell()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", place(j.target), err))
			} else if said != nil {
				said[place(j.target)] = j.serial
			}
		})
	}
	wait.Wait()
	return errors.Join(failed...)
}

// settled waits until tinydns has the data.cdb that is there.
func settled() error {
	st, err := os.Stat(transferfiles.DataFile)
	if err != nil {
		return err
	}
	need := settle + time.Duration(float64(st.Size())/readPerSecond*float64(time.Second))
	time.Sleep(min(need, time.Until(st.ModTime().Add(need))))
	return nil
}

// prepare makes the message for a target: with the SOA as it sees it.
func prepare(m *cdb.Map, t dnstransfer.Target, keys dnstransfer.Keys) (j job, err error) {
	j = job{target: t, wait: firstWait}
	if t.Key != "" {
		if j.key = keys.Named(t.Key); j.key == nil {
			return j, fmt.Errorf("%s: no key %q in the file keys", place(t), t.Key)
		}
	}
	j.msg, j.serial, err = dnstransfer.Notify(uint16(rand.Uint32()), m, t.Zone, dnstransfer.Client{Addr: t.To.Addr(), Now: time.Now()})
	if err != nil {
		return j, fmt.Errorf("%s: data.cdb: %w", dnswire.Text(t.Zone), err)
	}
	return j, nil
}

// tell sends the message until it is answered, or tries have been made.
func (j *job) tell() error {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(j.target.To))
	if err != nil {
		return err
	}
	defer c.Close()
	var sessions []*dnstransfer.Session
	wait := j.wait
	last := errQuiet
	for range tries {
		msg := append([]byte(nil), j.msg...)
		if j.key != nil {
			var s *dnstransfer.Session
			msg, s = dnstransfer.Ask(msg, j.key, time.Now())
			sessions = append(sessions, s)
		}
		end := time.Now().Add(wait)
		wait *= 2
		if _, err := c.Write(msg); err != nil {
			last = err
		}
		answered, err := j.hear(c, end, sessions)
		if answered {
			return err
		}
		if err != nil {
			last = err
		}
	}
	return last
}

// hear waits for the answer until end; err is what came instead, if something
// did.
func (j *job) hear(c *net.UDPConn, end time.Time, sessions []*dnstransfer.Session) (answered bool, err error) {
	c.SetReadDeadline(end)
	b := make([]byte, maxMessage)
	for {
		n, rerr := c.Read(b)
		if rerr != nil {
			var timeout net.Error
			if !errors.As(rerr, &timeout) || !timeout.Timeout() { // nobody there; perhaps it is just starting
				err = rerr
				time.Sleep(time.Until(end))
			}
			return false, err
		}
		rcode, ok := dnstransfer.Notified(j.msg, b[:n])
		if !ok {
			continue // somebody else's
		}
		if verr := verify(b[:n], sessions); verr != nil {
			err = verr
			continue // it may be forged, and the right one follow
		}
		if rcode != 0 {
			return true, fmt.Errorf("the server says %s", dnstransfer.Rcode(rcode))
		}
		return true, nil
	}
}

// verify wants an answer signed, where a question was.
func verify(msg []byte, sessions []*dnstransfer.Session) (err error) {
	for _, s := range sessions {
		if _, err = s.Verify(msg, time.Now()); err == nil {
			return nil
		}
	}
	return err
}
