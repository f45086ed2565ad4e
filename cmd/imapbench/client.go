// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"fmt"
	"net"
	"time"
)

const (
	patience = 2 * time.Minute // with one answer
	bufSize  = 256 << 10
	shown    = 200 // bytes of a refusal that are told
)

// client is one connection. It reads as little of what comes as it can: an
// answer's end is its tagged line, and nothing follows that.
type client struct {
	net.Conn
	buf  []byte
	read int // bytes of the last answer
}

// dial connects and takes the greeting.
func dial(addr string) (*client, error) {
	d := net.Dialer{Timeout: patience}
	d.SetMultipathTCP(false)
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	k := &client{Conn: c, buf: make([]byte, 4096)}
	if err := k.until("* "); err != nil {
		c.Close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	return k, nil
}

// login connects and logs in.
func login(addr, user, password string) (*client, error) {
	k, err := dial(addr)
	if err != nil {
		return nil, err
	}
	if err := k.do(fmt.Sprintf("LOGIN %q %q", user, password)); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// do sends a command and reads to its tagged line, which must be OK.
func (k *client) do(command string) error {
	if _, err := k.Write([]byte("z " + command + "\r\n")); err != nil {
		return err
	}
	if err := k.until("z OK"); err != nil {
		return fmt.Errorf("%.20s: %w", command, err)
	}
	return nil
}

// until reads until what has come ends with a line that starts like this, or
// with another tagged one, which is a refusal.
func (k *client) until(start string) error {
	k.SetDeadline(time.Now().Add(patience))
	k.read = 0
	held := 0 // bytes in buf of the line that is not complete
	for {
		n, err := k.Conn.Read(k.buf[held:])
		if err != nil {
			return err
		}
		k.read += n
		have := k.buf[:held+n]
		if have[len(have)-1] == '\n' {
			last := have[bytes.LastIndexByte(have[:len(have)-1], '\n')+1:]
			switch {
			case bytes.HasPrefix(last, []byte(start)):
				return nil
			case bytes.HasPrefix(last, []byte("z ")), bytes.HasPrefix(last, []byte("* BYE")):
				return fmt.Errorf("%w: %q", errServer, last[:min(len(last), shown)])
			}
		}
		// Keep the last line's start: a tagged line is short, so what is longer is none.
		tail := have[bytes.LastIndexByte(have, '\n')+1:]
		if len(tail) > 1024 {
			tail = tail[:0]
		}
		held = copy(k.buf, tail)
	}
}
