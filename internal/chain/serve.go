// SPDX-License-Identifier: ISC

package chain

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"quill/internal/exit"
	"quill/internal/lull"
	"quill/internal/ucspi"
)

// Session is one connection in a program's hands, in either shape.
type Session struct {
	Env           ucspi.Env
	Ahead         []byte        // bytes of the client that came with the packet
	Stream        *ucspi.Stream // nil where the packet had no connection
	Control, Data int           // descriptors to begin TLS with, or -1

	serial uint64
	crew   *crew // nil when spawned
	left   bool
	note   strings.Builder
}

// Serve runs a program's sessions and gives its exit code. In the spawned shape
// that is one session on descriptors 0 and 1 with the process's environment. In
// the resident shape it says hello, runs a goroutine for each packet, reports
// each end, and at the end of file on the link waits for the sessions that run
// and gives 0.
//
// A session that panics ends alone, with 111; its trace goes to descriptor 2.
func Serve(argv []string, run func(*Session) int) int { return Hooks{}.Serve(argv, run) }

// Hooks is what a program does beside its sessions; each may be nil.
type Hooks struct {
	// Ready is for who has to get ready, as by giving up root, after its hello,
	// which the program before waits for, and before it reads the first byte.
	// When it cannot, nothing is read and the code is 111.
	Ready func() error
	// Ending is called in the resident shape at the end of file on the link, before
	// the sessions that run are waited for: it bids them end, or passes it on.
	Ending func()
}

// Serve is the function Serve with these hooks.
func (h Hooks) Serve(argv []string, run func(*Session) int) int {
	l, resident := FromEnv()
	if resident {
		if err := l.Hello(argv); err != nil {
			return complain(argv, err)
		}
	}
	if h.Ready != nil {
		if err := h.Ready(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: fatal: %v\n", argv[0], err)
			return exit.Temporary
		}
	}
	if !resident {
		return runSpawned(argv, run)
	}
	c := &crew{argv: argv, link: l, run: run, env: ucspi.Process(), packets: make(chan *Packet)}
	defer c.wait()
	if h.Ending != nil {
		defer h.Ending()
	}
	for {
		b, fds, err := l.Recv()
		if errors.Is(err, io.EOF) {
			return exit.OK
		}
		if errors.Is(err, ErrFull) {
			fmt.Fprintf(os.Stderr, "%s: warning: a connection was closed: too many open files\n", argv[0])
			c.refuse(b)
			continue
		}
		if errors.Is(err, ErrMalformed) {
			complain(argv, err)
			continue
		}
		if err != nil {
			return complain(argv, err)
		}
		p, err := parsePacket(b, fds)
		if err != nil {
			closeAll(fds)
			complain(argv, err)
			continue
		}
		c.take(p)
	}
}

// crew is the goroutines that run a resident program's sessions. One that has
// ended its session takes the next: its stack has grown to what a session
// needs.
type crew struct {
	argv    []string
	link    *Link
	run     func(*Session) int
	env     ucspi.Env
	packets chan *Packet // to who is idle
	idle    atomic.Int64
	working sync.WaitGroup // goroutines, and sessions that were left
	lull    lull.Lull
}

// maxIdle is how many goroutines wait for a session at most.
const maxIdle = 64

// take has a session run.
func (c *crew) take(p *Packet) {
	c.lull.Count()
	select {
	case c.packets <- p:
	default:
		c.working.Add(1)
		go c.work(p)
	}
}

func (c *crew) work(p *Packet) {
	defer c.working.Done()
	for ok := true; ok; {
		c.serve(p)
		if c.idle.Add(1) <= maxIdle {
			p, ok = <-c.packets
		} else {
			ok = false
		}
		c.idle.Add(-1)
	}
}

// refuse reports the end of a packet's session that could not begin: who sent it
// counts the session until then.
func (c *crew) refuse(b []byte) {
	if p, err := parsePacket(b, nil); err == nil {
		s := &Session{serial: p.Serial, crew: c}
		s.end(exit.Temporary)
	}
}

// wait waits for the sessions that run.
func (c *crew) wait() {
	close(c.packets)
	c.working.Wait()
}

func complain(argv []string, err error) int {
	fmt.Fprintf(os.Stderr, "%s: fatal: link to the program before: %v\n", argv[0], err)
	return exit.Temporary
}

func runSpawned(argv []string, run func(*Session) int) int {
	s := &Session{Env: ucspi.Process().FromSocket(0), Stream: ucspi.NewStream(0, 1, false), Control: -1, Data: -1}
	return s.guard(argv, run)
}

// serve runs the session of one packet and reports its end.
func (c *crew) serve(p *Packet) {
	s := &Session{Env: c.env.With(p.Env), Ahead: p.Ahead, Control: p.Control, Data: p.Data, serial: p.Serial, crew: c}
	if p.Conn >= 0 {
		if err := unix.SetNonblock(p.Conn, true); err != nil {
			complain(c.argv, err)
		}
		s.Stream = ucspi.NewStream(p.Conn, p.Conn, true)
	}
	code := s.guard(c.argv, c.run)
	if s.Stream != nil {
		s.Stream.Close()
	}
	closeNonNegative(s.Control, s.Data)
	if s.left {
		s.Env, s.Ahead, s.Stream = ucspi.Env{}, nil, nil
		return
	}
	s.end(code)
}

// end reports the session's end.
func (s *Session) end(code int) {
	s.Report(Exited(code), s.note.String())
	s.crew.lull.Count()
}

// Leave is for a session that another program has now, in the resident shape:
// the function that runs it may return, whose code is of no account, and what
// the session held is given back; it ends when end is called, once, with its
// code. It is to be called before that function returns.
func (s *Session) Leave() (end func(code int)) {
	s.left = true
	s.crew.working.Add(1)
	return func(code int) {
		s.end(code)
		s.crew.working.Done()
	}
}

// guard runs the session, and turns a panic into 111.
func (s *Session) guard(argv []string, run func(*Session) int) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(os.Stderr, "%s: alert: session ended by a bug, please report it: %v\n%s", argv[0], r, debug.Stack())
			code = exit.Temporary
		}
	}()
	return run(s)
}

// Resident says whether the session is one of many in this process.
func (s *Session) Resident() bool { return s.crew != nil }

// Report sends news of the session up, before its end: StatusAccepted,
// StatusMore. In the spawned shape it does nothing.
func (s *Session) Report(status uint32, text string) {
	if s.crew == nil {
		return
	}
	b := appendReport(make([]byte, 0, 12+len(text)), Report{s.serial, status, text})
	if err := s.crew.link.Send(b); err != nil && !errors.Is(err, unix.EPIPE) {
		fmt.Fprintf(os.Stderr, "warning: report of a session: %v\n", err)
	}
}

// Note adds text to the report of the session's end, for the log of the program
// before.
func (s *Session) Note(text string) { s.note.WriteString(text) }

// Packet is the session as a packet for the next program: with its connection,
// which stays the session's own, and what lies over the environment.
func (s *Session) Packet() *Packet {
	p := &Packet{Env: s.Env.Over(), Ahead: s.Ahead, Conn: -1, Control: s.Control, Data: s.Data}
	if s.Stream != nil {
		p.Conn = s.Stream.Fd()
	}
	return p
}

func closeNonNegative(fds ...int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
