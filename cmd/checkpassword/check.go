// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/checkpw"
	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/privilege"
	"quill/internal/users"
)

// Limits; checkpassword(8) lists them.
const (
	maxCredentials = 512             // bytes on descriptor 3
	maxHashes      = 4               // password hashes computed at once
	idleLimit      = 5 * time.Minute // for a user's worker without a session
)

// credentials is a login as it comes in.
type credentials struct{ user, secret, timestamp string }

// readCredentials reads user, NUL, password, NUL, timestamp, NUL from a
// descriptor and closes it.
func readCredentials(fd int) (credentials, error) {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return credentials{}, err
	}
	f := os.NewFile(uintptr(fd), "credentials")
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	if err != nil {
		return credentials{}, err
	}
	return parseCredentials(b)
}

func parseCredentials(b []byte) (credentials, error) {
	if len(b) > maxCredentials {
		return credentials{}, fmt.Errorf("more than %d bytes", maxCredentials)
	}
	f := bytes.SplitN(b, []byte{0}, 4)
	if len(f) < 3 {
		return credentials{}, errors.New("no user, NUL, password, NUL")
	}
	return credentials{string(f[0]), string(f[1]), string(f[2])}, nil
}

// checker knows the accounts of a home.
type checker struct {
	home  string
	slots chan struct{}

	mu       sync.Mutex
	accounts map[string]users.Account
	like     string // a secret of somebody, for those who do not exist
	mtime    time.Time
	inode    uint64
}

func newChecker(home string) *checker {
	return &checker{home: home, slots: make(chan struct{}, maxHashes)}
}

// refresh reads users/passwd, if it is not the one that was read.
func (c *checker) refresh() error {
	path := filepath.Join(c.home, "users", "passwd")
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	if c.accounts != nil && ino == c.inode && st.ModTime().Equal(c.mtime) {
		return nil
	}
	list, bad, err := users.NewStore(c.home).List()
	if err != nil {
		return err
	}
	for _, b := range bad {
		logf("warning: users/passwd line %d: %v", b.Line, b.Err)
	}
	c.accounts = make(map[string]users.Account, len(list))
	c.like = ""
	for _, a := range list {
		c.accounts[a.Address] = a
		if c.like == "" || checkpw.Costly(a.Secret) {
			c.like = a.Secret
		}
	}
	c.mtime, c.inode = st.ModTime(), ino
	return nil
}

// find looks a login up.
func (c *checker) find(user string) (a users.Account, ok bool, like string, err error) {
	address, err := c.address(user)
	if err != nil {
		return users.Account{}, false, "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refresh(); err != nil {
		return users.Account{}, false, "", err
	}
	a, ok = c.accounts[address]
	return a, ok, c.like, nil
}

// address is the account that a login means: one without @ is of the default
// domain.
func (c *checker) address(user string) (string, error) {
	if !strings.Contains(user, "@") {
		domain, err := control.Open(c.home).LineOr("defaultdomain", "me")
		if err != nil {
			return "", err
		}
		user += "@" + domain
	}
	return strings.ToLower(user), nil
}

// check gives the account of a login, or why there is none: 1 for a wrong user
// or password, 111 where nobody can tell.
func (c *checker) check(l credentials) (users.Account, int) {
	if l.user == "" {
		return users.Account{}, refused
	}
	a, ok, like, err := c.find(l.user)
	if err != nil {
		logf("alert: unable to read accounts: %v", err)
		return users.Account{}, exit.Temporary
	}
	secret := like
	if ok {
		secret = a.Secret
	}
	if checkpw.Costly(secret) {
		c.slots <- struct{}{}
		defer func() { <-c.slots }()
	}
	if !ok {
		checkpw.Dummy(like, l.secret)
		return users.Account{}, refused
	}
	good, err := checkpw.Verify(secret, l.secret)
	if err != nil {
		logf("alert: secret of %s: %v", a.Address, err)
		return users.Account{}, exit.Temporary
	}
	if !good && l.timestamp != "" {
		good, _ = checkpw.VerifyAPOP(secret, l.timestamp, l.secret)
	}
	if !good {
		return users.Account{}, refused
	}
	if a.UID == 0 || os.Getuid() != 0 && a.UID != os.Getuid() {
		logf("alert: %s has uid %d, which uid %d may not become", a.Address, a.UID, os.Getuid())
		return users.Account{}, exit.Temporary
	}
	return a, exit.OK
}

// become takes the account's uid and gid, if we are root.
func become(a users.Account) error {
	if !privilege.Root() {
		return nil
	}
	return privilege.ID{UID: a.UID, GID: a.GID}.Drop()
}

// variables is what the next program is told of the user.
func variables(a users.Account) []string {
	return []string{"USER=" + a.Address, "HOME=" + a.Home, "SHELL=/bin/sh"}
}

// without is env without these variables.
func without(env []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(names, name)
	})
}
