// SPDX-License-Identifier: ISC

// Package spawn is the bytes that qmail-send, its spawners and their workers
// exchange: spawn(7). Numbers are decimal, fields end with NUL, and everything
// between qmail-send and a spawner travels in netstrings.
package spawn

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"quill/internal/mailid"
)

// Limits.
const (
	MaxNetstring = 64 << 10 // bytes of a netstring's content
	MaxReport    = 10000    // bytes of a delivery's report that are kept
)

// ErrMalformed says that bytes are none of spawn(7).
var ErrMalformed = errors.New("malformed delivery or report")

// Again is the flag of a delivery whose earlier outcome is unknown.
const Again = "again"

// Moved is how the report of a spawner begins that found no message at the
// place it was given.
const Moved = "Zmessage is not where it was"

// Crashed is how the report of a spawner begins whose worker died: what became
// of the delivery is not known.
const Crashed = "Zlocal-delivery crashed"

// Delivery is one recipient's, from qmail-send to a spawner.
type Delivery struct {
	Num       int
	ID        mailid.ID
	Again     bool
	Sender    string
	Recipient string
	Rcpt      int    // the recipient's number in its message
	At        string // SEGMENT:OFFSET:LENGTH, or
	File      string // the name of the message's own file
}

// Append appends the delivery as a netstring.
func (d *Delivery) Append(b []byte) []byte {
	flags := ""
	if d.Again {
		flags = Again
	}
	s := fmt.Sprintf("%d\x00%v\x00%s\x00%s\x00%s\x00rcpt=%d\x00", d.Num, d.ID, flags, d.Sender, d.Recipient, d.Rcpt)
	if d.File != "" {
		s += "file=" + d.File + "\x00"
	} else {
		s += "at=" + d.At + "\x00"
	}
	return AppendNetstring(b, s)
}

// ParseDelivery reads the content of a delivery's netstring.
func ParseDelivery(s string) (*Delivery, error) {
	f := strings.Split(s, "\x00")
	if len(f) < 6 || f[len(f)-1] != "" {
		return nil, ErrMalformed
	}
	num, err := strconv.Atoi(f[0])
	id, ok := mailid.Parse(f[1])
	if err != nil || num < 0 || !ok {
		return nil, ErrMalformed
	}
	d := &Delivery{Num: num, ID: id, Sender: f[3], Recipient: f[4]}
	for _, flag := range strings.Split(f[2], ",") {
		d.Again = d.Again || flag == Again
	}
	for _, kv := range f[5 : len(f)-1] {
		switch k, v, _ := strings.Cut(kv, "="); k {
		case "rcpt":
			if d.Rcpt, err = strconv.Atoi(v); err != nil || d.Rcpt < 0 {
				return nil, ErrMalformed
			}
		case "at":
			d.At = v
		case "file":
			d.File = v
		}
	}
	if (d.At == "") == (d.File == "") {
		return nil, ErrMalformed
	}
	return d, nil
}

// AppendReport appends a report: delivery number, and K, Z or D with text.
func AppendReport(b []byte, num int, report string) []byte {
	return AppendNetstring(b, strconv.Itoa(num)+"\x00"+report[:min(len(report), MaxReport)])
}

// ParseReport reads the content of a report's netstring.
func ParseReport(s string) (num int, report string, err error) {
	n, report, ok := strings.Cut(s, "\x00")
	num, err = strconv.Atoi(n)
	if !ok || err != nil || num < 0 || report == "" || strings.IndexByte("KZD", report[0]) < 0 {
		return 0, "", ErrMalformed
	}
	return num, report, nil
}

// Job is one delivery for a worker: local-delivery's eight arguments.
type Job struct {
	Serial uint64
	Again  bool
	Args   [8]string
	ID     mailid.ID
	Rcpt   int
}

// Packet is the job as a worker gets it.
func (j *Job) Packet() []byte {
	flags := ""
	if j.Again {
		flags = Again
	}
	return fmt.Appendf(nil, "%d\x00%s\x00%s\x00id=%v\x00rcpt=%d\x00", j.Serial, flags, strings.Join(j.Args[:], "\x00"), j.ID, j.Rcpt)
}

// ParseAnswer reads a worker's answer.
func ParseAnswer(b []byte) (serial uint64, report string, err error) {
	n, report, ok := strings.Cut(string(b), "\x00")
	serial, err = strconv.ParseUint(n, 10, 64)
	if !ok || err != nil || report == "" || strings.IndexByte("KZD", report[0]) < 0 {
		return 0, "", ErrMalformed
	}
	return serial, report, nil
}

// AppendNetstring appends s as a netstring.
func AppendNetstring(b []byte, s string) []byte {
	b = append(strconv.AppendInt(b, int64(len(s)), 10), ':')
	return append(append(b, s...), ',')
}

// ReadNetstring reads one netstring; io.EOF only where none has begun.
func ReadNetstring(r *bufio.Reader) (string, error) {
	n, digits := 0, 0
	for {
		c, err := r.ReadByte()
		if err != nil {
			if digits > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
		if c == ':' && digits > 0 {
			break
		}
		if c < '0' || c > '9' || digits > 6 {
			return "", ErrMalformed
		}
		n = n*10 + int(c-'0')
		digits++
	}
	if n > MaxNetstring {
		return "", ErrMalformed
	}
	b := make([]byte, n+1)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", io.ErrUnexpectedEOF
	}
	if b[n] != ',' {
		return "", ErrMalformed
	}
	return string(b[:n]), nil
}
