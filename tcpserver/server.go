// SPDX-License-Identifier: ISC

package tcpserver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/lull"
	"quill/internal/ucspi"
)

// Limits of the door; tcpserver(8) lists them.
const (
	DefaultLimit   = 40               // connections at once
	DefaultBacklog = 20               // connections waiting in the kernel
	DefaultTimeout = 26 * time.Second // for finding out about a client
	StopTime       = 10 * time.Second // for resident sessions after TERM
	retryPause     = 100 * time.Millisecond
)

// Verbosity of the log.
const (
	Quiet   = iota // nothing
	Errors         // errors
	Verbose        // errors and each connection
)

// Lookup finds out about a client, within the time the server gives it.
type Lookup interface {
	// Host is the name of ip, or "" where it has none.
	Host(ip string, paranoid bool, timeout time.Duration) string
	// Info is what the client's ident server says (RFC 1413), or "".
	Info(local, remote string, timeout time.Duration) string
}

// Server is a door in front of a chain.
type Server struct {
	Argv      []string // the rest of the chain
	Keep      bool     // resident
	Limit     int      // connections at once
	Rules     *Rules   // nil: everybody is allowed
	Lookup    Lookup   // nil: nothing is looked up
	Hosts     bool     // look up host names
	Paranoid  bool     // and check that they lead back
	Ident     bool     // ask ident servers
	Timeout   time.Duration
	LocalHost string // the local name, "" to look it up
	Banner    string // said to each client first
	Delay     bool   // leave Nagle's algorithm on
	KeepIPOpt bool   // leave IP options alone
	Verbosity int
	Log       io.Writer // whole lines, one or more a write
	// Once is called when a resident chain dies, in place of starting it again:
	// for a door that gives up root once the chain runs.
	Once func()

	next    *chain.Next
	env     []string
	slots   chan struct{}
	open    atomic.Int64
	serial  atomic.Uint64
	closing atomic.Bool
	wg      sync.WaitGroup
	lull    lull.Lull
}

// Start starts the rest of the chain, where it is to be resident. It comes
// before privileges are dropped.
func (s *Server) Start() {
	s.slots = make(chan struct{}, s.Limit)
	for _, v := range []string{"TCPLOCALHOST", "TCPREMOTEHOST", "TCPREMOTEINFO", "TCPLOCALIP", "TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT", "PROTO"} {
		os.Unsetenv(v)
	}
	s.env = os.Environ()
	if s.Keep {
		s.next = chain.NewNext(s.Argv, chain.NextOptions{Once: s.Once, Log: func(line string) { s.logf(Errors, "tcpserver: %s", line) }})
	}
	s.status()
}

// Foreign waits until a chain that is to be resident runs, and says whether it
// is spawned for each connection all the same, as something foreign stands in
// it.
func (s *Server) Foreign() bool { return s.next.Foreign() }

// Serve accepts connections of l until it is closed.
func (s *Server) Serve(l *Listener) error {
	if l.v4 && !s.KeepIPOpt {
		l.raw.Control(func(fd uintptr) { unix.SetsockoptString(int(fd), unix.IPPROTO_IP, unix.IP_OPTIONS, "") })
	}
	for {
		s.slots <- struct{}{}
		fd, err := l.accept()
		switch {
		case err == nil:
			s.take(fd)
			continue
		case s.closing.Load() || errors.Is(err, os.ErrClosed):
			return nil
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
			s.logf(Errors, "tcpserver: warning: unable to accept: %v, waiting", err)
			time.Sleep(retryPause)
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EBADF), errors.Is(err, unix.ENOTSOCK):
			return os.NewSyscallError("accept", err)
		}
		<-s.slots // anything else ended one connection before it was ours
	}
}

// take deals with a new connection: at once where nothing needs to be waited
// for.
func (s *Server) take(fd int) {
	s.open.Add(1)
	s.wg.Add(1)
	s.lull.Count()
	if s.Keep && !s.Hosts && !s.Ident && s.Banner == "" {
		s.handle(fd)
		return
	}
	go s.handle(fd)
}

// client is what is known of a connection.
type client struct {
	fd                    int
	proto                 string
	localIP, localPort    string
	remoteIP, remotePort  string
	localHost, host, info string
	number                string // in log lines
	announced             bool
	lines                 []byte // of the log, not written yet
}

