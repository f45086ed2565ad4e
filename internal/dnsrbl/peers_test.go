// SPDX-License-Identifier: ISC

//go:build peers

package dnsrbl

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quill/internal/cdb"
	"quill/internal/djbpeer"
	"quill/internal/dnsreply"
	"quill/internal/dnswire"
)

// ours is what we make of data: data.cdb, or the message.
func ours(t *testing.T, dir, text string) (db []byte, message string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ours"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cdb.NewWriter(f)
	if err := Compile(strings.NewReader(text), w.Put); err != nil {
		return nil, "rbldns-data: fatal: " + err.Error() + "\n"
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	db, err = os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return db, ""
}

// theirs is what the peer makes of it.
func theirs(t *testing.T, dir, text string) (db []byte, message string) {
	t.Helper()
	made := filepath.Join(dir, "data.cdb")
	if err := errors.Join(os.RemoveAll(made), os.WriteFile(filepath.Join(dir, "data"), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(djbpeer.Path(t, "rbldns-data"))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, string(out)
	}
	db, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	return db, ""
}

func comparePeer(t *testing.T, dir, text string) (compiled bool) {
	t.Helper()
	want, wantMessage := theirs(t, dir, text)
	got, message := ours(t, dir, text)
	if message != wantMessage || !bytes.Equal(got, want) {
		t.Errorf("compile(%q)\n  %q %q\nwant\n  %q %q", text, got[min(2048, len(got)):], message, want[min(2048, len(want)):], wantMessage)
	}
	return message == ""
}

// TestPeerLines: every kind of line, and the corners that are known.
func TestPeerLines(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{
		"", "\n \t\n", "#x", "1.2.3.4", "1.2.3.4/24\n", "1.2.3.0/24 \t\n5.6.7.8", "10", "10.1/16", "1.2.3.4.5/8", "1..2/24", "1./24", "1/", "1/x", "1/33", "1/4294967296", "1/18446744073709551617",
		"256.257.1024.65537", "18446744073709551617.2", "1.2.3.4junk/9", "1.2.3.4\x00/9", "1.2.3.4/9\x00", "2001:db8::/32", "1.2.3.4\r\n", " 1.2.3.4", "-1", "x", "\x00", "\xff",
		":127.0.0.2:Listed $", ":127.0.0.2:", ":127.0.0.2", ":", "::", "::text", ":1.2.3.4:a\n::text", ":1.2.3.4x:a", ":1.2.3:a", ":1.2.3.4.5:a", ":256.1.2.3:a:b", ":1.2.3.4:" + strings.Repeat("x", 300), ":a:b", ": 1.2.3.4:b", ":1.2.3.4 :b",
		"1.2.3.4\n\nx\n", "1.2.3.4\n:1:2",
	} {
		comparePeer(t, dir, text)
	}
}

// TestPeerGenerated: files of lines put together from awkward pieces.
func TestPeerGenerated(t *testing.T) {
	dir := t.TempDir()
	pieces := []string{"0", "1", "10", "127", "255", "256", "65536", "4294967297", "99999999999999999999", ".", ".", ".", ".", "/", "/8", "/24", "/32", "/99", "x", " ", "\t", "\r", "\x00", "\xff", "#", "text $", "", "-"}
	random := rand.New(rand.NewPCG(53, 5782))
	const files = 600
	compiled := 0
	for range files {
		var b strings.Builder
		for range 1 + random.IntN(20) {
			b.WriteString([]string{"1", "2", "127.0.0.2", "10.", "0", "9", "#", "", ":127.0.0.3:", ":1.2.3.4:", "::"}[random.IntN(11)])
			if random.IntN(200) == 0 {
				b.WriteString([]string{":", "x", "\x00"}[random.IntN(3)])
			}
			for range random.IntN(9) {
				b.WriteString(pieces[random.IntN(len(pieces))])
			}
			b.WriteByte('\n')
		}
		if comparePeer(t, dir, b.String()) {
			compiled++
		}
		if t.Failed() {
			return
		}
	}
	if compiled < files/3 {
		t.Errorf("only %d of %d files compile", compiled, files)
	}
	t.Logf("%d of %d files compile", compiled, files)
}

// TestPeerAnswers: 20,000 questions get the same bytes, or the same silence, and
// the same line in the log.
func TestPeerAnswers(t *testing.T) {
	long := strings.Repeat("x", 95) + "$" + strings.Repeat("y", 40)
	for i, c := range []struct {
		data, base string
		n          int
	}{
		{"127.0.0.2\n10.0.0.0/8\n1.2.3.0/24\n1.2.4.0/23\n9.9.9.9/32\n4.0.0.0/7\n192.168.1.5/24\n", "rbl.Example", 8000},
		{":127.0.0.9:See http://example/$\n127.0.0.0/8\n1.0.0.0/9\n", "", 4000},
		{":127.0.0.9:" + long + "\n1.0.0.0/8\n2.0.0.0/8\n", strings.Repeat("base.of.some.length.", 11), 5000},
		{":127.0.0.9:$\n:1.2.3.4:x\n1.0.0.0/8\n", `a\056b.1.2.`, 2000},
		{":127.0.0.9:\n1.0.0.0/8\n", "1.1.1.1", 1000},
	} {
		dir := t.TempDir()
		open(t, dir)
		if _, message := theirs(t, dir, c.data); message != "" {
			t.Fatal(message)
		}
		peer := djbpeer.Start(t, "rbldns", dir, "BASE="+c.base)
		m, err := cdb.Open(filepath.Join(dir, "data.cdb"))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		base, err := dnswire.Name(c.base)
		if err != nil {
			t.Fatal(err)
		}
		l := &List{Zone: dnsreply.Zone{Base: dnswire.Lower(base)}, Old: true}
		make := djbpeer.Maker{R: rand.New(rand.NewPCG(uint64(i), 1)), Suffixes: []string{string(base), string(base), string(base), string(base), "\x01x" + string(base), "\x03org\x00", "\x00"},
			Octets: []string{"0", "1", "2", "3", "4", "5", "9", "10", "127", "168", "192", "255"}}
		seen := map[string]int{}
		for range c.n {
			packet := make.Packet()
			want, wantLine := peer.Ask(t, packet)
			var q dnswire.Query
			got, status := l.Answer(m, 0, nil, packet, false, &q)
			if !bytes.Equal(got, want) || djbpeer.Line(&q, status) != wantLine {
				t.Fatalf("%q\n  %q %q\nwant\n  %q %q", packet, got, djbpeer.Line(&q, status), want, wantLine)
			}
			kind := string(status)
			if len(got) > 3 {
				kind += fmt.Sprint(" rcode ", got[3]&15, " records ", got[7], " tc ", got[2]>>1&1)
			}
			seen[kind]++
		}
		t.Logf("base %q: %v", c.base, seen)
		if len(seen) < 6 {
			t.Errorf("base %q: only %v; the questions say little", c.base, seen)
		}
	}
}

// open lets the peer, which is nobody, reach a folder.
func open(t *testing.T, dir string) {
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
