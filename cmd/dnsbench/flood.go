// SPDX-License-Identifier: ISC

package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"net/netip"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"quill/internal/procuse"
)

// limits of a flood; dnsbench(1) lists them.
const (
	maxSockets = 256
	maxWindow  = 256
	openBits   = 12 // a socket of an open loop remembers 4096 questions
	sendBatch  = 32
	timeout    = 100 * time.Millisecond // then a question counts as lost
	lookEvery  = 20 * time.Millisecond  // between looks for lost ones
	warmup     = 300 * time.Millisecond
	sample     = 64 // one answer of so many is looked at whole
)

// options of a flood.
type options struct {
	to              netip.AddrPort
	names           int
	sockets, window int
	seconds         float64
	rate            int
	open, edns      bool
	blind, asJSON   bool
	pid             int
}

// slot is a question on its way.
type slot struct {
	at   int64 // when it was sent
	q    int32
	id   uint16
	busy bool
}

// lane is a socket, connected from a port of its own. A question's number is
// that of its slot below, and of the slot's turn above.
type lane struct {
	fd    int
	slots []slot
	bits  uint
	sent  uint16 // in an open loop, the number of the next
}

// engine asks and listens. It belongs to one thread and allocates nothing once
// it runs.
type engine struct {
	o       *options
	p       *packets
	next    int
	lanes   []lane
	in, out *batch
	free    []uint16
	began   time.Time
	n       counters
}

// counters are what happened since the warm-up.
type counters struct {
	sent, answered, lost, late, wrong, refused int64
	bytes                                      int64
	rcodes                                     [16]int64
	times                                      histogram
}

func flood(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	r, err := run(o)
	if err != nil {
		return err
	}
	r.print(o)
	if r.Answered == 0 || r.Wrong > 0 {
		return errServer
	}
	return nil
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("flood", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.names, "names", 1000, "")
	f.IntVar(&o.sockets, "sockets", 32, "")
	f.IntVar(&o.window, "window", 4, "")
	f.Float64Var(&o.seconds, "seconds", 3, "")
	f.IntVar(&o.rate, "rate", 0, "")
	f.BoolVar(&o.open, "open", false, "")
	f.BoolVar(&o.edns, "edns", false, "")
	f.BoolVar(&o.blind, "blind", false, "")
	f.BoolVar(&o.asJSON, "json", false, "")
	f.IntVar(&o.pid, "pid", 0, "")
	err := f.Parse(args)
	if err != nil {
		return nil, usageError(err.Error())
	}
	if f.NArg() != 1 {
		return nil, usage
	}
	if o.names < 100 || o.names > maxNames || o.sockets < 1 || o.sockets > maxSockets || o.window < 1 || o.window > maxWindow ||
		!(o.seconds > 0 && o.seconds <= 3600) || o.rate < 0 {
		return nil, usageError("an option is out of bounds: see LIMITS in dnsbench(1)")
	}
	o.to, err = loopback(f.Arg(0))
	return o, err
}

// run floods for the time that is wished for.
func run(o *options) (*outcome, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e, err := newEngine(o)
	if err != nil {
		return nil, err
	}
	defer e.close()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return e.measure()
}

// newEngine draws the questions and opens the sockets.
func newEngine(o *options) (*engine, error) {
	e := &engine{o: o, p: pack(o.names, o.edns), began: time.Now(), free: make([]uint16, 0, maxWindow)}
	e.in, e.out = newBatch(maxWindow, true, false), newBatch(max(sendBatch, o.window), false, false)
	for range o.sockets {
		fd, err := connected(o.to)
		if err != nil {
			e.close()
			return nil, err
		}
		l := lane{fd: fd, bits: openBits}
		if !o.open {
			l.bits = 8
		}
		l.slots = make([]slot, 1<<l.bits)
		e.lanes = append(e.lanes, l)
	}
	return e, nil
}

// close closes the sockets.
func (e *engine) close() {
	for i := range e.lanes {
		syscall.Close(e.lanes[i].fd)
	}
}

// measure runs the loop twice: to warm up, and for what counts.
func (e *engine) measure() (*outcome, error) {
	loop := e.closed
	if e.o.open {
		loop = e.openLoop
	}
	if !e.o.open {
		for i := range e.lanes {
			e.free = e.free[:0]
			for s := range e.o.window {
				e.free = append(e.free, uint16(s))
			}
			e.ask(&e.lanes[i])
		}
	}
	loop(warmup)
	pids := []int(nil)
	if e.o.pid != 0 {
		if pids = procuse.Tree(e.o.pid); len(pids) == 0 {
			return nil, errors.New("there is no process of that pid")
		}
	}
	self := []int{syscall.Getpid()}
	e.sweep()
	e.n = counters{}
	used, own, start := procuse.Clock(pids), procuse.Clock(self), time.Now()
	loop(time.Duration(e.o.seconds * float64(time.Second)))
	r := &outcome{Seconds: time.Since(start).Seconds(), server: procuse.Clock(pids) - used, own: procuse.Clock(self) - own}
	e.sweep()
	r.take(&e.n)
	if e.o.open {
		e.drain(r)
	}
	return r, nil
}

