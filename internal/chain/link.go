// SPDX-License-Identifier: ISC

// Package chain joins the programs of a command line in both shapes of
// chain(7): spawned, where each program execs the next for one connection, and
// resident, where each starts the rest once and passes connections on as
// packets over a socketpair.
//
// It promises that nothing that stands in a chain is skipped, that no packet is
// dropped while the program behind lives, and that a session's end is reported
// once. It does not promise a session's life beyond that of the program that
// serves it.
package chain

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes of chain(7).
const (
	MaxPacket  = 60 << 10        // bytes of a packet
	maxFds     = 3               // connection, control, data
	helloLimit = 5 * time.Second // how long a started program may take to say hello
)

// Variable is the environment variable that tells a program that it is to be
// resident, and on which descriptor.
const Variable = "QUILLRESIDENT"

const greeting = "quill 1\x00"

// ErrMalformed says that a packet was none by chain(7).
var ErrMalformed = errors.New("malformed packet")

// ErrFull says that this process has no room for a packet's descriptors: they are
// closed.
var ErrFull = fmt.Errorf("%w: too many open files for its descriptors", ErrMalformed)

// Link is one end of the SOCK_SEQPACKET socketpair between two programs. Many
// goroutines may send; one receives.
type Link struct {
	file *os.File
	raw  syscall.RawConn
	buf  []byte // of Recv
	oob  []byte
}

// newLink takes over fd, which must be a packet socket.
func newLink(fd int) (*Link, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), "link")
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Link{file: f, raw: raw, oob: make([]byte, unix.CmsgSpace(4*maxFds))}, nil
}

// Resident says whether this process was started to be resident.
func Resident() bool { return os.Getenv(Variable) != "" }

// FromEnv takes the link to the program that started this one, and takes the
// variable that told of it out of the environment; ok is false where there is
// none.
func FromEnv() (l *Link, ok bool) {
	v := os.Getenv(Variable)
	os.Unsetenv(Variable)
	fd, err := strconv.Atoi(v)
	if v == "" || err != nil || fd < 3 {
		return nil, false
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		return nil, false
	}
	unix.CloseOnExec(fd)
	l, err = newLink(fd)
	return l, err == nil
}

// Hello says who we are, as the first packet must.
func (l *Link) Hello(argv []string) error { return l.Send(hello(argv)) }

func hello(argv []string) []byte {
	return []byte(greeting + strings.Join(argv, "\x00") + "\x00")
}

// Send sends one packet and copies of these descriptors; it waits while the
// socket is full.
func (l *Link) Send(b []byte, fds ...int) error {
	if len(b) > MaxPacket || len(fds) > maxFds {
		return fmt.Errorf("packet of %d bytes and %d descriptors: %w", len(b), len(fds), ErrMalformed)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		var err error
		werr := l.raw.Write(func(fd uintptr) bool {
			for {
				err = unix.Sendmsg(int(fd), b, oob, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
				if err != unix.EINTR {
					return err != unix.EAGAIN
				}
			}
		})
		if werr != nil {
			return werr
		}
		if err != unix.ETOOMANYREFS && err != unix.ENOBUFS {
			return os.NewSyscallError("sendmsg", err)
		}
		time.Sleep(time.Millisecond) // too many descriptors on their way (unix(7)): as good as full
	}
}

// Recv receives one packet and its descriptors, which are close-on-exec and the
// caller's to close. The bytes are valid until the next call, also with ErrFull.
// At the end it gives io.EOF.
func (l *Link) Recv() (b []byte, fds []int, err error) {
	if l.buf == nil {
		l.buf = make([]byte, MaxPacket+1)
	}
	var n, oobn, flags int
	rerr := l.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), l.buf, l.oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if rerr != nil {
		return nil, nil, rerr
	}
	if err != nil {
		return nil, nil, os.NewSyscallError("recvmsg", err)
	}
	fds = rights(l.oob[:oobn])
	if n == 0 && len(fds) == 0 {
		return nil, nil, io.EOF
	}
	if flags&unix.MSG_TRUNC != 0 || n > MaxPacket {
		closeAll(fds)
		return nil, nil, ErrMalformed
	}
	if flags&unix.MSG_CTRUNC != 0 {
		closeAll(fds)
		return l.buf[:n], nil, ErrFull
	}
	return l.buf[:n], fds, nil
}

// rights is the descriptors in a control message.
func rights(oob []byte) []int {
	if len(oob) == 0 {
		return nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var fds []int
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

// CloseWrite tells the other side that nothing more will come; it can still
// send.
func (l *Link) CloseWrite() error {
	var err error
	cerr := l.raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) })
	return errors.Join(cerr, os.NewSyscallError("shutdown", err))
}

// SetReadDeadline bounds the waiting of Recv; a zero time is no bound.
func (l *Link) SetReadDeadline(t time.Time) error { return l.file.SetReadDeadline(t) }

// Close closes the link; a Recv that waits ends.
func (l *Link) Close() error { return l.file.Close() }

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
