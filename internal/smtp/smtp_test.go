// SPDX-License-Identifier: ISC

package smtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"quill/internal/addr"
)

// fake is a connection that plays a script and keeps what is said, and a
// backend that keeps what it gets.
type fake struct {
	in       io.Reader
	out      bytes.Buffer
	stored   []string
	notes    []string
	from     string
	closing  bool
	deadline bool
}

func (f *fake) Read(p []byte) (int, error) {
	n, err := f.in.Read(p)
	if err == io.EOF && f.deadline {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}
func (f *fake) Write(p []byte) (int, error)      { return f.out.Write(p) }
func (f *fake) SetReadDeadline(time.Time) error  { return nil }
func (f *fake) SetWriteDeadline(time.Time) error { return nil }
func (f *fake) Closing() bool                    { return f.closing }
func (f *fake) Note(event, detail string)        { f.notes = append(f.notes, event+" "+detail) }
func (f *fake) Sender(s Sender) Reply            { f.from = s.Path.String(); return "" }
func (f *fake) Recipient(p addr.Path) (string, Reply) {
	switch {
	case p.Literal:
		return "", "550 5.1.2 literal"
	case p.Domain == "" || p.Domain == "testingsmtp.org" && p.Local != "nobody":
		return p.String(), ""
	case p.Domain == "testingsmtp.org":
		return "", "550 5.1.1 no such user"
	}
	return "", "550 5.7.1 no relaying"
}
func (f *fake) Begin(helo string, extended bool, to []string) (Message, Reply) {
	return &fakeMessage{f: f, to: strings.Join(to, ",")}, ""
}

type fakeMessage struct {
	f  *fake
	to string
	bytes.Buffer
}

func (m *fakeMessage) Commit() Reply {
	m.f.stored = append(m.f.stored, fmt.Sprintf("%s>%s:%s", m.f.from, m.to, m.String()))
	return "250 2.0.0 ok 1 qp 2"
}
func (m *fakeMessage) Abort() {}

func server() *Server {
	return &Server{Name: "mail.testingsmtp.org", Greeting: "Welcome! Please send your message!", Limits: Defaults()}
}

// play runs a script of client lines and gives what was said, line ends as LF.
func play(t *testing.T, srv *Server, script string) (*fake, string) {
	t.Helper()
	f := &fake{in: strings.NewReader(script)}
	srv.Serve(f, nil, f)
	return f, strings.ReplaceAll(f.out.String(), "\r\n", "\n")
}

const hello = "EHLO laptop.testingsmtp.org\r\nMAIL FROM:<netwatcher@testingsmtp.org>\r\nRCPT TO:<sendmemail@testingsmtp.org>\r\nDATA\r\n"

const helloReply = "220 Welcome! Please send your message! ESMTP\n250-mail.testingsmtp.org\n250-PIPELINING\n250-SIZE 52428800\n250-8BITMIME\n250 ENHANCEDSTATUSCODES\n250 2.1.0 ok\n250 2.1.5 ok\n354 go ahead\n"

func TestTranscripts(t *testing.T) {
	const e = "EHLO x\r\n"
	eReply := "220 Welcome! Please send your message! ESMTP\n250-mail.testingsmtp.org\n250-PIPELINING\n250-SIZE 52428800\n250-8BITMIME\n250 ENHANCEDSTATUSCODES\n"
	for _, c := range []struct{ name, in, want, stored string }{
		{"the lecture's mail", hello + "Subject: x\r\n\r\n..dot\r\nline\r\n.\r\nRSET\r\nQUIT\r\n", helloReply + "250 2.0.0 ok 1 qp 2\n250 2.0.0 flushed\n221 2.0.0 mail.testingsmtp.org\n",
			"netwatcher@testingsmtp.org>sendmemail@testingsmtp.org:Subject: x\n\n.dot\nline\n"},
		{"empty message", hello + ".\r\nQUIT\r\n", helloReply + "250 2.0.0 ok 1 qp 2\n221 2.0.0 mail.testingsmtp.org\n", "netwatcher@testingsmtp.org>sendmemail@testingsmtp.org:"},
		{"no EHLO", "MAIL FROM:<>\r\n", "220 Welcome! Please send your message! ESMTP\n503 5.5.1 EHLO first\n", ""},
		{"HELO without a name", "HELO\r\n", "220 Welcome! Please send your message! ESMTP\n501 5.5.4 your name is missing\n", ""},
		{"order", e + "RCPT TO:<a@b>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n", eReply + "503 5.5.1 MAIL first\n503 5.5.1 MAIL first\n250 2.1.0 ok\n503 5.5.1 MAIL was said already\n503 5.5.1 RCPT first\n", ""},
		{"recipients", e + "MAIL FROM:<>\r\nRCPT TO:<nobody@testingsmtp.org>\r\nRCPT TO:<u@else.example>\r\nRCPT TO:<u@>\r\nRCPT TO:<u>\r\nRCPT TO:<postmaster>\r\nRCPT TO:<>\r\nRCPT TO:<u@[1.2.3.4]>\r\nRCPT TO:<@a:sendmemail@testingsmtp.org>\r\n",
			eReply + "250 2.1.0 ok\n550 5.1.1 no such user\n550 5.7.1 no relaying\n501 5.1.3 recipient's address: address without a domain\n501 5.1.3 recipient's address: address without a domain\n250 2.1.5 ok\n501 5.1.3 recipient's address: address without a domain\n550 5.1.2 literal\n250 2.1.5 ok\n", ""},
		{"unknown commands", e + "XYZZY\r\n\r\nXCLIENT ADDR=127.0.0.1\r\nSTARTTLS\r\nAUTH PLAIN x\r\n", eReply + strings.Repeat("500 5.5.2 unknown command\n", 5), ""},
		{"bare LF in a command", "NOOP\nEHLO x\r\n", "220 Welcome! Please send your message! ESMTP\n500 5.5.2 line ends in LF without CR\n" + strings.SplitN(eReply, "\n", 2)[1], ""},
		{"long line", strings.Repeat("x", 100000) + "\r\nNOOP\r\n", "220 Welcome! Please send your message! ESMTP\n500 5.5.2 line too long\n250 2.0.0 ok\n", ""},
		{"parameters", e + "MAIL FROM:<> SIZE=99999999999999999999\r\nMAIL FROM:<> SIZE=x\r\nMAIL FROM:<> BODY=9\r\nMAIL FROM:<> SMTPUTF8\r\nMAIL FROM:<> SIZE=52428801\r\nMAIL FROM:<> SIZE=5 BODY=8BITMIME\r\nRCPT TO:<a@testingsmtp.org> NOTIFY=NEVER\r\n",
			eReply + "552 5.3.4 message too big: at most 52428800 bytes\n501 5.5.4 SIZE is no number\n501 5.5.4 BODY is neither 7BIT nor 8BITMIME\n555 5.5.4 parameter SMTPUTF8 is not known\n552 5.3.4 message too big: at most 52428800 bytes\n250 2.1.0 ok\n555 5.5.4 parameter NOTIFY is not known\n", ""},
		{"another protocol", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "220 Welcome! Please send your message! ESMTP\n421 4.7.0 this is SMTP\n", ""},
		{"envelope is forgotten after a message", hello + ".\r\nRCPT TO:<sendmemail@testingsmtp.org>\r\nDATA\r\n", helloReply + "250 2.0.0 ok 1 qp 2\n503 5.5.1 MAIL first\n503 5.5.1 MAIL first\n", "netwatcher@testingsmtp.org>sendmemail@testingsmtp.org:"},
		{"loop", hello + strings.Repeat("Received: x\r\n", 50) + "\r\n.\r\nNOOP\r\n", helloReply + "554 5.4.6 too many hops, this message is looping\n250 2.0.0 ok\n", ""},
		{"almost a loop", hello + strings.Repeat("Received: x\r\n", 49) + "\r\nReceived: y\r\n.\r\n", helloReply + "250 2.0.0 ok 1 qp 2\n", "netwatcher@testingsmtp.org>sendmemail@testingsmtp.org:" + strings.Repeat("Received: x\n", 49) + "\nReceived: y\n"},
		{"verify and help", e + "VRFY x\r\nHELP\r\n", eReply + "252 2.0.0 send some mail, i'll try my best\n214 2.0.0 see RFC 5321\n", ""},
	} {
		f, got := play(t, server(), c.in)
		if got != c.want {
			t.Errorf("%s: said %q; want %q", c.name, got, c.want)
		}
		if s := strings.Join(f.stored, "|"); s != c.stored {
			t.Errorf("%s: stored %q; want %q", c.name, s, c.stored)
		}
	}
}

// TestClassic is the family's dialogue, as qmail-smtpd has it.
func TestClassic(t *testing.T) {
	srv := server()
	srv.Classic, srv.Greeting = true, "mail.testingsmtp.org"
	_, got := play(t, srv, "HELO h\nMAIL FROM:<a@b>\nRCPT TO:<c@testingsmtp.org>\nDATA\nS: x\r\n.\r\nEHLO h\r\nVRFY x\r\nSTARTTLS\r\nDATA\r\nRSET\r\nQUIT\r\n")
	want := "220 mail.testingsmtp.org ESMTP\n250 mail.testingsmtp.org\n250 ok\n250 ok\n354 go ahead\n250 2.0.0 ok 1 qp 2\n250-mail.testingsmtp.org\n250-PIPELINING\n250 8BITMIME\n" +
		"252 send some mail, i'll try my best\n502 unimplemented (#5.5.1)\n503 MAIL first (#5.5.1)\n250 flushed\n221 mail.testingsmtp.org\n"
	if got != want {
		t.Errorf("classic dialogue: %q; want %q", got, want)
	}
}

func TestLimits(t *testing.T) {
	srv := server()
	srv.Limits.Recipients, srv.Limits.Size, srv.Limits.Header, srv.Limits.SoftErrors = 2, 100, 60, 3
	pauses := 0
	srv.Pause = func(time.Duration) { pauses++ }
	rcpt := "RCPT TO:<sendmemail@testingsmtp.org>\r\n"
	mail := "MAIL FROM:<>\r\n" + rcpt + "DATA\r\n"
	for _, c := range []struct{ name, in, last string }{
		{"recipients at the limit", "EHLO x\r\nMAIL FROM:<>\r\n" + rcpt + rcpt, "250 2.1.5 ok"},
		{"one recipient more", "EHLO x\r\nMAIL FROM:<>\r\n" + rcpt + rcpt + rcpt, "452 4.5.3 too many recipients, send the rest in another message"},
		{"size at the limit", "EHLO x\r\n" + mail + "\r\n" + strings.Repeat("x", 98) + "\r\n.\r\n", "250 2.0.0 ok 1 qp 2"},
		{"one byte more", "EHLO x\r\n" + mail + "\r\n" + strings.Repeat("x", 99) + "\r\n.\r\n", "552 5.3.4 message too big"},
		{"header at the limit", "EHLO x\r\n" + mail + "A: " + strings.Repeat("x", 55) + "\r\n\r\n.\r\n", "250 2.0.0 ok 1 qp 2"},
		{"header one byte more", "EHLO x\r\n" + mail + "A: " + strings.Repeat("x", 56) + "\r\n\r\n.\r\n", "552 5.3.4 message header too big"},
		{"errors", strings.Repeat("X\r\n", 25), "421 4.7.0 too many errors"},
		{"junk", strings.Repeat("NOOP\r\n", 101), "421 4.7.0 too many commands without mail"},
		{"junk at the limit", strings.Repeat("NOOP\r\n", 100), "250 2.0.0 ok"},
	} {
		_, got := play(t, srv, c.in)
		lines := strings.Split(strings.TrimSpace(got), "\n")
		if last := lines[len(lines)-1]; last != c.last {
			t.Errorf("%s: last reply %q; want %q", c.name, last, c.last)
		}
	}
	if pauses != 20-1-3 {
		t.Errorf("%d pauses; want %d", pauses, 20-1-3)
	}
}

// smuggling is what some servers take for the end of a message.
var smuggling = []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\n", "\n.\r", "\r.\r\n", "\r\n.\rtext", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\n.\r\r\n", "\r\r\n.\r\r\n", "\r\r\n.\r\n"}

