// SPDX-License-Identifier: ISC

package schedule

import (
	"testing"
	"time"
)

// TestUndisturbed: the tries of a message that always fails: the first ones by
// number, 79 local and 40 remote ones within the default lifetime, the last
// after 608400 s.
func TestUndisturbed(t *testing.T) {
	birth := time.Unix(1795479833, 0)
	for _, c := range []struct {
		name  string
		step  int
		first []int
		tries int
	}{{"local", Local, []int{0, 100, 400, 900, 1600}, 79}, {"remote", Remote, []int{0, 400, 1600, 3600, 6400}, 40}} {
		now, n := birth, 0
		for {
			if age := int(now.Sub(birth) / time.Second); n < len(c.first) && age != c.first[n] {
				t.Errorf("%s try %d after %d s; want %d", c.name, n, age, c.first[n])
			}
			n++
			if Expired(birth, now, DefaultLifetime) {
				break
			}
			now = Next(birth, now, c.step)
		}
		if last := int(now.Sub(birth) / time.Second); n != c.tries || last != 608400 {
			t.Errorf("%s: %d tries, the last after %d s; want %d and 608400", c.name, n, last, c.tries)
		}
	}
}

// TestClockJumps: whatever the clock does, the next try is at most one step
// ahead.
func TestClockJumps(t *testing.T) {
	birth := time.Unix(1795479833, 0)
	year := 365 * 24 * time.Hour
	for _, jump := range []time.Duration{-10 * year, 10 * year, -time.Second, 0} {
		now := birth.Add(jump)
		next := Bound(birth.Add(20*year), birth, now, Remote)
		age := max(0, now.Sub(birth).Seconds())
		if ahead := next.Sub(now).Seconds(); ahead < 0 || ahead > 400+41*(1+2*sqrt(age)) {
			t.Errorf("clock jumps by %v: next try %v s ahead", jump, ahead)
		}
	}
}

func sqrt(x float64) float64 {
	r := x / 2
	for range 100 {
		if r > 0 {
			r = (r + x/r) / 2
		}
	}
	return r
}
