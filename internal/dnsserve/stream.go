// SPDX-License-Identifier: ISC

package dnsserve

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// gathered is the bytes of answers that are sent before further questions of a
// connection are answered, though they are there already.
const gathered = 4 << 10

// accept accepts connections for ever.
func (s *Server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.Warn(err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		n := s.conns.enter(c)
		go func() {
			defer s.conns.leave(n)
			s.stream(n)
		}()
	}
}

// stream answers the questions of one connection in their order; each is to
// come, and its answer to be taken, within TCPIdle (RFC 7766). Answers to
// questions that are there already leave together.
func (s *Server) stream(c *conn) {
	debug.SetPanicOnFault(true)
	in := bufio.NewReaderSize(c, 512)
	var question, out []byte
	for {
		var err error
		if question, err = s.question(c, in, question); err != nil {
			return
		}
		c.asked()
		handled, err := s.transfer(c, &out, question)
		if err != nil {
			return
		}
		if handled {
			continue
		}
		was := len(out)
		if out = s.reply(append(out, 0, 0), question, c); len(out) == was {
			c.write(out)
			return
		}
		if whole(in) && len(out) < gathered {
			continue
		}
		if c.write(out) != nil {
			return
		}
		if out = out[:0]; cap(out) > 4*gathered {
			out = nil // idle connections keep little
		}
	}
}

// transfer lets Transfer have a question. Its messages go out one by one, the
// first behind what out holds.
func (s *Server) transfer(c *conn, out *[]byte, question []byte) (handled bool, err error) {
	if s.Transfer == nil {
		return false, nil
	}
	return s.Transfer(question, addrOf(c), func(msg []byte) error {
		c.asked()
		b := append(binary.BigEndian.AppendUint16(*out, uint16(len(msg))), msg...)
		*out = b[:0]
		return c.write(b)
	})
}

// whole says whether a whole question is there already.
func whole(in *bufio.Reader) bool {
	if in.Buffered() < 2 {
		return false
	}
	head, err := in.Peek(2)
	return err == nil && in.Buffered() >= 2+int(binary.BigEndian.Uint16(head))
}

// question reads one, into b where it has room. The time for it begins when it
// does: what is left of the time for the one before does not count.
func (s *Server) question(c *conn, in *bufio.Reader, b []byte) ([]byte, error) {
	c.SetReadDeadline(time.Now().Add(TCPIdle))
	head, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head))
	in.Discard(2)
	if n > maxPacket {
		s.Warn(fmt.Errorf("question of %d bytes over TCP from %s; at most %d", n, addrOf(c), maxPacket))
		return nil, errTooLong
	}
	if cap(b) < n {
		b = make([]byte, n)
	}
	_, err = io.ReadFull(in, b[:n])
	return b[:n], err
}

var errTooLong = errors.New("question too long")

// reply appends the answer to a question, with its length in the two bytes that
// end out; these are taken off where there is no answer.
func (s *Server) reply(out, question []byte, c *conn) []byte {
	at := len(out)
	a := s.spare.take(s.New)
	begin(a)
	all := a.Answer(out[at:], question, addrOf(c), true)
	end(a)
	s.spare.put(a)
	if len(all) == 0 {
		return out[:at-2]
	}
	binary.BigEndian.PutUint16(out[at-2:], uint16(len(all)))
	return append(out, all...)
}

// write sends what the client is to take within TCPIdle.
func (c *conn) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	c.SetWriteDeadline(time.Now().Add(TCPIdle))
	_, err := c.Write(b)
	return err
}

// spare is Answerers that wait for the next question over TCP: there are as many
// as were ever used at once, not one for each connection.
type spare struct {
	mu  sync.Mutex
	all []Answerer
}

func (s *spare) take(fresh func() Answerer) Answerer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.all); n > 0 {
		a := s.all[n-1]
		s.all = s.all[:n-1]
		return a
	}
	return fresh()
}

func (s *spare) put(a Answerer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, a)
}