// TestSmugglingSplit: none of them ends the message early, whatever pieces the
// bytes come in, and each message is refused.
func TestSmugglingSplit(t *testing.T) {
	for _, seq := range smuggling {
		text := hello + "Subject: a\r\n\r\nBODY" + seq + "MAIL FROM:<evil@x>\r\nRCPT TO:<sendmemail@testingsmtp.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n.\r\nQUIT\r\n"
		for cut := len(hello); cut < len(text); cut++ {
			f := &fake{in: io.MultiReader(strings.NewReader(text[:cut]), strings.NewReader(text[cut:]))}
			server().Serve(f, nil, f)
			replies := strings.Split(f.out.String(), "\r\n")
			if len(f.stored) != 0 || !strings.HasPrefix(replies[len(replies)-2], "550 5.6.0") {
				t.Fatalf("%q split at %d: stored %q, last reply %q", seq, cut, f.stored, replies[len(replies)-2])
			}
		}
	}
}

// TestOrder holds every triple of commands against a model of the states.
func TestOrder(t *testing.T) {
	commands := []string{"HELO x", "EHLO x", "MAIL FROM:<>", "RCPT TO:<sendmemail@testingsmtp.org>", "DATA\r\n.", "RSET", "NOOP"}
	for _, a := range commands {
		for _, b := range commands {
			for _, c := range commands {
				helo, mail, rcpt := false, false, false
				want := []string{"220"}
				for _, cmd := range []string{a, b, c} {
					switch cmd[:4] {
					case "HELO", "EHLO":
						helo, mail, rcpt = true, false, false
						want = append(want, "250")
					case "MAIL":
						if !helo || mail {
							want = append(want, "503")
						} else {
							mail = true
							want = append(want, "250")
						}
					case "RCPT":
						if !mail {
							want = append(want, "503")
						} else {
							rcpt = true
							want = append(want, "250")
						}
					case "DATA":
						if !mail || !rcpt {
							want = append(want, "503", "500") // the dot is a command then
						} else {
							mail, rcpt = false, false
							want = append(want, "354", "250")
						}
					case "RSET":
						mail, rcpt = false, false
						want = append(want, "250")
					default:
						want = append(want, "250")
					}
				}
				_, out := play(t, server(), a+"\r\n"+b+"\r\n"+c+"\r\n")
				var got []string
				for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
					if l[3] == ' ' {
						got = append(got, l[:3])
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%q %q %q -> %v; want %v", a, b, c, got, want)
				}
			}
		}
	}
}

