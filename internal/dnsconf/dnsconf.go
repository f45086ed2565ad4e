// SPDX-License-Identifier: ISC

// Package dnsconf makes the folders of DNS services, for tinydns-conf and its
// like: djb's folders, files and modes, with run scripts that need nothing of
// daemontools but a supervisor.
//
// It promises that a folder that is there already is left as it is, and that
// nothing of an argument is taken for shell or make syntax. What was made stays
// when something fails later.
package dnsconf

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"quill/internal/djbwords"
	"quill/internal/exit"
	"quill/internal/safefile"
)

// Modes of djb's folders and files.
const (
	Dir    = 0o755 | fs.ModeSetgid
	topDir = Dir | fs.ModeSticky
	Script = 0o755
	Plain  = 0o644
)

// Main runs a conf program: make gets its arguments. Fewer than n are answered
// with the usage and exit code 100, and so is one of those that paths counts, from
// 0, that is no full path. An error of make is fatal, with 111.
func Main(prog, usage string, n int, paths []int, make func(args []string) error) {
	args := os.Args[1:]
	bad := len(args) < n
	for _, i := range paths {
		bad = bad || args[i] == "" || args[i][0] != '/'
	}
	if bad {
		os.Stderr.WriteString(prog + ": usage: " + prog + " " + usage + "\n")
		os.Exit(exit.Permanent)
	}
	if err := make(args); err != nil {
		exit.Die(prog, exit.Temporary, err)
	}
}

// Folder is the folder of a service that is being made. The first thing that
// fails stays its error, and nothing is made after it.
type Folder struct {
	path string
	root *os.Root
	dirs []string
	err  error
}

// Begin makes the folder of a server at path: the log of the account logacct, and
// env/ with root and ip, as ROOT and IP. bin is where the programs are that the
// service runs. Nothing is made where an account or a program is not there.
func Begin(path, logacct, root, ip string, programs ...string) (f *Folder, bin []string, err error) {
	id, err := Lookup(logacct)
	if err != nil {
		return nil, nil, err
	}
	if bin, err = Programs(programs...); err != nil {
		return nil, nil, err
	}
	if f, err = New(path); err != nil {
		return nil, nil, err
	}
	f.Log(logacct, id)
	f.Mkdir("env")
	f.Env("ROOT", root)
	f.Env("IP", ip)
	return f, bin, nil
}

// New makes the folder at path, which must not be there yet.
func New(path string) (*Folder, error) {
	syscall.Umask(0o022)
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, trouble("unable to create "+path, err)
	}
	if err := os.Chmod(path, topDir); err != nil {
		return nil, trouble("unable to set mode of "+path, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, trouble("unable to switch to "+path, err)
	}
	return &Folder{path: path, root: root}, nil
}

// fail keeps the first error about a name in the folder.
func (f *Folder) fail(name string, err error) {
	if f.err == nil {
		f.err = trouble("unable to create "+f.path+"/"+name, err)
	}
}

// Mkdir makes a folder.
func (f *Folder) Mkdir(name string) {
	if f.err != nil {
		return
	}
	f.dirs = append(f.dirs, name)
	f.fail(name, errors.Join(f.root.Mkdir(name, 0o700), f.root.Chmod(name, Dir)))
}

// File makes a file with this text and mode.
func (f *Folder) File(name, text string, mode fs.FileMode) {
	if f.err != nil {
		return
	}
	out, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		f.fail(name, err)
		return
	}
	_, err = out.WriteString(text)
	f.fail(name, errors.Join(err, out.Chmod(mode), out.Sync(), out.Close()))
}

// Env makes env/name, with the value that the run script sets.
func (f *Folder) Env(name, value string) { f.File("env/"+name, value+"\n", Plain) }

// Log makes log/, where account, who has these ids, keeps the log.
func (f *Folder) Log(account string, id Account) {
	f.Mkdir("log")
	f.Mkdir("log/main")
	f.give("log/main", id, Dir)
	f.File("log/status", "", Plain)
	f.give("log/status", id, Plain)
	f.File("log/run", LogScript(account), Script)
}

// give hands a name to an account. Its mode is set again: a change of owner may
// take bits away.
func (f *Folder) give(name string, id Account, mode fs.FileMode) {
	if f.err != nil {
		return
	}
	f.fail(name, errors.Join(f.root.Lchown(name, id.UID, id.GID), f.root.Chmod(name, mode)))
}

// Close syncs the folders, so that the names in them stay, and gives the first
// error of all.
func (f *Folder) Close() error {
	for _, d := range append(f.dirs, ".") {
		if f.err == nil {
			f.fail(d, safefile.SyncDir(f.path+"/"+d))
		}
	}
	return errors.Join(f.err, f.root.Close())
}

// Account is the ids of one.
type Account struct{ UID, GID int }

// Lookup finds an account by its name.
func Lookup(name string) (Account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return Account{}, errors.New("unknown account " + name)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return Account{uid, gid}, errors.Join(err1, err2)
}

// trouble is what could not be done and why, in djb's words; nil where err is nil.
func trouble(what string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(what + ": " + djbwords.Of(err))
}
