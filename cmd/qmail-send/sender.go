// SPDX-License-Identifier: ISC

package main

import (
	"container/heap"
	"os"
	"syscall"
	"time"

	"quill/internal/control"
	"quill/internal/mailid"
	"quill/internal/route"
	"quill/internal/schedule"
	"quill/internal/spawn"
	"quill/queue"
)

// Limits and defaults; qmail-send(8) lists them.
const (
	defaultLocal  = 10                // deliveries at once (control/concurrencylocal)
	systemFailure = 123 * time.Second // between tries after trouble of our own
	maxAtOnce     = 3                 // tries at once of a message that has moved, or whose worker died
	bounceBytes   = 50000             // of a message that a bounce copies
)

// sender is the one goroutine that knows everything; the others bring it
// events.
type sender struct {
	home     string
	dir      control.Dir
	set      settings
	started  time.Time
	messages map[mailid.ID]*message
	due      dueHeap // recipients that wait for their time
	running  map[int]*delivery
	numbers  int // the newest delivery's
	local    *spawner
	queue    *client
	stopping bool
	failed   error              // why there is no going on
	caughtUp bool               // the log has told all there was
	known    map[mailid.ID]bool // messages that the log of events has been told of
	unsaved  map[key]record
	events   chan func()
}

// settings is what control says, read at the start and at HUP.
type settings struct {
	routes                 *route.Table
	me                     string
	bounceFrom, bounceHost string
	doubleTo, doubleHost   string
	lifetime               time.Duration
	concurrency            int
	bounceMax              int
}

// message is one of the queue's.
type message struct {
	id     mailid.ID
	place  queue.Place
	sender string
	rcpts  []*recipient
	held   bool
	ending bool
}

// recipient is one of a message's.
type recipient struct {
	m       *message
	number  int
	addr    string // as rewritten
	local   bool
	next    time.Time
	index   int // in the heap; -1 outside
	running bool
	done    bool
	again   bool   // the outcome of an earlier try is unknown
	failure string // what a bounce will say
	atOnce  int    // tries that did not wait for the schedule
}

// key names a recipient over reconnections.
type key struct {
	id   mailid.ID
	rcpt int
}

// record is a result that is not known to be durable yet.
type record struct {
	kind queue.Kind
	text []byte
}

// delivery is one that runs.
type delivery struct {
	num int
	key key
}

func newSender(home, local string) (*sender, error) {
	s := &sender{home: home, dir: control.Open(home), started: time.Now(), messages: make(map[mailid.ID]*message), running: make(map[int]*delivery),
		unsaved: make(map[key]record), events: make(chan func(), 1024), known: make(map[mailid.ID]bool)}
	if err := s.configure(); err != nil {
		return nil, err
	}
	s.local = newSpawner(s, local)
	s.queue = newClient(s)
	return s, nil
}

// configure reads the control files.
func (s *sender) configure() (err error) {
	get := func(name, fallback string) (v string) {
		if err == nil {
			v, err = s.dir.LineOr(name, fallback)
		}
		return v
	}
	number := func(name string, dflt int) (n int) {
		if err == nil {
			n, err = s.dir.Int(name, dflt)
		}
		return n
	}
	set := settings{me: get("me", "me"), bounceHost: get("bouncehost", "me"), doubleHost: get("doublebouncehost", "me")}
	set.bounceFrom = orElse(s.dir, "bouncefrom", "MAILER-DAEMON", &err)
	set.doubleTo = orElse(s.dir, "doublebounceto", "postmaster", &err)
	set.lifetime = time.Duration(number("queuelifetime", int(schedule.DefaultLifetime/time.Second))) * time.Second
	set.concurrency = number("concurrencylocal", defaultLocal)
	set.bounceMax = number("bouncemaxbytes", bounceBytes)
	if err == nil {
		set.routes, err = s.dir.Routes()
	}
	if err == nil {
		s.set = set
	}
	return err
}

// orElse is a control file's line, or a word.
func orElse(d control.Dir, name, word string, err *error) string {
	if *err != nil {
		return ""
	}
	v, ok, e := d.Line(name)
	if *err = e; !ok {
		return word
	}
	return v
}

