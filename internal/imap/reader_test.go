// SPDX-License-Identifier: ISC

package imap

import (
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// client is a Reader over fixed bytes that counts continuations.
type client struct {
	*Reader
	conts int
}

func newClient(in string, loggedIn bool) *client {
	c := &client{}
	c.Reader = NewReader(strings.NewReader(in), func(string) error { c.conts++; return nil })
	c.LoggedIn = loggedIn
	return c
}

// script reads all of in and writes what came as one line each.
func script(c *client) []string {
	var out []string
	for {
		cmd, err := c.Next()
		var e *Error
		switch {
		case errors.Is(err, io.EOF):
			return out
		case errors.As(err, &e):
			line := e.Tag + " " + e.Status
			if e.Code != "" {
				line += " [" + e.Code + "]"
			}
			if e.Close {
				return append(out, line+" close")
			}
			out = append(out, line)
		case err != nil:
			return append(out, err.Error())
		default:
			out = append(out, cmd.Tag+" "+cmd.Name)
		}
	}
}

func TestReader(t *testing.T) {
	big := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name, in string
		after    bool
		want     string
		conts    int
	}{
		{"two commands", "a NOOP\r\nb noop\r\n", false, "a NOOP|b NOOP", 0},
		{"LF alone", "a NOOP\nb NOOP\n", false, "a NOOP|b NOOP", 0},
		{"no end", "a NOOP\r\nb NO", false, "a NOOP|unexpected EOF", 0},
		// RFC 9051 §4.3 and §7.6
		{"literals", "A001 LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man\r\nb NOOP\r\n", false, "A001 LOGIN|b NOOP", 2},
		// RFC 7888 §3
		{"LITERAL+", "A001 LOGIN {11+}\r\nFRED FOOBAR {7+}\r\nfat man\r\nb NOOP\r\n", false, "A001 LOGIN|b NOOP", 0},
		{"bad command, literal on its way", "a FOO {6+}\r\nb NOOP bar {3+}\r\nx\r\n\r\nc NOOP\r\n", false, "a BAD|c NOOP", 0},
		{"bad command, literal not sent", "a FOO {6}\r\nb NOOP\r\n", false, "a BAD|b NOOP", 0},
		{"literal without its line's end", "a LOGIN {1+}\r\nu", false, "unexpected EOF", 0},
		{"literal cut off", "a LOGIN {5+}\r\nu", false, "unexpected EOF", 0},
		{"empty literal", "a LOGIN {0+}\r\n {0+}\r\n\r\n", false, "a LOGIN", 0},
		{"literal inside the line", "a LOGIN {1+}x y\r\nb NOOP\r\n", false, "a BAD|b NOOP", 0},
		{"LITERAL- at its limit", "a CREATE {4096+}\r\n" + big[:4096] + "\r\nb NOOP\r\n", true, "a NO [CANNOT]|b NOOP", 0},
		{"LITERAL- beyond it", "a CREATE {4097+}\r\n" + big[:4097] + "\r\nb NOOP\r\n", true, "a BAD [TOOBIG]|b NOOP", 0},
		{"empty line", "\r\na NOOP\r\n", false, " BAD|a NOOP", 0},
		{"before login", "a SELECT inbox\r\nb NOOP\r\n", false, "a BAD|b NOOP", 0},
		{"after login", "a LOGIN a b\r\n", true, "a BAD", 0},
		{"junk", "a NOOP x\r\nb NOOP \r\nc  NOOP\r\n d NOOP\r\ne UID\r\nf UID NOOP\r\n", true, "a BAD|b BAD|c BAD| BAD|e BAD|f BAD", 0},
		{"tag alone", "a\r\nDONE\r\n", true, "a BAD|DONE BAD", 0},
		{"bad, many literals", "a FOO {1+}\r\n" + strings.Repeat("x {1+}\r\n", maxSkips-1) + "x\r\nb NOOP\r\n", false, "a BAD|b NOOP", 0},
		{"bad, too many literals", "a FOO {1+}\r\n" + strings.Repeat("x {1+}\r\n", maxSkips) + "x\r\nb NOOP\r\n", false, "a BAD close", 0},
		{"bad, many literals large", "a FOO {600+}\r\n" + big[:600] + " {600+}\r\n", false, "a BAD close", 0},
	} {
		cl := newClient(c.in, c.after)
		if got := strings.Join(script(cl), "|"); got != c.want || cl.conts != c.conts {
			t.Errorf("%s: %s, %d continuations; want %s, %d", c.name, got, cl.conts, c.want, c.conts)
		}
	}
}

