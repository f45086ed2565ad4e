// SPDX-License-Identifier: ISC

// Package control reads the control files of a home, by qmail-control(5)'s
// rules: one value is the first line without trailing blanks; a list skips
// blank lines and those that start with '#'; a missing file is not an empty
// one, and a file that cannot be read is never taken for a missing one.
package control

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"quill/internal/route"
)

// DefaultHome is the home where QMAILHOME does not name another.
const DefaultHome = "/var/qmail"

// MaxSize is the most bytes a control file may have.
const MaxSize = 16 << 20

// Home is the home's path: $QMAILHOME, or /var/qmail.
func Home() string {
	if h := os.Getenv("QMAILHOME"); h != "" {
		return h
	}
	return DefaultHome
}

// Dir is the control folder of a home.
type Dir struct{ path string }

// Open names the control folder of home; nothing is read yet.
func Open(home string) Dir { return Dir{filepath.Join(home, "control")} }

// Path is where the control file name lies.
func (d Dir) Path(name string) string { return filepath.Join(d.path, name) }

// read reads a whole control file; ok is false where there is none.
func (d Dir) read(name string) (text string, ok bool, err error) {
	f, err := os.OpenFile(d.Path(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return "", false, err
	}
	if len(b) > MaxSize {
		return "", false, fmt.Errorf("%s: more than %d bytes", d.Path(name), MaxSize)
	}
	return string(b), true, nil
}

// Exists says whether the control file is there at all: some mean what they
// mean by being there.
func (d Dir) Exists(name string) (bool, error) {
	_, err := os.Stat(d.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Line is the first line of a control file; ok is false where there is none.
func (d Dir) Line(name string) (value string, ok bool, err error) {
	text, ok, err := d.read(name)
	line, _, _ := strings.Cut(text, "\n")
	return strip(line), ok, err
}

// LineOr is the first line of name, or where that is missing of fallback, or
// where that is missing too, fallback's own name.
func (d Dir) LineOr(name, fallback string) (string, error) {
	v, ok, err := d.Line(name)
	if ok || err != nil {
		return v, err
	}
	v, ok, err = d.Line(fallback)
	if ok || err != nil {
		return v, err
	}
	return fallback, nil
}

// Int is the number a control file starts with; dflt where the file is missing
// or starts with none (as qmail takes it).
func (d Dir) Int(name string, dflt int) (int, error) {
	v, ok, err := d.Line(name)
	if !ok || err != nil {
		return dflt, err
	}
	n, digits := 0, 0
	for digits < len(v) && v[digits] >= '0' && v[digits] <= '9' {
		if n > (1<<53)/10 {
			return dflt, fmt.Errorf("%s: number too large", d.Path(name))
		}
		n = n*10 + int(v[digits]-'0')
		digits++
	}
	if digits == 0 {
		return dflt, nil
	}
	return n, nil
}

// Size is how many bytes a message may have, as the control file says by the
// rules of Bytes; dflt where it is missing, and with an error.
func (d Dir) Size(name string, dflt int64) (int64, error) {
	v, ok, err := d.Line(name)
	if !ok || err != nil {
		return dflt, err
	}
	n, err := Bytes(v, dflt)
	if err != nil {
		err = fmt.Errorf("%s: %w", d.Path(name), err)
	}
	return n, err
}

// Bytes reads a limit of size; dflt for 0, and with an error. Only the word
// "unlimited" lifts the limit and gives 0: a 0 left over somewhere must not.
func Bytes(v string, dflt int64) (int64, error) {
	if v == "unlimited" {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 63)
	if err != nil || n < 0 {
		return dflt, fmt.Errorf("%q is neither a number nor the word unlimited", v)
	}
	if n == 0 {
		return dflt, nil
	}
	return min(n, math.MaxInt64/2), nil
}

// List is the lines of a control file without comments and blank ones; ok is
// false where there is no file.
func (d Dir) List(name string) (lines []string, ok bool, err error) {
	text, ok, err := d.read(name)
	for line := range strings.Lines(text) {
		if line = strip(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines, ok, err
}

// Pairs is the "key:value" lines of a control file; lines without a colon do
// not count.
func (d Dir) Pairs(name string) (pairs [][2]string, ok bool, err error) {
	lines, ok, err := d.List(name)
	for _, line := range lines {
		if k, v, found := strings.Cut(line, ":"); found {
			pairs = append(pairs, [2]string{k, v})
		}
	}
	return pairs, ok, err
}

// strip takes the blanks off a line's end, as qmail does; those at its start
// stay.
func strip(line string) string { return strings.TrimRight(line, " \t\n") }

// Routes reads the rules of where addresses lead: me, locals (me where that is
// missing), virtualdomains, percenthack, envnoathost.
func (d Dir) Routes() (*route.Table, error) {
	me, err := d.LineOr("me", "me")
	if err != nil {
		return nil, err
	}
	locals, ok, err := d.List("locals")
	if err != nil {
		return nil, err
	}
	if !ok {
		locals = []string{me}
	}
	virtual, _, err := d.Pairs("virtualdomains")
	if err != nil {
		return nil, err
	}
	percent, _, err := d.List("percenthack")
	if err != nil {
		return nil, err
	}
	noAt, _, err := d.Line("envnoathost")
	if err != nil {
		return nil, err
	}
	return route.New(me, locals, virtual, percent, noAt), nil
}
