// SPDX-License-Identifier: ISC

package imapsearch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/internal/mailbox/mailboxtest"
)

// zone is an hour east.
var zone = time.FixedZone("", 3600)

func at(month time.Month, day, hour int) time.Time {
	return time.Date(2024, month, day, hour, 0, 0, 0, zone)
}

func read(t testing.TB, line string) *imap.Command {
	t.Helper()
	r := imap.NewReader(strings.NewReader("A1 "+line+"\r\n"), func(string) error { return nil })
	r.LoggedIn = true
	c, err := r.Next()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return c
}

// run runs a command, and gives its result and its answer's lines.
func run(t testing.TB, env Env, line string, rev2 bool) (*Result, string) {
	t.Helper()
	c := read(t, line)
	s, err := New(c.Search, env)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	r, err := s.Run()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var out strings.Builder
	w := imap.NewWriter(&out)
	r.Write(w, c, rev2)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return r, out.String()
}

func env(t testing.TB, m *mailboxtest.Mail) Env {
	t.Helper()
	box, err := m.Account().Open("INBOX", true)
	if err != nil {
		t.Fatal(err)
	}
	return Env{Box: box, Now: now(), Zone: zone}
}

const multipart = `From: a@example.org
Subject: parts
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

preamble
--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable
X-Part: inner

Caf=E9 au la=
it
--b
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGI+0JzQkNCi0Kw8L2I+
--b
Content-Type: application/octet-stream

binary words
--b
Content-Type: message/rfc822

Subject: forwarded letter

deep text
--b--
`

// mails is the mailbox of the table: UIDs 1, 3, 4 and so on.
func mails() *mailboxtest.Mail {
	m := mailboxtest.New()
	m.Deliver("INBOX",
		mailboxtest.Message{Text: "Date: Mon, 4 Mar 2024 23:30:00 -0800\r\nFrom: Netwatcher <netwatcher@testingsmtp.org>\r\nTo: one@example.org\r\nTo: two@example.org\r\n" +
			"Subject: Hello\r\n\tWorld\r\nX-Odd \t: something\r\n continued\r\nno field\r\n: none\r\nX-Empty:\r\n\r\nThe quick brown fox\r\njumps\r\n",
			Flags: mailbox.Seen | mailbox.Answered, Keywords: []string{"$Work"}, Old: true, Date: at(3, 4, 0)},
		mailboxtest.Message{Text: "gone\n"},
		mailboxtest.Message{Text: multipart, Flags: mailbox.Flagged | mailbox.Forwarded, Old: true, Date: at(3, 4, 23)},
		mailboxtest.Message{Text: "Date: 5 Mar 24 10:00 GMT\nSubject: =?utf-8?q?Gr=C3=BC=C3=9F?= =?utf-8?b?ZSDQvNC40YA=?=\nBcc: hidden\nCc: copy\nSender: s\n\n\xff straße\n",
			Flags: mailbox.Deleted | mailbox.Draft, Keywords: []string{"other"}, Date: at(3, 5, 0)},
		mailboxtest.Message{Text: "", Date: at(3, 5, 11)},
	)
	return m
}

