// SPDX-License-Identifier: ISC

// Program axfrdns-conf makes a service folder for axfrdns; see axfrdns-conf(8).
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"quill/internal/exit"
)

const prog = "axfrdns-conf"

// limit is the bytes of memory that softlimit lets axfrdns have: djb's 400000 do
// not hold a program in Go.
const limit = "200000000"

func main() {
	a := os.Args[1:]
	if len(a) < 5 || a[2] == "" || a[2][0] != '/' || a[3] == "" || a[3][0] != '/' {
		exit.Usage("axfrdns-conf acct logacct /axfrdns /tinydns myip")
	}
	self, err := os.Executable()
	if err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
	program := filepath.Join(filepath.Dir(self), "axfrdns")
	if err := build(program, a[0], a[1], a[2], a[3], a[4]); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// entry is a folder, or a file with its text, of the service folder.
type entry struct {
	name string
	text string
	mode fs.FileMode
	log  bool // belongs to the log's account
}

const (
	folder = fs.ModeDir | fs.ModeSetgid | 0o755
	script = 0o755
	plain  = 0o644
)

// entries are those of a service, in the order in which they are made.
func entries(program, acct, logacct, tinydns, myip string) []entry {
	return []entry{
		{"log", "", folder, false},
		{"log/main", "", folder, true},
		{"log/status", "", plain, true},
		{"log/run", "#!/bin/sh\nexec setuidgid " + logacct + " multilog t ./main\n", script, false},
		{"env", "", folder, false},
		{"env/ROOT", tinydns + "/root\n", plain, false},
		{"env/IP", myip + "\n", plain, false},
		{"run", "#!/bin/sh\nexec 2>&1\nexec envdir ./env sh -c '\n  exec envuidgid " + acct +
			" softlimit -d" + limit + " tcpserver -vDRHl0 -x tcp.cdb -- \"$IP\" 53 " + program + "\n'\n", script, false},
		{"Makefile", "tcp.cdb: tcp\n\ttcprules tcp.cdb tcp.tmp < tcp\n", plain, false},
		{"tcp", "# sample line:  1.2.3.4:allow,AXFR=\"heaven.af.mil/3.2.1.in-addr.arpa\"\n:deny\n", plain, false},
	}
}

// build makes the folder. What went wrong stands in djb's words.
func build(program, acct, logacct, dir, tinydns, myip string) error {
	u, err := user.Lookup(logacct)
	if err != nil {
		return fmt.Errorf("unknown account %s", logacct)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("account %s: %w", logacct, err)
	}
	syscall.Umask(0o022)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("unable to create %s: %w", dir, errors.Unwrap(err))
	}
	if err := os.Chmod(dir, folder|fs.ModeSticky); err != nil {
		return fmt.Errorf("unable to set mode of %s: %w", dir, errors.Unwrap(err))
	}
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("unable to switch to %s: %w", dir, errors.Unwrap(err))
	}
	for _, e := range entries(program, acct, logacct, tinydns, myip) {
		if err := e.make(uid, gid); err != nil {
			return fmt.Errorf("unable to create %s/%s: %w", dir, e.name, errors.Unwrap(err))
		}
	}
	return nil
}

// make makes one; its errors wrap what the system says.
func (e *entry) make(uid, gid int) error {
	var err error
	if e.mode.IsDir() {
		err = os.Mkdir(e.name, 0o700)
	} else {
		err = write(e.name, e.text)
	}
	if err == nil && e.log {
		err = os.Chown(e.name, uid, gid)
	}
	if err == nil {
		err = os.Chmod(e.name, e.mode)
	}
	return err
}
