// SPDX-License-Identifier: ISC

package dnsdaemon

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"quill/internal/dnswire"
)

const (
	logRoom  = 1 << 20              // bytes of lines that wait for a reader who is slow
	logEvery = 5 * time.Millisecond // between writes: lines of the meantime go out together
	logGrace = time.Second          // for the last lines
)

// logger writes lines in a goroutine of its own, so that a reader who has stopped
// does not stop the answers. Lines that have no room are counted and lost.
type logger struct {
	prog string
	w    io.Writer
	wake chan struct{}

	mu      sync.Mutex // guards what follows
	waiting []byte
	lost    int
	writing bool
}

func newLogger(prog string, w io.Writer) *logger {
	return &logger{prog: prog, w: w, wake: make(chan struct{}, 1)}
}

// put takes a line.
func (l *logger) put(line []byte) {
	l.mu.Lock()
	if len(l.waiting)+len(line) <= logRoom {
		l.waiting = append(l.waiting, line...)
	} else {
		l.lost++
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

// run writes lines for ever.
func (l *logger) run() {
	var out []byte
	for range l.wake {
		l.mu.Lock()
		out, l.waiting, l.writing = l.waiting, out[:0], true
		if l.lost > 0 {
			out = fmt.Appendf(out, "%s: warning: lines of the log lost as nobody read it: %d\n", l.prog, l.lost)
			l.lost = 0
		}
		l.mu.Unlock()
		l.w.Write(out)
		l.mu.Lock()
		l.writing = false
		l.mu.Unlock()
		time.Sleep(logEvery)
	}
}

// end waits until the last lines are written, if somebody reads them.
func (l *logger) end() {
	for until := time.Now().Add(logGrace); time.Now().Before(until); time.Sleep(time.Millisecond) {
		l.mu.Lock()
		done := len(l.waiting) == 0 && !l.writing
		l.mu.Unlock()
		if done {
			return
		}
	}
}

// logLine is djb's: address, port and id in hexadecimal, status, type, name.
func logLine(from netip.AddrPort, q *dnswire.Query, status byte) []byte {
	b := hex.AppendEncode(make([]byte, 0, 128), from.Addr().Unmap().AsSlice())
	for _, n := range []uint16{from.Port(), q.ID} {
		b = append(b, ':')
		b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, n))
	}
	b = append(b, ' ', status, ' ')
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint16(nil, q.Type))
	return append(append(append(b, ' '), dnswire.Text(q.Name)...), '\n')
}
