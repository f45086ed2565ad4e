// SPDX-License-Identifier: ISC

package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/mailid"
)

// TestMain also plays the deliverer that tests kill or starve.
func TestMain(m *testing.M) {
	if box := os.Getenv("TEST_DELIVER_INTO"); box != "" {
		deliverForever(box)
	}
	os.Exit(m.Run())
}

func letterOf(text string) *Delivery {
	return &Delivery{ID: someID, Rcpt: 3, Head: []byte("Return-Path: <a@b>\n"), Body: strings.NewReader(text)}
}

// TestDeliver: name, content, mode, and nothing left in tmp/.
func TestDeliver(t *testing.T) {
	box, m := newBox(t)
	d := NewDeliverer("mail.example.org")
	name, err := d.Deliver(m, letterOf("S: x\n\nbody\n"))
	want := "1795479806.M11174Q1795479806011174042R3.mail.example.org,S=30,W=34"
	if err != nil || name != want {
		t.Fatalf("Deliver = %q, %v; want %q", name, err, want)
	}
	b, err := os.ReadFile(filepath.Join(box, "new", name))
	if err != nil || string(b) != "Return-Path: <a@b>\nS: x\n\nbody\n" {
		t.Errorf("the file is %q, %v", b, err)
	}
	if st, _ := os.Stat(filepath.Join(box, "new", name)); st.Mode() != 0o600 {
		t.Errorf("its mode is %v; want 0600", st.Mode())
	}
	if left := files(t, box, "tmp"); len(left) != 0 {
		t.Errorf("tmp/ holds %q", left)
	}
}

// TestDeliverWithoutID: names of their own each time, so the same bytes twice are
// two messages.
func TestDeliverWithoutID(t *testing.T) {
	box, m := newBox(t)
	d := NewDeliverer("h")
	for range 2 {
		name, err := d.Deliver(m, &Delivery{Body: strings.NewReader("x\n")})
		if err != nil || !regexp.MustCompile(`^\d+\.M\d+P\d+_\d+R[0-9a-f]{16}\.h,S=2,W=3$`).MatchString(name) {
			t.Errorf("Deliver = %q, %v", name, err)
		}
	}
	if got := files(t, box, "new"); len(got) != 2 {
		t.Errorf("new/ holds %q; want 2 files", got)
	}
}

