// SPDX-License-Identifier: ISC

package logindoor

import (
	"sync"
	"time"

	"quill/internal/ucspi"
)

// nudgeEach is how often clients are bid to go: a dialogue may just be setting
// a time of its own.
const nudgeEach = 100 * time.Millisecond

// waiting is the clients that have not logged in yet.
type waiting struct {
	mu    sync.Mutex
	conns map[*ucspi.Stream]bool
}

// add is for a client until remove is called.
func (w *waiting) add(conn *ucspi.Stream) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		w.conns = make(map[*ucspi.Stream]bool)
	}
	w.conns[conn] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.conns, conn)
	}
}

// nudge has their time be up.
func (w *waiting) nudge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.conns {
		conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// end is the end of the service: no login will come, and who has not logged in is
// to go. It goes on until the process ends.
func (d *Door) end() {
	d.next.End()
	go func() {
		for {
			d.waiting.nudge()
			time.Sleep(nudgeEach)
		}
	}()
}