// TestAhead: what follows a command in the same packet is kept for who has the
// connection next, and still there to be read.
func TestAhead(t *testing.T) {
	c := newClient("a LOGIN u p\r\nb NOOP\r\n", false)
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	if got := string(c.Ahead()); got != "b NOOP\r\n" || c.Buffered() != len(got) {
		t.Errorf("Ahead() = %q, Buffered() = %d; want all of b NOOP", got, c.Buffered())
	}
	if cmd, err := c.Next(); err != nil || cmd.Tag != "b" {
		t.Fatalf("after Ahead: %v, %v; want b", cmd, err)
	}
	if got := c.Ahead(); len(got) != 0 {
		t.Errorf("Ahead() = %q at the end; want nothing", got)
	}
}

// TestIM1 announces literals too large, before login and after.
func TestIM1(t *testing.T) {
	for _, c := range []struct {
		in    string
		after bool
		want  string
	}{
		{"a LOGIN {4294967295}\r\nb NOOP\r\n", false, "a BAD [TOOBIG]|b NOOP"},
		{"a LOGIN {99999999999999999999}\r\nb NOOP\r\n", false, "a BAD [TOOBIG]|b NOOP"},
		{"a LOGIN {1000000+}\r\nxxxx", false, "a BAD [TOOBIG] close"},
		{"a LOGIN {99999999999999999999+}\r\nxxxx", false, "a BAD [TOOBIG] close"},
		{"a FOO {1000000+}\r\nxxxx", false, "a BAD close"},
		{"a LOGIN {1024+}\r\n" + strings.Repeat("u", 1024) + " p\r\nb NOOP\r\n", false, "a LOGIN|b NOOP"},
		{"a LOGIN {1025}\r\nb NOOP\r\n", false, "a BAD [TOOBIG]|b NOOP"},
		{"a LOGIN {1000+}\r\n" + strings.Repeat("u", 1000) + " {25}\r\nb NOOP\r\n", false, "a BAD [TOOBIG]|b NOOP"},
		{"a DELETE {65537}\r\nb NOOP\r\n", true, "a BAD [TOOBIG]|b NOOP"},
		{"a DELETE {67108865+}\r\nb NOOP\r\n", true, "a BAD [TOOBIG] close"},
	} {
		cl := newClient(c.in, c.after)
		if got := strings.Join(script(cl), "|"); got != c.want {
			t.Errorf("%.40q: %s; want %s", c.in, got, c.want)
		}
		if c.after && cl.conts > 0 {
			t.Errorf("%.40q: leave was given", c.in)
		}
	}
}

// TestIM1Slow: a literal takes memory as its bytes come, not when announced.
func TestIM1Slow(t *testing.T) {
	cl := newClient("", true)
	cl.Reset(io.MultiReader(strings.NewReader("a SEARCH TEXT {65536}\r\nxx"), iotest.ErrReader(io.ErrClosedPipe)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := cl.Next()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<10 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("two bytes of 64 KiB: %d bytes taken, error %v", got, err)
	}
}

// TestIM8 sends strings, atoms and tags with bytes that may not be there.
func TestIM8(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a DELETE \"x\x00y\"\r\n", "a BAD"},
		{"a DELETE \"x\ry\"\r\n", "a BAD"},
		{"a DELETE \"x\ny\"\r\n", "a BAD| BAD"}, // y" is a tag's place
		{"a DELETE \"x\r\n", "a BAD"},
		{"a DELETE \"x\\\r\n", "a BAD"},
		{"a DELETE \"x\\n\"\r\n", "a BAD"},
		{"a DELETE \"x\"y\r\n", "a BAD"},
		{"a DELETE \"\xff\"\r\n", "a BAD"},
		{"a DELETE x\xc3\xbc\r\n", "a BAD"},
		{"a DELETE x\x7f\r\n", "a BAD"},
		{"a DELETE {3+}\r\nx\x00y\r\nb NOOP\r\n", "a BAD|b NOOP"},
		{"+ NOOP\r\n", " BAD"}, {"* NOOP\r\n", " BAD"}, {"a+ NOOP\r\n", " BAD"}, {"(a) NOOP\r\n", " BAD"}, {"\xff NOOP\r\n", " BAD"},
		{strings.Repeat("t", 4096) + " NOOP\r\n", " BAD"},
		{strings.Repeat("t", maxTag+1) + " NOOP\r\n", " BAD"},
		{strings.Repeat("t", maxTag) + " NOOP\r\n", strings.Repeat("t", maxTag) + " NOOP"},
		{"a] NOOP\r\n", "a] NOOP"},
	} {
		if got := strings.Join(script(newClient(c.in, true)), "|"); got != c.want {
			t.Errorf("%.40q: %s; want %s", c.in, got, c.want)
		}
	}
}