func TestClosing(t *testing.T) {
	f := &fake{in: strings.NewReader("EHLO x\r\n"), closing: true}
	server().Serve(f, nil, f)
	if !strings.Contains(f.out.String(), "421 4.3.2") {
		t.Errorf("closing down: %q; want 421 4.3.2", f.out.String())
	}
	f = &fake{in: strings.NewReader(""), deadline: true}
	if err := server().Serve(f, nil, f); err == nil || !strings.Contains(f.out.String(), "421 4.4.2 timeout") {
		t.Errorf("timeout: %v, %q; want 421 4.4.2", err, f.out.String())
	}
}

// TestLostConnection: a connection that ends at any byte of the data stores
// nothing, and is no session that ended well; nor is one that sent bytes which
// may hide another message.
func TestLostConnection(t *testing.T) {
	text := hello + "Subject: x\r\n\r\nbody\r\n.\r\n"
	for cut := range len(text) {
		f := &fake{in: strings.NewReader(text[:cut])}
		if err := server().Serve(f, nil, f); len(f.stored) != 0 || err == nil {
			t.Fatalf("connection lost after %d of %d bytes: stored %q, error %v", cut, len(text), f.stored, err)
		}
	}
	f := &fake{in: strings.NewReader(hello + "bare\nLF\r\n.\r\nQUIT\r\n")}
	if err := server().Serve(f, nil, f); err == nil || err.Error() != "bare LF in message" {
		t.Errorf("bare LF in message: the session ended with %v", err)
	}
	f = &fake{in: strings.NewReader(text + "QUIT\r\n")}
	if err := server().Serve(f, nil, f); err != nil || len(f.stored) != 1 {
		t.Errorf("QUIT: the session ended with %v, stored %q", err, f.stored)
	}
}