// TestDeliverTwice: the same bytes under the same name are one file; other bytes
// get an X and overwrite nothing.
func TestDeliverTwice(t *testing.T) {
	box, m := newBox(t)
	first, err := NewDeliverer("h").Deliver(m, letterOf("same\n"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewDeliverer("h").Deliver(m, letterOf("same\n"))
	if err != nil || second != first {
		t.Errorf("second Deliver = %q, %v; want %q", second, err, first)
	}
	other, err := NewDeliverer("h").Deliver(m, letterOf("sand\n"))
	if err != nil || !regexp.MustCompile(`R3X[0-9a-f]{8}\.h,S=24,W=26$`).MatchString(other) {
		t.Errorf("Deliver of other bytes = %q, %v; want a name with X", other, err)
	}
	if got := files(t, box, "new"); len(got) != 2 {
		t.Errorf("new/ holds %q; want 2 files", got)
	}
	if left := files(t, box, "tmp"); len(left) != 0 {
		t.Errorf("tmp/ holds %q", left)
	}
	if b, _ := os.ReadFile(filepath.Join(box, "new", first)); !bytes.HasSuffix(b, []byte("same\n")) {
		t.Errorf("the first file became %q", b)
	}
}

// TestDeliverTaken: a link or folder under the name is no earlier try, and is not
// touched.
func TestDeliverTaken(t *testing.T) {
	for what, take := range map[string]func(path string) error{
		"link":   func(p string) error { return os.Symlink("/etc/passwd", p) },
		"folder": func(p string) error { return os.Mkdir(p, 0o700) },
		"fifo":   func(p string) error { return unix.Mkfifo(p, 0o600) },
	} {
		box, m := newBox(t)
		if err := take(filepath.Join(box, "new", Name(someID, 3, "h", 21, 23))); err != nil {
			t.Fatal(err)
		}
		for _, again := range []bool{false, true} {
			del := letterOf("x\n")
			del.Again = again
			name, err := NewDeliverer("h").Deliver(m, del)
			if err != nil || !strings.Contains(name, "R3X") {
				t.Errorf("Deliver (again %v) where a %s has the name = %q, %v; want one with X", again, what, name, err)
			}
		}
		if got := files(t, box, "new"); len(got) != 2 {
			t.Errorf("%s: new/ holds %q; want 2, the second try having found the first", what, got)
		}
	}
}

// TestAgain: an earlier try is found in new/ and, whatever its flags, in cur/.
func TestAgain(t *testing.T) {
	box, m := newBox(t)
	d := NewDeliverer("h")
	del := letterOf("x\n")
	del.Again = true
	name, err := d.Deliver(m, del)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(box, "new", name)
	for _, to := range []string{"new/" + name, "cur/" + name, "cur/" + name + ":2,", "cur/" + name + ":2,FRS", "new/" + name} {
		if err := os.Rename(at, filepath.Join(box, to)); err != nil {
			t.Fatal(err)
		}
		at = filepath.Join(box, to)
		if got, err := d.Deliver(m, del); err != nil || !strings.HasPrefix(got, name) {
			t.Errorf("Deliver again with the file at %s = %q, %v", to, got, err)
		}
		if n := len(files(t, box, "new")) + len(files(t, box, "cur")); n != 1 {
			t.Fatalf("there are %d files after a delivery with the file at %s; want 1", n, to)
		}
	}
	os.Rename(at, filepath.Join(box, "cur", name+":2,S"))
	other := letterOf("y\n") // another message under the same id
	other.Again = true
	for range 2 {
		if got, err := d.Deliver(m, other); err != nil || strings.HasPrefix(got, name) {
			t.Errorf("Deliver of another message = %q, %v", got, err)
		}
	}
	if n := len(files(t, box, "new")) + len(files(t, box, "cur")); n != 2 {
		t.Errorf("there are %d files; want 2", n)
	}
	os.Remove(filepath.Join(box, "cur", name+":2,S"))
	if got, err := d.Deliver(m, del); err != nil || !strings.HasPrefix(got, stem(someID, 3)) {
		t.Errorf("Deliver again after the reader removed it = %q, %v; want a new one", got, err)
	}
}

// TestDeliverTogether: 50 at once into one Maildir, a few of them twice.
func TestDeliverTogether(t *testing.T) {
	box, m := newBox(t)
	d := NewDeliverer("h")
	var wg sync.WaitGroup
	for i := range 50 {
		for range 1 + i%2 {
			wg.Go(func() {
				text := fmt.Sprintf("number %d\n", i)
				name, err := d.Deliver(m, &Delivery{ID: someID + mailid.ID(i), Body: strings.NewReader(text)})
				if err != nil {
					t.Error(err)
				} else if b, err := os.ReadFile(filepath.Join(box, "new", name)); err != nil || string(b) != text {
					t.Errorf("%s = %q, %v; want %q", name, b, err, text)
				}
			})
		}
	}
	wg.Wait()
	if n := len(files(t, box, "new")); n != 50 {
		t.Errorf("new/ holds %d files; want 50", n)
	}
	if n := len(files(t, box, "tmp")); n != 0 {
		t.Errorf("tmp/ holds %d files", n)
	}
	if len(d.syncs.dirs) != 0 {
		t.Errorf("%d folders are still waited for", len(d.syncs.dirs))
	}
}

// TestSharedSync: each caller's answer comes from a sync that began after its
// call; an error reaches all who waited for it; and syncs are fewer than callers.
func TestSharedSync(t *testing.T) {
	var s syncs
	var clock, count atomic.Int64
	bad := errors.New("disk")
	var wg sync.WaitGroup
	begun := make(map[int64]bool) // when syncs began; under mu
	var mu sync.Mutex
	for i := range 200 {
		wg.Go(func() {
			time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond)
			called := clock.Add(1)
			err := s.sync(inode{1, uint64(i % 2)}, func() error {
				at := clock.Add(1)
				mu.Lock()
				begun[at] = true
				mu.Unlock()
				time.Sleep(time.Millisecond)
				if count.Add(1)%3 == 0 {
					return bad
				}
				return nil
			})
			if err != nil && err != bad {
				t.Errorf("sync = %v", err)
			}
			answered := clock.Add(1)
			mu.Lock()
			defer mu.Unlock()
			for at := range begun {
				if at > called && at < answered {
					return
				}
			}
			t.Errorf("called at %d, answered at %d, and no sync began between", called, answered)
		})
	}
	wg.Wait()
	if n := count.Load(); n > 100 {
		t.Errorf("%d syncs for 200 callers", n)
	}
}

// deliverForever delivers messages of many sizes, each of a kind that tells
// whether it is whole, until it is killed.
func deliverForever(box string) {
	m, err := Open(box)
	if err != nil {
		os.Exit(1)
	}
	d := NewDeliverer("h")
	var wg sync.WaitGroup
	first, _ := strconv.Atoi(os.Getenv("TEST_FIRST"))
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				n := rand.IntN(300_000)
				text := fmt.Sprintf("%d\n%s", n, strings.Repeat("x", n))
				if _, err := d.Deliver(m, &Delivery{ID: someID + mailid.ID(first+g*100_000+i), Body: strings.NewReader(text)}); err != nil {
					os.Stderr.WriteString(err.Error() + "\n")
					os.Exit(3)
				}
			}
		})
	}
	wg.Wait()
}

