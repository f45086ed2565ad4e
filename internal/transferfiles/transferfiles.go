// SPDX-License-Identifier: ISC

// Package transferfiles is the files keys and transfer of a name server's
// folder: the secrets it shares with others, and who may have its zones. They
// are read again when they have changed. A file that cannot be read leaves the
// old one in use; one that is not there says nothing, so nobody is let in.
package transferfiles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"quill/internal/dnstransfer"
)

const (
	keysFile  = "keys"
	rulesFile = "transfer"
	lookEvery = time.Second / 2 // between looks for a changed file
	maxSize   = 4 << 20         // bytes of a file
)

// Files are those of the current folder. They may be used by many goroutines.
type Files struct {
	keys  file[dnstransfer.Keys]
	rules file[dnstransfer.Rules]
}

// New reads no file yet. warn is told of those that cannot be read, and of keys
// that strangers can.
func New(warn func(error)) *Files {
	return &Files{
		keys:  file[dnstransfer.Keys]{name: keysFile, secret: true, parse: dnstransfer.ParseKeys, warn: warn},
		rules: file[dnstransfer.Rules]{name: rulesFile, parse: dnstransfer.ParseRules, warn: warn},
	}
}

// Keys are the secrets as they are now.
func (f *Files) Keys() dnstransfer.Keys { return f.keys.now() }

// Rules are those of now.
func (f *Files) Rules() dnstransfer.Rules { return f.rules.now() }

// version tells a file from its successor.
type version struct {
	size    int64
	mtime   time.Time
	mode    fs.FileMode
	missing bool
}

// file is one that is read again when it has changed.
type file[T any] struct {
	name   string
	secret bool
	parse  func(io.Reader) (T, error)
	warn   func(error)

	mu     sync.Mutex
	looked time.Time
	seen   version
	info   fs.FileInfo
	value  T
}

// now is what the file says.
func (f *file[T]) now() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < lookEvery {
		return f.value
	}
	f.looked = time.Now()
	st, err := os.Stat(f.name)
	var v version
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.missing = true
	case err != nil:
		f.warn(err)
		return f.value
	default:
		v = version{st.Size(), st.ModTime(), st.Mode(), false}
	}
	if v == f.seen && (v.missing || os.SameFile(st, f.info)) {
		return f.value
	}
	f.seen, f.info = v, st
	f.read(v)
	return f.value
}

// read takes the file.
func (f *file[T]) read(v version) {
	if v.missing {
		var none T
		f.value = none
		return
	}
	if f.secret && v.mode&0o027 != 0 {
		f.warn(fmt.Errorf("%s has mode %04o: its secrets are for the server alone; chmod 600, or 640 with the server's group", f.name, v.mode.Perm()))
	}
	if v.size > maxSize {
		f.warn(fmt.Errorf("%s has %d bytes, at most %d; what it said before holds", f.name, v.size, maxSize))
		return
	}
	in, err := os.Open(f.name)
	if err != nil {
		f.warn(fmt.Errorf("%w; what it said before holds", err))
		return
	}
	defer in.Close()
	value, err := f.parse(io.LimitReader(in, maxSize))
	if err != nil {
		f.warn(fmt.Errorf("%s: %w; what it said before holds", f.name, err))
		return
	}
	f.value = value
}
