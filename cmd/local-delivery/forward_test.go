// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// queueProgram writes a program that stands in for qmail-queue: it keeps message
// and envelope beside itself, counts its runs, and exits with code.
func queueProgram(t *testing.T, code int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "queue")
	script := fmt.Sprintf("#!/bin/sh\ncat > $0.message\ncat <&1 > $0.envelope\necho \"$QUILLID\" >> $0.ids\nexit %d\n", code)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestForward: all addresses are one new message at the end, with an id of its
// own, and both ids are logged.
func TestForward(t *testing.T) {
	dir := home(t, map[string]string{"Maildir/": "", ".qmail": "&a@b\n./Maildir/\nc d\n|true\n", ".qmail-owner": ""})
	q := queueProgram(t, 0)
	out, code := run(t, []string{"QMAILHOME=/", "QMAILQUEUE=" + q, "QUILLID=1795479806011174042"}, letterX, "joe", dir, "joe", "", "", "h", "s@x", "./M")
	m := regexp.MustCompile(`^local-delivery: msg 1795479806011174042 forwarded as qp (\d+)\ndid 1\+2\+1\nqp (\d+)\n$`).FindStringSubmatch(out)
	if code != 0 || m == nil || m[1] != m[2] {
		t.Fatalf("forward = %d, %q", code, out)
	}
	if got := read(t, q+".ids"); got != m[1]+"\n" {
		t.Errorf("the queue program ran with ids %q; want once, %s", got, m[1])
	}
	if got := read(t, q+".message"); got != "Delivered-To: joe@h\n"+letterX {
		t.Errorf("message = %q", got)
	}
	if got := read(t, q+".envelope"); got != "Fjoe-owner@h\x00Ta@b\x00Tc d\x00\x00" {
		t.Errorf("envelope = %q", got)
	}
}

// TestForwardFails: a refused forward is the delivery's refusal; nothing is sent
// on when something before it failed.
func TestForwardFails(t *testing.T) {
	for code, want := range map[int]string{
		31: "Unable to forward message: mail server permanently rejected message (#5.3.0).\n100",
		53: "Unable to forward message: qq write error or disk full (#4.3.0).\n111",
		99: "Unable to forward message: qq temporary problem (#4.3.0).\n111",
	} {
		dir := home(t, map[string]string{".qmail": "&a@b\n"})
		out, got := run(t, []string{"QMAILHOME=/", "QMAILQUEUE=" + queueProgram(t, code)}, letterX, "joe", dir, "joe", "", "", "h", "s@x", "./M")
		if s := fmt.Sprint(out, got); s != want {
			t.Errorf("forward to a queue that exits %d = %q; want %q", code, s, want)
		}
	}
	for _, text := range []string{"&a@b\n|exit 1\n", "&a@b\n|exit 100\n", "&a@b\n./nowhere/\n"} {
		dir, q := home(t, map[string]string{".qmail": text}), queueProgram(t, 0)
		out, code := run(t, []string{"QMAILHOME=/", "QMAILQUEUE=" + q}, letterX, "joe", dir, "joe", "", "", "h", "s@x", "./M")
		if _, err := os.Stat(q + ".ids"); err == nil || code == 0 {
			t.Errorf("%q = %d, %q, and the forward was sent", text, code, out)
		}
	}
}

// TestForward99: after a program's 99 the lines that follow count for nothing,
// those before it do.
func TestForward99(t *testing.T) {
	dir, q := home(t, map[string]string{".qmail": "&a@b\n|exit 99\n&c@d\n"}), queueProgram(t, 0)
	out, code := run(t, []string{"QMAILHOME=/", "QMAILQUEUE=" + q}, letterX, "joe", dir, "joe", "", "", "h", "s@x", "./M")
	if code != 0 || !strings.HasPrefix(out, "did 0+1+1\nqp ") {
		t.Errorf("99 = %d, %q; want did 0+1+1", code, out)
	}
	if got := read(t, filepath.Clean(q+".envelope")); got != "Fs@x\x00Ta@b\x00\x00" {
		t.Errorf("envelope = %q", got)
	}
}
