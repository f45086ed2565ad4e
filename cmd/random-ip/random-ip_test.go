// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// TestRun: how many addresses, what they begin with, and that none comes twice.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		args, prefix string
		want         int
	}{
		{"", "", 10000}, {"0", "", 0}, {"x", "", 0}, {"7", "", 7}, {"5x", "", 5},
		{"70000 10", "10.", 70000}, {"70000 10 1", "10.1.", 65536}, {"300 10 1 2", "10.1.2.", 256}, {"300 10 1 2 3", "10.1.2.3", 1},
		{"300 266 257 x 3 9 9", "10.1.0.3", 1}, {"0 10 1 2 3", "", 0},
	} {
		var out bytes.Buffer
		if err := run(strings.Fields(c.args), &out); err != nil {
			t.Fatal(err)
		}
		seen := make(map[netip.Addr]bool)
		for line := range strings.Lines(out.String()) {
			ip, err := netip.ParseAddr(strings.TrimSuffix(line, "\n"))
			if err != nil || !ip.Is4() || !strings.HasPrefix(line, c.prefix) || seen[ip] {
				t.Fatalf("random-ip %s prints %q: no address, not below %s, or there already", c.args, line, c.prefix)
			}
			seen[ip] = true
		}
		if len(seen) != c.want {
			t.Errorf("random-ip %s prints %d addresses; want %d", c.args, len(seen), c.want)
		}
	}
}

// TestRandom: two runs differ, and the order is no order.
func TestRandom(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(run([]string{"200", "10", "1"}, &a), run([]string{"200", "10", "1"}, &b)); err != nil {
		t.Fatal(err)
	}
	if a.String() == b.String() {
		t.Error("two runs print the same")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestFull(t *testing.T) {
	if run(nil, full{}) == nil {
		t.Error("output that fails: no error")
	}
}