// reference is the scanner's specification, one byte at a time.
func reference(in string) (out string, rest int, clean, done bool) {
	var b strings.Builder
	clean = true
	for i := 0; i < len(in); {
		end := strings.Index(in[i:], "\r\n")
		if end < 0 {
			return b.String(), len(in), clean, false
		}
		line := in[i : i+end]
		i += end + 2
		if line == "." {
			return b.String(), i, clean, true
		}
		line = strings.TrimPrefix(line, ".")
		if strings.ContainsAny(line, "\r\n\x00") {
			clean = false
		}
		b.WriteString(line + "\n")
	}
	return b.String(), len(in), clean, false
}

// FuzzData: the scanner finds the end where the specification does, in whatever
// pieces, and lets no CR, bare LF or NUL through.
func FuzzData(f *testing.F) {
	for _, s := range smuggling {
		f.Add("a"+s+"b\r\n.\r\nrest", 3)
	}
	f.Fuzz(func(t *testing.T, in string, step int) {
		step = max(1, step%64)
		want, rest, clean, done := reference(in)
		var out strings.Builder
		d := &data{out: &out, maxHops: 1 << 30, maxHead: 1 << 30}
		used, ended := 0, false
		for i := 0; i < len(in) && !ended; i += step {
			piece := []byte(in[i:min(i+step, len(in))])
			var n int
			n, ended = d.feed(piece)
			used += n
		}
		if ended != done || done && used != rest {
			t.Fatalf("%q by %d: ended %v after %d; want %v after %d", in, step, ended, used, done, rest)
		}
		if done && (d.flaw == flawNone) != clean {
			t.Errorf("%q by %d: flaw %d; want clean %v", in, step, d.flaw, clean)
		}
		if done && clean && out.String() != want {
			t.Errorf("%q by %d: wrote %q; want %q", in, step, out.String(), want)
		}
	})
}

func BenchmarkData(b *testing.B) {
	text := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 900)
	buf := make([]byte, len(text))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		copy(buf, text)
		d := &data{out: io.Discard, maxHops: 50, maxHead: 1 << 20}
		d.feed(buf)
	}
}

var errTest = errors.New("test")

// TestWriteFailure: a backend that cannot take the message is asked for its
// verdict all the same.
func TestWriteFailure(t *testing.T) {
	d := &data{out: failing{}, maxHops: 50, maxHead: 1000}
	if _, done := d.feed([]byte("x\r\n.\r\n")); !done || d.flaw != flawWrite || !errors.Is(d.err, errTest) {
		t.Errorf("feed with a failing writer: done %v, flaw %d, %v", done, d.flaw, d.err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errTest }