// handle finds out, asks the rules, and passes the connection on.
func (s *Server) handle(fd int) {
	c := &client{fd: fd}
	s.note(c, "tcpserver: status: %d/%d", s.open.Load(), s.Limit)
	if s.Hosts || s.Ident || s.LocalHost == "" {
		s.tell(c) // for what follows may take a while
	}
	s.describe(c)
	c.number = strconv.FormatUint(s.serial.Add(1), 10)
	if s.Keep {
		s.announce(c)
	}
	v, err := Verdict{}, error(nil)
	if s.Rules != nil {
		v, err = s.Rules.Verdict(c.remoteIP, c.host, c.info)
	}
	if err != nil {
		s.logf(Errors, "tcpserver: warning: dropping connection, unable to read rules: %v", err)
		s.finish(c, chain.Exited(111), true)
		return
	}
	if v.Deny {
		s.announce(c)
		s.decided("deny", c)
		s.finish(c, chain.Exited(100), true)
		return
	}
	if !s.Delay {
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if s.Banner != "" {
		unix.Write(fd, []byte(s.Banner))
	}
	p := &chain.Packet{Env: append(c.env(), v.Env...), Conn: fd, Control: -1, Data: -1}
	if s.Keep {
		s.decided("ok", c)
		s.next.Pass(p, func(r chain.Report) { s.report(c, r) })
		unix.Close(fd)
		return
	}
	s.spawn(c, p)
}

// report hears of a resident session.
func (s *Server) report(c *client, r chain.Report) {
	if r.Text != "" {
		s.logf(Errors, "tcpserver: session %s: %s", c.number, r.Text)
	}
	if r.Final() {
		s.finish(c, r.Status, false)
	}
}

// spawn runs the rest of the chain as a process of its own.
func (s *Server) spawn(c *client, p *chain.Packet) {
	child, err := chain.Spawn(s.Argv, chain.SpawnOptions{Env: s.env}, p)
	unix.Close(c.fd)
	if err != nil {
		s.logf(Errors, "tcpserver: warning: dropping connection, unable to run program: %v", err)
		s.finish(c, chain.Exited(111), false)
		return
	}
	c.number = strconv.Itoa(child.Pid)
	s.announce(c)
	s.decided("ok", c)
	s.finish(c, child.Wait(), false)
}

// finish ends a connection's bookkeeping.
func (s *Server) finish(c *client, status uint32, closeIt bool) {
	if closeIt {
		unix.Close(c.fd)
	}
	s.note(c, "tcpserver: end %s status %d", c.number, status)
	s.note(c, "tcpserver: status: %d/%d", s.open.Add(-1), s.Limit)
	s.tell(c)
	s.lull.Count()
	<-s.slots
	s.wg.Done()
}

// env is the UCSPI variables of a connection.
func (c *client) env() []string {
	env := []string{"PROTO=" + c.proto, "TCPLOCALIP=" + c.localIP, "TCPLOCALPORT=" + c.localPort, "TCPREMOTEIP=" + c.remoteIP, "TCPREMOTEPORT=" + c.remotePort}
	if c.localHost != "" {
		env = append(env, "TCPLOCALHOST="+c.localHost)
	}
	if c.host != "" {
		env = append(env, "TCPREMOTEHOST="+c.host)
	}
	if c.info != "" {
		env = append(env, "TCPREMOTEINFO="+c.info)
	}
	return env
}

// describe asks the socket, and then who else is to be asked.
func (s *Server) describe(c *client) {
	e := ucspi.Env{}.FromSocket(c.fd)
	c.proto, c.localHost = e.Value("PROTO"), s.LocalHost
	c.localIP, c.localPort = e.Value("TCPLOCALIP"), e.Value("TCPLOCALPORT")
	c.remoteIP, c.remotePort = e.Value("TCPREMOTEIP"), e.Value("TCPREMOTEPORT")
	if s.Lookup == nil {
		return
	}
	if s.LocalHost == "" {
		c.localHost = s.Lookup.Host(c.localIP, false, s.Timeout)
	}
	if s.Hosts {
		c.host = s.Lookup.Host(c.remoteIP, s.Paranoid, s.Timeout)
	}
	if s.Ident {
		c.info = s.Lookup.Info(c.localIP+" "+c.localPort, c.remoteIP+" "+c.remotePort, s.Timeout)
	}
}

// announce notes a connection's number and address, once.
func (s *Server) announce(c *client) {
	if !c.announced {
		c.announced = true
		s.note(c, "tcpserver: pid %s from %s", c.number, c.remoteIP)
	}
}

// decided notes what becomes of a connection, and tells.
func (s *Server) decided(what string, c *client) {
	s.note(c, "tcpserver: %s %s %s:%s:%s %s:%s:%s:%s", what, c.number, cut(c.localHost), c.localIP, c.localPort, cut(c.host), c.remoteIP, cut(c.info), c.remotePort)
	s.tell(c)
}

func (s *Server) status() { s.logf(Verbose, "tcpserver: status: %d/%d", s.open.Load(), s.Limit) }

// note gathers a line about a connection.
func (s *Server) note(c *client, format string, args ...any) {
	if s.Verbosity >= Verbose && s.Log != nil {
		c.lines = append(fmt.Appendf(c.lines, format, args...), '\n')
	}
}

// tell writes the lines gathered about a connection.
func (s *Server) tell(c *client) {
	if len(c.lines) > 0 {
		s.Log.Write(c.lines)
		c.lines = c.lines[:0]
	}
}

func (s *Server) logf(level int, format string, args ...any) {
	if s.Verbosity >= level && s.Log != nil {
		fmt.Fprintf(s.Log, format+"\n", args...)
	}
}

// Stop ends a resident door: nothing more is accepted, the chain is told, and
// the sessions that run get StopTime. A spawned door's sessions are processes
// that live on.
func (s *Server) Stop(listeners []*Listener) {
	s.closing.Store(true)
	for _, l := range listeners {
		l.Close()
	}
	if s.next == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		s.next.Close()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(StopTime):
		s.logf(Errors, "tcpserver: warning: %d sessions cut off %v after TERM", s.open.Load(), StopTime)
	}
}
