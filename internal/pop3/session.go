// SPDX-License-Identifier: ISC

// Package pop3 is the server's side of RFC 1939 and RFC 2449: the login, which
// knows nobody's password, and the session, which knows a maildrop as a Box and
// nothing of files. Memory does not grow with a message's size.
package pop3

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"quill/internal/dialog"
	"quill/internal/login"
)

// Limits of a session; pop3d(8) and popup(8) list them.
const (
	MaxLine     = 255              // bytes of a command, CRLF included (RFC 2449 §4)
	Idle        = 10 * time.Minute // for a command (RFC 1939 §3: at least 10)
	ReplyTime   = 5 * time.Minute  // for a client to take what is sent
	MaxErrors   = 50               // commands that fail, then the session ends
	copyBuffer  = 32 << 10
	sessionTime = 12 * time.Hour
)

// Conn is a client's connection.
type Conn = login.Conn

// Box is a maildrop, as it was when the session began; messages count from 0.
type Box interface {
	Count() int
	Size(i int) int64 // octets, each line with CRLF
	ID(i int) string  // unique, the same in every session
	Open(i int) (io.ReadCloser, error)
	// Commit deletes these for good and says how many could not be.
	Commit(deleted []int) (failed int, err error)
}

// session is one client's.
type session struct {
	conn    Conn
	r       *dialog.Reader
	w       *dialog.Writer
	box     Box
	deleted []bool
	count   int // not deleted
	octets  int64
	last    int // highest message seen, for LAST
	errs    int
	classic bool
	end     bool
	buf     []byte
}

// commands by name.
var commands = map[string]func(s *session, args []string) error{
	"STAT": (*session).stat, "LIST": (*session).list, "UIDL": (*session).uidl, "RETR": (*session).retr, "TOP": (*session).top,
	"DELE": (*session).dele, "NOOP": (*session).noop, "RSET": (*session).rset, "LAST": (*session).doLast, "QUIT": (*session).quit, "CAPA": (*session).capa,
}

// refusal is a reply -ERR.
type refusal string

func (r refusal) Error() string { return string(r) }

// Serve runs a session after its login; it greets first. It is nil after QUIT,
// else why the session ended: then nothing was deleted.
func Serve(conn Conn, ahead []byte, box Box, classic bool) error {
	s := &session{conn: conn, r: dialog.NewReader(conn, ahead, MaxLine), w: dialog.NewWriter(conn), box: box, deleted: make([]bool, box.Count()), classic: classic}
	s.reset()
	s.ok("")
	end := time.Now().Add(sessionTime)
	for !s.end {
		if err := s.command(end); err != nil {
			s.flush()
			return err
		}
	}
	return s.flush()
}

func (s *session) flush() error {
	s.conn.SetWriteDeadline(time.Now().Add(ReplyTime))
	return s.w.Flush()
}

// ok answers +OK.
func (s *session) ok(text string) { s.w.Line("+OK ", text) }

// command reads and obeys one command.
func (s *session) command(last time.Time) error {
	if s.r.Buffered() == 0 {
		if err := s.flush(); err != nil {
			return err
		}
		end := time.Now().Add(Idle)
		if end.After(last) {
			end = last
		}
		s.conn.SetReadDeadline(end)
	}
	line, err := s.r.Line()
	switch {
	case dialog.TimedOut(err):
		s.w.Line("-ERR timeout, nothing was deleted")
		return err
	case err == dialog.ErrTooLong:
		return s.failed("line too long")
	case err != nil && err != dialog.ErrBareLF:
		return err
	}
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return s.failed("unimplemented")
	}
	f, ok := commands[strings.ToUpper(words[0])]
	if !ok || s.classic && strings.EqualFold(words[0], "CAPA") {
		return s.failed("unimplemented")
	}
	err = f(s, words[1:])
	var r refusal
	if errors.As(err, &r) {
		return s.failed(string(r))
	}
	return err
}

// Words is the text of a refusal: the family knows no response codes (RFC 2449
// §8), such as [SYS/TEMP], before it.
func Words(text string, classic bool) string {
	if classic && strings.HasPrefix(text, "[") {
		if _, rest, ok := strings.Cut(text, "] "); ok {
			return rest
		}
	}
	return text
}

// failed answers -ERR; a client that makes too many errors is sent away.
func (s *session) failed(text string) error {
	s.w.Line("-ERR ", Words(text, s.classic))
	if s.errs++; s.errs >= MaxErrors {
		return errors.New("too many errors")
	}
	return nil
}

// number reads a message number strictly: digits that fit, a message that is
// there and not deleted.
func (s *session) number(args []string) (int, error) {
	if len(args) == 0 {
		return 0, refusal("syntax error")
	}
	n, err := strconv.ParseUint(args[0], 10, 31)
	if err != nil && !errors.Is(err, strconv.ErrRange) || args[0][0] == '+' {
		return 0, refusal("syntax error")
	}
	switch {
	case err == nil && n == 0:
		return 0, refusal("messages are counted from 1")
	case err != nil || n > uint64(len(s.deleted)):
		return 0, refusal("not that many messages")
	case s.deleted[n-1]:
		return 0, refusal("already deleted")
	}
	return int(n) - 1, nil
}

