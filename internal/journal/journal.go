// SPDX-License-Identifier: ISC

// Package journal writes a program's log lines to one descriptor: at once where
// somebody may have to act, gathered for a moment where they only tell what
// went on, so that a busy program does not pay a system call a line. Lines keep
// their order.
package journal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// maxHeld is how many bytes are gathered at most.
const maxHeld = 16 << 10

// Journal is a log. Its methods may be called from many goroutines.
type Journal struct {
	w      io.Writer
	prefix string
	delay  time.Duration

	mu    sync.Mutex
	held  []byte
	timed bool // a timer will flush
}

// New makes a log on w whose lines begin with prefix; what is gathered goes out
// after delay at the latest, at once where that is 0.
func New(w io.Writer, prefix string, delay time.Duration) *Journal {
	return &Journal{w: w, prefix: prefix, delay: delay}
}

// Now writes a line, and before it what was gathered.
func (j *Journal) Now(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.add(format, args)
	j.write()
}

// Soon gathers a line.
func (j *Journal) Soon(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.add(format, args)
	j.later()
}

// later has what is held written soon. It runs with the lock held.
func (j *Journal) later() {
	switch {
	case len(j.held) > maxHeld, j.delay == 0:
		j.write()
	case !j.timed:
		j.timed = true
		time.AfterFunc(j.delay, func() {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.timed = false
			j.write()
		})
	}
}

// Write gathers whole lines, which get no prefix, or writes them where there is
// no delay: so a Journal can be a program's log that wants an io.Writer.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = append(j.held, p...)
	j.later()
	return len(p), nil
}

// Flush writes what was gathered.
func (j *Journal) Flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write()
}

func (j *Journal) add(format string, args []any) {
	j.held = append(fmt.Appendf(append(j.held, j.prefix...), format, args...), '\n')
}

// write runs with the lock held. A log that cannot be written is nobody's to
// tell.
func (j *Journal) write() {
	if len(j.held) > 0 {
		j.w.Write(j.held)
		j.held = j.held[:0]
	}
}
