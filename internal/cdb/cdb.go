// SPDX-License-Identifier: ISC

// Package cdb reads and writes constant databases (Bernstein's cdb): a file of
// key and value records under 256 hash tables, made once and read by two
// look-ups. It promises never to panic and never to read beyond the bytes it
// was given, whatever they are. A file that another program shortens while it
// is mapped is beyond it: replace files by rename.
package cdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// headerSize is the bytes of the 256 pointers to tables.
const headerSize = 256 * 8

// ErrCorrupt says that offsets or lengths in the database point outside it.
var ErrCorrupt = errors.New("corrupt cdb")

// Map is a database open for reading. It may be read by many goroutines.
type Map struct {
	b      []byte
	mapped bool
}

// Open maps the database at path.
func Open(path string) (*Map, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() < headerSize || st.Size() >= 1<<32 || !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: %d bytes", path, ErrCorrupt, st.Size())
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: path, Err: err}
	}
	return &Map{b, true}, nil
}

// FromBytes reads a database that lies in memory; b must not change.
func FromBytes(b []byte) (*Map, error) {
	if len(b) < headerSize {
		return nil, ErrCorrupt
	}
	return &Map{b: b}, nil
}

// Close unmaps the database; values read from it are gone then.
func (m *Map) Close() error {
	if !m.mapped {
		return nil
	}
	b := m.b
	m.b, m.mapped = make([]byte, headerSize), false
	return unix.Munmap(b)
}

// Value is the first value of key. It is part of the database: do not change
// it.
func (m *Map) Value(key []byte) (val []byte, ok bool, err error) {
	err = m.Each(key, func(v []byte) bool {
		val, ok = v, true
		return false
	})
	return val, ok, err
}

// Each calls fn with each value of key, in the order they were put, until fn
// says false.
func (m *Map) Each(key []byte, fn func(val []byte) bool) error {
	h := Hash(key)
	table, slots := m.u32(uint64(h&255)*8), uint64(m.u32(uint64(h&255)*8+4))
	if slots == 0 {
		return nil
	}
	if uint64(table)+slots*8 > uint64(len(m.b)) {
		return ErrCorrupt
	}
	slot := uint64(h>>8) % slots
	for range slots {
		at := uint64(table) + slot*8
		pos := m.u32(at + 4)
		if pos == 0 {
			return nil
		}
		if m.u32(at) == h {
			k, v, _, err := m.record(uint64(pos))
			if err != nil {
				return err
			}
			if string(k) == string(key) && !fn(v) {
				return nil
			}
		}
		if slot++; slot == slots {
			slot = 0
		}
	}
	return nil
}

// All calls fn with each record in the order of the file, until fn says false.
func (m *Map) All(fn func(key, val []byte) bool) error {
	end := uint64(m.u32(0))
	for i := uint64(1); i < 256; i++ {
		end = min(end, uint64(m.u32(i*8)))
	}
	for pos := uint64(headerSize); pos < end; {
		k, v, next, err := m.record(pos)
		if err != nil {
			return err
		}
		if !fn(k, v) {
			return nil
		}
		pos = next
	}
	return nil
}

// record is the key and value at pos, and where the next record is.
func (m *Map) record(pos uint64) (key, val []byte, next uint64, err error) {
	size := uint64(len(m.b))
	if pos+8 > size {
		return nil, nil, 0, ErrCorrupt
	}
	k, v := uint64(m.u32(pos)), uint64(m.u32(pos+4))
	if pos+8+k+v > size {
		return nil, nil, 0, ErrCorrupt
	}
	return m.b[pos+8 : pos+8+k : pos+8+k], m.b[pos+8+k : pos+8+k+v : pos+8+k+v], pos + 8 + k + v, nil
}

// u32 reads the number at pos, which must lie inside.
func (m *Map) u32(pos uint64) uint32 { return binary.LittleEndian.Uint32(m.b[pos : pos+4]) }

// Hash is the hash function of cdb.
func Hash(key []byte) uint32 {
	h := uint32(5381)
	for _, c := range key {
		h = (h << 5) + h ^ uint32(c)
	}
	return h
}
