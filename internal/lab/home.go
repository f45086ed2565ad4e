// SPDX-License-Identifier: ISC

// Package lab makes and runs a home for testingsmtp.org on one machine, without
// root: the lecture's server and its laptop on two addresses, the very run
// scripts of etc/service, one unprivileged uid.
package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"quill/etc"
	"quill/internal/cdb"
	"quill/internal/checkpw"
	"quill/internal/safefile"
	"quill/internal/users"
	"quill/maildir"
	"quill/queue"
	"quill/tcpserver"
)

// The lecture's names on one machine.
const (
	Domain   = "testingsmtp.org"
	Password = "lab"
	// marker tells a lab's folder from any other; it is the lock of who runs it.
	marker = ".quill-lab"
)

// Errors that a caller tells apart.
var (
	ErrForeign = errors.New("the folder has files that are no lab's: nothing was touched; choose an empty or a new folder")
	ErrRunning = errors.New("a lab is running in this folder already: stop it, or choose another folder")
	ErrNetwork = errors.New("start it the way it was made, choose another folder, or start afresh with --reset, which forgets its mail")
)

// control is the control files of a lab.
var control = map[string]string{
	"me": "mail." + Domain, "locals": Domain + "\nmail." + Domain, "rcpthosts": Domain + "\nmail." + Domain, "defaultdomain": Domain,
	"smtpgreeting": "Welcome! Please send your message!", "apop": "shown: passwords are stored as they are",
}

// aliases are addresses that somebody else reads.
var aliases = []string{"postmaster", "mailer-daemon", "root"}

// Options is what a lab is to be.
type Options struct {
	Dir     string
	Bin     string // where the programs are
	Spawned bool
	Users   int // u0…u(N-1), password pass, beside the lecture's two
	Reset   bool
	Net     Network
}

