// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"quill/internal/procuse"
)

// command measures one command, each time in a session of its own, and prints
// the medians of its milliseconds and of the server's CPU milliseconds, and the
// bytes of the last answer. All but SELECT is said with INBOX selected.
func command(args []string) error {
	o, err := parse("command", args)
	if err != nil {
		return err
	}
	var took, used []time.Duration
	bytes := 0
	for range o.count {
		t, u, n, err := once(o)
		if err != nil {
			return err
		}
		took, used, bytes = append(took, t), append(used, u), n
	}
	fmt.Printf("%.3f %.3f %d\n", ms(median(took)), ms(median(used)), bytes)
	return nil
}

func once(o *options) (took, used time.Duration, n int, err error) {
	k, err := login(o.addr, o.name(0), o.password)
	if err != nil {
		return 0, 0, 0, err
	}
	defer k.Close()
	k.buf = make([]byte, bufSize)
	if !strings.HasPrefix(o.run, "SELECT") {
		if err := k.do("SELECT INBOX"); err != nil {
			return 0, 0, 0, err
		}
	}
	before := o.cpu()
	start := time.Now()
	if err := k.do(o.run); err != nil {
		return 0, 0, 0, err
	}
	took, n = time.Since(start), k.read
	used = o.cpu() - before
	return took, used, n, k.do("LOGOUT")
}

func (o *options) cpu() time.Duration {
	if len(o.pids) == 0 {
		return 0
	}
	return procuse.CPU(o.pids...)
}

// note is the small mail that each session appends.
const note = "From: netwatcher@testingsmtp.org\r\nTo: sendmemail@testingsmtp.org\r\nSubject: a small message\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\nMessage-ID: <small@testingsmtp.org>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nA few words.\r\n"

// play is one whole session: what a client does that looks, marks and saves.
func (o *options) play(worker, round int) error {
	k, err := login(o.addr, o.name(worker), o.password)
	if err != nil {
		return err
	}
	defer k.Close()
	sign := "+-"[round%2 : round%2+1]
	for _, s := range []string{
		"SELECT INBOX",
		"FETCH 1 BODY.PEEK[HEADER]",
		"STORE 1 " + sign + `FLAGS (\Flagged)`,
		fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(note), note),
		"NOOP",
		"LOGOUT",
	} {
		if err := k.do(s); err != nil {
			return err
		}
	}
	return nil
}

// sessions plays a number of sessions by clients at once, each with a user of
// its own where there are enough, and prints sessions a second, the server's CPU
// milliseconds a session, and the median and 99th percentile of a session's
// milliseconds.
func sessions(args []string) error {
	o, err := parse("sessions", args)
	if err != nil {
		return err
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		left  atomic.Int64
		all   []time.Duration
		wrong error
	)
	left.Store(int64(o.count))
	before, start := o.cpu(), time.Now()
	for worker := range o.clients {
		wg.Go(func() {
			for round := 0; left.Add(-1) >= 0; round++ {
				began := time.Now()
				err := o.play(worker, round)
				mu.Lock()
				all = append(all, time.Since(began))
				if wrong == nil {
					wrong = err
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	took, used := time.Since(start), o.cpu()-before
	if wrong != nil {
		return wrong
	}
	slices.Sort(all)
	fmt.Printf("%.2f %.3f %.3f %.3f\n", float64(len(all))/took.Seconds(), ms(used)/float64(len(all)), ms(all[len(all)/2]), ms(all[len(all)*99/100]))
	return nil
}

// idle opens sessions that are logged in, have INBOX selected and say IDLE, and
// prints the server's memory in KiB without and with them, and how many there
// are. A tenth of them starts at once.
func idle(args []string) error {
	o, err := parse("idle", args)
	if err != nil {
		return err
	}
	before, err := procuse.Memory(o.pids...)
	if err != nil {
		return err
	}
	open := make([]*client, o.clients)
	defer func() {
		for _, k := range open {
			if k != nil {
				k.Close()
			}
		}
	}()
	var wg sync.WaitGroup
	turns := make(chan struct{}, max(1, o.clients/10))
	wrong := make([]error, o.clients)
	for i := range open {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			open[i], wrong[i] = o.rest(i)
		})
	}
	wg.Wait()
	for _, err := range wrong {
		if err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	after, err := procuse.Memory(o.pids...)
	if err != nil {
		return err
	}
	fmt.Printf("%d %d %d\n", before, after, len(open))
	return nil
}

// rest brings one session to IDLE.
func (o *options) rest(n int) (*client, error) {
	k, err := login(o.addr, o.name(n), o.password)
	if err != nil {
		return nil, err
	}
	if err = k.do("SELECT INBOX"); err == nil {
		if _, err = k.Write([]byte("z IDLE\r\n")); err == nil {
			err = k.until("+")
		}
	}
	return k, err
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
