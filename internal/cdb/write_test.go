// SPDX-License-Identifier: ISC

package cdb

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestAbandon: a database that is given up leaves whole blocks after the place
// of its header, and the last block only if more came.
func TestAbandon(t *testing.T) {
	for size, want := range map[int]int{0: 0, 8: 0, block: 0, block + 1: headerSize + block, 3*block + 5: headerSize + 3*block, 2*bufferSize + block: headerSize + 2*bufferSize, 2*bufferSize + block + 1: headerSize + 2*bufferSize + block} {
		f, err := os.Create(filepath.Join(t.TempDir(), "tmp"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w := NewWriter(f)
		if size > 0 {
			if err := w.Put(nil, bytes.Repeat([]byte("x"), size-8)); err != nil {
				t.Fatal(err)
			}
		}
		w.Abandon()
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if st.Size() != int64(want) {
			t.Errorf("%d bytes abandoned leave a file of %d; want %d", size, st.Size(), want)
		}
	}
}

// full is a disk that has room for so many bytes.
type full struct{ room int }

var errFull = errors.New("disk full")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func (f *full) Seek(int64, int) (int64, error) { return 0, nil }

// TestFull: wherever the disk ends, Finish or a Put before it says so.
func TestFull(t *testing.T) {
	for _, room := range []int{0, headerSize, headerSize + bufferSize, headerSize + 2*bufferSize + 100} {
		var w io.WriteSeeker = &full{room}
		db := NewWriter(w)
		var err error
		for i := range 30 {
			err = errors.Join(err, db.Put([]byte{byte(i)}, make([]byte, 10_000)))
		}
		if err = errors.Join(err, db.Finish()); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v; want %v", room, err, errFull)
		}
	}
}

// TestChunks: tables of more slots than are kept together.
func TestChunks(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(f)
	const n = 3*chunk + 1
	for i := range n {
		if err := w.Put([]byte("one key"), []byte{byte(i >> 8), byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Finish(), f.Close()); err != nil {
		t.Fatal(err)
	}
	m, err := Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	i := 0
	err = m.Each([]byte("one key"), func(v []byte) bool {
		if v[0] != byte(i>>8) || v[1] != byte(i) {
			t.Errorf("value %d is %x", i, v)
		}
		i++
		return true
	})
	if err != nil || i != n {
		t.Errorf("%d values, %v; want %d", i, err, n)
	}
}
