// SPDX-License-Identifier: ISC

package chain

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// restartPause is the least time between two starts of a program that dies,
// after the first restart, which is at once.
const restartPause = time.Second

// NextOptions says how the rest of a chain is run.
type NextOptions struct {
	Env   []string                        // its environment; nil for the process's own
	Cred  *syscall.Credential             // the user to run it as; nil for our own
	Log   func(string)                    // where events go; nil for nowhere
	Spawn func(*Packet) (*Process, error) // starts a foreign rest for one packet; nil for the function Spawn
	// Once is called when the program dies, instead of starting it again: for
	// who has given up being root, and could start it only as another.
	Once func()
}

// Next is the rest of a chain behind a resident program: kept resident itself
// where the next program says hello, spawned for each connection where
// something foreign stands there. It is restarted when it dies.
type Next struct {
	argv []string
	opt  NextOptions

	mu      sync.Mutex
	changed *sync.Cond // child, foreign or closed changed
	child   *Child     // nil while none runs
	foreign bool
	closed  bool
	serial  uint64
	pending map[uint64]waiting
	spawned sync.WaitGroup
	ended   chan struct{} // closed when keep has returned
}

// waiting is who wants to hear of a session, and which child serves it.
type waiting struct {
	on    func(Report)
	child *Child
}

// NewNext starts the rest of a chain.
func NewNext(argv []string, opt NextOptions) *Next {
	if opt.Env == nil {
		opt.Env = os.Environ()
	}
	opt.Env = without(opt.Env, Variable)
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	n := &Next{argv: argv, opt: opt, pending: make(map[uint64]waiting), ended: make(chan struct{})}
	n.changed = sync.NewCond(&n.mu)
	go n.keep()
	return n
}

// keep starts the program again and again until it is found foreign or the
// chain is closed.
func (n *Next) keep() {
	defer close(n.ended)
	helloed := false
	var lastRestart time.Time
	for first := true; ; first = false {
		if !first && !n.pause(&lastRestart) {
			return
		}
		c, err := StartChild(n.argv, n.opt.Env, n.opt.Cred)
		switch {
		case err == nil:
			helloed = true
			if !n.serve(c) {
				return
			}
		case errors.Is(err, ErrForeign), !helloed:
			n.opt.Log(fmt.Sprintf("status: %s is spawned for each connection: %v", n.argv[0], err))
			n.set(func() { n.foreign = true })
			return
		default:
			n.opt.Log("warning: " + err.Error())
		}
	}
}

// pause waits until the program may be started again; false when the chain was
// closed meanwhile.
func (n *Next) pause(last *time.Time) bool {
	if d := restartPause - time.Since(*last); d > 0 {
		time.Sleep(d)
	}
	*last = time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.closed
}

// set changes the state and wakes those who wait for it.
func (n *Next) set(change func()) {
	n.mu.Lock()
	change()
	n.mu.Unlock()
	n.changed.Broadcast()
}

// serve hands a child out and hears its reports until it ends; false when it
// ended because the chain was closed.
func (n *Next) serve(c *Child) (again bool) {
	n.set(func() { n.child = c })
	n.mu.Lock()
	closed := n.closed
	n.mu.Unlock()
	if closed {
		c.Link.CloseWrite()
	}
	for {
		b, fds, err := c.Link.Recv()
		closeAll(fds)
		if err != nil {
			break
		}
		if r, err := parseReport(b); err == nil {
			n.deliver(r)
		}
	}
	n.set(func() {
		n.child = nil
		again = !n.closed
	})
	if again && n.opt.Once != nil {
		n.abandon(c)
		return false
	}
	if again {
		c.Kill() // it closed its link: whatever it still does, nobody hears of it
		n.opt.Log(fmt.Sprintf("warning: %s ended with status %d and is started again", n.argv[0], c.Wait()))
	}
	c.Wait()
	c.Link.Close()
	n.bury(c)
	return again
}

// abandon ends the chain with a program that is not to be started again. It may
// not be ours to kill or to wait for.
func (n *Next) abandon(c *Child) {
	n.set(func() { n.closed = true })
	c.Link.Close()
	n.bury(c)
	n.opt.Log(fmt.Sprintf("alert: %s ended, and only root could start it again", n.argv[0]))
	n.opt.Once()
}

// deliver hands a report to who waits for it.
func (n *Next) deliver(r Report) {
	n.mu.Lock()
	w, ok := n.pending[r.Serial]
	if r.Final() {
		delete(n.pending, r.Serial)
	}
	n.mu.Unlock()
	if ok {
		w.on(r)
	}
}

// bury ends the sessions of a dead child.
func (n *Next) bury(c *Child) {
	n.mu.Lock()
	dead := make(map[uint64]waiting)
	for serial, w := range n.pending {
		if w.child == c {
			dead[serial] = w
			delete(n.pending, serial)
		}
	}
	n.mu.Unlock()
	for serial, w := range dead {
		w.on(Report{serial, StatusCrashed, ""})
	}
}

// Foreign says whether the rest is spawned for each connection; it waits until
// that is known.
func (n *Next) Foreign() bool {
	_, foreign := n.ready()
	return foreign
}

// ready waits for a child, or for the verdict that there will be none.
func (n *Next) ready() (c *Child, foreign bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.child == nil && !n.foreign && !n.closed {
		n.changed.Wait()
	}
	return n.child, n.foreign
}

// Pass hands a packet to the rest of the chain and waits while that cannot take
// it. on hears each report; the last is Final. The descriptors stay the
// caller's to close. A packet with a Serial goes to the session that has it.
func (n *Next) Pass(p *Packet, on func(Report)) {
	c, foreign := n.ready()
	if foreign {
		n.passForeign(p, on)
		return
	}
	n.mu.Lock()
	if p.Serial == 0 {
		n.serial++
		p.Serial = n.serial
	}
	serial := p.Serial
	if c != nil {
		n.pending[serial] = waiting{on, c}
	}
	n.mu.Unlock()
	if c == nil {
		on(Report{serial, StatusCrashed, "the chain is closed"})
		return
	}
	err := c.Link.Send(appendPacket(make([]byte, 0, 1024), p), p.fds()...)
	if err == nil {
		return
	}
	n.mu.Lock()
	_, mine := n.pending[serial]
	delete(n.pending, serial)
	n.mu.Unlock()
	if mine {
		on(Report{serial, StatusCrashed, err.Error()})
	}
}

// passForeign spawns the rest of the chain for this packet alone.
func (n *Next) passForeign(p *Packet, on func(Report)) {
	n.spawned.Add(1)
	done := func(status uint32, text string) {
		on(Report{p.Serial, status, text})
		n.spawned.Done()
	}
	start := n.opt.Spawn
	if start == nil {
		start = func(p *Packet) (*Process, error) {
			return Spawn(n.argv, SpawnOptions{Env: n.opt.Env, Cred: n.opt.Cred}, p)
		}
	}
	// It starts before we return: after that the descriptors may be closed, and
	// their numbers be those of another client.
	proc, err := start(p)
	if err != nil {
		done(Exited(111), err.Error())
		return
	}
	go func() { done(proc.Wait(), "") }()
}

// Close tells the rest of the chain that nothing more will come, and waits for
// its sessions.
func (n *Next) Close() {
	n.End()
	<-n.ended
	n.spawned.Wait()
}

// End is Close without the waiting. Of nil it does nothing.
func (n *Next) End() {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.closed = true
	c := n.child
	n.mu.Unlock()
	n.changed.Broadcast()
	if c != nil {
		c.Link.CloseWrite()
	}
}
