// SPDX-License-Identifier: ISC

package mime

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"quill/internal/racetest"
)

// depth is how deep parts lie in parts, and n how many there are.
func depth(p *Part) (deep, n int) {
	for _, q := range append(p.Parts[:len(p.Parts):len(p.Parts)], p.Message) {
		if q != nil {
			d, m := depth(q)
			deep, n = max(deep, d), n+m
		}
	}
	return deep + 1, n + 1
}

// nestedMultiparts is n multiparts in each other, the innermost with a text.
func nestedMultiparts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%d-\n\n--%d-\n", i, i)
	}
	return b.String() + "\nx\n"
}

// TestNesting holds the depth of attacks.md MI1 at its edge.
func TestNesting(t *testing.T) {
	message := func(n int) string { return strings.Repeat("Content-Type: message/rfc822\n\n", n) + "\nx\n" }
	for _, c := range []struct {
		name  string
		make  func(int) string
		n     int
		deep  int
		inner string
	}{
		{"multiparts", nestedMultiparts, maxDepth - 1, maxDepth, "text"},
		{"multiparts", nestedMultiparts, maxDepth, maxDepth, "application"},
		{"multiparts", nestedMultiparts, 100000, maxDepth, "application"},
		{"messages", message, maxDepth - 1, maxDepth, "text"},
		{"messages", message, maxDepth, maxDepth, "application"},
		{"messages", message, 100000, maxDepth, "application"},
	} {
		p := parse(t, c.make(c.n))
		deep, _ := depth(p)
		for len(p.Parts) > 0 || p.Message != nil {
			if p.Message != nil {
				p = p.Message
			} else {
				p = p.Parts[0]
			}
		}
		if deep != c.deep || p.Type != c.inner {
			t.Errorf("%d %s: depth %d, innermost %s; want %d, %s", c.n, c.name, deep, p.Type, c.deep, c.inner)
		}
	}
}

// TestParts holds the number of parts of attacks.md MI1 at its edge: the last
// one takes all the rest.
func TestParts(t *testing.T) {
	const head, part = "Content-Type: multipart/mixed; boundary=b\n\n", "--b\n\nx\n"
	for _, c := range []struct {
		n, want int
		last    string
	}{{maxParts - 2, maxParts - 1, "text"}, {maxParts - 1, maxParts, "application"}, {1000000, maxParts, "application"}} {
		p := parse(t, head+strings.Repeat(part, c.n)+"--b--\n")
		_, n := depth(p)
		if last := p.Parts[len(p.Parts)-1]; n != c.want || last.Type != c.last {
			t.Errorf("%d parts: %d, the last %s; want %d, %s", c.n, n, last.Type, c.want, c.last)
		}
	}
	p := parse(t, strings.Replace(head, "mixed", "digest", 1)+strings.Repeat(part, maxParts))
	if _, n := depth(p); n != maxParts {
		t.Errorf("a digest of %d: %d parts; want %d", maxParts, n, maxParts)
	}
}

// TestBoundaries holds attacks.md MI1's boundaries, of which those of
// TestStructure are the others.
func TestBoundaries(t *testing.T) {
	for _, c := range []struct {
		boundary string
		parts    int
	}{
		{"", 0}, {"   ", 0}, {".*", 1}, {"(a|a)*$", 1}, {"--", 1}, {"a b", 1}, {"a b  ", 1},
		{strings.Repeat("x", 71), 1}, {strings.Repeat("x", maxBoundary), 1}, {strings.Repeat("x", maxBoundary+1), 0},
	} {
		line := "--" + strings.TrimRight(c.boundary, " ")
		p := parse(t, "Content-Type: multipart/mixed; boundary=\""+c.boundary+"\"\n\n"+line+"\n\nx\n"+line+"--\n")
		if len(p.Parts) != c.parts || (c.parts == 0) != p.Is("text", "plain") {
			t.Errorf("boundary %q: %s with %d parts; want %d", c.boundary, p.Type, len(p.Parts), c.parts)
		}
	}
}

// TestParams holds attacks.md MI2: many parameters, many pieces of one, and
// numbers that are none.
func TestParams(t *testing.T) {
	const head = "Content-Type: a/b"
	var pieces, names strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&pieces, ";\n a*%d=x", i)
		fmt.Fprintf(&names, ";\n a%d=x", i)
	}
	for _, c := range []struct {
		in    string
		n     int
		first Param
	}{
		{names.String(), maxParams, Param{"a0", "x"}},
		{pieces.String(), 1, Param{"a", strings.Repeat("x", maxParams)}},
		{strings.Repeat(";a*0=x", 1000), maxParams, Param{"a", "x"}},
		{"; name*999999999*=x", 1, Param{"name*999999999*", "x"}},
		{"; name*18446744073709551616=x", 1, Param{"name*18446744073709551616", "x"}},
		{"; name*-1=x; n*+0=y", 2, Param{"name*-1", "x"}},
		{"; *0=x; *=y", 2, Param{"*0", "x"}},
	} {
		p := parse(t, head+c.in+"\n\n")
		if len(p.Params) != c.n || p.Params[0] != c.first {
			t.Errorf("%.40q: %d parameters, first %.60q; want %d, %.60q", c.in, len(p.Params), p.Params[:1], c.n, c.first)
		}
	}
	part := "--b\nContent-Type: a/b" + strings.Repeat(";a=", maxParams) + "\n"
	p := parse(t, "Content-Type: multipart/mixed; boundary=b\n\n"+strings.Repeat(part, 1000))
	n := 0
	for _, q := range p.Parts {
		n += len(q.Params)
	}
	if n != maxAllParams-1 {
		t.Errorf("%d parameters in all; want %d", n, maxAllParams-1)
	}
}