// TestKilled: a deliverer killed at any moment leaves whole messages in new/,
// and what is cut off only in tmp/.
func TestKilled(t *testing.T) {
	box, m := newBox(t)
	for round := range 15 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TEST_DELIVER_INTO="+box, fmt.Sprintf("TEST_FIRST=%d", round*1_000_000))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Millisecond + time.Duration(rand.IntN(40_000))*time.Microsecond)
		cmd.Process.Kill()
		cmd.Wait()
	}
	msgs, err := m.Scan()
	if err != nil || len(msgs) == 0 {
		t.Fatalf("Scan = %d messages, %v; want some", len(msgs), err)
	}
	for _, msg := range msgs {
		b, err := os.ReadFile(filepath.Join(box, "new", msg.Name))
		n, _, _ := strings.Cut(string(b), "\n")
		if want, _ := strconv.Atoi(n); err != nil || len(b) != want+len(n)+1 || msg.Size != int64(len(b)) {
			t.Errorf("%s has %d bytes, %v; want %d", msg.Name, len(b), err, want+len(n)+1)
		}
	}
	t.Logf("%d messages, %d left in tmp/", len(msgs), len(files(t, box, "tmp")))
}

// TestFileTooBig: a delivery that cannot be written leaves nothing behind.
func TestFileTooBig(t *testing.T) {
	box, _ := newBox(t)
	cmd := exec.Command("/bin/sh", "-c", `ulimit -f 1 && exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_DELIVER_INTO="+box)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 3 || !strings.Contains(string(out), syscall.EFBIG.Error()) {
		t.Fatalf("a deliverer that may write 512 bytes: %v, %s; want exit 3 and %v", err, out, syscall.EFBIG)
	}
	for _, name := range files(t, box, "new") {
		if st, _ := os.Stat(filepath.Join(box, "new", name)); st.Size() > 1024 {
			t.Errorf("%s has %d bytes", name, st.Size())
		}
	}
}

// BenchmarkDeliver is deliveries of 4 KiB into one Maildir, 50 at once.
func BenchmarkDeliver(b *testing.B) {
	_, m := newBox(b)
	d := NewDeliverer("h")
	text := strings.Repeat("0123456789abcdef 0123456789abcdef 0123456789abcdef 0123456789ab\n", 64)
	var n atomic.Uint64
	b.SetParallelism(25)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := d.Deliver(m, &Delivery{ID: someID + mailid.ID(n.Add(1)), Body: strings.NewReader(text)}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkScan is a mailbox of 20,000 messages with sizes in their names.
func BenchmarkScan(b *testing.B) {
	box, m := newBox(b)
	for i := range 20_000 {
		put(b, box, "new/"+Name(someID+mailid.ID(i)*1000, 0, "h", 2, 3), "x\n")
	}
	b.ResetTimer()
	for range b.N {
		if msgs, err := m.Scan(); err != nil || len(msgs) != 20_000 {
			b.Fatal(len(msgs), err)
		}
	}
}
