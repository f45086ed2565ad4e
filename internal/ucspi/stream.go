// SPDX-License-Identifier: ISC

package ucspi

import (
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stream is a client's connection: a descriptor to read and one to write, which
// may be the same. Deadlines hold in both shapes: descriptors of a spawned
// program may be blocking and shared with others, so they are waited for with
// poll(2) and left as they are; those of a resident program are non-blocking
// and wait in the runtime's poller, without a thread each.
//
// One goroutine may read while another writes. Writing to a client that has
// gone gives EPIPE and never SIGPIPE's death.
type Stream struct {
	rfd, wfd int
	file     *os.File // non-blocking only; owns rfd

	mu           sync.Mutex // of what follows, for blocking descriptors
	rlimit, wlim time.Time
	wake         int  // an eventfd that ends the wait of a reader; 0: none yet
	reading      bool // a reader waits, or is about to
}

// NewStream makes a stream of rfd and wfd. A non-blocking stream has one
// descriptor for both, and owns it: Close closes it. Blocking ones are closed
// by Close too.
func NewStream(rfd, wfd int, nonblocking bool) *Stream {
	s := &Stream{rfd: rfd, wfd: wfd}
	if nonblocking {
		s.file = os.NewFile(uintptr(rfd), "connection")
	}
	return s
}

// Fd is the descriptor that is read, for passing on. It stays the stream's own.
func (s *Stream) Fd() int { return s.rfd }

// WriteFd is the descriptor that is written.
func (s *Stream) WriteFd() int { return s.wfd }

// SetReadDeadline bounds the reads to come and one that waits now; a zero time is
// no bound.
func (s *Stream) SetReadDeadline(t time.Time) error {
	if s.file != nil {
		return s.file.SetReadDeadline(t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rlimit = t
	if s.reading && s.wake > 0 {
		if _, err := unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			return os.NewSyscallError("write", err)
		}
	}
	return nil
}

// SetWriteDeadline bounds the writes to come; a zero time is no bound.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	if s.file != nil {
		return s.file.SetWriteDeadline(t)
	}
	s.mu.Lock()
	s.wlim = t
	s.mu.Unlock()
	return nil
}

// Read reads what is there, or waits for it until the deadline
// (os.ErrDeadlineExceeded).
func (s *Stream) Read(p []byte) (int, error) {
	if s.file != nil {
		return s.file.Read(p)
	}
	for {
		if err := s.waitRead(); err != nil {
			return 0, err
		}
		n, err := unix.Read(s.rfd, p)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write writes all of p or says why not.
func (s *Stream) Write(p []byte) (int, error) {
	if s.file != nil {
		return s.file.Write(p)
	}
	done := 0
	for done < len(p) {
		if err := s.wait([]unix.PollFd{{Fd: int32(s.wfd), Events: unix.POLLOUT}}, &s.wlim); err != nil {
			return done, err
		}
		n, err := s.writeSome(p[done:])
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return done, os.NewSyscallError("write", err)
		}
		done += n
	}
	return done, nil
}

// writeSome writes without blocking where the descriptor is a socket, so that a
// deadline holds also for more than its buffer takes.
func (s *Stream) writeSome(p []byte) (int, error) {
	n, err := unix.SendmsgN(s.wfd, p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if err == unix.ENOTSOCK {
		return unix.Write(s.wfd, p[:min(len(p), 4096)]) // a pipe that polls writable takes so much at once (pipe(7))
	}
	return n, err
}

// waitRead waits until there is something to read or the deadline, which may
// change meanwhile, has passed. Where there is no eventfd to have, a change holds
// for the next wait.
func (s *Stream) waitRead() error {
	s.mu.Lock()
	s.reading = true
	if s.wake == 0 {
		var err error
		if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
			s.wake = -1 // which poll(2) passes over
		}
	}
	p := []unix.PollFd{{Fd: int32(s.rfd), Events: unix.POLLIN}, {Fd: int32(s.wake), Events: unix.POLLIN}}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.reading = false
		s.mu.Unlock()
	}()
	return s.wait(p, &s.rlimit)
}

// wait waits until the first of p is ready or the deadline has passed; the second
// has it look at the deadline anew.
func (s *Stream) wait(p []unix.PollFd, limit *time.Time) error {
	for {
		s.mu.Lock()
		at := *limit
		s.mu.Unlock()
		ms := -1
		if !at.IsZero() {
			left := time.Until(at)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			ms = int(left/time.Millisecond) + 1
		}
		_, err := unix.Poll(p, ms)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if err == nil && p[0].Revents != 0 {
			return nil
		}
		if err == nil && len(p) > 1 && p[1].Revents != 0 {
			unix.Read(int(p[1].Fd), make([]byte, 8))
		}
	}
}

// Close closes the stream's descriptors.
func (s *Stream) Close() error {
	if s.file != nil {
		return s.file.Close()
	}
	s.mu.Lock()
	if s.wake > 0 {
		unix.Close(s.wake)
		s.wake = -1
	}
	s.mu.Unlock()
	err := unix.Close(s.rfd)
	if s.wfd != s.rfd {
		if werr := unix.Close(s.wfd); err == nil {
			err = werr
		}
	}
	return err
}

// Release gives the descriptors back without closing them, for a caller that
// hands them on: a copy of a non-blocking one, the others as they are.
func (s *Stream) Release() (rfd, wfd int, err error) {
	if s.file == nil {
		return s.rfd, s.wfd, nil
	}
	fd, err := unix.FcntlInt(uintptr(s.rfd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1, -1, os.NewSyscallError("fcntl", err)
	}
	return fd, fd, s.file.Close()
}
