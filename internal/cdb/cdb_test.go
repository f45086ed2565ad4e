// SPDX-License-Identifier: ISC

package cdb

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// build makes a database file of these pairs.
func build(t testing.TB, pairs [][2]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.cdb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := NewWriter(f)
	for _, p := range pairs {
		if err := w.Put([]byte(p[0]), []byte(p[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRoundTrip(t *testing.T) {
	pairs := [][2]string{{"", "empty key"}, {"one", "1"}, {"two", "2"}, {"one", "first again"}, {"empty", ""}}
	for i := range 5000 {
		pairs = append(pairs, [2]string{fmt.Sprint("key", i), fmt.Sprint("value", i)})
	}
	m, err := Open(build(t, pairs))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := make(map[string][]string)
	for _, p := range pairs {
		want[p[0]] = append(want[p[0]], p[1])
	}
	for k, vals := range want {
		var got []string
		if err := m.Each([]byte(k), func(v []byte) bool { got = append(got, string(v)); return true }); err != nil || fmt.Sprint(got) != fmt.Sprint(vals) {
			t.Fatalf("Each(%q) = %q, %v; want %q", k, got, err, vals)
		}
	}
	if _, ok, err := m.Value([]byte("three")); ok || err != nil {
		t.Errorf("Value(three) = %v, %v; want none", ok, err)
	}
	n := 0
	if err := m.All(func(k, v []byte) bool {
		if pairs[n][0] != string(k) || pairs[n][1] != string(v) {
			t.Fatalf("record %d = %q %q; want %q", n, k, v, pairs[n])
		}
		n++
		return true
	}); err != nil || n != len(pairs) {
		t.Errorf("All: %d records, %v; want %d", n, err, len(pairs))
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	os.WriteFile(short, make([]byte, headerSize-1), 0o600)
	for _, path := range []string{short, filepath.Join(dir, "none"), dir} {
		if m, err := Open(path); err == nil {
			m.Close()
			t.Errorf("Open(%s) = nil error; want one", path)
		}
	}
}

// FuzzMap: any bytes give values or ErrCorrupt, never a panic or an endless
// search.
func FuzzMap(f *testing.F) {
	b, err := os.ReadFile(build(f, [][2]string{{"one", "1"}, {"two", "2"}, {"one", "3"}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, []byte("one"))
	f.Fuzz(func(t *testing.T, b, key []byte) {
		m, err := FromBytes(b)
		if err != nil {
			return
		}
		m.Each(key, func([]byte) bool { return true })
		n := 0
		m.All(func(k, v []byte) bool { n++; return n < 1000 })
	})
}
