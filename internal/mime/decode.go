// SPDX-License-Identifier: ISC

package mime

import (
	"io"
	"strings"
)

// decoder undoes a transfer encoding byte by byte.
type decoder interface {
	// push appends to dst what the next byte b adds.
	push(dst []byte, b byte) []byte
	// end appends to dst what was held back.
	end(dst []byte) []byte
}

// Decode gives what r has in this Content-Transfer-Encoding, as it streams. What
// is no base64 or quoted-printable is passed over, or left as it is; it is no
// error. ok is false for an encoding that we do not know (RFC 3516 §4.3 has an
// answer for this); then the reader is r.
func Decode(r io.Reader, encoding string) (_ io.Reader, ok bool) {
	switch strings.ToLower(encoding) {
	case "", "7bit", "8bit", "binary":
		return r, true
	case "base64":
		return &stream{in: r, dec: &base64{}}, true
	case "quoted-printable":
		return &stream{in: r, dec: &quotedPrintable{}}, true
	}
	return r, false
}

// TextReader gives the text of a part whose body r reads, its encoding undone
// and in UTF-8: what SEARCH looks into. A charset that we do not know, and bytes
// that are no UTF-8 in one that says so, stay as they are.
func (p *Part) TextReader(r io.Reader) io.Reader {
	r, _ = Decode(r, p.Encoding)
	switch c := charsetOf(p.Param("charset")); c {
	case unknown, utf8ASCII:
		return r
	default:
		return &stream{in: r, dec: recoder(c)}
	}
}

// recoder makes UTF-8 of a charset of one byte a character.
type recoder charset

func (c recoder) push(dst []byte, b byte) []byte { return charset(c).appendUTF8(dst, []byte{b}) }
func (c recoder) end(dst []byte) []byte          { return dst }

// stream reads through a decoder.
type stream struct {
	in  io.Reader
	dec decoder
	buf [4096]byte
	out []byte // decoded
	at  int    // of which this much was read
	err error
}

// Read never gives an error together with bytes.
func (s *stream) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for s.at == len(s.out) {
		if s.err != nil {
			return 0, s.err
		}
		s.fill()
	}
	n := copy(b, s.out[s.at:])
	s.at += n
	return n, nil
}

func (s *stream) fill() {
	n, err := s.in.Read(s.buf[:])
	s.out, s.at, s.err = s.out[:0], 0, err
	if d, ok := s.dec.(*base64); ok {
		s.out = d.pushAll(s.out, s.buf[:n])
	} else {
		for _, c := range s.buf[:n] {
			s.out = s.dec.push(s.out, c)
		}
	}
	if err == io.EOF {
		s.out = s.dec.end(s.out)
	}
}

// base64 is RFC 2045 §6.8: other bytes are passed over, and '=' ends a group
// but not the text, for there are texts put together of several.
type base64 struct {
	bits uint32
	n    int // digits in bits
}

// notDigit is the value of what is no digit of base64.
const notDigit = 64

// base64Digits is the values of bytes.
var base64Digits = func() (t [256]byte) {
	for i := range t {
		t[i] = notDigit
	}
	for v, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(v)
	}
	return t
}()

// pushAll is push of each byte; whole groups at once, for a client may have
// 50 MB decoded again and again.
func (d *base64) pushAll(dst, b []byte) []byte {
	for len(b) > 0 {
		if d.n == 0 && len(b) >= 4 {
			v0, v1, v2, v3 := base64Digits[b[0]], base64Digits[b[1]], base64Digits[b[2]], base64Digits[b[3]]
			if v0|v1|v2|v3 < notDigit {
				dst = append(dst, v0<<2|v1>>4, v1<<4|v2>>2, v2<<6|v3)
				b = b[4:]
				continue
			}
		}
		dst = d.push(dst, b[0])
		b = b[1:]
	}
	return dst
}

func (d *base64) push(dst []byte, b byte) []byte {
	if b == '=' {
		return d.end(dst)
	}
	if b = base64Digits[b]; b == notDigit {
		return dst
	}
	d.bits = d.bits<<6 | uint32(b)
	if d.n++; d.n < 4 {
		return dst
	}
	d.n = 0
	return append(dst, byte(d.bits>>16), byte(d.bits>>8), byte(d.bits))
}

func (d *base64) end(dst []byte) []byte {
	switch d.n {
	case 2:
		dst = append(dst, byte(d.bits>>4))
	case 3:
		dst = append(dst, byte(d.bits>>10), byte(d.bits>>2))
	}
	d.n = 0
	return dst
}

// quotedPrintable is RFC 2045 §6.7. It holds back white space, which counts
// only if more of the line follows, and what comes after '='; maxHeld bounds it.
type quotedPrintable struct {
	held   []byte
	escape bool // held begins with '='
}

// maxHeld is more than a line of quoted-printable may have.
const maxHeld = 1000

func (d *quotedPrintable) push(dst []byte, b byte) []byte {
	if d.escape {
		return d.escaped(dst, b)
	}
	switch b {
	case '=':
		dst = append(dst, d.held...)
		d.held, d.escape = append(d.held[:0], b), true
		return dst
	case ' ', '\t', '\r':
		if len(d.held) == maxHeld {
			dst = append(dst, d.held...)
			d.held = d.held[:0]
		}
		d.held = append(d.held, b)
		return dst
	case '\n':
		if n := len(d.held); n > 0 && d.held[n-1] == '\r' {
			dst = append(dst, '\r')
		}
	default:
		dst = append(dst, d.held...)
	}
	d.held = d.held[:0]
	return append(dst, b)
}

// escaped takes a byte after '=': two digits, or a line break with white space
// before it; anything else is left as it is.
func (d *quotedPrintable) escaped(dst []byte, b byte) []byte {
	first := len(d.held) == 1
	switch hi, lo := unhex(d.held[len(d.held)-1]), unhex(b); {
	case b == '\n' && (first || hi < 0):
		d.held, d.escape = d.held[:0], false
		return dst
	case first && (lo >= 0 || blank(b)), blank(b) && hi < 0 && len(d.held) < maxHeld:
		d.held = append(d.held, b)
		return dst
	case len(d.held) == 2 && hi >= 0 && lo >= 0:
		d.held, d.escape = d.held[:0], false
		return append(dst, byte(hi<<4|lo))
	}
	dst = append(dst, d.held...)
	d.held, d.escape = d.held[:0], false
	return d.push(dst, b)
}

func blank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' }

// end drops white space and a '=' at the end, and keeps the beginning of digits.
func (d *quotedPrintable) end(dst []byte) []byte {
	if d.escape && len(d.held) == 2 && unhex(d.held[1]) >= 0 {
		dst = append(dst, d.held...)
	}
	d.held, d.escape = d.held[:0], false
	return dst
}

// unhex is the value of a digit, small letters allowed, or -1.
func unhex(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	}
	return -1
}
