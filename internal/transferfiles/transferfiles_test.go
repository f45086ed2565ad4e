// SPDX-License-Identifier: ISC

package transferfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsdata"
	"quill/internal/dnstransfer"
)

var (
	zone   = []byte("\x02ex\x04test\x00")
	client = netip.MustParseAddr("192.0.2.1")
)

// TestReload: files are read again when they have changed; one that is wrong,
// too large or unreadable leaves the old in use and is told of once; one that
// is gone leaves nothing.
func TestReload(t *testing.T) {
	t.Chdir(t.TempDir())
	var told []string
	f := New(func(err error) { told = append(told, err.Error()) })
	for _, c := range []struct {
		why, text string
		allow     bool
		warning   string
	}{
		{"no file", "", false, ""},
		{"a rule", "ex.test:192.0.2.1\n", true, ""},
		{"a bad line", "ex.test:192.0.2.1\nx\n", true, "transfer: line 2: want zone:who"},
		{"bad from the start", "ex.test:somebody\n", true, "transfer: line 1: "},
		{"empty", "\n", false, ""},
		{"a rule again", "*:*\n", true, ""},
		{"too large", strings.Repeat("#", maxSize+1), true, "has 4194305 bytes"},
		{"as large as can be", "*:*\n#" + strings.Repeat("\n", maxLines-2) + "\n", true, ""},
		{"a line more", "ex.test:*\n" + strings.Repeat("\n", maxLines), true, "more than 100000 lines"},
		{"no file again", "", false, ""},
	} {
		told = nil
		if c.text == "" {
			os.Remove(rulesFile)
		} else if err := errors.Join(os.WriteFile("new", []byte(c.text), 0o644), os.Rename("new", rulesFile)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			f.rules.looked = time.Time{}
			if got := f.Rules().Allow(zone, client, nil); got != c.allow {
				t.Errorf("%s: Allow = %v; want %v", c.why, got, c.allow)
			}
		}
		if all := strings.Join(told, "\n"); (c.warning != "") != (len(told) == 1) || len(told) > 1 || !strings.Contains(all, c.warning) {
			t.Errorf("%s: told %q; want %q, once", c.why, all, c.warning)
		}
	}
	if _, err := os.ReadFile(rulesFile); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("the file is there")
	}
}

// maxLines is that of files of keys and rules.
const maxLines = 100000

// TestKeys: keys that strangers can read are told of, and used.
func TestKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	for mode, warns := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o640: false, 0o644: true, 0o660: true, 0o604: true} {
		if err := errors.Join(os.WriteFile(keysFile, []byte("k:hmac-sha256:YWJj\n"), 0o600), os.Chmod(keysFile, mode)); err != nil {
			t.Fatal(err)
		}
		var told []string
		f := New(func(err error) { told = append(told, err.Error()) })
		if f.Keys().Named("k") == nil || (len(told) == 1) != warns || strings.Contains(strings.Join(told, ""), "YWJj") {
			t.Errorf("mode %o: told %q; want a warning: %v", mode, told, warns)
		}
	}
}

// TestSend: what becomes of a request without data, without the zone, with
// records that cannot be sent, and with a file that is cut short meanwhile.
func TestSend(t *testing.T) {
	t.Chdir(t.TempDir())
	q, ok := dnstransfer.Read(append(dnstransfer.Query(zone, 252), nil...))
	if !ok {
		t.Fatal("no request")
	}
	publish := func(text string) {
		f, err := os.Create("tmp")
		if err != nil {
			t.Fatal(err)
		}
		w := cdb.NewWriter(f)
		if err := errors.Join(dnsdata.Compile(strings.NewReader(text), 7, w.Put), w.Finish(), f.Close(), os.Rename("tmp", DataFile)); err != nil {
			t.Fatal(err)
		}
	}
	var large strings.Builder
	large.WriteString("Zex.test:a:b:1\n&ex.test::a\n")
	for i := range 100000 {
		fmt.Fprintf(&large, "+h%d.ex.test:1.2.3.4\n", i)
	}
	for _, c := range []struct {
		why, text string
		rcode     byte
		err       error
		warnings  int
		cut       bool
	}{
		{"no data", "", 2, fs.ErrNotExist, 0, false},
		{"no zone", "+a.ex.test:1.2.3.4\n", 9, dnstransfer.ErrNoZone, 0, false},
		{"a zone", "Zex.test:a:b:1\n&ex.test::a\n", 0, nil, 0, false},
		{"a record that cannot be sent", "Zex.test:a:b:1\n&ex.test::a\n:ex.test:28:x\n", 0, nil, 1, false},
		{"cut short", large.String(), 0, cdb.ErrCorrupt, 0, true},
	} {
		if c.text != "" {
			publish(c.text)
		}
		warnings, messages, rcode := 0, 0, byte(99)
		err := Send(q, dnstransfer.Client{Addr: client, Now: time.Now()}, func(error) { warnings++ }, func(msg []byte) error {
			if messages++; messages == 1 {
				rcode = msg[3] & 15
				if c.cut {
					return os.Truncate(DataFile, 4096)
				}
			}
			return nil
		})
		if !errors.Is(err, c.err) || c.err == nil && err != nil || rcode != c.rcode || warnings != c.warnings {
			t.Errorf("%s: %v, rcode %d, %d warnings; want %v, %d, %d", c.why, err, rcode, warnings, c.err, c.rcode, c.warnings)
		}
	}
}
