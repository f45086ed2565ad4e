// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quill/internal/dnsclient"
	"quill/internal/dnsprint"
)

// names is a lookup without a network.
func names(ip netip.Addr) (string, error) {
	switch ip.String() {
	case "1.2.3.4", "2001:db8::1":
		return "host.example", nil
	case "1.2.3.5":
		return "", dnsclient.ErrTimeout
	case "1.2.3.6":
		return "", dnsprint.ErrProto
	}
	return "", nil
}

func filtered(t *testing.T, f *filter, in string) string {
	t.Helper()
	var out bytes.Buffer
	if err := f.run(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		six      bool
		in, want string
	}{
		{false, "", ""},
		{false, "\n\n", "\n\n"},
		{false, "1.2.3.4\n", "1.2.3.4=host.example\n"},
		{false, "1.2.3.4", "1.2.3.4=host.example"},
		{false, "1.2.3.4 a 1.2.3.4\n", "1.2.3.4=host.example a 1.2.3.4\n"},
		{false, "1.2.3.4\ta b\n", "1.2.3.4=host.example\ta b\n"},
		{false, "1.2.3.4:25 a\n", "1.2.3.4:25=host.example a\n"},
		{false, "1.2.3.5 a\n", "1.2.3.5:timed-out a\n"},
		{false, "1.2.3.6 a\n", "1.2.3.6=:protocol-error a\n"},
		{false, "1.2.3.7 a\nname\n 1.2.3.4\n\x00\xff\x1b\n", "1.2.3.7 a\nname\n 1.2.3.4\n\x00\xff\x1b\n"},
		{false, "2001:db8::1 a\n", "2001:db8::1 a\n"},
		{true, "2001:db8::1 a\n1.2.3.4 b\n::ffff:1.2.3.4\n2001:db8::1x\n", "2001:db8::1=host.example a\n1.2.3.4=host.example b\n::ffff:1.2.3.4\n2001:db8::1x\n"},
	} {
		for _, n := range []int{1, 2, 1000} {
			if got := filtered(t, newFilter(names, n, n, c.six), c.in); got != c.want {
				t.Errorf("filter %q by %d = %q; want %q", c.in, n, got, c.want)
			}
		}
	}
}

// TestLongLine: a line longer than what is held goes through unchanged, and is
// a line still.
func TestLongLine(t *testing.T) {
	for _, n := range []int{pieceSize - 1, pieceSize, pieceSize + 1, 3*pieceSize + 7} {
		long := "1.2.3.4 " + strings.Repeat("1.2.3.4 ", n/8+1)[:n] + "\n"
		if got, want := filtered(t, newFilter(names, 2, 2, false), long+"1.2.3.4\n"+long), "1.2.3.4=host.example "+long[8:]; got != want+"1.2.3.4=host.example\n"+want {
			t.Errorf("a line of %d bytes comes back with %d", len(long), len(got))
		}
	}
}

// TestParallel: as many questions as allowed at once, no more; lines come out
// in their order, though answers do not.
func TestParallel(t *testing.T) {
	const queries = 7
	var now, most atomic.Int32
	lookup := func(ip netip.Addr) (string, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Duration(ip.As4()[3]%5) * time.Millisecond)
		return "h" + ip.String(), nil
	}
	var in, want strings.Builder
	for i := range 250 {
		fmt.Fprintf(&in, "10.0.0.%d x\n", i)
		fmt.Fprintf(&want, "10.0.0.%d=h10.0.0.%d x\n", i, i)
	}
	if got := filtered(t, newFilter(lookup, queries, 1000, false), in.String()); got != want.String() {
		t.Errorf("lines came out of order, or not as they are:\n%.300s", got)
	}
	if most.Load() != queries {
		t.Errorf("%d questions at once; want %d", most.Load(), queries)
	}
}

// TestAtOnce: a line that is done is not held back until more input comes.
func TestAtOnce(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- newFilter(names, 1, 10, false).run(inR, outW) }()
	for range 3 {
		if _, err := inW.Write([]byte("1.2.3.4 a\n")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, _ := io.ReadAtLeast(outR, b, len("1.2.3.4=host.example a\n"))
		if got := string(b[:n]); got != "1.2.3.4=host.example a\n" {
			t.Errorf("%q came; want the line", got)
		}
	}
	inW.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestTrouble: input that fails and output that nobody takes are errors.
func TestTrouble(t *testing.T) {
	wrong := errors.New("wrong")
	r, w := io.Pipe()
	w.CloseWithError(wrong)
	if err := newFilter(names, 1, 1, false).run(r, io.Discard); !errors.Is(err, wrong) {
		t.Errorf("input that fails: %v", err)
	}
	r, w = io.Pipe()
	r.CloseWithError(wrong)
	if err := newFilter(names, 1, 1, false).run(strings.NewReader("a\nb\n"), w); !errors.Is(err, wrong) {
		t.Errorf("output that fails: %v", err)
	}
}

func TestBounded(t *testing.T) {
	for in, want := range map[string]int{"0": 1, "": 1, "x": 1, "7": 7, "1000": 1000, "1001": 1000, "99999999999": 1000, "-5": 1} {
		if got := bounded(in, maxQueries); got != want {
			t.Errorf("bounded(%q) = %d; want %d", in, got, want)
		}
	}
}
