// SPDX-License-Identifier: ISC

package pop3

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"quill/internal/login"
)

// fake is a connection with a script, and a maildrop in memory.
type fake struct {
	in      io.Reader
	out     bytes.Buffer
	mails   []string
	deleted []int
	quit    bool
	fail    bool
}

func (f *fake) Read(p []byte) (int, error)       { return f.in.Read(p) }
func (f *fake) Write(p []byte) (int, error)      { return f.out.Write(p) }
func (f *fake) SetReadDeadline(time.Time) error  { return nil }
func (f *fake) SetWriteDeadline(time.Time) error { return nil }
func (f *fake) Count() int                       { return len(f.mails) }
func (f *fake) Size(i int) int64                 { return int64(len(strings.ReplaceAll(f.mails[i], "\n", "\r\n"))) }
func (f *fake) ID(i int) string                  { return "id" + f.mails[i][:1] }
func (f *fake) Open(i int) (io.ReadCloser, error) {
	if f.mails[i] == "gone\n" {
		return nil, errors.New("no such file")
	}
	return io.NopCloser(iotest.OneByteReader(strings.NewReader(f.mails[i]))), nil
}
func (f *fake) Commit(deleted []int) (int, error) {
	f.deleted, f.quit = deleted, true
	if f.fail {
		return 1, nil
	}
	return 0, nil
}

func play(script string, classic bool, mails ...string) (*fake, string) {
	f := &fake{in: strings.NewReader(strings.ReplaceAll(script, "\n", "\r\n")), mails: mails}
	Serve(f, nil, f, classic)
	return f, strings.ReplaceAll(f.out.String(), "\r\n", "\n")
}

func TestSession(t *testing.T) {
	two := []string{"S: 1\n\nl1\nl2\nl3\n", "B: 2\n\n.dot\nnonl"}
	for _, c := range []struct{ name, in, want string }{
		{"stat list uidl", "STAT\nLIST\nUIDL\nLIST 2\nUIDL 2\nQUIT\n", "+OK 2 38\n+OK \n1 20\n2 18\n.\n+OK \n1 idS\n2 idB\n.\n+OK 2 18\n+OK 2 idB\n+OK \n"},
		{"retr", "RETR 2\nQUIT\n", "+OK \nB: 2\n\n..dot\nnonl\n.\n+OK \n"},
		{"top", "TOP 1 0\nTOP 1 2\nTOP 1 99999999999\nTOP 1 x\nTOP 1\n", "+OK \nS: 1\n\n.\n+OK \nS: 1\n\nl1\nl2\n.\n+OK \nS: 1\n\nl1\nl2\nl3\n.\n-ERR syntax error\n-ERR syntax error\n"},
		{"dele", "DELE 1\nSTAT\nLIST\nLIST 1\nDELE 1\nLAST\nRSET\nLAST\nSTAT\n", "+OK \n+OK 1 18\n+OK \n2 18\n.\n-ERR already deleted\n-ERR already deleted\n+OK 1\n+OK \n+OK 0\n+OK 2 38\n"},
		{"numbers", "RETR 0\nRETR -1\nRETR 3\nRETR 99999999999999999999\nRETR 4294967297\nRETR 18446744073709551617\nRETR x\nRETR\nRETR +1\nRETR 1 2\n",
			"-ERR messages are counted from 1\n-ERR syntax error\n-ERR not that many messages\n-ERR not that many messages\n-ERR not that many messages\n-ERR not that many messages\n-ERR syntax error\n-ERR syntax error\n-ERR syntax error\n-ERR syntax error\n"},
		{"capa", "CAPA\nXTND\n\nNOOP\n", "+OK \nTOP\nUIDL\nRESP-CODES\nPIPELINING\nEXPIRE NEVER\nIMPLEMENTATION Quill\n.\n-ERR unimplemented\n-ERR unimplemented\n+OK \n"},
	} {
		if _, got := play(c.in, false, two...); got != "+OK \n"+c.want {
			t.Errorf("%s: %q; want %q", c.name, got, "+OK \n"+c.want)
		}
	}
}

// TestWords: the family knows no response codes.
func TestWords(t *testing.T) {
	for in, want := range map[string]string{"[SYS/TEMP] a [b] c": "a [b] c", "[x": "[x", "a [b] c": "a [b] c", "": ""} {
		if got := Words(in, true); got != want || Words(in, false) != in {
			t.Errorf("Words(%q) = %q classic, %q modern; want %q", in, got, Words(in, false), want)
		}
	}
}