// sweep takes the answers that are there, so that those count that the server
// worked on between two looks at its CPU time.
func (e *engine) sweep() {
	for i := range e.lanes {
		l := &e.lanes[i]
		if !e.o.open {
			if e.listen(l) > 0 {
				e.ask(l)
			}
			continue
		}
		for e.listen(l) == maxWindow {
		}
	}
}

// now is the time in ns since the engine was made.
func (e *engine) now() int64 { return int64(time.Since(e.began)) }

// closed keeps window questions of each socket on their way: an answer, or the
// end of waiting for it, brings the next.
func (e *engine) closed(d time.Duration) {
	end, look := e.now()+int64(d), e.now()
	for {
		for i := range e.lanes {
			l := &e.lanes[i]
			if n := e.listen(l); n > 0 {
				e.ask(l)
			}
		}
		now := e.now()
		if now >= end {
			return
		}
		if now-look < int64(lookEvery) {
			continue
		}
		look = now
		for i := range e.lanes {
			e.giveUp(&e.lanes[i], now-int64(timeout))
		}
	}
}

// giveUp counts what was sent before then as lost, and asks something else.
func (e *engine) giveUp(l *lane, then int64) {
	e.free = e.free[:0]
	for s := range e.o.window {
		if !l.slots[s].busy || l.slots[s].at < then {
			l.slots[s].busy = false
			e.n.lost++
			e.free = append(e.free, uint16(s))
		}
	}
	e.ask(l)
}

// openLoop sends without waiting for answers, as fast as it can or at a rate.
func (e *engine) openLoop(d time.Duration) {
	start := e.now()
	allowed := int64(1) << 62
	for {
		now := e.now()
		if now-start >= int64(d) {
			return
		}
		if e.o.rate > 0 {
			allowed = int64(float64(e.o.rate) * float64(now-start) / 1e9)
		}
		for i := range e.lanes {
			l := &e.lanes[i]
			e.free = e.free[:0]
			for n := min(sendBatch, allowed-e.n.sent); n > 0; n-- {
				e.free = append(e.free, l.sent&(1<<openBits-1))
				l.sent++
			}
			e.ask(l)
			for e.listen(l) == maxWindow {
			}
		}
	}
}

// drain waits for what is still on its way, and counts the rest as lost.
func (e *engine) drain(r *outcome) {
	before := e.n.answered
	for end := e.now() + int64(timeout); e.now() < end; {
		for i := range e.lanes {
			e.listen(&e.lanes[i])
		}
	}
	r.Late += e.n.answered - before
	r.Lost = max(0, r.Sent-r.Answered-r.Late) // some answers were to questions of the warm-up
}

// ask sends the next questions in the free slots of a lane.
func (e *engine) ask(l *lane) {
	if len(e.free) == 0 {
		return
	}
	now := e.now()
	for i, s := range e.free {
		packet, sl := e.p.at(e.next), &l.slots[s]
		id := sl.id&^(1<<l.bits-1) + 1<<l.bits | s // the slot's next turn
		binary.BigEndian.PutUint16(packet, id)
		*sl = slot{now, int32(e.next), id, true}
		e.out.set(i, packet)
		if e.next++; e.next == e.p.len() {
			e.next = 0
		}
	}
	n, errno := e.out.send(l.fd, len(e.free))
	if errno != 0 {
		e.n.refused++
	}
	e.n.sent += int64(n)
	for _, s := range e.free[n:] {
		l.slots[s].busy = false // giveUp takes it up again
	}
}

// listen takes what answers are there and leaves their slots in free; how many
// packets came.
func (e *engine) listen(l *lane) int {
	e.free = e.free[:0]
	n, errno := e.in.receive(l.fd, maxWindow)
	if errno != 0 {
		e.n.refused++
	}
	if n == 0 {
		return 0
	}
	now := e.now()
	for i := range n {
		e.answer(l, e.in.got(i), now)
	}
	return n
}

// answer takes one.
func (e *engine) answer(l *lane, a []byte, now int64) {
	if len(a) < header {
		e.n.wrong++
		return
	}
	id := binary.BigEndian.Uint16(a)
	s := id & (1<<l.bits - 1)
	sl := &l.slots[s]
	if !sl.busy || sl.id != id {
		e.n.late++
		return
	}
	sl.busy = false
	e.free = append(e.free, s)
	e.n.answered++
	e.n.bytes += int64(len(a))
	e.n.rcodes[a[3]&15]++
	e.n.times.add(now - sl.at)
	if e.n.answered%sample == 0 && !e.o.blind && !e.p.right(int(sl.q), a) {
		e.n.wrong++
	}
}
