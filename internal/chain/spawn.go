// SPDX-License-Identifier: ISC

package chain

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"quill/internal/ucspi"
)

// SpawnOptions is how a program is spawned.
type SpawnOptions struct {
	Env   []string
	Cred  *syscall.Credential // the user to run it as; nil for our own
	Dir   string              // its working directory; empty for ours
	Files []*os.File          // its descriptors from 3 on
}

// Spawn starts argv for one packet: its connection, made blocking, is on
// descriptors 0 and 1, its variables lie over the environment. Where bytes of the client were read ahead, they are
// put before the rest through a socketpair, so none is lost.
func Spawn(argv []string, o SpawnOptions, p *Packet) (*Process, error) {
	path, err := Find(argv)
	if err != nil {
		return nil, err
	}
	conn, pumped, err := spawnConn(p)
	if err != nil {
		return nil, err
	}
	proc, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir:   o.Dir,
		Env:   ucspi.Of(o.Env).With(p.Env).List(),
		Files: append([]*os.File{conn, conn, os.Stderr}, o.Files...),
		Sys:   &syscall.SysProcAttr{Credential: o.Cred},
	})
	conn.Close()
	if err != nil {
		return nil, err
	}
	return &Process{proc.Pid, proc, pumped}, nil
}

// Process is a spawned program.
type Process struct {
	Pid    int
	proc   *os.Process
	pumped func()
}

// Wait waits for the program's end and gives its status as wait(2) does.
func (p *Process) Wait() uint32 {
	st, err := p.proc.Wait()
	p.pumped()
	if err != nil {
		return StatusCrashed
	}
	return uint32(st.Sys().(syscall.WaitStatus))
}

// spawnConn is a copy of the packet's connection for a spawned program, or one
// end of a socketpair where bytes are to go before it.
func spawnConn(p *Packet) (conn *os.File, pumped func(), err error) {
	if p.Conn < 0 {
		conn, err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
		return conn, func() {}, err
	}
	fd, err := unix.FcntlInt(uintptr(p.Conn), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	if len(p.Ahead) == 0 {
		// File status flags are shared by all copies, and a spawned program
		// expects to block (chain(7)).
		if err := unix.SetNonblock(fd, false); err != nil {
			unix.Close(fd)
			return nil, nil, os.NewSyscallError("fcntl", err)
		}
		return os.NewFile(uintptr(fd), "connection"), func() {}, nil
	}
	return pump(fd, p.Ahead)
}

// pump joins a client to a fresh socketpair, ahead first, in both directions.
func pump(fd int, ahead []byte) (conn *os.File, pumped func(), err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("socketpair", err), unix.Close(fd))
	}
	if err := errors.Join(unix.SetNonblock(fd, true), unix.SetNonblock(pair[0], true)); err != nil {
		closeAll([]int{fd, pair[0], pair[1]})
		return nil, nil, err
	}
	client, inner := os.NewFile(uintptr(fd), "client"), os.NewFile(uintptr(pair[0]), "pump")
	down := make(chan struct{})
	go func() {
		defer close(down)
		io.Copy(client, inner)
		unix.Shutdown(int(fdOf(client)), unix.SHUT_WR)
	}()
	go func() {
		if _, err := inner.Write(ahead); err == nil {
			io.Copy(inner, client)
		}
		unix.Shutdown(int(fdOf(inner)), unix.SHUT_WR)
	}()
	return os.NewFile(uintptr(pair[1]), "connection"), func() {
		<-down
		client.Close()
		inner.Close()
	}, nil
}

// fdOf is the descriptor of f without making it blocking, as File.Fd may.
func fdOf(f *os.File) (fd uintptr) {
	fd = ^uintptr(0)
	if raw, err := f.SyscallConn(); err == nil {
		raw.Control(func(n uintptr) { fd = n })
	}
	return fd
}
