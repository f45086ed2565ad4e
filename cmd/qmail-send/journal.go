// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"os"
	"sync"
)

// journal is the log on descriptor 2. While the sender has work it gathers
// lines, and they go out in one write before it waits.
type journal struct {
	mu      sync.Mutex
	lines   []byte
	holding bool
}

// maxHeld is how much is gathered at most.
const maxHeld = 16 << 10

var lines journal

// logf writes one line of qmail-log's grammar.
func logf(format string, args ...any) {
	lines.mu.Lock()
	defer lines.mu.Unlock()
	lines.lines = append(fmt.Appendf(lines.lines, format, args...), '\n')
	if !lines.holding || len(lines.lines) > maxHeld {
		lines.write()
	}
}

// hold begins to gather.
func (j *journal) hold() {
	j.mu.Lock()
	j.holding = true
	j.mu.Unlock()
}

// flush writes what was gathered, and gathers no more.
func (j *journal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.holding = false
	j.write()
}

func (j *journal) write() {
	if len(j.lines) > 0 {
		os.Stderr.Write(j.lines)
		j.lines = j.lines[:0]
	}
}