// TestKeys: each key (RFC 9051 §6.4.4) against messages 1 to 4.
func TestKeys(t *testing.T) {
	m := mails()
	box, err := m.Account().Open("INBOX", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Expunge([]uint32{2}); err != nil {
		t.Fatal(err)
	}
	e := env(t, m)
	e.Saved = []imap.Range{{Lo: 3, Hi: 4}}
	var msg mailbox.Message
	e.Box.Message(2, &msg)
	for _, c := range []struct{ keys, want string }{
		{"ALL", "1:4"}, {"NOT ALL", ""},
		{"SEEN", "1"}, {"UNSEEN", "2:4"}, {"ANSWERED", "1"}, {"UNANSWERED", "2:4"}, {"FLAGGED", "2"}, {"UNFLAGGED", "1,3:4"},
		{"DELETED", "3"}, {"UNDELETED", "1:2,4"}, {"DRAFT", "3"}, {"UNDRAFT", "1:2,4"}, {"RECENT", "3:4"}, {"OLD", "1:2"}, {"NEW", "3:4"},
		{"KEYWORD $work", "1"}, {"KEYWORD other", "3"}, {"UNKEYWORD $Work", "2:4"}, {"KEYWORD nobody", ""}, {"UNKEYWORD nobody", "1:4"}, {"KEYWORD $Forwarded", "2"},
		{"2:3", "2:3"}, {"*", "4"}, {"9:*", "4"}, {"3:4,1", "1,3:4"}, {"9", ""}, {"UID 2", ""}, {"UID 3:4", "2:3"}, {"UID *", "4"}, {"UID 1,4:9", "1,3:4"}, {"UID 99:*", "4"},
		{"$", "2:3"}, {"UID $", "2:3"}, {"NOT $", "1,4"}, {"OR $ 1", "1:3"},
		{fmt.Sprintf("LARGER %d", msg.Wire-1), "2"}, {fmt.Sprintf("LARGER %d", msg.Wire), ""}, {fmt.Sprintf("SMALLER %d", msg.Wire+1), "1:4"},
		{fmt.Sprintf("SMALLER %d", msg.Wire), "1,3:4"}, {"SMALLER 0", ""}, {"SMALLER 1", "4"}, {"LARGER 9223372036854775807", ""}, {"LARGER 0", "1:3"},
		{"BEFORE 4-Mar-2024", ""}, {"BEFORE 5-Mar-2024", "1:2"}, {"ON 4-Mar-2024", "1:2"}, {"ON 5-Mar-2024", "3:4"}, {"SINCE 5-Mar-2024", "3:4"}, {"SINCE 6-Mar-2024", ""},
		{"BEFORE 1-Jan-0001", ""}, {"ON 1-Jan-0001", ""}, {"SINCE 1-Jan-0001", "1:4"}, {"BEFORE 1-Jan-9999", "1:4"}, {"ON 1-Jan-9999", ""}, {"SINCE 1-Jan-9999", ""},
		{"SENTBEFORE 4-Mar-2024", ""}, {"SENTBEFORE 5-Mar-2024", "1"}, {"SENTON 4-Mar-2024", "1"}, {"SENTON 5-Mar-2024", "3"}, {"SENTSINCE 4-Mar-2024", "1,3"}, {"NOT SENTSINCE 1-Jan-0001", "2,4"},
		{"YOUNGER 3600", "4"}, {"YOUNGER 3599", ""}, {"OLDER 3600", "1:4"}, {"OLDER 3601", "1:3"}, {"YOUNGER 4294967295", "1:4"}, {"OLDER 4294967295", ""},
		{"FROM NETWATCHER", "1"}, {`FROM "<netwatcher@"`, "1"}, {"TO two@", "1"}, {"TO one@", "1"}, {"TO three", ""}, {"CC COPY", "3"}, {"BCC hid", "3"},
		{`SUBJECT "hello world"`, "1"}, {"SUBJECT parts", "2"}, {`SUBJECT ""`, "1:3"}, {`HEADER Sender ""`, "3"}, {"HEADER SENDER S", "3"}, {"FROM hello", ""},
		{"HEADER x-odd THING", "1"}, {`HEADER X-Odd ""`, "1"}, {"HEADER X-Odd \"thing continued\"", "1"}, {`HEADER "" none`, ""}, {`HEADER "no field" ""`, ""}, {`HEADER X-Empty ""`, "1"}, {"HEADER X-Empty a", ""}, {`HEADER X-Part ""`, ""}, {"HEADER X-Od thing", ""},
		{"BODY FOX", "1"}, {"BODY hello", ""}, {"BODY preamble", ""}, {"BODY \"binary words\"", ""}, {"BODY deep", "2"}, {"BODY forwarded", ""}, {"BODY inner", ""}, {`BODY ""`, "1:4"},
		{"TEXT FOX", "1"}, {"TEXT hello", "1"}, {"TEXT \"subject: hello\"", "1"}, {"TEXT forwarded", "2"}, {"TEXT inner", "2"}, {"TEXT nothing", ""}, {`TEXT ""`, "1:4"},
		{"CHARSET UTF-8 BODY {8+}\r\nCAFÉ AU", "2"}, {"CHARSET ISO-8859-1 BODY {7+}\r\ncaf\xe9 au", "2"}, {"CHARSET windows-1252 TEXT {4+}\r\nCAF\xc9", "2"}, {"CHARSET ISO-8859-15 TEXT {1+}\r\n\xa4", ""},
		{"CHARSET UTF-8 BODY {8+}\r\nмать", "2"}, {"CHARSET UTF-8 SUBJECT {15+}\r\nGRÜẞE МИР", "3"}, {"CHARSET US-ASCII BODY lait", "2"}, {"BODY {8+}\r\nfox\r\njum", "1"}, {"BODY {7+}\r\nfox\njum", "1"},
		{"CHARSET UTF-8 BODY {8+}\r\nSTRAẞE", "3"}, {"CHARSET UTF-8 TEXT {1+}\r\n\xff", "3"},
		{"MODSEQ 1", "1:4"}, {fmt.Sprintf("MODSEQ %d", msg.ModSeq), "2:4"}, {"MODSEQ 9223372036854775807", ""},
		{"OR SEEN FLAGGED", "1:2"}, {"NOT (SEEN ANSWERED)", "2:4"}, {"(SEEN FLAGGED)", ""}, {"SEEN BODY fox", "1"}, {"OR BODY deep SUBJECT hello", "1:2"}, {"NOT OR TEXT fox BODY deep", "3:4"},
		{"NOT NOT NOT BODY fox", "2:4"}, {"BODY fox BODY jumps BODY quick", "1"}, {"OR OR BODY fox TEXT inner TEXT inner", "1:2"}, {"OR (SEEN TEXT fox) (FLAGGED HEADER From a@ TEXT forwarded)", "1:2"},
	} {
		line := "SEARCH RETURN (ALL) " + c.keys
		r, _ := run(t, e, line, false)
		if got := string(imap.AppendRanges(nil, r.Seqs)); got != c.want {
			t.Errorf("%s = %q; want %q", line, got, c.want)
		}
	}
}

func TestCharset(t *testing.T) {
	e := env(t, mails())
	if _, err := New(read(t, "SEARCH CHARSET KOI8-R TEXT x").Search, e); !errors.Is(err, ErrCharset) {
		t.Errorf("an unknown charset: %v; want ErrCharset", err)
	}
	for _, name := range strings.Fields(Charsets) {
		if _, err := New(read(t, "SEARCH CHARSET "+name+" TEXT x").Search, e); err != nil {
			t.Errorf("charset %s is said to be known: %v", name, err)
		}
	}
}

// TestRecent: the session says what is \Recent.
func TestRecent(t *testing.T) {
	e := env(t, mails())
	e.Recent = func(uid uint32) bool { return uid == 3 }
	if _, got := run(t, e, "SEARCH RECENT", false); got != "* SEARCH 3\r\n" {
		t.Errorf("RECENT: %q", got)
	}
}

// TestOpensNoMore: nothing is opened that need not be, and nothing twice for its
// digest.
func TestOpensNoMore(t *testing.T) {
	m := mails()
	e := env(t, m)
	for _, c := range []struct {
		keys string
		want int
	}{
		{"UNSEEN LARGER 5 SINCE 1-Jan-2000 MODSEQ 1", 0}, {"NOT ALL BODY fox", 0}, {"OR ALL BODY fox", 0},
		{"SUBJECT hello SEEN", 1}, {"SUBJECT hello", 4}, {"SUBJECT hello SENTSINCE 1-Jan-2000 FROM x", 0}, {"BODY fox SUBJECT hello", 1}, {"OR SUBJECT hello BODY fox", 4},
		{"HEADER X-Odd thing UID 1", 1}, {"TEXT fox UID 1", 1}, {"HEADER X-Odd none BODY fox UID 1", 1}, {"TEXT netwatcher BODY fox TEXT brown", 5},
	} {
		before := m.Opened()
		run(t, e, "SEARCH "+c.keys, false)
		if got := m.Opened() - before; got != c.want {
			t.Errorf("SEARCH %s opened %d messages; want %d", c.keys, got, c.want)
		}
	}
}

// TestGone: a message that is gone does not match, and is no error.
func TestGone(t *testing.T) {
	for _, keys := range []string{"BODY fox", "NOT BODY nothing", "NOT TEXT nothing", "NOT SUBJECT nothing", "NOT HEADER X-Odd nothing", "OR BODY fox NOT SENTON 1-Jan-2000"} {
		m := mails()
		m.Lose("INBOX", 1)
		if r, _ := run(t, env(t, m), "SEARCH 1 "+keys, false); r.Count != 0 {
			t.Errorf("SEARCH %s finds a message that is gone", keys)
		}
	}
}

var errDisk = errors.New("disk")

// broken is a mailbox whose messages can be read so far, or with less than 0 not
// be opened; what their sizes are on the wire it does not know.
type broken struct {
	Mailbox
	to int64
}

// torn is a message that cannot be read to its end.
type torn struct {
	mailbox.Content
	to int64
}

func (b broken) Message(seq int, m *mailbox.Message) {
	b.Mailbox.Message(seq, m)
	m.Wire = 0
}

func (b broken) Open(seq int) (mailbox.Content, error) {
	if b.to < 0 {
		return nil, errDisk
	}
	c, err := b.Mailbox.Open(seq)
	return torn{c, b.to}, err
}

func (c torn) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > c.to && off < c.Size() {
		return 0, errDisk
	}
	return c.Content.ReadAt(b, off)
}

