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

	mu           sync.Mutex // of the deadlines of blocking descriptors
	rlimit, wlim time.Time
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

// SetReadDeadline bounds the reads to come, also one that waits now in a
// resident program; a zero time is no bound.
func (s *Stream) SetReadDeadline(t time.Time) error {
	if s.file != nil {
		return s.file.SetReadDeadline(t)
	}
	s.mu.Lock()
	s.rlimit = t
	s.mu.Unlock()
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
		if err := s.wait(s.rfd, unix.POLLIN, &s.rlimit); err != nil {
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
		if err := s.wait(s.wfd, unix.POLLOUT, &s.wlim); err != nil {
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

// wait waits until fd is ready or the deadline has passed. Without a deadline it
// lets the call itself block.
func (s *Stream) wait(fd int, events int16, limit *time.Time) error {
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
		p := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(p, ms)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if n > 0 {
			return nil
		}
	}
}

// Close closes the stream's descriptors.
func (s *Stream) Close() error {
	if s.file != nil {
		return s.file.Close()
	}
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