func (s *session) reset() {
	clear(s.deleted)
	s.count, s.octets, s.last = s.box.Count(), 0, 0
	for i := range s.deleted {
		s.octets += s.box.Size(i)
	}
}

func (s *session) stat([]string) error {
	n := s.count
	if s.classic {
		n = len(s.deleted) // qmail-pop3d counts deleted ones, against RFC 1939
	}
	s.ok(strconv.Itoa(n) + " " + strconv.FormatInt(s.octets, 10))
	return nil
}

func (s *session) list(args []string) error {
	return s.listing(args, func(i int) string { return strconv.FormatInt(s.box.Size(i), 10) })
}

func (s *session) uidl(args []string) error { return s.listing(args, s.box.ID) }

// listing answers LIST and UIDL, for one message or all.
func (s *session) listing(args []string, of func(i int) string) error {
	if len(args) > 0 {
		i, err := s.number(args)
		if err == nil {
			s.ok(strconv.Itoa(i+1) + " " + of(i))
		}
		return err
	}
	s.ok("")
	for i := range s.deleted {
		if !s.deleted[i] {
			s.w.Line(strconv.Itoa(i+1), " ", of(i))
		}
	}
	s.w.Line(".")
	return nil
}

func (s *session) retr(args []string) error {
	if s.classic && len(args) > 1 {
		return s.top(args) // as qmail-pop3d takes it
	}
	if len(args) > 1 {
		return refusal("syntax error")
	}
	return s.send(args, -1)
}

func (s *session) top(args []string) error {
	if len(args) != 2 {
		return refusal("syntax error")
	}
	n, err := strconv.ParseUint(args[1], 10, 31)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return refusal("syntax error")
	}
	if err != nil {
		n = 1<<31 - 1
	}
	return s.send(args[:1], int(n))
}

// send sends a message, or its header and so many lines of its body.
func (s *session) send(args []string, lines int) error {
	i, err := s.number(args)
	if err != nil {
		return err
	}
	f, err := s.box.Open(i)
	if err != nil {
		return refusal("[SYS/TEMP] unable to open that message")
	}
	defer f.Close()
	s.ok("")
	if err := s.body(f, &text{w: &sink{s}, lines: lines, head: true}); err != nil {
		return err // in the middle of a message nothing can be said
	}
	if s.classic {
		s.w.Line("")
	}
	s.w.Line(".")
	s.last = max(s.last, i+1)
	return nil
}

// sink is the session's replies, with a deadline for each part that goes out.
type sink struct{ s *session }

func (k *sink) Write(p []byte) (int, error) {
	n, err := k.s.w.Write(p)
	return n, err
}

func (s *session) body(f io.Reader, t *text) error {
	if s.buf == nil {
		s.buf = make([]byte, copyBuffer)
	}
	for {
		s.conn.SetWriteDeadline(time.Now().Add(ReplyTime))
		n, rerr := f.Read(s.buf)
		done, err := t.feed(s.buf[:n])
		switch {
		case err != nil:
			return err
		case done:
			return nil
		case rerr == io.EOF:
			return t.finish()
		case rerr != nil:
			return rerr
		}
	}
}

func (s *session) dele(args []string) error {
	i, err := s.number(args)
	if err != nil {
		return err
	}
	s.deleted[i] = true
	s.count--
	s.octets -= s.box.Size(i)
	s.last = max(s.last, i+1)
	s.ok("")
	return nil
}

func (s *session) noop([]string) error { s.ok(""); return nil }

func (s *session) rset([]string) error {
	s.reset()
	s.ok("")
	return nil
}

func (s *session) doLast([]string) error { s.ok(strconv.Itoa(s.last)); return nil }

// quit deletes what is marked; only when that is durable it is said.
func (s *session) quit([]string) error {
	s.end = true
	var marked []int
	for i, d := range s.deleted {
		if d {
			marked = append(marked, i)
		}
	}
	failed, err := s.box.Commit(marked)
	if err != nil || failed > 0 {
		s.w.Line("-ERR ", Words("[SYS/TEMP] unable to unlink all deleted messages", s.classic))
		return nil
	}
	s.ok("")
	return nil
}

// capabilities after the login; popup's own come before it.
var capabilities = []string{"TOP", "UIDL", "RESP-CODES", "PIPELINING", "EXPIRE NEVER", "IMPLEMENTATION Quill"}

func (s *session) capa([]string) error {
	s.ok("")
	for _, c := range capabilities {
		s.w.Line(c)
	}
	s.w.Line(".")
	return nil
}
