// SPDX-License-Identifier: ISC

package chain

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrForeign says that the program started did not say hello with the words it
// was started with: something foreign stands there.
var ErrForeign = errors.New("not a resident program, or not the one that was started")

// ErrNoHello says that the program ended, or said nothing, before its hello.
var ErrNoHello = errors.New("no hello")

// Child is a resident program that this one has started and that said hello.
type Child struct {
	Link *Link

	proc *os.Process
	dead chan struct{} // closed when it has been waited for
	stat uint32
}

// StartChild starts argv, found in PATH, as a resident program with this
// environment and, where cred is not nil, as that user; it waits for the hello.
func StartChild(argv, env []string, cred *syscall.Credential) (*Child, error) {
	path, err := Find(argv)
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	link, err := newLink(pair[0])
	if err != nil {
		closeAll(pair[:])
		return nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "link")
	proc, err := os.StartProcess(path, argv, &os.ProcAttr{
		Env:   append(without(env, Variable), Variable+"=3"),
		Files: []*os.File{null, null, os.Stderr, theirs},
		Sys:   &syscall.SysProcAttr{Credential: cred},
	})
	theirs.Close()
	if err != nil {
		return nil, errors.Join(err, link.Close())
	}
	c := &Child{Link: link, proc: proc, dead: make(chan struct{})}
	go c.reap()
	if err := c.awaitHello(argv); err != nil {
		c.Kill()
		c.Wait()
		return nil, errors.Join(err, link.Close())
	}
	return c, nil
}

// without is env without a variable.
func without(env []string, name string) []string {
	out := make([]string, 0, len(env)+1)
	for _, v := range env {
		if !strings.HasPrefix(v, name+"=") {
			out = append(out, v)
		}
	}
	return out
}

func (c *Child) reap() {
	defer close(c.dead)
	st, err := c.proc.Wait()
	if err != nil {
		c.stat = StatusCrashed
		return
	}
	c.stat = uint32(st.Sys().(syscall.WaitStatus))
}

func (c *Child) awaitHello(argv []string) error {
	if err := c.Link.SetReadDeadline(time.Now().Add(helloLimit)); err != nil {
		return err
	}
	b, fds, err := c.Link.Recv()
	closeAll(fds)
	if err != nil {
		return fmt.Errorf("%s: %w: %v", argv[0], ErrNoHello, err)
	}
	if !bytes.Equal(b, hello(argv)) {
		return fmt.Errorf("%s: %w", argv[0], ErrForeign)
	}
	return c.Link.SetReadDeadline(time.Time{})
}

// Pid is the child's process id.
func (c *Child) Pid() int { return c.proc.Pid }

// Kill ends the child at once.
func (c *Child) Kill() { c.proc.Kill() }

// Wait waits for the child's end and gives its status as wait(2) does.
func (c *Child) Wait() uint32 {
	<-c.dead
	return c.stat
}
