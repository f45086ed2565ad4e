// SPDX-License-Identifier: ISC

package inject

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quill/internal/mailid"
	"quill/queue"
)

// script is a queue program: a shell script that has the message on 0, the
// envelope on 1.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qq")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// hand hands a message to a program by pipes.
func hand(t *testing.T, program, body string) Result {
	t.Helper()
	m, err := New(t.TempDir(), program, true).Begin(42, queue.Params{{Key: "origin", Value: "network"}, {Key: "helo", Value: "a b&c"}})
	if err != nil {
		t.Fatal(err)
	}
	m.Write([]byte(body))
	return m.Commit(&queue.Envelope{Sender: "a@b", Recipients: []queue.Recipient{{Addr: "c@d"}, {Addr: "e@f"}}})
}

// TestExitCodes: every exit code of the family, by a program that has read
// everything.
func TestExitCodes(t *testing.T) {
	for code, want := range map[int]string{
		0: "", 11: "Denvelope address too long for qq (#5.1.3)", 115: "Denvelope address too long for qq (#5.1.3)", 31: "Dmail server permanently rejected message (#5.3.0)",
		12: "Dqq permanent problem (#5.3.0)", 30: "Dqq permanent problem (#5.3.0)", 32: "Dqq permanent problem (#5.3.0)", 40: "Dqq permanent problem (#5.3.0)",
		10: "Zqq temporary problem (#4.3.0)", 41: "Zqq temporary problem (#4.3.0)", 51: "Zqq out of memory (#4.3.0)", 52: "Zqq timeout (#4.3.0)", 53: "Zqq write error or disk full (#4.3.0)",
		54: "Zqq read error (#4.3.0)", 61: "Zqq trouble in home directory (#4.3.0)", 65: "Zqq trouble creating files in queue (#4.3.0)", 74: "Zcommunication with mail server failed (#4.4.2)",
		81: "Zqq internal bug (#4.3.0)", 82: "Zqq temporary problem (#4.3.0)", 91: "Zqq internal bug (#4.3.0)", 99: "Zqq temporary problem (#4.3.0)", 120: "Zunable to exec qq (#4.3.0)",
	} {
		r := hand(t, script(t, fmt.Sprintf("cat >/dev/null; cat <&1 >/dev/null; exit %d", code)), "Subject: x\n\ny\n")
		if r.Code != code || r.Text != want || r.OK() != (code == 0) || r.Permanent() != strings.HasPrefix(want, "D") {
			t.Errorf("exit %d = %+v; want %q", code, r, want)
		}
	}
}

// TestErrorText: exit 82 and 88 say why on descriptor 6 or 4.
func TestErrorText(t *testing.T) {
	for text, want := range map[string]string{"printf Dspam >&6; exit 82": "Dspam", "printf Zbusy >&4; exit 88": "Zbusy", "printf Xodd >&6; exit 82": "Zodd", "printf D >&6; exit 82": "Zqq temporary problem (#4.3.0)",
		"printf \"Zvia $ERROR_FD\" >&\"$ERROR_FD\"; exit 82": "Zvia 4"} {
		if r := hand(t, script(t, "cat >/dev/null; "+text), "x\n"); r.Text != want {
			t.Errorf("%q = %+v; want %q", text, r, want)
		}
	}
}

// TestWhatItGets: message, envelope, id and facts, to the byte.
func TestWhatItGets(t *testing.T) {
	out := filepath.Join(t.TempDir(), "got")
	r := hand(t, script(t, "exec 5<&1; { cat; cat <&5 | tr '\\000' '~'; echo; echo $QUILLID $QUILLPARAMS; } >"+out), "Subject: x\n\ny\n")
	got, _ := os.ReadFile(out)
	if want := "Subject: x\n\ny\nFa@b~Tc@d~Te@f~~\n42 origin=network&helo=a%20b%26c\n"; string(got) != want || !r.OK() || r.ID != 42 {
		t.Errorf("the program got %q, result %+v; want %q", got, r, want)
	}
}

// TestCrashAndAbort: a program that is killed, one that is not there, one that
// does not read, and one that is aborted.
func TestCrashAndAbort(t *testing.T) {
	if r := hand(t, script(t, "kill -9 $$"), "x\n"); r.Text != "Zqq crashed (#4.3.0)" {
		t.Errorf("killed: %+v", r)
	}
	if r := hand(t, "/nonexistent/qq", "x\n"); r.Text != "Zunable to exec qq (#4.3.0)" {
		t.Errorf("not there: %+v", r)
	}
	if r := hand(t, script(t, "exit 0"), strings.Repeat("x", 1<<20)); r.OK() {
		t.Errorf("did not read, but says 0: %+v; want a failure, for the message was not read", r)
	}
	out := filepath.Join(t.TempDir(), "got")
	m, err := New(t.TempDir(), script(t, "cat >/dev/null; cat <&1 >"+out), true).Begin(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Write([]byte("x"))
	m.Abort()
	if b, _ := os.ReadFile(out); len(b) != 0 {
		t.Errorf("after Abort the program got an envelope: %q", b)
	}
}

// TestNoQueued: without queued the client waits, then says so.
func TestNoQueued(t *testing.T) {
	home := t.TempDir()
	if err := queue.Make(filepath.Join(home, "queue")); err != nil {
		t.Fatal(err)
	}
	m, err := New(home, "", false).Begin(mailid.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r := m.Commit(&queue.Envelope{Recipients: []queue.Recipient{{Addr: "c@d"}}})
	if r.Code != 82 || r.Text != "Zqueue is not running (#4.3.0)" || time.Since(start) < Wait/2 {
		t.Errorf("no queued: %+v after %v; want 82 after about %v", r, time.Since(start), Wait)
	}
}
