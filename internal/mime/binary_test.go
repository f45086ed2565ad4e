// SPDX-License-Identifier: ISC

package mime

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// checkBinary is done with every message that is parsed here: its binary form
// is read as what it was.
func checkBinary(t testing.TB, p *Part) {
	t.Helper()
	b := p.AppendBinary([]byte("x"))[1:]
	q, err := ParsePart(b)
	if err != nil {
		t.Fatalf("ParsePart of what AppendBinary wrote: %v", err)
	}
	if !reflect.DeepEqual(p, q) {
		t.Errorf("%d bytes of binary form: not what was written", len(b))
	}
}

// TestBinaryDamaged cuts a binary form everywhere, and changes each byte: an
// error, or what holds of every part.
func TestBinaryDamaged(t *testing.T) {
	b := parse(t, numbered).AppendBinary(nil)
	for i := range b {
		if p, err := ParsePart(b[:i]); err == nil {
			t.Fatalf("%d bytes of %d: %v; want an error", i, len(b), p)
		}
		for _, c := range []byte{0, 1, 0x7f, 0x80, 0xff, b[i] + 1} {
			d := bytes.Clone(b)
			d[i] = c
			if p, err := ParsePart(d); err == nil {
				sound(t, p, 0, maxOffset)
			}
		}
	}
	if _, err := ParsePart(append(b, 0)); err == nil {
		t.Error("a byte more is taken")
	}
}

// sound checks what ParsePart promises.
func sound(t testing.TB, p *Part, from, to int64) {
	t.Helper()
	if p.Header < from || p.Body < p.Header || p.End < p.Body || p.End > to {
		t.Fatalf("part from %d, %d to %d in one from %d to %d", p.Header, p.Body, p.End, from, to)
	}
	if head, body := p.Body-p.Header, p.End-p.Body; p.HeaderSize < head || p.HeaderSize > 2*head || p.Size < body || p.Size > 2*body || p.Lines < 0 {
		t.Fatalf("part of %d and %d bytes has sizes %d, %d and %d lines", head, body, p.HeaderSize, p.Size, p.Lines)
	}
	from = p.Body
	for _, q := range p.Parts {
		sound(t, q, from, p.End)
		from = q.End
	}
	if m := p.Message; m != nil {
		if m.Envelope == nil {
			t.Fatal("message without an envelope")
		}
		sound(t, m, p.Body, p.End)
	}
}

// TestBinaryLimits holds depth and number of parts at their edges.
func TestBinaryLimits(t *testing.T) {
	deep := func(n int) *Part {
		p := &Part{Type: "a", Subtype: "b"}
		for range n - 1 {
			p = &Part{Type: "a", Subtype: "b", Parts: []*Part{p}}
		}
		return p
	}
	many := func(n int) *Part {
		p := &Part{Type: "a", Subtype: "b"}
		for range n - 1 {
			p.Parts = append(p.Parts, &Part{Type: "a", Subtype: "b"})
		}
		return p
	}
	for _, c := range []struct {
		name string
		part *Part
		ok   bool
	}{
		{"deep", deep(maxDepth), true}, {"too deep", deep(maxDepth + 1), false}, {"very deep", deep(5000), false},
		{"many", many(maxParts), true}, {"too many", many(maxParts + 1), false},
		{"parameters", &Part{Type: "a", Subtype: "b", Params: make([]Param, maxAllParams)}, true},
		{"too many parameters", &Part{Type: "a", Subtype: "b", Params: make([]Param, maxAllParams+1)}, false},
		{"languages", &Part{Type: "a", Subtype: "b", Language: make([]string, maxLanguages)}, true},
		{"too many languages", &Part{Type: "a", Subtype: "b", Language: make([]string, maxLanguages+1)}, false},
		{"addresses", &Part{Type: "a", Subtype: "b", Envelope: &Envelope{To: make([]Address, maxAllAddrs+1)}}, true},
		{"too many addresses", &Part{Type: "a", Subtype: "b", Envelope: &Envelope{To: make([]Address, maxAllAddrs), Cc: make([]Address, 2)}}, false},
	} {
		if _, err := ParsePart(c.part.AppendBinary(nil)); (err == nil) != c.ok {
			t.Errorf("%s: %v; want %v", c.name, err, c.ok)
		}
	}
}

// TestBinaryMemory gives forms that announce more than they hold, and some that
// hold as many things as they can.
func TestBinaryMemory(t *testing.T) {
	const size = 64 << 10
	head := []byte("\x01a\x01b\x00\x00\x00\x00\x00\x00") // type, subtype, six numbers
	with := func(bits uint64, rest []byte) []byte {
		b := append(binary.AppendUvarint(nil, bits), head...)
		return append(append(b, rest...), make([]byte, size)...)
	}
	most := binary.AppendUvarint(nil, 50000)
	var parts []byte
	for range 5000 {
		parts = append(append(parts, 0), head...)
	}
	for _, b := range [][]byte{
		with(hasParams, most), with(hasParams|hasDispositionParams, binary.AppendUvarint(nil, size/2)), with(hasLanguage, most), with(hasParts, most),
		with(hasEnvelope, append(make([]byte, 4), most...)), with(hasEnvelope, append(make([]byte, 4), binary.AppendUvarint(nil, size/5)...)),
		with(hasParts, append(binary.AppendUvarint(nil, 5000), parts...)),
		bytes.Repeat([]byte{0xff}, size), bytes.Repeat(with(hasMessage, nil)[:12], size/12),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = ParsePart(b) // whatever it says
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > uint64(64*len(b)) {
			t.Errorf("%.20x: %d bytes allocated for %d", b, got, len(b))
		}
	}
}

func FuzzParsePart(f *testing.F) {
	for _, msg := range []string{numbered, rfc2049, "", "To: g:a@b;\nContent-Type: a/b; c=d\nContent-Language: de, en\n\nx"} {
		p, err := Parse(strings.NewReader(msg))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePart(b)
		if err != nil {
			return
		}
		sound(t, p, 0, maxOffset)
		p.AppendStructure(nil, true)
		if again := p.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Errorf("%x is read, and written as %x", b, again)
		}
	})
}
