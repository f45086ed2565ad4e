// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"quill/internal/dotqmail"
)

// instructions finds the .qmail file that holds and reads it.
func (j *job) instructions() ([]dotqmail.Instruction, dotqmail.Guard, error) {
	var guard dotqmail.Guard
	f, err := j.search()
	if err != nil {
		return nil, guard, err
	}
	if f == nil && j.to.Dash != "" {
		return nil, guard, permanent("Sorry, no mailbox here by that name. (#5.1.1)")
	}
	j.newSender, err = dotqmail.NewSender(j.to.Sender, j.to.Local, j.to.Host, j.to.Dash, j.to.Ext, j.exists)
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, guard, err
	}
	text := ""
	if f != nil {
		text, guard.ForwardOnly, err = slurp(f)
		if err != nil {
			return nil, guard, temporary("Unable to read %s: %s. (#4.3.0)", j.found.Name, reason(err))
		}
	}
	if text == "" {
		text, guard.ForwardOnly = j.defaultDelivery, false
	}
	all, err := dotqmail.Parse(text)
	if err != nil {
		return nil, guard, temporary("Uh-oh: %s. (#4.2.1)", err)
	}
	return all, guard, nil
}

// slurp reads a .qmail file, a byte more than may be at most, and tells whether
// its x bit is set. It closes f.
func slurp(f *os.File) (text string, executable bool, err error) {
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", false, err
	}
	b, err := io.ReadAll(io.LimitReader(f, dotqmail.MaxSize+1))
	return string(b), st.Mode()&0o100 != 0, err
}

// search opens the first of the files that may hold; nil where there is none.
func (j *job) search() (*os.File, error) {
	if strings.ContainsFunc(j.to.Ext, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, permanent("Sorry, no mailbox here by that name. (#5.1.1)")
	}
	for _, c := range dotqmail.Candidates(j.to.Dash, j.to.Ext) {
		f, err := j.open(c.Name)
		if err != nil {
			return nil, err
		}
		if f != nil {
			j.found = c
			return f, nil
		}
	}
	return nil, nil
}

// open opens a .qmail file below the home; nil where there is none, or it is no
// regular file. A fifo is not waited for.
func (j *job) open(name string) (*os.File, error) {
	fd, err := j.openBelow(name, unix.O_RDONLY|unix.O_NONBLOCK)
	switch {
	case absent(err):
		return nil, nil
	case err != nil:
		return nil, temporary("Unable to open %s: %s. (#4.3.0)", name, reason(err))
	}
	f := os.NewFile(uintptr(fd), name)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		f.Close()
		return nil, temporary("Unable to open %s: %s. (#4.3.0)", name, reason(err))
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, f.Close()
	case st.Mode&0o002 != 0:
		f.Close()
		return nil, temporary("Uh-oh: .qmail file is writable. (#4.7.0)")
	}
	return f, nil
}

// openBelow opens a name made from an extension. One with a '/' in it was chosen
// by a stranger as far as folders go: it may not leave the home, nor pass a link.
func (j *job) openBelow(name string, flags int) (int, error) {
	flags |= unix.O_CLOEXEC
	if !strings.Contains(j.to.Ext, "/") {
		return unix.Openat(j.home, name, flags, 0)
	}
	return unix.Openat2(j.home, name, &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
}

// absent tells that there is no such file; every other error may pass.
func absent(err error) bool {
	for _, e := range []unix.Errno{unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG, unix.EISDIR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// exists tells whether a file is there, whatever it is.
func (j *job) exists(name string) (bool, error) {
	fd, err := j.openBelow(name, unix.O_PATH)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, temporary("Unable to open %s: %s. (#4.3.0)", name, reason(err))
	}
	return true, unix.Close(fd)
}

// headerLine is how much of a header line is looked at; none of ours is longer.
const headerLine = 8 << 10

// checkLoop refuses a message whose header has this delivery's Delivered-To line
// already; case and blanks around the address do not make another address.
func (j *job) checkLoop() error {
	if _, err := j.msg.Seek(0, io.SeekStart); err != nil {
		return temporary("Unable to rewind message. (#4.3.0)")
	}
	mine := []byte(strings.TrimSpace(j.to.DeliveredTo()[len(deliveredTo):]))
	r := bufio.NewReaderSize(io.NewSectionReader(j.msg, 0, math.MaxInt64), headerLine)
	for begin := true; ; {
		line, err := r.ReadSlice('\n')
		whole := err == nil || err == io.EOF
		if !whole && err != bufio.ErrBufferFull {
			return temporary("Unable to read message: %s. (#4.3.0)", reason(err))
		}
		if begin && whole {
			if end := len(bytes.TrimRight(line, "\r\n")) == 0; end {
				return nil
			}
			if isHeader(line, deliveredTo) && bytes.EqualFold(bytes.TrimSpace(line[len(deliveredTo):]), mine) {
				return permanent("This message is looping: it already has my Delivered-To line. (#5.4.6)")
			}
		}
		if err == io.EOF {
			return nil
		}
		begin = whole
	}
}

const deliveredTo = "Delivered-To:"

// isHeader tells whether line begins with the field name, in any case.
func isHeader(line []byte, name string) bool {
	return len(line) >= len(name) && strings.EqualFold(string(line[:len(name)]), name)
}
