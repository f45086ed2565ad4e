// SPDX-License-Identifier: ISC

package journal

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink counts writes.
type sink struct {
	mu     sync.Mutex
	text   strings.Builder
	writes int
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.text.Write(p)
}

func (s *sink) state() (string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.writes
}

// TestOrderAndWrites: gathered lines go out in one write, before a line that
// cannot wait, and by themselves after the delay.
func TestOrderAndWrites(t *testing.T) {
	s := &sink{}
	j := New(s, "p: ", time.Hour)
	j.Soon("a %d", 1)
	j.Soon("b")
	if text, n := s.state(); n != 0 {
		t.Errorf("written at once: %q", text)
	}
	j.Now("c %%")
	if text, n := s.state(); text != "p: a 1\np: b\np: c %\n" || n != 1 {
		t.Errorf("after Now: %q in %d writes", text, n)
	}
	fmt.Fprintf(j, "d\n")
	j.Flush()
	j.Flush()
	if text, n := s.state(); !strings.HasSuffix(text, "%\nd\n") || n != 2 {
		t.Errorf("after Flush: %q in %d writes", text, n)
	}
	for i := range maxHeld {
		j.Soon("line %d", i)
	}
	if text, n := s.state(); len(text) < maxHeld || n < 3 {
		t.Errorf("%d bytes after much was gathered, %d writes", len(text), n)
	}
}

// TestNoDelay: without a delay each line is written at once.
func TestNoDelay(t *testing.T) {
	s := &sink{}
	j := New(s, "p: ", 0)
	j.Soon("a")
	j.Soon("b")
	if text, n := s.state(); text != "p: a\np: b\n" || n != 2 {
		t.Errorf("%q in %d writes; want two", text, n)
	}
}

// TestDelay: a line goes out though nobody comes after it, and lines of many
// goroutines stay whole.
func TestDelay(t *testing.T) {
	s := &sink{}
	j := New(s, "", time.Millisecond)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 100 {
				j.Soon("%s", fmt.Sprintf("g%d line %d.", g, i))
			}
		}()
	}
	wg.Wait()
	end := time.Now().Add(5 * time.Second)
	for {
		text, _ := s.state()
		if strings.Count(text, "\n") == 800 {
			for line := range strings.Lines(text) {
				if !strings.HasPrefix(line, "g") || !strings.HasSuffix(line, ".\n") {
					t.Fatalf("line torn: %q", line)
				}
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of 800 lines after 5 s", strings.Count(text, "\n"))
		}
		time.Sleep(time.Millisecond)
	}
}