// claim makes sure that the folder is a lab's or can become one, and takes its
// lock.
func claim(o Options) (*os.File, error) {
	names, err := os.ReadDir(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(o.Dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	mark := filepath.Join(o.Dir, marker)
	if _, err := os.Stat(mark); err != nil && !onlyBin(names) {
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrForeign)
	}
	lock, err := safefile.TryLock(mark)
	if errors.Is(err, safefile.ErrLocked) {
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrRunning)
	}
	if err != nil {
		return nil, err
	}
	if o.Reset {
		if err := wipe(o.Dir); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	return lock, os.Chmod(o.Dir, 0o700)
}

// onlyBin says whether a folder is empty but for the programs that root has put
// there for us.
func onlyBin(names []fs.DirEntry) bool {
	return len(names) == 0 || len(names) == 1 && names[0].Name() == "bin" && names[0].IsDir()
}

// wipe removes everything of a lab but its programs and its lock.
func wipe(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Name() != marker && n.Name() != "bin" {
			if err := os.RemoveAll(filepath.Join(dir, n.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeHome makes what is missing of the home; what is there stays.
func makeHome(o Options) error {
	for _, d := range []string{"control", "users", "alias", "dns", "tcp", "log", "mail/" + Domain, "service"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, d), 0o755); err != nil {
			return err
		}
	}
	for _, files := range []map[string]string{control, o.Net.control} {
		for name, text := range files {
			if err := once(filepath.Join(o.Dir, "control", name), text+"\n", 0o644); err != nil {
				return err
			}
		}
	}
	if err := queue.Make(filepath.Join(o.Dir, "queue")); err != nil {
		return err
	}
	if err := makeRules(o.Dir); err != nil {
		return err
	}
	if err := makeUsers(o); err != nil {
		return err
	}
	if err := once(filepath.Join(o.Dir, "dns", "data"), Zone(o.Net.Server, o.Net.Laptop), 0o644); err != nil {
		return err
	}
	return makeScripts(o.Dir)
}

// once writes a file that is not there.
func once(path, text string, mode fs.FileMode) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return safefile.WriteFile(path, []byte(text), mode)
}

// Zone is the lecture's zone as tinydns-data(8) reads it.
func Zone(server, laptop string) string {
	lines := []string{
		"# The lecture's zone. After a change: tinydns-data in this folder.",
		"." + Domain + ":" + server + ":ns." + Domain + ":3600",
		"@" + Domain + "::mail." + Domain + ":10:3600",
		"=mail." + Domain + ":" + server + ":3600",
	}
	for _, name := range []string{"", "pop3.", "imap."} {
		lines = append(lines, "+"+name+Domain+":"+server+":3600")
	}
	seen := ""
	for _, ip := range []string{server, laptop} {
		_, reverse, _ := strings.Cut(Reverse(ip), ".")
		if reverse != seen {
			lines = append(lines, "."+reverse+":"+server+":ns."+Domain+":3600")
		}
		seen = reverse
	}
	return strings.Join(append(lines, "=laptop."+Domain+":"+laptop+":3600"), "\n") + "\n"
}

// Reverse is the name that has an IPv4 address's PTR record.
func Reverse(ip string) string {
	f := strings.Split(ip, ".")
	slices.Reverse(f)
	return strings.Join(f, ".") + ".in-addr.arpa"
}

// makeRules writes rules that let everybody connect and nobody relay.
func makeRules(dir string) error {
	for _, name := range []string{"smtp", "pop3", "imap"} {
		path := filepath.Join(dir, "tcp", name)
		if err := once(path, ":allow\n", 0o644); err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := os.Create(path + ".tmp")
		if err != nil {
			return err
		}
		w := cdb.NewWriter(f)
		err = tcpserver.Compile(bytes.NewReader(text), w)
		if err == nil {
			err = w.Finish()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := os.Rename(path+".tmp", path+".cdb"); err != nil {
			return err
		}
	}
	return nil
}

// makeUsers makes the accounts and the aliases.
func makeUsers(o Options) error {
	uid, gid := os.Getuid(), os.Getgid()
	var assign strings.Builder
	for _, a := range aliases {
		fmt.Fprintf(&assign, "=%s:alias:%d:%d:%s:-:%s:\n", a, uid, gid, filepath.Join(o.Dir, "alias"), a)
		if err := once(filepath.Join(o.Dir, "alias", ".qmail-"+a), "&netwatcher@"+Domain+"\n", 0o644); err != nil {
			return err
		}
	}
	if err := once(filepath.Join(o.Dir, "users", "assign"), assign.String()+".\n", 0o644); err != nil {
		return err
	}
	store := users.NewStore(o.Dir)
	for _, name := range []string{"sendmemail", "netwatcher"} {
		if err := AddUser(store, o.Dir, name+"@"+Domain, checkpw.Plain(Password), uid, gid); err != nil && !errors.Is(err, users.ErrExists) {
			return err
		}
	}
	for i := range o.Users {
		if err := AddUser(store, o.Dir, fmt.Sprintf("u%d@%s", i, Domain), checkpw.Plain("pass"), uid, gid); err != nil && !errors.Is(err, users.ErrExists) {
			return err
		}
	}
	return store.Compile()
}

// AddUser makes an account with its home and mailbox below mail/. The mailbox
// comes first: nobody may be known whose mail has no place.
func AddUser(store users.Store, home, address, secret string, uid, gid int) error {
	if err := users.ValidAddress(address); err != nil {
		return err
	}
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	dir := filepath.Join(home, "mail", domain, local)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	box := filepath.Join(dir, "Maildir")
	if _, err := os.Stat(box); errors.Is(err, fs.ErrNotExist) {
		if err := maildir.Make(box); err != nil {
			return err
		}
	}
	if os.Getuid() == 0 {
		for _, p := range []string{dir, box, box + "/tmp", box + "/new", box + "/cur"} {
			if err := os.Chown(p, uid, gid); err != nil {
				return err
			}
		}
	}
	return store.Add(users.Account{Address: address, Secret: secret, UID: uid, GID: gid, Home: dir})
}

// makeScripts writes the run scripts, as they are.
func makeScripts(dir string) error {
	return fs.WalkDir(etc.Service, "service", func(path string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, path)
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(to, 0o755))
		}
		text, err := etc.Service.ReadFile(path)
		if err != nil {
			return err
		}
		return safefile.WriteFile(to, text, 0o755)
	})
}

// Programs is those that a lab needs beside quill.
var Programs = []string{"tcpserver", "smtpd", "popup", "checkpassword", "pop3d", "imapup", "imapd", "tinydns", "tinydns-data", "queued", "qmail-queue", "qmail-send", "qmail-lspawn", "local-delivery", "forward"}

// Prepare makes sure that a folder may become a lab's, and marks it as one: for
// root, who gives it away before the lab is started in it.
func Prepare(dir string) error {
	lock, err := claim(Options{Dir: dir})
	if err != nil {
		return err
	}
	return lock.Close()
}
