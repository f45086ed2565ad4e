// SPDX-License-Identifier: ISC

package cdb

import (
	"encoding/binary"
	"errors"
	"io"
)

// ErrTooBig says that the database would pass 4 GiB.
var ErrTooBig = errors.New("cdb too big: at most 4 GiB")

const (
	block      = 8192       // what djb's programs write at a time
	bufferSize = 16 * block // what we do
	chunk      = 1024       // slots that are kept together
)

// Writer makes a database. It keeps 8 bytes a record in memory; keys and values
// go out as they come.
type Writer struct {
	out   io.WriteSeeker
	buf   []byte
	pos   uint64
	slots [256]slots
	begun bool // the header's place is written
	err   error
}

// slots are the records of one table, in order.
type slots struct {
	full [][]slot
	last []slot
}

type slot struct{ hash, pos uint32 }

// NewWriter begins a database in out, which is empty.
func NewWriter(out io.WriteSeeker) *Writer {
	return &Writer{out: out, pos: headerSize}
}

// Put adds a record; several may have the same key. It keeps neither key nor
// val.
func (w *Writer) Put(key, val []byte) error {
	if w.err != nil {
		return w.err
	}
	next := w.pos + 8 + uint64(len(key)) + uint64(len(val))
	if next >= 1<<32 {
		w.err = ErrTooBig
		return w.err
	}
	h := Hash(key)
	w.slots[h&255].add(slot{h, uint32(w.pos)})
	w.pair(uint32(len(key)), uint32(len(val)))
	w.write(key)
	w.write(val)
	w.pos = next
	return w.err
}

func (s *slots) add(one slot) {
	if len(s.last) == chunk {
		s.full = append(s.full, s.last)
		s.last = make([]slot, 0, chunk)
	}
	s.last = append(s.last, one)
}

func (s *slots) len() int { return len(s.full)*chunk + len(s.last) }

// Finish writes the tables and the header; it does not sync or close.
func (w *Writer) Finish() error {
	var header [headerSize]byte
	var t []slot
	for i := range w.slots {
		n := 2 * w.slots[i].len()
		if w.pos+uint64(n)*8 >= 1<<32 && w.err == nil {
			w.err = ErrTooBig
		}
		binary.LittleEndian.PutUint32(header[i*8:], uint32(w.pos))
		binary.LittleEndian.PutUint32(header[i*8+4:], uint32(n))
		t = w.slots[i].table(t)
		for _, s := range t {
			w.pair(s.hash, s.pos)
		}
		w.pos += uint64(n) * 8
	}
	w.flush(len(w.buf))
	if w.err == nil && w.begun {
		_, w.err = w.out.Seek(0, io.SeekStart)
	}
	if w.err == nil {
		_, w.err = w.out.Write(header[:])
	}
	return w.err
}

// Abandon leaves in the file of a database that is given up what djb's programs
// would have written of it: whole blocks, without a header.
func (w *Writer) Abandon() {
	if n := len(w.buf); n > 0 {
		w.flush((n - 1) / block * block)
	}
}

// table is the open-addressed hash table of these slots, twice their number, in
// the memory of t where that has room.
func (s *slots) table(t []slot) []slot {
	n := 2 * s.len()
	if cap(t) < n {
		t = make([]slot, n+n/8)
	}
	t = t[:n]
	clear(t)
	for _, c := range s.full {
		place(t, c)
	}
	place(t, s.last)
	return t
}

func place(t, slots []slot) {
	for _, s := range slots {
		at := int(s.hash>>8) % len(t)
		for t[at].pos != 0 {
			if at++; at == len(t) {
				at = 0
			}
		}
		t[at] = s
	}
}

func (w *Writer) pair(a, b uint32) {
	var n [8]byte
	binary.LittleEndian.PutUint32(n[:], a)
	binary.LittleEndian.PutUint32(n[4:], b)
	w.write(n[:])
}

// write gathers b; a full buffer goes out when more comes.
func (w *Writer) write(b []byte) {
	for len(b) > bufferSize-len(w.buf) && w.err == nil {
		n := bufferSize - len(w.buf)
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
		w.flush(bufferSize)
	}
	if w.err == nil {
		w.buf = append(w.buf, b...)
	}
}

// flush writes the first n bytes of the buffer, after the header's place.
func (w *Writer) flush(n int) {
	if !w.begun && n > 0 && w.err == nil {
		w.begun = true
		_, w.err = w.out.Write(make([]byte, headerSize))
	}
	if w.err == nil && n > 0 {
		_, w.err = w.out.Write(w.buf[:n])
		w.buf = w.buf[:copy(w.buf, w.buf[n:])]
	}
}
