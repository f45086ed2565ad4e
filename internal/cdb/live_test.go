// SPDX-License-Identifier: ISC

package cdb

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// put makes a database of one record at path, by rename.
func put(t *testing.T, path, key, val string) {
	t.Helper()
	f, err := os.Create(path + ".tmp")
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(f)
	if err := errors.Join(w.Put([]byte(key), []byte(val)), w.Finish(), f.Close(), os.Rename(path+".tmp", path)); err != nil {
		t.Fatal(err)
	}
}

// TestLive: a replaced file is seen at once by Current, and by Recent when Fresh
// has passed; one that is gone is an error.
func TestLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdb")
	l := NewLive(path)
	l.Fresh = time.Hour
	value := func(how func(func(*Map) error) error) string {
		got := "?"
		err := how(func(m *Map) error {
			v, _, err := m.Value([]byte("k"))
			got = string(v)
			return err
		})
		if err != nil {
			return err.Error()
		}
		return got
	}
	recent := func(fn func(*Map) error) error {
		_, err := l.Recent(fn)
		return err
	}
	if err := l.Current(func(*Map) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Current of no file = %v; want %v", err, os.ErrNotExist)
	}
	if got := value(recent); got != "?" {
		t.Errorf("Recent of no file called fn: %q", got)
	}
	put(t, path, "k", "one")
	if got := value(l.Current); got != "one" {
		t.Errorf("Current = %q; want one", got)
	}
	put(t, path, "k", "another")
	if got := value(recent); got != "one" {
		t.Errorf("Recent = %q; want one, as it was a moment ago", got)
	}
	if got := value(l.Current); got != "another" {
		t.Errorf("Current = %q; want another", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if got := value(l.Current); got != "another" {
		t.Errorf("Current after Close = %q; want another", got)
	}
}
