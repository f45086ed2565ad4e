// SPDX-License-Identifier: ISC

package lull

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestLull: memory is given back once after a burst, when it has become quiet,
// and not because of few sessions.
func TestLull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var freed atomic.Int64
		l := &Lull{free: func() { freed.Add(1) }}
		count := func(n int) {
			for range n {
				l.Count()
			}
		}
		at := func(what string, d time.Duration, want int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if freed.Load() != int64(want) {
				t.Errorf("%s: given back %d times; want %d", what, freed.Load(), want)
			}
		}
		count(burst - 1)
		at("few sessions", 10*quiet, 0)
		count(1)
		at("just after a burst", quiet-1, 0)
		count(1)
		at("while it is not quiet", quiet-1, 0)
		at("in the lull", 1, 1)
		at("after it", 10*quiet, 1)
		count(burst - 1)
		at("few again", 10*quiet, 1)
		count(10 * burst)
		at("the lull after a second burst", quiet, 2)
		at("and no more", 10*quiet, 2)
	})
}

// TestZero: the zero value gives the process's memory back.
func TestZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Lull
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range burst {
			l.Count()
		}
		time.Sleep(quiet)
		synctest.Wait()
		if runtime.ReadMemStats(&after); after.NumForcedGC == before.NumForcedGC {
			t.Error("after a burst no memory was given back")
		}
	})
}