// TestClassic is qmail-pop3d's dialogue where it differs.
func TestClassic(t *testing.T) {
	_, got := play("DELE 1\nSTAT\nCAPA\nRETR 2 0\nQUIT\n", true, "a\n", "S: 2\n\nx\n")
	if want := "+OK \n+OK \n+OK 2 11\n-ERR unimplemented\n+OK \nS: 2\n\n\n.\n+OK \n"; got != want {
		t.Errorf("classic: %q; want %q", got, want)
	}
}

func TestDeletion(t *testing.T) {
	if f, _ := play("DELE 2\nQUIT\n", false, "a\n", "b\n"); len(f.deleted) != 1 || f.deleted[0] != 1 {
		t.Errorf("QUIT deleted %v; want [1]", f.deleted)
	}
	if f, _ := play("DELE 2\n", false, "a\n", "b\n"); f.quit {
		t.Error("a session that ended without QUIT deleted something")
	}
	f := &fake{in: strings.NewReader("DELE 1\r\nQUIT\r\n"), mails: []string{"a\n"}, fail: true}
	Serve(f, nil, f, false)
	if !strings.HasSuffix(f.out.String(), "-ERR [SYS/TEMP] unable to unlink all deleted messages\r\n") {
		t.Errorf("QUIT that fails says %q", f.out.String())
	}
	if _, got := play("RETR 1\nQUIT\n", false, "gone\n"); got != "+OK \n-ERR [SYS/TEMP] unable to open that message\n+OK \n" {
		t.Errorf("RETR of a vanished message: %q", got)
	}
}

// TestText: the wire form of all short messages over a hostile alphabet is one
// message again, whatever pieces it was read in.
func TestText(t *testing.T) {
	alphabet := "a.\r\n\x00"
	var all []string
	for n, layer := 0, []string{""}; n < 6; n++ {
		var next []string
		for _, s := range layer {
			all = append(all, s)
			for _, c := range alphabet {
				next = append(next, s+string(c))
			}
		}
		layer = next
	}
	for _, m := range all {
		for step := 1; step < 4; step++ {
			var out bytes.Buffer
			x := &text{w: &out, lines: -1, head: true}
			for i := 0; i < len(m); i += step {
				if _, err := x.feed([]byte(m[i:min(i+step, len(m))])); err != nil {
					t.Fatal(err)
				}
			}
			x.finish()
			if got := unstuff(t, out.String()+".\r\n"); got != normal(m) {
				t.Fatalf("message %q by %d: wire %q, read back %q; want %q", m, step, out.String(), got, normal(m))
			}
		}
	}
}

// unstuff reads a multi-line reply as a client does.
func unstuff(t *testing.T, wire string) string {
	var b strings.Builder
	for {
		line, rest, ok := strings.Cut(wire, "\r\n")
		if !ok {
			t.Fatalf("no end in %q", wire)
		}
		if line == "." {
			if rest != "" {
				t.Fatalf("%q after the end", rest)
			}
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(line, ".") + "\n")
		wire = rest
	}
}

// normal is a message with LF line ends and a last line that ends.
func normal(m string) string {
	m = strings.ReplaceAll(m, "\r\n", "\n")
	if m != "" && !strings.HasSuffix(m, "\n") {
		m = strings.TrimSuffix(m, "\r") + "\n" // a CR at the very end is taken for a line's end
	}
	return m
}

