// SPDX-License-Identifier: ISC

// Package lull has a resident program give memory back when it has become quiet
// after many sessions: the heap that hundreds at once have needed is of no use
// to those that idle.
package lull

import (
	"runtime/debug"
	"sync"
	"time"
)

// So many sessions begun or ended make a burst; the lull after it is when none
// has for so long.
const (
	burst = 200
	quiet = 500 * time.Millisecond
)

// Lull waits for the lull after each burst. The zero value does, with many
// goroutines.
type Lull struct {
	mu    sync.Mutex
	count int // since the last lull
	last  time.Time
	free  func() // nil: debug.FreeOSMemory
}

// Count counts a session that begins or ends.
func (l *Lull) Count() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	l.last = time.Now()
	if l.count == burst {
		l.await(quiet)
	}
}

func (l *Lull) await(d time.Duration) { time.AfterFunc(d, l.look) }

// look gives memory back, or waits on.
func (l *Lull) look() {
	l.mu.Lock()
	left := quiet - time.Since(l.last)
	if left > 0 {
		l.await(left)
	} else {
		l.count = 0
	}
	free := l.free
	l.mu.Unlock()
	switch {
	case left > 0:
	case free != nil:
		free()
	default:
		debug.FreeOSMemory()
	}
}