// TestLineLimits goes to the edge of every limit on lines.
func TestLineLimits(t *testing.T) {
	id := func(n int) string { return "a LOGIN u " + strings.Repeat("x", n-len("a LOGIN u ")) + "\r\n" }
	search := func(n int) string { return "a SEARCH TEXT " + strings.Repeat("x", n-len("a SEARCH TEXT ")) + "\r\n" }
	for _, c := range []struct {
		name, in string
		after    bool
		want     string
	}{
		{"before", id(lineBefore), false, "a LOGIN|z NOOP"},
		{"before, one more", id(lineBefore + 1), false, "a BAD [TOOBIG]|z NOOP"},
		{"before, two more", id(lineBefore + 2), false, "a BAD [TOOBIG]|z NOOP"},
		{"before, far more", id(overBefore + 8192), false, "a BAD [TOOBIG] close"},
		{"after", search(lineAfter), true, "a SEARCH|z NOOP"},
		{"after, one more", search(lineAfter + 1), true, "a BAD [TOOBIG]|z NOOP"},
		{"after, far more", search(overAfter + 8192), true, "a BAD [TOOBIG] close"},
		{"in pieces", "a SEARCH TEXT {1+}\r\nx TEXT " + strings.Repeat("x", lineAfter), true, "unexpected EOF"},
		{"in pieces, ended", "a SEARCH TEXT {1+}\r\nx TEXT " + strings.Repeat("x", lineAfter) + "\r\n", true, "a BAD [TOOBIG]|z NOOP"},
		{"too long, with a literal", strings.TrimSuffix(search(lineAfter+1), "\r\n") + " {8+}\r\nq NOOP\r\n\r\n", true, "a BAD [TOOBIG]|z NOOP"},
	} {
		in := c.in
		if strings.HasSuffix(in, "\n") {
			in += "z NOOP\r\n"
		}
		if got := strings.Join(script(newClient(in, c.after)), "|"); got != c.want {
			t.Errorf("%s: %s; want %s", c.name, got, c.want)
		}
	}
}

// TestIM3 nests as deep as a line allows.
func TestIM3(t *testing.T) {
	deep := func(s string, n int) string { return "a SEARCH " + strings.Repeat(s, n) }
	for _, c := range []struct{ in, want string }{
		{deep("(", 1_000_000), "a BAD [TOOBIG]"},
		{deep("(", 60_000), "a BAD"},
		{deep("NOT ", 15_000) + "ALL", "a BAD"},
		{deep("OR ", 20_000) + "ALL", "a BAD"},
		{deep("OR ALL ", 9_000) + "ALL", "a BAD"},
		{deep("NOT ", maxDepth-1) + "ALL", "a SEARCH"},
		{deep("NOT ", maxDepth) + "ALL", "a BAD"},
		{deep("(", maxDepth/2-1) + "ALL" + strings.Repeat(")", maxDepth/2-1), "a SEARCH"},
		{deep("(", maxDepth/2) + "ALL" + strings.Repeat(")", maxDepth/2), "a BAD"},
		{deep("ALL ", maxKeys-1) + "ALL", "a SEARCH"},
		{deep("ALL ", maxKeys) + "ALL", "a BAD"},
		{"a FETCH 1 " + strings.Repeat("(", 60_000), "a BAD"},
		{"a STORE 1 FLAGS " + strings.Repeat("(", 60_000), "a BAD"},
		{"a LIST " + strings.Repeat("(", 60_000), "a BAD"},
	} {
		if got := strings.Join(script(newClient(c.in+"\r\nz NOOP\r\n", true)), "|"); got != c.want+"|z NOOP" {
			t.Errorf("%.40q: %s; want %s", c.in, got, c.want)
		}
	}
	for _, in := range []string{"a SEARCH " + strings.Repeat("(", 8000), "a ID " + strings.Repeat("(", 8000), strings.Repeat("(", 8000)} {
		if got := script(newClient(in+"\r\nz NOOP\r\n", false)); len(got) != 2 || !strings.HasSuffix(got[0], " BAD") || got[1] != "z NOOP" {
			t.Errorf("before login, %.20q: %q; want BAD", in, got)
		}
	}
}