// TestErrors: a message that cannot be read ends the search, wherever that is.
func TestErrors(t *testing.T) {
	for _, keys := range []string{"BODY x", "TEXT nothing", "SUBJECT x", "HEADER X-Odd x", "LARGER 3", "SENTON 1-Jan-2024", "NOT BODY x", "OR BODY x TEXT y"} {
		for _, to := range []int64{-1, 0, 300} {
			m := mailboxtest.New()
			m.Deliver("INBOX", mailboxtest.Message{Text: multipart})
			e := env(t, m)
			e.Box = broken{e.Box, to}
			s, err := New(read(t, "SEARCH "+keys).Search, e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Run(); !errors.Is(err, errDisk) {
				t.Errorf("SEARCH %s of what cannot be read from byte %d: %v; want that error", keys, to, err)
			}
		}
	}
}

// TestErrorsLate: so it is where the structure could be read, but not all again.
func TestErrorsLate(t *testing.T) {
	m := mailboxtest.New()
	m.Deliver("INBOX", mailboxtest.Message{Text: multipart})
	for n := range 20 {
		e := env(t, m)
		box := &failing{Mailbox: e.Box, left: n}
		e.Box = box
		s, err := New(read(t, "SEARCH FROM a@ BODY nothing TEXT nothing").Search, e)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Run()
		if failed := box.left < 0; failed != errors.Is(err, errDisk) || !failed && r.Count > 0 {
			t.Errorf("reading fails after %d times: %v (%v)", n, err, failed)
		}
	}
}

// failing is a mailbox that can be read from so many times.
type failing struct {
	Mailbox
	left int
}

func (f *failing) Open(seq int) (mailbox.Content, error) {
	c, err := f.Mailbox.Open(seq)
	return failingContent{c, f}, err
}

type failingContent struct {
	mailbox.Content
	f *failing
}

func (c failingContent) ReadAt(b []byte, off int64) (int, error) {
	if c.f.left--; c.f.left < 0 {
		return 0, errDisk
	}
	return c.Content.ReadAt(b, off)
}

// TestSizeNotKnown: RFC822.SIZE is in the digest where the mailbox does not tell
// it.
func TestSizeNotKnown(t *testing.T) {
	m := mailboxtest.New()
	m.Deliver("INBOX", mailboxtest.Message{Text: "a: b\n\nc\n"}) // 11 bytes with CRLF
	e := env(t, m)
	e.Box = broken{e.Box, 1 << 20}
	for range 2 {
		for keys, want := range map[string]string{"LARGER 10": "* SEARCH 1\r\n", "LARGER 11": "* SEARCH\r\n", "SMALLER 12": "* SEARCH 1\r\n"} {
			if _, got := run(t, e, "SEARCH "+keys, false); got != want {
				t.Errorf("SEARCH %s = %q; want %q", keys, got, want)
			}
		}
	}
	if m.Opened() != 1 {
		t.Errorf("opened %d times; want 1, for the digest", m.Opened())
	}
}

// TestBorders: a character that two pieces of a text share is one; where two texts
// meet there is nothing.
func TestBorders(t *testing.T) {
	m := mailboxtest.New()
	m.Deliver("INBOX",
		mailboxtest.Message{Text: "Subject: a\n\n" + strings.Repeat("x", 32<<10-1) + "à" + strings.Repeat("y", 32<<10-2) + "\n"},
		mailboxtest.Message{Text: "To: fo\nTo: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nca\n--b\n\nt\n--b--\n"})
	for keys, want := range map[string]string{
		"CHARSET UTF-8 BODY {4+}\r\nxÀy": "* SEARCH 1\r\n", "CHARSET UTF-8 TEXT {2+}\r\nÀ": "* SEARCH 1\r\n",
		"BODY cat": "* SEARCH\r\n", "TEXT cat": "* SEARCH\r\n", "TO fox": "* SEARCH\r\n", "BODY ca BODY t": "* SEARCH 2\r\n",
	} {
		if _, got := run(t, env(t, m), "SEARCH "+keys, false); got != want {
			t.Errorf("SEARCH %s = %q; want %q", keys, got, want)
		}
	}
}

func TestEmptyMailbox(t *testing.T) {
	e := env(t, mailboxtest.New())
	for _, keys := range []string{"ALL", "1:*", "*", "UID *", "$", "BODY x"} {
		if _, got := run(t, e, "SEARCH "+keys, false); got != "* SEARCH\r\n" {
			t.Errorf("SEARCH %s of nothing = %q", keys, got)
		}
	}
}
