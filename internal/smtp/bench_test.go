// SPDX-License-Identifier: ISC

package smtp

import (
	"io"
	"strings"
	"testing"
	"time"
)

// feed is a client that sends the same mail again and again, a piece a read.
type benchConn struct {
	pieces []string
	at, n  int
}

func (c *benchConn) Read(p []byte) (int, error) {
	if c.n == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.pieces[c.at])
	if c.at++; c.at == len(c.pieces) {
		c.at = 1
		c.n--
	}
	return n, nil
}
func (c *benchConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *benchConn) SetReadDeadline(time.Time) error  { return nil }
func (c *benchConn) SetWriteDeadline(time.Time) error { return nil }

type benchBackend struct{ fake }

func (b *benchBackend) Begin(string, bool, []string) (Message, Reply) { return benchMessage{}, "" }

type benchMessage struct{}

func (benchMessage) Write(p []byte) (int, error) { return len(p), nil }
func (benchMessage) Commit() Reply               { return "250 2.0.0 ok" }
func (benchMessage) Abort()                      {}

// BenchmarkSession is one message of 4 KiB through the dialogue.
func BenchmarkSession(b *testing.B) {
	b.ReportAllocs()
	c := &benchConn{n: b.N, pieces: []string{"EHLO localhost\r\n", "MAIL FROM:<netwatcher@testingsmtp.org>\r\n", "RCPT TO:<sendmemail@testingsmtp.org>\r\n", "DATA\r\n",
		"Subject: load\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 56) + ".\r\n"}}
	srv := server()
	srv.Limits.Junk = 1 << 30
	srv.Serve(c, nil, &benchBackend{})
}
