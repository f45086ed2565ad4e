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

// swallow answers whatever comes: 354 to DATA, 250 to anything else, and to the
// end of a text.
func swallow(c net.Conn) {
	if _, err := c.Write([]byte("220 sink\r\n")); err != nil {
		return
	}
	buf := make([]byte, 64<<10)
	data, tail := false, []byte(nil)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		b := buf[:n]
		reply := "250 ok\r\n"
		switch {
		case data:
			tail = append(tail, b[max(0, n-5):]...)
			tail = tail[max(0, len(tail)-5):]
			if !bytes.HasSuffix(tail, []byte("\r\n.\r\n")) {
				continue
			}
			data, tail = false, nil
		case bytes.HasPrefix(b, []byte("DATA")):
			data, reply = true, "354 go\r\n"
		case bytes.HasPrefix(b, []byte("QUIT")):
			c.Write([]byte("221 bye\r\n"))
			return
		}
		if _, err := c.Write([]byte(reply)); err != nil {
			return
		}
	}
}
