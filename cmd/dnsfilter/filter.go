// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"

	"quill/internal/dnsprint"
)

// pieceSize is the longest line that is held whole; a longer one goes on in
// pieces.
const pieceSize = 64 << 10

// line is a line, or a piece of one, on its way from input to output.
type line struct {
	left, right []byte
	middle      string // goes between them
	done        chan struct{}
}

// filter looks addresses up.
type filter struct {
	lookup func(netip.Addr) (string, error)
	six    bool
	busy   chan struct{} // a place for each question under way
	ahead  chan *line    // read and not yet written
}

func newFilter(lookup func(netip.Addr) (string, error), queries, lines int, six bool) *filter {
	return &filter{lookup: lookup, six: six, busy: make(chan struct{}, queries), ahead: make(chan *line, lines-1)}
}

// run copies lines in their order, with names. Questions go on while lines
// wait for the ones before them.
func (f *filter) run(in io.Reader, out io.Writer) error {
	failed := make(chan error, 1)
	go func() { failed <- f.read(in) }()
	if err := f.write(out); err != nil {
		return err
	}
	return <-failed
}

// read starts what input asks for.
func (f *filter) read(in io.Reader) error {
	defer close(f.ahead)
	r := bufio.NewReaderSize(in, pieceSize)
	for start := true; ; {
		piece, err := r.ReadSlice('\n')
		if len(piece) > 0 {
			l := f.split(slices.Clone(piece), start)
			f.ahead <- l
			start = err == nil
		}
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// split divides a line after its first word, and asks for its name where that
// is an address.
func (f *filter) split(piece []byte, start bool) *line {
	l := &line{left: piece, done: make(chan struct{})}
	if start {
		if at := bytes.IndexAny(piece, " \t\n"); at >= 0 {
			l.left, l.right = piece[:at], piece[at:]
		}
	}
	ip, ok := f.address(string(l.left))
	if !start || !ok {
		close(l.done)
		return l
	}
	f.busy <- struct{}{}
	go func() {
		name, err := f.lookup(ip)
		<-f.busy
		l.middle = middle(name, err)
		close(l.done)
	}()
	return l
}

// address reads a word that begins with an address of IPv4, or is one of IPv6.
func (f *filter) address(word string) (netip.Addr, bool) {
	if ip, _, ok := dnsprint.IP4(word); ok {
		return ip, true
	}
	if !f.six {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(word)
	return ip, err == nil && ip.Is6()
}

// middle is what goes after the address.
func middle(name string, err error) string {
	switch {
	case errors.Is(err, dnsprint.ErrProto):
		return "=:protocol-error"
	case err != nil:
		return ":" + strings.ReplaceAll(err.Error(), " ", "-")
	case name != "":
		return "=" + name
	}
	return ""
}

// write puts lines out in their order, and does not hold them back while it
// waits for others.
func (f *filter) write(out io.Writer) error {
	w := bufio.NewWriter(out)
	for l := range f.ahead {
		select {
		case <-l.done:
		default:
			if err := w.Flush(); err != nil {
				return err
			}
			<-l.done
		}
		w.Write(l.left)
		w.WriteString(l.middle)
		if _, err := w.Write(l.right); err != nil {
			return err
		}
		if len(f.ahead) == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}
