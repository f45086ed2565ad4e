// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/exit"
	"quill/internal/mailid"
)

// worker does deliveries that a spawner hands it (spawn(7)), many at once. None
// changes the process: no chdir, no shared file offset.
type worker struct {
	link   *chain.Link
	office *office
	limits limits
}

// letters is what a spawner is told, by exit code.
var letters = map[int]string{exit.OK: "K", exit.Permanent: "D", exit.Temporary: "Z"}

// serve takes deliveries until the spawner closes, then finishes what runs.
func (w *worker) serve() error {
	var running sync.WaitGroup
	slots := make(chan struct{}, w.limits.atOnce)
	for {
		slots <- struct{}{}
		b, fds, err := w.link.Recv()
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
			running.Wait()
			return nil
		}
		if errors.Is(err, chain.ErrMalformed) {
			complain("a spawner sent a packet that is too long")
			<-slots
			continue
		}
		if err != nil {
			running.Wait()
			return err
		}
		packet := bytes.Clone(b)
		running.Go(func() {
			defer func() { <-slots }()
			w.handle(packet, fds)
		})
	}
}

// note writes a line to the log.
func note(format string, a ...any) {
	fmt.Fprintf(writer(2), prog+": "+format+"\n", a...)
}

// complain writes a line about something amiss.
func complain(format string, a ...any) { note("warning: "+format, a...) }

// handle does one delivery and answers it, however it ends.
func (w *worker) handle(packet []byte, fds []int) {
	serial, j, err := w.parse(string(packet), fds)
	if serial == "" {
		complain("%v", err)
		return
	}
	if err != nil {
		w.answer(serial, exit.Temporary, "Internal error: "+err.Error()+". (#4.3.0)\n")
		return
	}
	type result struct {
		code int
		text string
	}
	done := make(chan result, 1)
	go func() {
		defer j.msg.Close()
		r := &report{limit: w.limits.report}
		j.out, j.err = r, r
		code := guarded(j)
		done <- result{code, r.String()}
	}()
	timer := time.NewTimer(w.limits.delivery)
	defer timer.Stop()
	select {
	case r := <-done:
		w.answer(serial, r.code, r.text)
	case <-timer.C: // a file system that hangs keeps its goroutine, not our slot
		w.answer(serial, exit.Temporary, "Delivery took too long. (#4.3.0)\n")
	}
}

// guarded runs a delivery; a bug in it must not take the others along.
func guarded(j *job) (code int) {
	defer func() {
		if p := recover(); p != nil {
			complain("panic: %v\n%s", p, debug.Stack())
			io.WriteString(j.err, "Internal error. (#4.3.0)\n")
			code = exit.Temporary
		}
	}()
	return j.run()
}

func (w *worker) answer(serial string, code int, text string) {
	letter, ok := letters[code]
	if !ok {
		letter = letters[exit.Temporary]
	}
	if err := w.link.Send([]byte(serial + "\x00" + letter + text)); err != nil {
		complain("delivery %s: cannot answer %s: %v", serial, letter, err)
	}
}

// parse reads a packet: serial, flags, eight arguments, key=value…, each ended by
// NUL. It owns the descriptors: the job has the message, the rest is closed.
func (w *worker) parse(packet string, fds []int) (serial string, j *job, err error) {
	defer func() {
		for i, fd := range fds {
			if i > 0 || err != nil {
				unix.Close(fd)
			}
		}
	}()
	fields := strings.Split(packet, "\x00")
	serial = fields[0]
	if _, err := strconv.ParseUint(serial, 10, 64); err != nil {
		return "", nil, fmt.Errorf("a packet of %d bytes has no serial", len(packet))
	}
	const fixed = 2 + words
	if len(fields) < fixed+1 || fields[len(fields)-1] != "" {
		return serial, nil, fmt.Errorf("a packet has %d fields", len(fields))
	}
	if len(fds) == 0 {
		return serial, nil, errors.New("a packet came without its message")
	}
	j = &job{office: w.office, limits: w.limits, again: slices.Contains(strings.Split(fields[1], ","), "again")}
	if !j.arguments(fields[2:fixed]) {
		return serial, nil, fmt.Errorf("home %q is not a full path", fields[3])
	}
	if err := j.params(fields[fixed : len(fields)-1]); err != nil {
		return serial, nil, err
	}
	j.msg = os.NewFile(uintptr(fds[0]), "message")
	j.progIn = j.ownCopy
	return serial, j, nil
}

// params reads key=value strings; unknown keys are for others.
func (j *job) params(pairs []string) error {
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		ok := true
		var err error
		switch key {
		case "id":
			j.id, ok = mailid.Parse(value)
		case "rcpt":
			j.rcpt, err = strconv.Atoi(value)
			ok = err == nil && j.rcpt >= 0
		}
		if !ok {
			return fmt.Errorf("parameter %q", p)
		}
	}
	return nil
}

// ownCopy is the message as a program's descriptor 0: with an offset of its own,
// which the one that came may share with other deliveries.
func (j *job) ownCopy() (*os.File, error) {
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", j.msg.Fd()))
	if err == nil {
		return f, nil
	}
	fd, err := unix.MemfdCreate("message", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f = os.NewFile(uintptr(fd), "message")
	_, err = io.Copy(f, io.NewSectionReader(j.msg, 0, 1<<62))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// tooLong is what qmail-lspawn says of a report that it cuts.
const tooLong = "\nError report too long, sorry.\n"

// report keeps the first bytes of what a delivery and its programs say.
type report struct {
	mu    sync.Mutex
	limit int
	text  []byte
	cut   bool
}

func (r *report) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keep := min(len(p), r.limit-len(r.text))
	r.text = append(r.text, p[:keep]...)
	r.cut = r.cut || keep < len(p)
	return len(p), nil
}

func (r *report) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		return string(r.text) + tooLong
	}
	return string(r.text)
}