// TestAddressLimits holds attacks.md MI3: many addresses in one field, in
// several, in many messages, and in a group.
func TestAddressLimits(t *testing.T) {
	list := strings.Repeat("a@b,\n ", 100000) + "z\n"
	for _, c := range []struct {
		in   string
		want int
	}{
		{"To: " + strings.Repeat("a@b,", maxAddrs) + "\n", maxAddrs},
		{"To: " + list, maxAddrs},
		{"To: " + list + "To: " + list, maxAddrs},
		{"To: g:" + list, maxAddrs + 1}, // the group is ended
	} {
		if got := len(parse(t, c.in).Envelope.To); got != c.want {
			t.Errorf("%d bytes of To: %d addresses; want %d", len(c.in), got, c.want)
		}
	}
	p := parse(t, strings.Repeat("Content-Type: message/rfc822\nTo: "+strings.Repeat("a,", maxAddrs)+"\n\n", 20))
	n := 0
	for ; p != nil; p = p.Message {
		n += len(p.Envelope.To)
	}
	if n != maxAllAddrs {
		t.Errorf("%d addresses in all; want %d", n, maxAllAddrs)
	}
}

// TestFieldLimits: of a long field its beginning is read; when all that may be
// read has been read, parts are of a type unknown.
func TestFieldLimits(t *testing.T) {
	p := parse(t, "Subject: "+strings.Repeat("x", maxField+10)+"\nDate: d\n\nbody")
	if got := len(p.Envelope.Subject.Value); got != maxField-1 || p.Envelope.Date.Value != "d" {
		t.Errorf("%d bytes of Subject, Date %q; want %d", got, p.Envelope.Date.Value, maxField-1)
	}
	long := strings.Repeat("x", maxField)
	p = parse(t, "Subject: "+long+"\nDate: "+long+"\nMessage-ID: "+long+"\nIn-Reply-To: "+long+"\nContent-Type: text/plain\n\nx\n")
	if !p.Is("application", "octet-stream") || p.Size != 3 {
		t.Errorf("type behind %d bytes of header: %s/%s", maxKept, p.Type, p.Subtype)
	}
}

// hostile are messages that grow with n (attacks.md MI1 to MI4, RS2).
var hostile = []struct {
	name string
	make func(n int) string
}{
	{"nested multiparts", func(n int) string { return nestedMultiparts(n / 50) }},
	{"nested messages", func(n int) string { return strings.Repeat("Content-Type: message/rfc822\n\n", n/30) }},
	{"lines like 90 boundaries", func(n int) string {
		return nestedMultiparts(90) + strings.Repeat("--"+strings.Repeat("8", 60)+"\n", n/63)
	}},
	{"parts", func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n", n/4)
	}},
	{"a line", func(n int) string { return "\n" + strings.Repeat("-", n) }},
	{"a header line", func(n int) string { return "Subject: " + strings.Repeat("x", n) }},
	{"header lines", func(n int) string { return strings.Repeat("To: a\n", n/6) }},
	{"continued lines", func(n int) string { return "To: a" + strings.Repeat("\n ,b", n/4) }},
	{"open comments", func(n int) string { return "To: " + strings.Repeat("(", n) }},
	{"comments", func(n int) string { return "To: " + strings.Repeat("(a)", n/3) }},
	{"groups", func(n int) string { return "To: " + strings.Repeat("a:", n/2) }},
	{"angles", func(n int) string { return "To: " + strings.Repeat("<", n) }},
	{"angles and ats", func(n int) string { return "To: " + strings.Repeat("<@", n/2) }},
	{"ats", func(n int) string { return "To: " + strings.Repeat("a@b ", n/4) }},
	{"a domain literal", func(n int) string { return "To: a@[" + strings.Repeat("1", n) }},
	{"quoted pairs", func(n int) string { return "To: \"" + strings.Repeat(`\"`, n/2) }},
	{"quotes", func(n int) string { return "To: " + strings.Repeat(`"`, n) }},
	{"pieces", func(n int) string { return "Content-Type: a/b" + strings.Repeat("; a*0=\"", n/7) }},
	{"semicolons", func(n int) string { return "Content-Type: a/b" + strings.Repeat(";", n) }},
	{"languages", func(n int) string { return "Content-Language: " + strings.Repeat("(,", n/2) }},
}

// TestLinear doubles hostile messages and holds the work against their size.
func TestLinear(t *testing.T) {
	work := func(msg string) int {
		p := &parser{in: borrow(strings.NewReader(msg))}
		if _, err := p.run(); err != nil {
			t.Fatal(err)
		}
		return p.steps
	}
	for _, c := range hostile {
		const n = 1 << 18
		one, two := work(c.make(n)), work(c.make(2*n))
		if two > 2*one+one/5 || one > 8*n {
			t.Errorf("%s: %d steps for %d bytes, %d for twice as many", c.name, one, n, two)
		}
	}
}

// TestMemory: a message of any size costs a bounded amount of memory, and what
// is told of it has a bounded size.
func TestMemory(t *testing.T) {
	const limit = 64 << 20
	for _, c := range hostile {
		msg := c.make(racetest.Fewer(8 << 20))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p, err := Parse(strings.NewReader(msg))
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > limit {
			t.Errorf("%s: %d bytes allocated; want at most %d", c.name, got, limit)
		}
		if got := len(p.AppendStructure(p.Envelope.Append(nil), true)); got > limit/2 {
			t.Errorf("%s: %d bytes of envelope and structure; want at most %d", c.name, got, limit/2)
		}
	}
}
