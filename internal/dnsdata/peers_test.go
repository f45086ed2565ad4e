// SPDX-License-Identifier: ISC

//go:build peers

package dnsdata

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// shared is a folder in memory, where this machine has such: Debian's program
// syncs each file.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "quill-dnsdata")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// theirs is what the peer makes of text: data.cdb; or its message and what it
// leaves as data.tmp.
func theirs(t *testing.T, program, dir, text string) (db []byte, message string, serial uint32) {
	t.Helper()
	data, made, half := filepath.Join(dir, "data"), filepath.Join(dir, "data.cdb"), filepath.Join(dir, "data.tmp")
	if err := errors.Join(os.RemoveAll(made), os.RemoveAll(half), os.WriteFile(data, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		if cmd.ProcessState.ExitCode() != 111 {
			t.Fatalf("%s on %q: %v %s", program, text, err, out)
		}
		made = half
	}
	st, err1 := os.Stat(data)
	db, err2 := os.ReadFile(made)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return db, string(out), uint32(st.ModTime().Unix())
}

// memory is a file in memory.
type memory struct {
	b  []byte
	at int
}

func (m *memory) Write(p []byte) (int, error) {
	m.b = append(m.b[:m.at], append(p[:len(p):len(p)], m.b[min(m.at+len(p), len(m.b)):]...)...)
	m.at += len(p)
	return len(p), nil
}

func (m *memory) Seek(offset int64, _ int) (int64, error) {
	m.at = int(offset)
	return offset, nil
}

// ours is what we make of it.
func ours(t *testing.T, text string, serial uint32) (db []byte, message string) {
	t.Helper()
	var f memory
	w := cdb.NewWriter(&f)
	if err := (Compiler{Serial: serial}).Compile(strings.NewReader(text), w.Put); err != nil {
		w.Abandon()
		return f.b, "tinydns-data: fatal: " + err.Error() + "\n"
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return f.b, ""
}

// extended says whether the peer stops at a line of our own.
func extended(text, message string) bool {
	rest, ok := strings.CutPrefix(message, "tinydns-data: fatal: unable to parse data line ")
	number, ok2 := strings.CutSuffix(rest, ": unrecognized leading character\n")
	n, err := strconv.Atoi(number)
	if !ok || !ok2 || err != nil {
		return false
	}
	return strings.ContainsAny(strings.Split(text, "\n")[n-1][:1], "36/!")
}

func comparePeer(t *testing.T, program, dir, text string) (compiled bool) {
	t.Helper()
	db, message, serial := theirs(t, program, dir, text)
	if extended(text, message) {
		return false
	}
	got, gotMessage := ours(t, text, serial)
	if message == "" && strings.HasSuffix(gotMessage, fmt.Sprintf("; at most %d\n", maxData)) {
		return false // TestPeerBig
	}
	if gotMessage != message || !bytes.Equal(got, db) {
		t.Errorf("compile(%q)\n  %q %q\nwant\n  %q %q", text, got[min(2048, len(got)):], gotMessage, db[min(2048, len(db)):], message)
	}
	return message == ""
}

// TestPeerLines: one line of every kind, and the corners that are known.
func TestPeerLines(t *testing.T) {
	program, dir := peer(t), shared(t)
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

// TestPeerBig: data of 65535 bytes is taken as Debian's program takes it. One
// byte more it takes too, though no answer can carry that; we do not.
func TestPeerBig(t *testing.T) {
	program, dir := peer(t), shared(t)
	for _, lo := range []string{"", ":::xx"} {
		if !comparePeer(t, program, dir, ":a:999:"+strings.Repeat("x", maxData)+lo) {
			t.Errorf("data of %d bytes is refused", maxData)
		}
		big := ":a:999:" + strings.Repeat("x", maxData+1) + lo
		if _, message, _ := theirs(t, program, dir, big); message != "" {
			t.Errorf("Debian's program refuses %d bytes: %q", maxData+1, message)
		}
		if _, message := ours(t, big, 1); !strings.Contains(message, "line 1: record of 65536 bytes; at most 65535") {
			t.Errorf("%d bytes: %q", maxData+1, message)
		}
	}
}

// generator makes data files.
type generator struct{ *rand.Rand }

func pick[T any](g generator, of []T) T { return of[g.IntN(len(of))] }

// pieces of fields that are awkward somewhere.
var pieces = []string{"", "a", "b.c", "*.d", "*", "Mail.Example.ORG", "a..b.", ".x", `\052.y`, `a\.b`, `\7`, `\`, `\\`, "1.2.3.4", "256.1.2.3", "1.2.3", "1.2.3.4.5", "0", "60", "60x", " 60", "-5", "+5", "0x10",
	"65535", "65536", "4294967295", "4294967296", "18446744073709551615", "18446744073709551616", "99999999999999999999999", "4000000000000001", "40000000ABCDEF", "fff", "g", "in", "ex", "x", "long location", "\x00", "\x00\x00", "a\x00b", "\xff\xfe", "\r", "\t", " ", ".",
	"s20010db8", "2001_db8__1", "__1", "127.0.0.1 ", "1.2.3.-4", "1..2.3", ".1.2.3", "\\0", "\\00", "\\0000", `\777`, `\8`, `\400x`, strings.Repeat("t", 126), strings.Repeat("t", 127), strings.Repeat("t", 128), strings.Repeat("t", 254), strings.Repeat("t", 255),
	strings.Repeat("l.", 100), strings.Repeat("l.", 126) + "l", strings.Repeat("l.", 127), strings.Repeat("m", 63), strings.Repeat("m", 64), "16", "28", "257", "25", "10", "1", "2", "5", "6", "12", "15", "252", "65788", "_25._tcp"}

// counts of fields of the kinds of lines.
var counts = map[byte]int{'.': 6, '&': 6, '=': 5, '+': 5, '@': 7, '\'': 5, '^': 5, 'C': 5, 'Z': 11, ':': 6, 'S': 9, '%': 2, '-': 3, '#': 3}

const letters = ".&=+@'^CZ:S%-#.&=+@'^CZ:S%.&=+@'^CZ:S%"

// right is a line as people write them, with a piece at one of its fields.
func (g generator) right() string {
	kind := pick(g, []byte(letters))
	names, ttl := []string{"example.org", "www.example.org", "*.example.org", "a.b.c", "ns", `x\055y.org`}, []string{"", "60", "86400", "0"}
	f := make([]string, counts[kind])
	for i := range f {
		f[i] = pick(g, ttl)
	}
	f[0] = pick(g, names)
	switch kind {
	case '.', '&', '@', 'S', '=', '+':
		f[1] = pick(g, []string{"", "192.0.2.1", "10.0.0.77"})
	case ':':
		f[1], f[2] = pick(g, []string{"16", "28", "33", "257"}), pick(g, pieces)
	case '%':
		f[1] = pick(g, []string{"", "10", "10.1", "192.0.2.1"})
	default:
		f[1] = pick(g, names)
	}
	if g.IntN(2) == 0 {
		f[g.IntN(len(f))] = pick(g, pieces)
	}
	f = append(f, make([]string, 2*max(0, g.IntN(20)-16))...)
	return string(kind) + strings.Join(f, ":")
}

// odd is a line of pieces alone.
func (g generator) odd() string {
	f := make([]string, 1+g.IntN(18))
	for i := range f {
		f[i] = pick(g, pieces)
	}
	return string(pick(g, []byte(letters))) + strings.Join(f, ":")
}

// mutated is a right line with some bytes changed, put in or taken out.
func (g generator) mutated() string {
	b := []byte(g.right())
	for range 1 + g.IntN(3) {
		at := g.IntN(len(b))
		if at == 0 && g.IntN(8) > 0 {
			continue
		}
		ch := pick(g, []byte(":\\.0123456789abcxyz \t\r\x00\x7f\x80\xff*_-"))
		switch g.IntN(4) {
		case 0:
			b[at] = ch
		case 1:
			b = append(b[:at:at], append([]byte{ch}, b[at:]...)...)
		case 2:
			b = append(b[:at:at], b[at+1:]...)
		default:
			b = append(b, b[at:]...)
		}
		if len(b) == 0 {
			return ""
		}
	}
	return string(b)
}

// noise is bytes after a letter, or alone.
func (g generator) noise() string {
	b := make([]byte, g.IntN(80))
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	if g.IntN(8) > 0 {
		return string(pick(g, []byte(letters))) + string(b)
	}
	return string(b)
}

// file is some lines of these kinds; now and then they are many, or long.
func (g generator) file() string {
	kinds := []func() string{g.right, g.right, g.right, g.odd, g.mutated, g.noise}
	kind := pick(g, kinds)
	var b strings.Builder
	for n := 1 + g.IntN(10); n > 0; n-- {
		line := kind()
		if g.IntN(200) == 0 {
			line += strings.Repeat(pick(g, pieces), g.IntN(600))
		}
		if g.IntN(500) == 0 {
			line = strings.Repeat(line+"\n", g.IntN(400))
		}
		b.WriteString(line + "\n")
		if g.IntN(3) == 0 {
			kind = pick(g, kinds[:4])
		}
	}
	text := b.String()
	return text[:len(text)-g.IntN(2)*g.IntN(2)]
}

// TestPeerGenerated: ten thousand files, each kind of line at its edges, right
// lines with bytes changed, and bytes at random: the same data.cdb, or the same
// message and the same half of a file.
func TestPeerGenerated(t *testing.T) {
	program, dir := peer(t), shared(t)
	g := generator{rand.New(rand.NewPCG(53, 1987))}
	const files = 10000
	compiled := 0
	for range files {
		if comparePeer(t, program, dir, g.file()) {
			compiled++
		}
		if t.Failed() {
			return
		}
	}
	if compiled < files/4 || compiled > files*9/10 {
		t.Errorf("%d of %d files compile: the others say little about records, these little about refusals", compiled, files)
	}
	t.Logf("%d of %d files compile", compiled, files)
}
