// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"io"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"quill/internal/dnsanswer"
	"quill/internal/dnswire"
)

const (
	logRoom  = 1 << 20               // bytes of lines that wait for a reader who is slow
	logEvery = 5 * time.Millisecond  // between writes; lines of the meantime go out together
	logGrace = time.Second           // for the last lines
	logBatch = 50 * time.Millisecond // more than answers that were begun take to end
)

// logger writes lines in a goroutine of its own, so that a reader who has
// stopped does not stop the answers. Lines that have no room are counted.
type logger struct {
	w       io.Writer
	mu      sync.Mutex
	waiting []byte
	there   chan struct{}
	dropped atomic.Uint64
	idle    atomic.Bool // nothing waits and nothing is being written
}

func newLogger(w io.Writer) *logger {
	l := &logger{w: w, there: make(chan struct{}, 1)}
	l.idle.Store(true)
	return l
}

// put takes whole lines, or none of them.
func (l *logger) put(lines []byte, count uint64) {
	l.mu.Lock()
	fits := len(l.waiting)+len(lines) <= logRoom
	if fits {
		l.waiting = append(l.waiting, lines...)
		l.idle.Store(false)
	}
	l.mu.Unlock()
	if !fits {
		l.dropped.Add(count)
		return
	}
	select {
	case l.there <- struct{}{}:
	default:
	}
}

// write writes lines for ever.
func (l *logger) write() {
	var out []byte
	told := uint64(0)
	for range l.there {
		l.mu.Lock()
		out, l.waiting = l.waiting, out[:0]
		l.mu.Unlock()
		if n := l.dropped.Load(); n > told {
			out = append(out, prog+": warning: lines of the log lost as nobody read it: "+strconv.FormatUint(n-told, 10)+"\n"...)
			told = n
		}
		if _, err := l.w.Write(out); err != nil {
			l.dropped.Add(uint64(bytes.Count(out, []byte{'\n'})))
		}
		l.mu.Lock()
		l.idle.Store(len(l.waiting) == 0)
		l.mu.Unlock()
		time.Sleep(logEvery)
	}
}

// last waits until all lines are written, if somebody reads them.
func (l *logger) last() {
	for end := time.Now().Add(logGrace); !l.idle.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// line appends djb's: address, port and id in hexadecimal, status, type, name.
func line(b []byte, from netip.AddrPort, q *dnswire.Query, status dnsanswer.Status) []byte {
	if ip := from.Addr(); ip.Is4() {
		a := ip.As4()
		b = appendHex(b, a[:]...)
	} else {
		a := ip.As16()
		b = appendHex(b, a[:]...)
	}
	b = append(b, ':')
	b = appendHex(b, byte(from.Port()>>8), byte(from.Port()))
	b = append(b, ':')
	b = appendHex(b, byte(q.ID>>8), byte(q.ID))
	b = append(b, ' ', byte(status), ' ')
	b = appendHex(b, byte(q.Type>>8), byte(q.Type))
	return append(appendName(append(b, ' '), q.Name), '\n')
}

func appendHex(b []byte, n ...byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range n {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

// appendName writes a name of wire form: lower case, bytes but letters, digits,
// - and _ in octal.
func appendName(b, name []byte) []byte {
	if len(name) < 2 {
		return append(b, '.')
	}
	for first := true; len(name) > 1 && int(name[0]) < len(name); first = false {
		if !first {
			b = append(b, '.')
		}
		for _, c := range name[1 : 1+name[0]] {
			switch {
			case 'A' <= c && c <= 'Z':
				b = append(b, c+'a'-'A')
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_':
				b = append(b, c)
			default:
				b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			}
		}
		name = name[1+name[0]:]
	}
	return b
}