// TestLine reads what is no command.
func TestLine(t *testing.T) {
	cl := newClient("a IDLE\r\nDONE\r\n"+strings.Repeat("x", lineBefore+1)+"\r\nb NOOP\r\n", true)
	if c, err := cl.Next(); err != nil || c.Name != "IDLE" {
		t.Fatalf("Next = %v, %v; want IDLE", c, err)
	}
	if l, err := cl.Line(); err != nil || string(l) != "DONE" {
		t.Errorf("Line = %q, %v; want DONE", l, err)
	}
	if l, err := cl.Line(); !errors.As(err, new(*Error)) {
		t.Errorf("long Line = %d bytes, %v; want an Error", len(l), err)
	}
	if c, err := cl.Next(); err != nil || c.Name != "NOOP" {
		t.Errorf("Next = %v, %v; want NOOP", c, err)
	}
}

// TestWait: waiting may time out and be tried again.
func TestWait(t *testing.T) {
	cl := newClient("", true)
	cl.Reset(io.MultiReader(strings.NewReader("a IDLE\r\n"), &late{in: strings.NewReader("DONE\r\n")}))
	if c, err := cl.Next(); err != nil || c.Name != "IDLE" {
		t.Fatalf("Next = %v, %v; want IDLE", c, err)
	}
	if err := cl.Wait(); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("Wait = %v; want a time-out", err)
	}
	if err := cl.Wait(); err != nil {
		t.Errorf("Wait again = %v; want none", err)
	}
	if l, err := cl.Line(); err != nil || string(l) != "DONE" {
		t.Errorf("Line = %q, %v; want DONE", l, err)
	}
	if err := cl.Wait(); !errors.Is(err, io.EOF) {
		t.Errorf("Wait at the end = %v; want EOF", err)
	}
}

// late times out once.
type late struct {
	in   io.Reader
	once bool
}

func (l *late) Read(b []byte) (int, error) {
	if !l.once {
		l.once = true
		return 0, iotest.ErrTimeout
	}
	return l.in.Read(b)
}

// TestBuffered: what came with STARTTLS is seen and can be dropped.
func TestBuffered(t *testing.T) {
	cl := newClient("a STARTTLS\r\nb LOGIN u p\r\n", false)
	if c, err := cl.Next(); err != nil || c.Name != "STARTTLS" {
		t.Fatalf("Next = %v, %v", c, err)
	}
	if got, want := cl.Buffered(), len("b LOGIN u p\r\n"); got != want {
		t.Errorf("Buffered = %d; want %d", got, want)
	}
	cl.Reset(strings.NewReader("c NOOP\r\n"))
	if got := strings.Join(script(cl), "|"); got != "c NOOP" {
		t.Errorf("after Reset: %s; want c NOOP", got)
	}
}

// TestNumbers: no number wraps.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		in   string
		top  uint64
		want uint64
		ok   bool
	}{
		{"0", 10, 0, true}, {"10", 10, 10, true}, {"11", 10, 0, false}, {"", 10, 0, false}, {"1x", 10, 0, false},
		{"4294967295", math.MaxUint32, math.MaxUint32, true}, {"4294967296", math.MaxUint32, 0, false},
		{"9223372036854775807", math.MaxInt64, math.MaxInt64, true}, {"9223372036854775808", math.MaxInt64, 0, false},
		{"18446744073709551615", math.MaxUint64, math.MaxUint64, true}, {"18446744073709551616", math.MaxUint64, 0, false},
		{"000000000000000000000000000001", 10, 1, true},
	} {
		if got, ok := number([]byte(c.in), c.top); ok != c.ok || ok && got != c.want {
			t.Errorf("number(%q, %d) = %d, %v; want %d, %v", c.in, c.top, got, ok, c.want, c.ok)
		}
	}
}
