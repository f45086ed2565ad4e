// SPDX-License-Identifier: ISC

package users

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"quill/internal/cdb"
	"quill/internal/control"
	"quill/internal/route"
	"quill/internal/safefile"
)

// ErrExists and ErrUnknown are what Add, SetSecret and Remove refuse.
var (
	ErrExists  = errors.New("the account exists already")
	ErrUnknown = errors.New("no such account")
)

// Store is the users folder of a home, open for changes.
type Store struct{ home string }

// NewStore names the users folder of home.
func NewStore(home string) Store { return Store{home} }

func (s Store) path(name string) string { return filepath.Join(s.home, "users", name) }

// read is a file's text, "" where it is missing.
func (s Store) read(name string) (string, error) {
	b, err := os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// List is all accounts, and the lines that are none.
func (s Store) List() ([]Account, []Bad, error) {
	text, err := s.read("passwd")
	if err != nil {
		return nil, nil, err
	}
	accounts, bad := ParsePasswd(text)
	return accounts, bad, nil
}

// Add adds an account.
func (s Store) Add(a Account) error {
	if err := ValidAddress(a.Address); err != nil {
		return err
	}
	a.Address = strings.ToLower(a.Address)
	return s.change(func(lines []string, at int) ([]string, error) {
		if at >= 0 {
			return nil, fmt.Errorf("%s: %w", a.Address, ErrExists)
		}
		return append(lines, a.String()), nil
	}, a.Address)
}

// SetSecret changes an account's secret.
func (s Store) SetSecret(address, secret string) error {
	return s.change(func(lines []string, at int) ([]string, error) {
		if at < 0 {
			return nil, fmt.Errorf("%s: %w", address, ErrUnknown)
		}
		a, err := parseAccount(lines[at])
		a.Secret = secret
		lines[at] = a.String()
		return lines, err
	}, address)
}

// Remove takes an account out; its mail stays where it is.
func (s Store) Remove(address string) error {
	return s.change(func(lines []string, at int) ([]string, error) {
		if at < 0 {
			return nil, fmt.Errorf("%s: %w", address, ErrUnknown)
		}
		return append(lines[:at:at], lines[at+1:]...), nil
	}, address)
}

// change edits users/passwd and compiles users/cdb, under the lock. Lines that
// are no accounts stay as they are. edit gets the lines and where the address
// stands. Nothing is written when the result cannot be compiled.
func (s Store) change(edit func(lines []string, at int) ([]string, error), address string) (err error) {
	lock, err := safefile.Lock(s.path("lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	text, err := s.read("passwd")
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	at := -1
	for i, l := range lines {
		if a, err := parseAccount(l); err == nil && a.Address == strings.ToLower(address) && at < 0 {
			at = i
		}
	}
	if lines, err = edit(lines, at); err != nil {
		return err
	}
	text = ""
	if len(lines) > 0 {
		text = strings.Join(lines, "\n") + "\n"
	}
	image, err := s.build(text)
	if err != nil {
		return err
	}
	if err := safefile.WriteFile(s.path("passwd"), []byte(text), 0o600); err != nil {
		return err
	}
	return safefile.WriteFile(s.path("cdb"), image, 0o644)
}

// Compile builds users/cdb anew from users/assign and users/passwd, under the
// lock. The old one stays where that fails.
func (s Store) Compile() (err error) {
	lock, err := safefile.Lock(s.path("lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	text, err := s.read("passwd")
	if err != nil {
		return err
	}
	image, err := s.build(text)
	if err != nil {
		return err
	}
	return safefile.WriteFile(s.path("cdb"), image, 0o644)
}

// build is the cdb of users/assign, whose entries come first, and these
// accounts: an exact entry each, and a wildcard for its extensions.
func (s Store) build(passwd string) ([]byte, error) {
	text, err := s.read("assign")
	if err != nil {
		return nil, err
	}
	var all []assignment
	if text != "" {
		if all, err = ParseAssign(text); err != nil {
			return nil, err
		}
	}
	routes, err := control.Open(s.home).Routes()
	if err != nil {
		return nil, err
	}
	accounts, _ := ParsePasswd(passwd)
	for _, a := range accounts {
		key, local := routes.LocalKey(a.Address)
		if !local {
			continue // a domain that is not ours yet: quill check tells
		}
		e := Entry{User: a.Address, UID: a.UID, GID: a.GID, Home: a.Home}
		all = append(all, assignment{key, false, e})
		e.Dash = "-"
		all = append(all, assignment{key + "-", true, e})
	}
	return image(all)
}

// image is the bytes of the cdb.
func image(all []assignment) ([]byte, error) {
	out := &memory{}
	w := cdb.NewWriter(out)
	var wild []byte
	for _, a := range all {
		key := "!" + route.Lower(a.name)
		if a.wild {
			if n := len(a.name); n > 0 && bytes.IndexByte(wild, key[n]) < 0 {
				wild = append(wild, key[n])
			}
		} else {
			key += "\x00"
		}
		if err := w.Put([]byte(key), a.Entry.data()); err != nil {
			return nil, err
		}
	}
	if err := w.Put(nil, wild); err != nil {
		return nil, err
	}
	if err := w.Finish(); err != nil {
		return nil, err
	}
	return out.b, nil
}

// memory is a file in memory.
type memory struct {
	b  []byte
	at int
}

func (m *memory) Write(p []byte) (int, error) {
	m.b = append(m.b[:m.at], append(bytes.Clone(p), m.b[min(m.at+len(p), len(m.b)):]...)...)
	m.at += len(p)
	return len(p), nil
}

func (m *memory) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart || offset < 0 || offset > int64(len(m.b)) {
		return 0, errors.New("seek outside")
	}
	m.at = int(offset)
	return offset, nil
}
