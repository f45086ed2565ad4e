// SPDX-License-Identifier: ISC

package logindoor

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"quill/internal/exit"
	"quill/internal/login"
	"quill/internal/privilege"
)

// In the spawned shape each login runs the rest of the chain anew, which has to
// be root to become somebody, while the client's bytes are nothing for root. So
// a spawned door that root has started stays root and reads nothing of the
// client's: it starts itself again as UID and GID for that, on the same
// descriptors 0 to 2, with a socketpair between the two. Down the child sends a
// login as descriptor 3 will have it, and the variables that come with it; up it
// gets the exit code. The guard takes no variable but those it was written for:
// others, such as PATH, would be root's.

// guardVariable tells the child on which descriptor it finds the guard.
const guardVariable = "QUILLGUARD"

// maxLogin is the bytes of a login as the child sends it.
const maxLogin = 2048

// guardFromEnv is the guard that started this process, nil where none did.
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
func (d *Door) watch() int {
	child, link, err := startChild()
	if err != nil {
		d.logf("fatal: %v", err)
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
func (d *Door) logins(link *os.File) {
	b := make([]byte, maxLogin)
	for range login.MaxTries {
		n, err := link.Read(b)
		if err != nil || n == 0 {
			return
		}
		code := exit.Temporary
		if c, vars, ok := d.parseLogin(string(b[:n])); ok {
			code = d.askSpawned(c, vars)
		}
		if _, err := link.WriteString(strconv.Itoa(code)); err != nil {
			return
		}
	}
}

// parseLogin reads what a child sends: credentials and variables, each ended by
// NUL.
func (d *Door) parseLogin(s string) (c login.Credentials, vars []string, ok bool) {
	f := strings.Split(s, "\x00")
	n := len(f) - 1
	if n < 3 || f[n] != "" {
		return login.Credentials{}, nil, false
	}
	for _, kv := range f[3:n] {
		if !d.named(kv) {
			return login.Credentials{}, nil, false
		}
	}
	return login.Credentials{User: f[0], Secret: f[1], Timestamp: f[2]}, f[3:n], true
}

// askGuard has the guard run the rest of the chain for a login.
func askGuard(guard *os.File, c login.Credentials, vars []string) (code int) {
	request := c.Bytes()
	for _, kv := range vars {
		request = append(append(request, kv...), 0)
	}
	if _, err := guard.Write(request); err != nil {
		return exit.Temporary
	}
	b := make([]byte, 16)
	n, err := guard.Read(b)
	if err != nil {
		return -1
	}
	if code, err = strconv.Atoi(string(b[:n])); err != nil {
		return -1
	}
	return code
}
