// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"context"
	"net"
)

// sink is an SMTP server that stores nothing: the generator's own ceiling.
func sink(addr string) error {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	l, err := c.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	return serveSink(l)
}

func serveSink(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			swallow(c)
		}()
	}
}

// swallow answers whatever comes: 354 to DATA, 250 to any other line, and to the
// end of a text. Replies go out together when nothing more has come.
func swallow(c net.Conn) {
	if _, err := c.Write([]byte("220 sink\r\n")); err != nil {
		return
	}
	buf, have := make([]byte, 64<<10), 0
	data, out := false, []byte(nil)
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		b := buf[:have+n]
		for wait := false; !wait; {
			b, data, out, wait = swallowed(b, data, out)
			if bytes.HasSuffix(out, []byte(goodbye)) {
				c.Write(out)
				return
			}
		}
		if have = copy(buf, b); have == len(buf) {
			return // a line without an end
		}
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
	}
}

const goodbye = "221 bye\r\n"

// swallowed takes one line or the end of a text from b; wait says that there is
// neither.
func swallowed(b []byte, data bool, out []byte) (rest []byte, inData bool, reply []byte, wait bool) {
	end := "\r\n"
	if data {
		end = "\r\n.\r\n"
	}
	i := bytes.Index(b, []byte(end))
	switch {
	case i < 0 && data:
		return b[max(0, len(b)-len(end)+1):], true, out, true // a text's bytes are of no use
	case i < 0:
		return b, false, out, true
	case data:
		return b[i+len(end):], false, append(out, "250 ok\r\n"...), false
	case bytes.HasPrefix(b, []byte("DATA")):
		return b[i+len(end):], true, append(out, "354 go\r\n"...), false
	case bytes.HasPrefix(b, []byte("QUIT")):
		return nil, false, append(out, goodbye...), false
	}
	return b[i+len(end):], false, append(out, "250 ok\r\n"...), false
}
