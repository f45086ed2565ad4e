// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/control"
	"quill/queue"
)

// limits of queued; queued(8) lists them.
const (
	maxConns    = 1000                 // connections at once
	maxUidConns = 100                  // of these, of one uid that is not trusted
	followLimit = 60 * time.Second     // for a follower to read
	followPause = 5 * time.Millisecond // between two tidings to a follower, when there is much
	partLimit   = 24 * time.Hour       // for a message to be handed over whole
	backlog     = 256
)

// server is the socket and who is on it.
type server struct {
	log     *queue.Log
	trusted []uint32
	file    *os.File
	raw     syscall.RawConn

	mu      sync.Mutex
	closing bool
	perUid  map[uint32]int
	conns   map[*conn]bool
	wg      sync.WaitGroup

	dirtyMu sync.Mutex
	dirty   []*answers // that have something to write since the last flush
}

// answered takes note that a connection has an answer of the log to write.
func (s *server) answered(a *answers) {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	if !slices.Contains(s.dirty, a) {
		s.dirty = append(s.dirty, a)
	}
}

// flush writes the answers of a batch of the log.
func (s *server) flush() {
	s.dirtyMu.Lock()
	dirty := s.dirty
	s.dirty = nil
	s.dirtyMu.Unlock()
	for _, a := range dirty {
		a.flush()
	}
}

// trustedUids is our own uid, root, and those of control/queuetrust.
func trustedUids() ([]uint32, error) {
	uids := []uint32{0, uint32(os.Getuid())}
	lines, _, err := control.Open(".").List("queuetrust")
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		n, err := strconv.ParseUint(l, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("control/queuetrust: %q is not a uid", l)
		}
		uids = append(uids, uint32(n))
	}
	return uids, nil
}

// listen makes the socket. The log's lock is held, so a socket that is there
// already is a dead one's.
func (s *server) listen(path string) error {
	s.perUid, s.conns = make(map[uint32]int), make(map[*conn]bool)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	old := unix.Umask(0)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	unix.Umask(old)
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return &os.PathError{Op: "bind", Path: path, Err: err}
	}
	s.file = os.NewFile(uintptr(fd), path)
	s.raw, err = s.file.SyscallConn()
	return err
}

// serve accepts until the socket is closed.
func (s *server) serve() error {
	for {
		var fd int
		var err error
		rerr := s.raw.Read(func(l uintptr) bool {
			fd, _, err = unix.Accept4(int(l), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			return err != unix.EAGAIN
		})
		switch {
		case rerr != nil:
			return rerr
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		case err != nil:
			logf("warning: accept: %v, waiting", err)
			time.Sleep(100 * time.Millisecond)
		default:
			s.take(fd)
		}
	}
}

// take begins to serve a connection, if its uid has not too many.
func (s *server) take(fd int) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		logf("warning: unable to learn who calls: %v", err)
		unix.Close(fd)
		return
	}
	c := &conn{s: s, uid: cred.Uid, trusted: slices.Contains(s.trusted, cred.Uid), file: os.NewFile(uintptr(fd), "client")}
	s.mu.Lock()
	over := len(s.conns) >= maxConns || !c.trusted && s.perUid[c.uid] >= maxUidConns
	if !over && !s.closing {
		s.conns[c] = true
		s.perUid[c.uid]++
		s.wg.Add(1)
	}
	refuse := over || s.closing
	s.mu.Unlock()
	if refuse {
		if over {
			logf("warning: too many connections: one of uid %d is closed", c.uid)
		}
		c.file.Close()
		return
	}
	go func() {
		c.serve()
		c.file.Close()
		s.mu.Lock()
		delete(s.conns, c)
		if s.perUid[c.uid]--; s.perUid[c.uid] == 0 {
			delete(s.perUid, c.uid)
		}
		s.mu.Unlock()
		s.wg.Done()
	}()
}

// close stops accepting, ends all connections, and closes the log when what was
// committed is answered.
func (s *server) close() {
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		c.file.SetReadDeadline(time.Now()) // what was sent whole is still answered
		if c.watcher != nil {
			c.watcher.Close()
		}
	}
	s.mu.Unlock()
	s.file.Close()
	s.wg.Wait()
	if err := s.log.Close(); err != nil {
		logf("warning: closing the log: %v", err)
	}
}
