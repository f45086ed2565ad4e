// SPDX-License-Identifier: ISC

package cdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// ErrTooBig says that the database would pass 4 GiB.
var ErrTooBig = errors.New("cdb too big: at most 4 GiB")

// Writer makes a database.
type Writer struct {
	out   io.WriteSeeker
	w     *bufio.Writer
	pos   uint64
	slots [256][]slot
	err   error
}

type slot struct{ hash, pos uint32 }

// NewWriter begins a database in out, which is at its start.
func NewWriter(out io.WriteSeeker) *Writer {
	w := &Writer{out: out, w: bufio.NewWriterSize(out, 64<<10), pos: headerSize}
	_, w.err = w.w.Write(make([]byte, headerSize))
	return w
}

// Put adds a record; several may have the same key.
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
	w.slots[h&255] = append(w.slots[h&255], slot{h, uint32(w.pos)})
	w.pair(uint32(len(key)), uint32(len(val)))
	w.write(key)
	w.write(val)
	w.pos = next
	return w.err
}

// Finish writes the tables and the header; it does not sync or close.
func (w *Writer) Finish() error {
	var header [headerSize]byte
	for i := range w.slots {
		n := 2 * len(w.slots[i])
		if w.pos+uint64(n)*8 >= 1<<32 && w.err == nil {
			w.err = ErrTooBig
		}
		binary.LittleEndian.PutUint32(header[i*8:], uint32(w.pos))
		binary.LittleEndian.PutUint32(header[i*8+4:], uint32(n))
		for _, s := range table(w.slots[i]) {
			w.pair(s.hash, s.pos)
		}
		w.pos += uint64(n) * 8
	}
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if w.err == nil {
		_, w.err = w.out.Seek(0, io.SeekStart)
	}
	if w.err == nil {
		_, w.err = w.out.Write(header[:])
	}
	return w.err
}

// table is the open-addressed hash table of these slots, twice their number.
func table(slots []slot) []slot {
	t := make([]slot, 2*len(slots))
	for _, s := range slots {
		at := int(s.hash>>8) % len(t)
		for t[at].pos != 0 {
			if at++; at == len(t) {
				at = 0
			}
		}
		t[at] = s
	}
	return t
}

func (w *Writer) pair(a, b uint32) {
	var n [8]byte
	binary.LittleEndian.PutUint32(n[:], a)
	binary.LittleEndian.PutUint32(n[4:], b)
	w.write(n[:])
}

func (w *Writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}
