// SPDX-License-Identifier: ISC

package dnsdata

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"quill/internal/dnswire"
)

// Why a line cannot be added.
var (
	ErrHostUsed = errors.New("host name already used")
	ErrIPUsed   = errors.New("IP address already used")
	ErrTooMany  = errors.New("too many records for that domain")
)

// ErrWrite wraps what went wrong in writing the new file.
var ErrWrite = errors.New("unable to write")

// servers is how many name servers or mail exchangers of a domain get letters.
const servers = 26

// Addition is a line to be added to a data file.
type Addition struct {
	Kind   byte    // . & = + or @
	Domain []byte  // wire form
	IP     [4]byte // of the host
}

// ParseIP reads an address as data lines have it: numbers count modulo 256, what
// follows does not.
func ParseIP(s string) (ip [4]byte, ok bool) { return ip4([]byte(s)) }

// addition is one at work.
type addition struct {
	Addition
	sub   string          // ns or mx
	names [servers][]byte // a.ns.domain to z.ns.domain
	used  [servers]bool
	ttl   uint64
	f     [10][]byte
}

// Copy copies the lines of in to out and adds one. Servers get the first letter
// that is free, and the ttl of the domain's last one. The errors are ErrProtocol
// for a name that is too long, ErrRead, ErrWrite, and those above; what is
// copied until then stays.
func (a Addition) Copy(in io.Reader, out io.Writer) error {
	w := &addition{Addition: a, ttl: ttlPositive}
	if err := w.letters(); err != nil {
		return err
	}
	for l := (lines{in: bufio.NewReaderSize(in, 64<<10)}); ; {
		text, last, err := l.whole()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRead, err)
		}
		if last && len(text) > 0 {
			text = append(bytes.Clone(text), '\n')
		}
		if _, err := out.Write(text); err != nil {
			return fmt.Errorf("%w: %w", ErrWrite, err)
		}
		if err := w.look(trim(text)); err != nil {
			return err
		}
		if last {
			break
		}
	}
	line, err := w.line()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, line); err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return nil
}

// letters makes the names that servers may get.
func (w *addition) letters() error {
	switch w.Kind {
	case '.', '&':
		w.sub, w.ttl = "ns", ttlNS
	case '@':
		w.sub = "mx"
	default:
		return nil
	}
	for i := range w.names {
		name, ok := appendName(nil, []byte(string(rune('a'+i))+"."+w.sub+"."+dnswire.Text(w.Domain)))
		if !ok {
			return ErrProtocol
		}
		w.names[i] = name
	}
	return nil
}

// look looks at a line that is there for what it leaves free.
func (w *addition) look(text []byte) error {
	if len(text) == 0 || text[0] != w.Kind || w.Kind == '+' {
		return nil
	}
	split(w.f[:], text[1:])
	name, ok := appendName(nil, w.f[0])
	if !ok {
		return ErrProtocol
	}
	same := equalNames(name, w.Domain)
	switch {
	case w.Kind == '=' && same:
		return ErrHostUsed
	case w.Kind == '=':
		if ip, ok := ip4(w.f[1]); ok && ip == w.IP {
			return ErrIPUsed
		}
		return nil
	case !same:
		return nil
	}
	return w.server()
}

// server notes the letter and the ttl of a server that the domain has.
func (w *addition) server() error {
	x, ttl, dflt := w.f[2], w.f[3], uint64(ttlNS)
	if w.Kind == '@' {
		ttl, dflt = w.f[4], ttlPositive
	}
	if bytes.IndexByte(x, '.') < 0 {
		x = bytes.Join([][]byte{x, []byte(w.sub), w.f[0]}, []byte("."))
	}
	name, ok := appendName(nil, x)
	if !ok {
		return ErrProtocol
	}
	w.ttl = number(ttl, dflt)
	for i, n := range w.names {
		if equalNames(name, n) {
			w.used[i] = true
			break
		}
	}
	return nil
}

func equalNames(a, b []byte) bool { return bytes.Equal(appendLower(nil, a), appendLower(nil, b)) }

// line is the line to add.
func (w *addition) line() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%c%s:%d.%d.%d.%d", w.Kind, dnswire.Text(w.Domain), w.IP[0], w.IP[1], w.IP[2], w.IP[3])
	if w.sub != "" {
		i := 0
		for i < servers && w.used[i] {
			i++
		}
		if i == servers {
			return "", ErrTooMany
		}
		fmt.Fprintf(&b, ":%c", 'a'+i)
		if w.Kind == '@' {
			b.WriteByte(':')
		}
	}
	fmt.Fprintf(&b, ":%d\n", w.ttl)
	return b.String(), nil
}

// ParseName reads a name as data lines have it, into wire form; false where it
// is too long.
func ParseName(s string) (name []byte, ok bool) { return appendName(nil, []byte(s)) }
