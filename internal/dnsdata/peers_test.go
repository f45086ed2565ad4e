// SPDX-License-Identifier: ISC

//go:build peers

package dnsdata

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/cdb"
)

// peer is Debian's program.
func peer(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
		if path := filepath.Join(dir, "tinydns-data"); exec.Command("test", "-x", path).Run() == nil {
			return path
		}
	}
	t.Fatal("no tinydns-data of djbdns: install Debian's package tinydns")
	return ""
}

// theirs is what the peer makes of text: data.cdb, or its message.
func theirs(t *testing.T, program, dir, text string) (db []byte, message string, serial uint32) {
	t.Helper()
	data, made := filepath.Join(dir, "data"), filepath.Join(dir, "data.cdb")
	if err := errors.Join(os.RemoveAll(made), os.WriteFile(data, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		if cmd.ProcessState.ExitCode() != 111 {
			t.Fatalf("%s on %q: %v %s", program, text, err, out)
		}
		return nil, string(out), 0
	}
	st, err1 := os.Stat(data)
	db, err2 := os.ReadFile(made)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return db, "", uint32(st.ModTime().Unix())
}

// ours is what we make of it.
func ours(t *testing.T, dir, text string, serial uint32) (db []byte, message string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ours"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cdb.NewWriter(f)
	if err := Compile(strings.NewReader(text), serial, w.Put); err != nil {
		return nil, "tinydns-data: fatal: " + err.Error() + "\n"
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if db, err = os.ReadFile(f.Name()); err != nil {
		t.Fatal(err)
	}
	return db, ""
}

func comparePeer(t *testing.T, program, dir, text string) (compiled bool) {
	t.Helper()
	db, message, serial := theirs(t, program, dir, text)
	got, gotMessage := ours(t, dir, text, serial)
	if gotMessage != message || !bytes.Equal(got, db) {
		t.Errorf("compile(%q)\n  %q %q\nwant\n  %q %q", text, got[min(2048, len(got)):], gotMessage, db[min(2048, len(db)):], message)
	}
	return message == ""
}

// TestPeerLines: one line of every kind, and the corners that are known.
func TestPeerLines(t *testing.T) {
	program, dir := peer(t), t.TempDir()
	long := strings.Repeat("a.", 127)
	for _, text := range []string{
		"", "\n\n", "# comment", "-a:1.2.3.4", "x", "+a:1.2.3.4\nx\n", " +a:1.2.3.4", "+a:1.2.3.4 \t \n", "+a:1.2.3.4\r\n",
		".a.b:1.2.3.4:x:60::in", ".a:1.2.3.4:x.y", ".a:1.2.3.4:x:0", ".a:1.2.3.4:x:4294967296", ".a::", ".:1.2.3.4:a", "&a.b:1.2.3.4:ns:::ex", "&a.b",
		"=a.B.c:1.2.3.4:5", "=a:127.555.0.2junk", "=a:1.2.3", "=a", "+*.a:1.2.3.4", "+*:1.2.3.4", "+*.*.a:1.2.3.4", `+\052.a:1.2.3.4`, "+a*.b:1.2.3.4",
		"@a:1.2.3.4:mx:10:60", "@a::mail.a:65546", "@a", "@d::.:0", "'a:text", "'a", "'a:" + strings.Repeat("x", 600), `'a:\072\7\77\777\8\\\:x`, `'a:end\`,
		"^1.2:a.b", "Ca:b.c:60:4000000000000001:lo", "Ca:", "Za:b:c", "Za:b:c:1:2:3:4:5:6:4:lo", "Za:b:c:-1:x:: 7:",
		`:a:28:\040\001\015\270`, ":a:65536:x", ":a:65537:x", ":a:1:x", ":a:x:x", ":a:2:x", ":a:5:x", ":a:6:x", ":a:12:x", ":a:15:x", ":a:252:x", ":a:0:x",
		"%lo:1.2.3.4", "%lo:1.2.3.4.5.6", "%x", "%:1..2", "%abc:256.257", "%lo:x", "%lo:1x.2",
		"Sa:1.2.3.4:x:80:5:6:77", "Sa::x:80", "Sa::x:80:y:z", "Sa::x", "Sa::x:y", "S_smtp._tcp.a:::25",
		"+a:1.2.3.4:60:4ABCdef:x", "+a:1.2.3.4:60:400000000000000012345:xyz", "+a:1.2.3.4:18446744073709551617", "+a:1.2.3.4:::\x00", "+a:1.2\x00.3.4",
		"+" + long + ":1.2.3.4", "+" + long + ".:1.2.3.4", "+" + long[1:] + "aa:1.2.3.4", "+" + long + "b:1.2.3.4",
		"+" + strings.Repeat("a", 63) + ":1.2.3.4", "+" + strings.Repeat("a", 64) + ":1.2.3.4", `+a\.b\\c\101\:1.2.3.4`, "+a:1.2.3.4:1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17",
	} {
		comparePeer(t, program, dir, text)
	}
}

// TestPeerGenerated: files of lines put together from awkward pieces.
func TestPeerGenerated(t *testing.T) {
	program, dir := peer(t), t.TempDir()
	pieces := []string{"", "a", "b.c", "*.d", "*", "Mail.Example.ORG", "a..b.", ".x", `\052.y`, `a\.b`, `\7`, `\`, `\\`, "1.2.3.4", "256.1.2.3", "1.2.3", "1.2.3.4.5", "0", "60", "60x", " 60", "-5",
		"65535", "65536", "4294967295", "4294967296", "18446744073709551616", "99999999999999999999999", "4000000000000001", "40000000ABCDEF", "fff", "in", "ex", "x", "long location", "\x00", "\x00\x00", "\xff\xfe", "\r",
		strings.Repeat("t", 127), strings.Repeat("t", 128), strings.Repeat("l.", 100), "16", "28", "257", "25", "10"}
	random := rand.New(rand.NewPCG(53, 1987))
	const files = 2000
	compiled := 0
	for range files {
		var b strings.Builder
		for range 1 + random.IntN(12) {
			b.WriteByte(".&=+@'^CZ:S%-#.&=+@'^CZ:S%"[random.IntN(26)])
			if random.IntN(60) == 0 {
				b.WriteByte(byte(random.IntN(256)))
			}
			for i := range 1 + random.IntN(12) {
				if i > 0 {
					b.WriteByte(':')
				}
				b.WriteString(pieces[random.IntN(len(pieces))])
			}
			b.WriteByte('\n')
		}
		if comparePeer(t, program, dir, b.String()) {
			compiled++
		}
		if t.Failed() {
			return
		}
	}
	if compiled < files/3 {
		t.Errorf("only %d of %d files compile: the others say little about records", compiled, files)
	}
	t.Logf("%d of %d files compile", compiled, files)
}
