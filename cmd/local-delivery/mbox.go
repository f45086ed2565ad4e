// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// toMbox appends the message to an mbox (mbox(5) as qmail has it: each line that
// is From_ behind any number of '>' gets one more), under flock. When it
// returns, the message is on disk; after an error the file is as it was.
func (j *job) toMbox(name string) error {
	fd, err := j.openFile(name, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_NONBLOCK)
	if err != nil {
		return temporary("Unable to open %s: %s. (#4.2.1)", name, reason(err))
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return temporary("Unable to open %s: not a regular file. (#4.2.1)", name)
	}
	if err := lockFile(f, j.limits.lock); err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return temporary("Unable to write %s: %s. (#4.3.0)", name, reason(err))
	}
	err = j.append(f)
	if err == nil && st.Size() == 0 {
		err = j.syncParent(name) // it may be new
	}
	if err == nil {
		return nil
	}
	text := "Unable to write %s: %s. (#4.3.0)"
	if terr := f.Truncate(st.Size()); terr != nil {
		text += "\nUnable to cut %[1]s to its old size: " + reason(terr) + "."
	}
	return temporary(text, name, reason(err))
}

// openFile opens a file that a .qmail line names: below the home, with no way
// out of it, or by a full path.
func (j *job) openFile(name string, flags uint64) (int, error) {
	how := &unix.OpenHow{Flags: flags | unix.O_CLOEXEC}
	if flags&unix.O_CREAT != 0 {
		how.Mode = 0o600
	}
	if !strings.HasPrefix(name, "/") {
		how.Resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS
	}
	for {
		fd, err := unix.Openat2(j.home, name, how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// lockFile takes the flock, and waits for it no longer than limit.
func lockFile(f *os.File, limit time.Duration) error {
	const pause = 5 * time.Millisecond
	for end := time.Now().Add(limit); ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case err != unix.EWOULDBLOCK && err != unix.EINTR:
			return temporary("Unable to lock %s: %s. (#4.3.0)", f.Name(), reason(err))
		case time.Now().After(end):
			return temporary("File has been locked for 30 seconds straight. (#4.3.0)")
		}
		time.Sleep(pause)
	}
}

// append writes the message at the end and syncs it.
func (j *job) append(f *os.File) error {
	w := bufio.NewWriterSize(f, 64<<10)
	w.WriteString(j.to.FromLine(time.Now())) // errors stay until Flush
	w.Write(j.head())
	if err := quoteFrom(w, io.NewSectionReader(j.msg, 0, math.MaxInt64)); err != nil {
		return err
	}
	w.WriteByte('\n')
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// quoteFrom copies lines, puts a '>' before those that would begin a message,
// and ends the last one.
func quoteFrom(w *bufio.Writer, from io.Reader) error {
	r := bufio.NewReaderSize(from, 64<<10)
	for begin := true; ; {
		line, err := r.ReadSlice('\n')
		if begin && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
			w.WriteByte('>')
		}
		w.Write(line)
		switch {
		case err == io.EOF:
			if len(line) > 0 || !begin {
				w.WriteByte('\n')
			}
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
		begin = err == nil
	}
}

// syncParent makes the name of a file durable.
func (j *job) syncParent(name string) error {
	fd, err := j.openFile(path.Dir(name), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fsync(fd)
}