// run obeys events until it is told to stop and everything that ran is recorded,
// or there is no going on.
func (s *sender) run(signals chan os.Signal) error {
	go s.queue.follow()
	if s.local.last.IsZero() {
		s.local.start()
	}
	s.status()
	timer := time.NewTimer(time.Hour)
	for !s.finished() && s.failed == nil {
		s.start()
		if len(s.events) == 0 {
			lines.Flush()
		}
		timer.Reset(s.wait())
		select {
		case f := <-s.events:
			f()
		case sig := <-signals:
			s.signal(sig)
		case <-timer.C:
		}
	}
	logf("status: exiting")
	lines.Flush()
	return s.failed
}

// finished says whether a stop is complete: nothing runs, and what ran is
// recorded or the queue is away.
func (s *sender) finished() bool {
	return s.stopping && len(s.running) == 0 && (len(s.unsaved) == 0 || !s.caughtUp)
}

func (s *sender) signal(sig os.Signal) {
	switch sig {
	case syscall.SIGALRM:
		for _, m := range s.messages {
			for _, r := range m.rcpts {
				if !r.done && !r.running {
					s.schedule(r, time.Now())
				}
			}
		}
	case syscall.SIGHUP:
		if err := s.configure(); err != nil {
			logf("alert: unable to reread controls: %v; the old ones stay", err)
		}
	default:
		if !s.stopping {
			s.stopping = true
			s.status()
		}
	}
}

// status logs how many deliveries run.
func (s *sender) status() {
	tail := ""
	if s.stopping {
		tail = " exitasap"
	}
	logf("status: local %d/%d remote 0/0%s", len(s.running), s.limit(), tail)
}

// limit is how many deliveries may run at once.
func (s *sender) limit() int { return min(s.set.concurrency, s.local.most) }

// wait is how long there is nothing to do but wait for events.
func (s *sender) wait() time.Duration {
	if len(s.due) == 0 || s.stopping || len(s.running) >= s.limit() {
		return time.Hour
	}
	return max(0, min(time.Until(s.due[0].next), time.Hour))
}

// start starts what is due.
func (s *sender) start() {
	if s.stopping || !s.caughtUp {
		return
	}
	now := time.Now()
	for len(s.due) > 0 && len(s.running) < s.limit() && !s.due[0].next.After(now) {
		r := heap.Pop(&s.due).(*recipient)
		if r.m.held {
			continue
		}
		s.deliver(r)
	}
}

// deliver hands one delivery to the spawner.
func (s *sender) deliver(r *recipient) {
	s.numbers++
	d := &delivery{s.numbers, key{r.m.id, r.number}}
	s.running[d.num] = d
	r.running = true
	logf("starting delivery %d: msg %v to local %s", d.num, r.m.id, safe(r.addr))
	s.status()
	out := spawn.Delivery{Num: d.num, ID: r.m.id, Again: r.again, Sender: verp(r.m.sender, r.addr), Recipient: r.addr, Rcpt: r.number}
	if r.m.place.File != "" {
		out.File = r.m.place.File
	} else {
		out.At = r.m.place.String()
	}
	s.local.send(&out)
}

// schedule puts a recipient where its time is.
func (s *sender) schedule(r *recipient, at time.Time) {
	r.next = at
	switch {
	case !r.local:
		// waits for a remote spawner, which there is none of yet
	case r.index >= 0:
		heap.Fix(&s.due, r.index)
	default:
		heap.Push(&s.due, r)
	}
}

// dueHeap is recipients, the one whose time comes first at the top.
type dueHeap []*recipient

func (h dueHeap) Len() int { return len(h) }

// Less keeps the order of a message's recipients where their times are the same.
func (h dueHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if c := a.next.Compare(b.next); c != 0 {
		return c < 0
	}
	if a.m.id != b.m.id {
		return a.m.id < b.m.id
	}
	return a.number < b.number
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) {
	r := x.(*recipient)
	r.index = len(*h)
	*h = append(*h, r)
}

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	old := *h
	r := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	r.index = -1
	return r
}
