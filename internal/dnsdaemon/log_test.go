// SPDX-License-Identifier: ISC

package dnsdaemon

import (
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quill/internal/dnswire"
)

func TestLogLine(t *testing.T) {
	for _, c := range []struct {
		from   string
		q      dnswire.Query
		status byte
		want   string
	}{
		{"192.0.2.1:53", dnswire.Query{ID: 0xab, Type: 255, Name: []byte("\x03Www\x01 \x00")}, '+', "c0000201:0035:00ab + 00ff www.\\040\n"},
		{"[::ffff:192.0.2.1]:4660", dnswire.Query{}, '/', "c0000201:1234:0000 / 0000 .\n"},
		{"[2001:db8::1]:65535", dnswire.Query{Type: 1, Name: []byte{0}}, '-', "20010db8000000000000000000000001:ffff:0000 - 0001 .\n"},
	} {
		if got := string(logLine(netip.MustParseAddrPort(c.from), &c.q, c.status)); got != c.want {
			t.Errorf("logLine(%s, %v) = %q; want %q", c.from, c.q, got, c.want)
		}
	}
}

// TestLogger: a reader who has stopped stops nobody; lines without room are lost,
// and counted when he reads again.
func TestLogger(t *testing.T) {
	r, w := io.Pipe()
	l := newLogger("prog", w)
	go l.run()
	line := []byte(strings.Repeat("x", 1023) + "\n")
	l.put(line)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		taken := l.writing
		l.mu.Unlock()
		if taken {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the first line is not written")
		}
	}
	for range logRoom/len(line) + 7 {
		l.put(line)
	}
	said := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		said <- string(b)
	}()
	l.end()
	w.Close()
	got := <-said
	if n := strings.Count(got, string(line)); n != 1+logRoom/len(line) {
		t.Errorf("%d lines; want %d", n, 1+logRoom/len(line))
	}
	if want := "\nprog: warning: lines of the log lost as nobody read it: 7\n"; !strings.HasSuffix(got, want) {
		t.Errorf("the log ends with %q; want %q", got[max(0, len(got)-100):], want)
	}
}
