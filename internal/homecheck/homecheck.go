// SPDX-License-Identifier: ISC

// Package homecheck looks a home over and names its defects, each with what to
// do. It changes nothing.
package homecheck

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"quill/internal/cdb"
	"quill/internal/checkpw"
	"quill/internal/control"
	"quill/internal/users"
)

// Defect is one thing that is not as it should be.
type Defect struct {
	What string // the object and what is wrong
	Do   string // how to mend it
}

// check collects defects.
type check struct {
	home string
	out  []Defect
}

func (c *check) add(do, format string, a ...any) {
	c.out = append(c.out, Defect{fmt.Sprintf(format, a...), do})
}

// Check gives all defects of a home.
func Check(home string) []Defect {
	c := &check{home: home}
	if st, err := os.Stat(home); err != nil || !st.IsDir() {
		c.add("set QMAILHOME to the home, or make one with quill lab", "home %s: %v", home, orNot(err, "not a folder"))
		return c.out
	}
	c.control()
	c.users()
	c.queue()
	c.cdb("dns/data", "dns/data.cdb", "run tinydns-data in dns/")
	c.cdb("tcp/smtp", "tcp/smtp.cdb", "run tcprules tcp/smtp.cdb tcp/smtp.tmp < tcp/smtp")
	c.cdb("tcp/imap", "tcp/imap.cdb", "run tcprules tcp/imap.cdb tcp/imap.tmp < tcp/imap")
	c.cdb("tcp/pop3", "tcp/pop3.cdb", "run tcprules tcp/pop3.cdb tcp/pop3.tmp < tcp/pop3")
	return c.out
}

func orNot(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

func (c *check) path(name string) string { return filepath.Join(c.home, name) }

// control files that a host cannot do without, and why.
var needed = []struct{ name, do string }{
	{"me", "write this host's full name into it"},
	{"locals", "write the domains whose users are this host's into it, one a line"},
	{"rcpthosts", "write the domains whose mail this host takes into it, one a line; without it smtpd takes none"},
}

func (c *check) control() {
	d := control.Open(c.home)
	for _, n := range needed {
		list, ok, err := d.List(n.name)
		switch {
		case err != nil:
			c.add("make it readable", "control/%s: %v", n.name, err)
		case !ok:
			c.add(n.do, "control/%s is missing", n.name)
		case len(list) == 0:
			c.add(n.do, "control/%s is empty", n.name)
		}
	}
	for _, name := range []string{"bouncemaxbytes", "concurrencylocal", "databytes", "queuelifetime", "timeoutsmtpd"} {
		c.number(d, name)
	}
	if st, err := os.Stat(c.path("control")); err == nil && st.Mode()&0o022 != 0 {
		c.add("chmod go-w control", "control/ is writable by others (%v)", st.Mode().Perm())
	}
}

// number complains of what programs would take for a number, or for no line at
// all.
func (c *check) number(d control.Dir, name string) {
	v, ok, err := d.Line(name)
	switch {
	case err != nil:
		c.add("make it readable", "control/%s: %v", name, err)
	case ok && (name != "databytes" || v != "unlimited"):
		if n, err := strconv.ParseUint(v, 10, 64); err != nil || n > 1<<53 {
			c.add("write one number into it, or remove it", "control/%s: %q is no number, or too large", name, v)
		}
	}
}

func (c *check) users() {
	store := users.NewStore(c.home)
	accounts, bad, err := store.List()
	if err != nil {
		c.add("make it readable for whom checkpassword runs as", "users/passwd: %v", err)
		return
	}
	for _, b := range bad {
		c.add("mend the line, then quill user passwd some account to compile again", "users/passwd line %d: %v", b.Line, b.Err)
	}
	if st, err := os.Stat(c.path("users/passwd")); err == nil && st.Mode()&0o077 != 0 {
		c.add("chmod 600 users/passwd", "users/passwd can be read by others (%v)", st.Mode().Perm())
	}
	if text, err := os.ReadFile(c.path("users/assign")); err == nil {
		if _, err := users.ParseAssign(string(text)); err != nil {
			c.add("mend it; the old users/cdb is used meanwhile", "%v", err)
		}
	}
	if _, err := cdb.Open(c.path("users/cdb")); err != nil {
		c.add("compile it by quill user add or quill user passwd; until then smtpd answers 451", "users/cdb: %v", err)
	} else {
		c.older("users/passwd", "users/cdb", "compile it by quill user passwd")
		c.older("users/assign", "users/cdb", "compile it by quill user passwd")
	}
	c.accounts(accounts)
}

// accounts looks at each account's domain, secret and mailbox.
func (c *check) accounts(accounts []users.Account) {
	routes, err := control.Open(c.home).Routes()
	if err != nil {
		return // told already
	}
	for _, a := range accounts {
		if _, local := routes.LocalKey(a.Address); !local {
			c.add("add the domain to control/locals or control/virtualdomains, or remove the account", "account %s: its domain is not this host's", a.Address)
		}
		if _, err := checkpw.Verify(a.Secret, ""); err != nil {
			c.add("quill user passwd "+a.Address, "account %s: %v", a.Address, err)
		}
		if a.UID == 0 {
			c.add("give it a uid of its own in users/passwd", "account %s: mail is never delivered as root", a.Address)
		}
		for _, sub := range []string{"new", "cur", "tmp"} {
			if _, err := os.Stat(filepath.Join(a.Home, "Maildir", sub)); err != nil && !errors.Is(err, fs.ErrPermission) {
				c.add("maildirmake "+filepath.Join(a.Home, "Maildir"), "account %s: %v", a.Address, err)
				break
			}
		}
	}
}

func (c *check) queue() {
	for _, d := range []string{"queue", "queue/lock", "queue/log", "queue/mess", "queue/corrupt"} {
		if st, err := os.Stat(c.path(d)); err != nil {
			c.add("start queued once: it makes its folders", "%s: %v", d, err)
			return
		} else if st.Mode()&0o002 != 0 {
			c.add("chmod o-w "+d, "%s is writable by everybody (%v)", d, st.Mode().Perm())
		}
	}
	if names, err := os.ReadDir(c.path("queue/corrupt")); err == nil && len(names) > 0 {
		c.add("look at them, then remove them: each is a damaged record that was set aside", "queue/corrupt has %d files", len(names))
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(c.path("queue"), &st); err == nil && int64(st.Bavail)*st.Bsize < 64<<20 {
		c.add("make room: mail is refused when the disk is full", "queue: %d MiB are free", int64(st.Bavail)*st.Bsize>>20)
	}
}

// cdb checks a compiled file against its source, where there is one.
func (c *check) cdb(source, compiled, do string) {
	if _, err := os.Stat(c.path(source)); err != nil {
		return
	}
	m, err := cdb.Open(c.path(compiled))
	if err != nil {
		c.add(do, "%s: %v", compiled, err)
		return
	}
	m.Close()
	c.older(source, compiled, do)
}

// older complains of a compiled file that is older than its source.
func (c *check) older(source, compiled, do string) {
	s, err1 := os.Stat(c.path(source))
	k, err2 := os.Stat(c.path(compiled))
	if err1 == nil && err2 == nil && k.ModTime().Before(s.ModTime()) {
		c.add(do, "%s is older than %s", compiled, source)
	}
}
