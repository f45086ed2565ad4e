// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"quill/internal/exit"
	"quill/internal/pop3"
	"quill/internal/privilege"
)

// In the spawned shape each login runs the rest of the chain anew, which has to
// be root to become somebody, while the client's bytes are nothing for root. So
// a spawned popup that root has started stays root and reads nothing of the
// client's: it starts itself again as UID and GID for that, on the same
// descriptors 0 to 2, with a socketpair between the two. Down the child sends a
// login as descriptor 3 will have it; up it gets the exit code.

// guardVariable tells the child on which descriptor it finds the guard.
const guardVariable = "QUILLGUARD"

// maxLogin is the bytes of a login as the child sends it.
const maxLogin = 2048

// guardFromEnv is the guard that started this popup, nil where none did.
func guardFromEnv() *os.File {
	fd, err := strconv.Atoi(os.Getenv(guardVariable))
	os.Unsetenv(guardVariable)
	if err != nil || fd < 3 {
		return nil
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "guard")
}

// watch starts the child, runs its logins as root, and gives its exit code.
func (d *door) watch() int {
	child, link, err := startChild()
	if err != nil {
		logf("fatal: %v", err)
		return exit.Temporary
	}
	d.logins(link)
	link.Close()
	st, err := child.Wait()
	if err != nil || !st.Exited() {
		return exit.Temporary
	}
	return st.ExitCode()
}

// startChild starts this program again as UID and GID.
func startChild() (*os.Process, *os.File, error) {
	id, err := privilege.FromEnv()
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	link, theirs := os.NewFile(uintptr(pair[0]), "child"), os.NewFile(uintptr(pair[1]), "guard")
	defer theirs.Close()
	child, err := os.StartProcess(self, os.Args, &os.ProcAttr{
		Env:   append(os.Environ(), guardVariable+"=3"),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, theirs},
		Sys:   &syscall.SysProcAttr{Credential: id.Credential()},
	})
	if err != nil {
		return nil, nil, errors.Join(err, link.Close())
	}
	return child, link, nil
}

// logins answers a child, as often as a client may try: more comes only from a
// child that is no longer ours.
func (d *door) logins(link *os.File) {
	b := make([]byte, maxLogin)
	for range pop3.MaxTries {
		n, err := link.Read(b)
		if err != nil || n == 0 {
			return
		}
		code := exit.Temporary
		if f := strings.Split(string(b[:n]), "\x00"); len(f) == 4 {
			code = d.askSpawned(pop3.Credentials{User: f[0], Secret: f[1], Timestamp: f[2]})
		}
		if _, err := link.WriteString(strconv.Itoa(code)); err != nil {
			return
		}
	}
}

// askGuard has the guard run the rest of the chain for a login.
func askGuard(guard *os.File, c pop3.Credentials) (code int) {
	b := make([]byte, 16)
	if _, err := guard.WriteString(c.User + "\x00" + c.Secret + "\x00" + c.Timestamp + "\x00"); err != nil {
		return exit.Temporary
	}
	n, err := guard.Read(b)
	if err != nil {
		return -1
	}
	if code, err = strconv.Atoi(string(b[:n])); err != nil {
		return -1
	}
	return code
}
