// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/dotqmail"
	"quill/internal/exit"
)

// shell runs the commands of .qmail files.
const shell = "/bin/sh"

// hard is the exit codes by which a program refuses for good: qmail's and those
// of sysexits.h that cannot get better.
var hard = [...]int{exit.Permanent, 64, 65, 70, 76, 77, 78, 112}

// toProgram gives the message, without the lines that deliveries to files add,
// to a shell command: in the home, with the environment of qmail-command(8), on
// descriptors 0, 1 and 2 alone, in a process group of its own.
func (j *job) toProgram(command string) error {
	in, err := j.message()
	if err != nil {
		return err
	}
	if in != j.msg {
		defer in.Close()
	}
	cmd := exec.Command(shell, "-c", command)
	cmd.Dir, cmd.Env = j.to.Home, j.environment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, j.progOut, j.progErr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var c *capture
	if j.progOut == nil {
		if c, err = newCapture(j.out, j.limits.output); err != nil {
			return temporary("Unable to make a pipe: %s. (#4.3.0)", reason(err))
		}
		defer c.close()
		cmd.Stdout, cmd.Stderr = c.w, c.w
	}
	if err := cmd.Start(); err != nil {
		return temporary("Unable to run %s: %s. (#4.3.0)", shell, reason(err))
	}
	stop := stopper{group: cmd.Process.Pid}
	timer := time.AfterFunc(j.limits.program, func() { stop.kill("Program ran for too long and was stopped. (#4.3.0)") })
	defer timer.Stop()
	if c != nil {
		c.start(&stop)
	}
	err = cmd.Wait()
	stop.over.Store(true)
	if c != nil {
		c.finish()
	}
	if why := stop.why.Load(); why != nil {
		return temporary("%s", *why)
	}
	return j.outcome(err)
}

// outcome reads a program's end.
func (j *job) outcome(err error) error {
	if err == nil {
		return nil
	}
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return temporary("Unable to wait for a program: %s. (#4.3.0)", reason(err))
	}
	code := ended.ExitCode()
	if code == -1 {
		return temporary("Aack, child crashed. (#4.3.0)")
	}
	if code == exit.Stop {
		j.to99 = true
		return nil
	}
	for _, h := range hard {
		if code == h {
			return failure{exit.Permanent, ""}
		}
	}
	return failure{exit.Temporary, ""}
}

// message is the message for a program to read from its begin.
func (j *job) message() (*os.File, error) {
	if j.progIn != nil {
		f, err := j.progIn()
		if err != nil {
			return nil, temporary("Unable to rewind message: %s. (#4.3.0)", reason(err))
		}
		return f, nil
	}
	if _, err := j.msg.Seek(0, io.SeekStart); err != nil {
		return nil, temporary("Unable to rewind message. (#4.3.0)")
	}
	return j.msg, nil
}

// ours is variables that speak of this message's way and must not lead another
// message onto it: a program that mails makes a new message.
var ours = [...]string{"QUILLID", "QUILLPARAMS", "QUILLRESIDENT"}

// environment is a program's: what we inherited, but for what is ours, and under
// it what there is to know of the address.
func (j *job) environment() []string {
	drop := make(map[string]bool)
	for _, name := range append(dotqmail.Names(), ours[:]...) {
		drop[name] = true
	}
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !drop[name] {
			env = append(env, v)
		}
	}
	for _, v := range j.to.Environment(j.found, j.newSender, time.Now()) {
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

// stopper ends a program and what it started, once, and keeps the reason.
type stopper struct {
	group int
	over  atomic.Bool // the program has ended by itself
	why   atomic.Pointer[string]
}

func (s *stopper) kill(why string) {
	if !s.over.Load() && s.why.CompareAndSwap(nil, &why) {
		syscall.Kill(-s.group, syscall.SIGKILL)
	}
}

// capture is a pipe that a program writes to: the first bytes go on, the rest is
// counted.
type capture struct {
	r, w  *os.File
	out   io.Writer
	limit int64
	done  chan struct{}
}

func newCapture(out io.Writer, limit int64) (*capture, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &capture{r: r, w: w, out: out, limit: limit, done: make(chan struct{})}, nil
}

// start begins to read; the program has its own copy of the other end.
func (c *capture) start(stop *stopper) {
	c.w.Close()
	go func() {
		defer close(c.done)
		n, _ := io.Copy(c.out, io.LimitReader(c.r, c.limit)) // ends at EOF or finish's deadline
		if n == c.limit {
			stop.kill("Program wrote too much and was stopped. (#4.3.0)")
		}
	}()
}

// grace is for what lies in the pipe when the program has ended. What it left
// running in the background may keep the pipe open; nobody waits for that.
const grace = 100 * time.Millisecond

func (c *capture) finish() {
	c.r.SetReadDeadline(time.Now().Add(grace))
	<-c.done
	c.drain()
}

// drain takes what still lies in the pipe, without waiting: on a busy machine
// the reader may not have come to it within its grace.
func (c *capture) drain() {
	raw, err := c.r.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 4096)
	raw.Control(func(fd uintptr) {
		for left := c.limit; left > 0; {
			n, err := unix.Read(int(fd), buf[:min(left, int64(len(buf)))])
			if err == unix.EINTR {
				continue
			}
			if err != nil || n == 0 {
				return
			}
			c.out.Write(buf[:n])
			left -= int64(n)
		}
	})
}

func (c *capture) close() {
	c.r.Close()
	c.w.Close()
}
