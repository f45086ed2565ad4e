// SPDX-License-Identifier: ISC

package dialog

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLine(t *testing.T) {
	const max = 20
	text := "EHLO x\r\n" + "bare\n" + "\r\n" + strings.Repeat("a", max-2) + "\r\n" + strings.Repeat("b", max-1) + "\r\n" + strings.Repeat("c", 100000) + "\r\n" + "a\rb\r\nlast"
	for _, in := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
		r := NewReader(in, []byte("NOOP\r\n"), max)
		for _, want := range []struct {
			line string
			err  error
		}{{"NOOP", nil}, {"EHLO x", nil}, {"bare", ErrBareLF}, {"", nil}, {strings.Repeat("a", max-2), nil}, {"", ErrTooLong}, {"", ErrTooLong}, {"a\rb", nil}, {"", io.ErrUnexpectedEOF}} {
			got, err := r.Line()
			if !errors.Is(err, want.err) || err != ErrTooLong && string(got) != want.line {
				t.Errorf("Line() = %q, %v; want %q, %v", got, err, want.line, want.err)
			}
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	r := NewReader(io.LimitReader(zeros{}, 64<<20), nil, 2048)
	if _, err := r.Line(); err != io.EOF {
		t.Errorf("Line of 64 MiB without LF = %v; want EOF", err)
	}
	if len(r.buf) > 8192 {
		t.Errorf("the buffer grew to %d bytes", len(r.buf))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestAhead(t *testing.T) {
	r := NewReader(strings.NewReader("PASS lab\r\nSTAT\r\n"), nil, 100)
	r.Line()
	if got := string(r.Ahead()); got != "STAT\r\n" || r.Buffered() != 6 {
		t.Errorf("Ahead() = %q, %d buffered; want STAT and 6", got, r.Buffered())
	}
}

func TestWriter(t *testing.T) {
	var out strings.Builder
	w := NewWriter(&out)
	w.Line("250 ", "ok")
	if out.Len() != 0 {
		t.Error("a reply went out before Flush")
	}
	if err := w.Flush(); err != nil || out.String() != "250 ok\r\n" {
		t.Errorf("after Flush: %q, %v", out.String(), err)
	}
}