func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		taken          bool
	}{
		{"plain", "USER a\nPASS b c\nSTAT\n", "+OK\n+OK \n", true},
		{"order", "PASS x\nSTAT\nUSER\nUSER a\nPASS\nQUIT\n", "+OK\n-ERR USER first\n-ERR authorization first\n-ERR syntax error\n+OK \n-ERR syntax error\n+OK \n", false},
		{"refused three times", "USER x\nPASS x\nUSER x\nPASS x\nUSER x\nPASS x\nUSER x\n", "+OK\n+OK \n-ERR [AUTH] authorization failed\n+OK \n-ERR [AUTH] authorization failed\n+OK \n-ERR [AUTH] authorization failed\n", false},
		{"apop not offered", "APOP a b\nQUIT\n", "+OK\n-ERR APOP is not offered here\n+OK \n", false},
		{"temporary", "USER temp\nPASS x\n", "+OK\n+OK \n-ERR [SYS/TEMP] unable to check passwords now, please try later\n", false},
		{"crash", "USER crash\nPASS x\n", "+OK\n+OK \n-ERR aack, child crashed\n", false},
		{"NUL", "USER a\x00b\nQUIT\n", "+OK\n-ERR syntax error\n+OK \n", false},
		{"long line", "USER " + strings.Repeat("x", LoginLine) + "\n", "+OK\n-ERR line too long\n", false},
	} {
		f := &fake{in: strings.NewReader(strings.ReplaceAll(c.in, "\n", "\r\n"))}
		l := &Login{Host: "pop3.testingsmtp.org", Try: func(cr login.Credentials, ahead []byte) login.Verdict {
			switch {
			case cr.User == "temp":
				return login.Temporary
			case cr.User == "crash":
				return login.Crashed
			case cr.User == "a" && cr.Secret == "b c" && string(ahead) == "STAT\r\n":
				return login.Taken
			}
			return login.Refused
		}}
		taken, err := l.Serve(f, nil, false)
		if quit := strings.Contains(c.in, "QUIT"); (err == nil) != (quit || taken) {
			t.Errorf("%s: ended with %v; want an error where neither QUIT nor a session ended it", c.name, err)
		}
		if got := strings.ReplaceAll(f.out.String(), "\r\n", "\n"); got != c.want || taken != c.taken {
			t.Errorf("%s: %q, taken %v; want %q, %v", c.name, got, taken, c.want, c.taken)
		}
	}
}

// TestErrors: commands that are not understood are bounded by themselves, and
// make no wrong password worse.
func TestErrors(t *testing.T) {
	var pauses []time.Duration
	l := &Login{Pause: func(d time.Duration) { pauses = append(pauses, d) }, Try: func(login.Credentials, []byte) login.Verdict { return login.Refused }}
	f := &fake{in: strings.NewReader(strings.Repeat("STAT\r\n", login.MaxErrors) + strings.Repeat("USER x\r\nPASS x\r\n", login.MaxTries))}
	if _, err := l.Serve(f, nil, false); err == nil || strings.Contains(f.out.String(), "too many errors") {
		t.Errorf("said %q, ended with %v; want every password tried", f.out.String(), err)
	}
	if want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}; !slices.Equal(pauses, want) {
		t.Errorf("pauses %v; want %v", pauses, want)
	}
	f = &fake{in: strings.NewReader(strings.Repeat("STAT\r\n", login.MaxErrors+1) + "NOOP\r\n")}
	if _, err := l.Serve(f, nil, false); err == nil || !strings.HasSuffix(f.out.String(), "-ERR too many errors\r\n") {
		t.Errorf("said %q, ended with %v; want the end", f.out.String(), err)
	}
}

// TestLoginSingle: in the spawned shape no byte beyond the login command is
// read.
func TestLoginSingle(t *testing.T) {
	in := strings.NewReader("USER a\r\nPASS b\r\nSTAT\r\n")
	f := &fake{in: in}
	l := &Login{Timestamp: "<1.2@h>", Try: func(login.Credentials, []byte) login.Verdict { return login.Taken }}
	if taken, err := l.Serve(f, nil, true); !taken || err != nil {
		t.Fatal(taken, err)
	}
	if rest, _ := io.ReadAll(in); string(rest) != "STAT\r\n" {
		t.Errorf("left for the session: %q; want STAT", rest)
	}
	if !strings.HasPrefix(f.out.String(), "+OK <1.2@h>\r\n") {
		t.Errorf("greeting %q", f.out.String())
	}
}

func TestInsecure(t *testing.T) {
	f := &fake{in: strings.NewReader("USER a\r\nPASS b\r\nAPOP a b\r\nQUIT\r\n")}
	l := &Login{Insecure: "not from here", Timestamp: "<1.2@h>", Try: func(login.Credentials, []byte) login.Verdict {
		t.Error("the password was looked at")
		return login.Refused
	}}
	l.Serve(f, nil, false)
	if n := strings.Count(f.out.String(), "-ERR [AUTH] not from here"); n != 3 {
		t.Errorf("%q; want three refusals", f.out.String())
	}
}

func FuzzSession(f *testing.F) {
	f.Add("STAT\nRETR 1\nTOP 1 1\nDELE 1\nQUIT\n")
	f.Fuzz(func(t *testing.T, script string) {
		play(script, false, "S: 1\n\n.x\n")
		c := &fake{in: strings.NewReader(script)}
		(&Login{Try: func(login.Credentials, []byte) login.Verdict { return login.Refused }}).Serve(c, nil, false)
	})
}
