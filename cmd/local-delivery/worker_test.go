// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/maildir"
)

// testOffice sends nothing on but hands letters to submit.
func testOffice(submit func(*letter) (string, error)) *office {
	return &office{deliverer: maildir.NewDeliverer("h"), submit: submit}
}

// memory is a message as a spawner hands it over, closed when the test ends.
func memory(t *testing.T, text string) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	unix.Write(fd, []byte(text))
	unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	return fd
}

// spawner is the other end of a worker.
type spawner struct {
	t    *testing.T
	link *chain.Link
	done chan error // what serve returned
}

// links makes both ends of a link.
func links(t *testing.T) (a, b *chain.Link) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range []**chain.Link{&a, &b} {
		t.Setenv(chain.Variable, fmt.Sprint(fds[i]))
		var ok bool
		if *l, ok = chain.FromEnv(); !ok {
			t.Fatal("no link")
		}
	}
	return a, b
}

func startWorker(t *testing.T, o *office, l limits) *spawner {
	a, b := links(t)
	s := &spawner{t, a, make(chan error, 1)}
	go func() {
		s.done <- (&worker{link: b, office: o, limits: l}).serve()
		b.Close()
	}()
	return s
}

// ask sends a packet of these fields.
func (s *spawner) ask(fd int, fields ...string) {
	s.t.Helper()
	if err := s.link.Send([]byte(strings.Join(fields, "\x00")+"\x00"), fd); err != nil {
		s.t.Fatal(err)
	}
}

// answers collects n answers by serial.
func (s *spawner) answers(n int) map[string]string {
	s.t.Helper()
	all := make(map[string]string)
	s.link.SetReadDeadline(time.Now().Add(30 * time.Second))
	for range n {
		b, _, err := s.link.Recv()
		if err != nil {
			s.t.Fatalf("after %d answers: %v", len(all), err)
		}
		serial, text, _ := strings.Cut(string(b), "\x00")
		all[serial] = text
	}
	return all
}

// end closes the link and waits for the worker.
func (s *spawner) end() {
	s.t.Helper()
	s.link.CloseWrite()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("serve = %v", err)
		}
	case <-time.After(10 * time.Second):
		s.t.Error("the worker does not end")
	}
	s.link.Close()
}

// TestWorkerProcess: the program as a spawner starts it: hello, 50 deliveries at
// once with names from id and recipient, again, end.
func TestWorkerProcess(t *testing.T) {
	dir := home(t, map[string]string{"Maildir/": "", ".qmail-no+w": ""})
	argv := []string{os.Args[0]}
	child, err := chain.StartChild(argv, []string{"TEST_AS_LOCAL_DELIVERY=1", "PATH=/usr/bin:/bin"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &spawner{t: t, link: child.Link}
	fd := memory(t, letterX)
	for i := range 50 {
		s.ask(fd, fmt.Sprint(i), "", "joe", dir, "joe", "", "", "h.example", "s@x", "./Maildir/", "id=1795479806011174042", fmt.Sprintf("rcpt=%d", i%25), "bytes=7")
	}
	s.ask(fd, "50", "again", "joe", dir, "joe", "", "", "h.example", "s@x", "./Maildir/", "id=1795479806011174042", "rcpt=7")
	s.ask(fd, "51", "", "joe", dir, "joe-x", "-", "x", "h.example", "s@x", "./Maildir/", "id=1", "rcpt=0")
	s.ask(fd, "52", "", "joe", dir, "joe-no", "-", "no", "h.example", "s@x", "./Maildir/", "id=1", "rcpt=0")
	got := s.answers(53)
	for i := range 51 {
		if a := got[fmt.Sprint(i)]; a != "Kdid 1+0+0\n" {
			t.Errorf("answer %d = %q; want Kdid 1+0+0", i, a)
		}
	}
	if got["51"] != "DSorry, no mailbox here by that name. (#5.1.1)\n" || got["52"] != "ZUh-oh: .qmail file is writable. (#4.7.0)\n" {
		t.Errorf("answers = %q, %q", got["51"], got["52"])
	}
	files, _ := filepath.Glob(dir + "/Maildir/new/*")
	if len(files) != 25 {
		t.Errorf("new/ holds %d files; want 25, one a recipient", len(files))
	}
	for _, f := range files {
		if !regexp.MustCompile(`/1795479806\.M11174Q1795479806011174042R\d+\.`).MatchString(f) {
			t.Errorf("new/ holds %s", f)
		}
	}
	s.link.CloseWrite()
	if status := child.Wait(); status != 0 {
		t.Errorf("the worker ended with status %d", status)
	}
	s.link.Close()
}

// TestWorkerBadPackets: each is answered as far as it can be, and the next one is
// served.
func TestWorkerBadPackets(t *testing.T) {
	s := startWorker(t, testOffice(nil), defaultLimits)
	defer s.end()
	dir := home(t, map[string]string{"Maildir/": ""})
	good := []string{"joe", dir, "joe", "", "", "h", "s@x", "./Maildir/"}
	fd := memory(t, letterX)
	s.ask(fd, "nonsense")
	s.link.Send([]byte("x"))
	s.link.Send([]byte("1\x00"), fd)
	s.link.Send([]byte("2\x00\x00"+strings.Join(good, "\x00")), fd)
	s.link.Send([]byte("3\x00\x00" + strings.Join(good, "\x00") + "\x00"))
	s.ask(fd, "4", "", "joe", "relative", "joe", "", "", "h", "s@x", "./M/")
	s.ask(fd, append([]string{"5", ""}, append(good, "id=x")...)...)
	s.ask(fd, append([]string{"6", ""}, append(good, "rcpt=-1")...)...)
	s.ask(fd, append([]string{"7", "later,again"}, append(good, "id=5", "rcpt=1", "unknown")...)...)
	got := s.answers(7)
	for n := 1; n <= 6; n++ {
		if a := got[fmt.Sprint(n)]; !strings.HasPrefix(a, "ZInternal error: ") {
			t.Errorf("answer %d = %q; want Z", n, a)
		}
	}
	if got["7"] != "Kdid 1+0+0\n" {
		t.Errorf("answer 7 = %q", got["7"])
	}
}

// TestWorkerBugs: a delivery that panics or hangs is deferred and takes no other
// with it.
func TestWorkerBugs(t *testing.T) {
	l := defaultLimits
	l.delivery, l.atOnce = 200*time.Millisecond, 2
	release := make(chan struct{})
	s := startWorker(t, testOffice(func(m *letter) (string, error) {
		switch m.recipients[0] {
		case "panic":
			panic("test")
		case "hang":
			<-release
		}
		b, err := io.ReadAll(m.content)
		return fmt.Sprint(len(b)), err
	}), l)
	defer s.end()
	defer close(release)
	dir := home(t, map[string]string{".qmail-panic": "panic\n", ".qmail-hang": "&hang\n", ".qmail-fine": "&fine\nalso\n"})
	fd := memory(t, letterX)
	for i, ext := range []string{"hang", "panic", "hang", "fine", "hang", "fine"} {
		s.ask(fd, fmt.Sprint(i), "", "joe", dir, "joe-"+ext, "-", ext, "h", "s@x", "./M/")
	}
	fine := fmt.Sprintf("Kdid 0+2+0\nqp %d\n", len("Delivered-To: joe-fine@h\n"+letterX))
	for serial, a := range s.answers(6) {
		want := map[string]string{"0": "ZDelivery took too long. (#4.3.0)\n", "1": "ZInternal error. (#4.3.0)\n", "3": fine}
		want["2"], want["4"], want["5"] = want["0"], want["0"], want["3"]
		if a != want[serial] {
			t.Errorf("answer %s = %q; want %q", serial, a, want[serial])
		}
	}
}

// TestWorkerShared: deliveries that share one open file of the message each read
// it from its begin, programs too.
func TestWorkerShared(t *testing.T) {
	s := startWorker(t, testOffice(func(m *letter) (string, error) { return "1", nil }), defaultLimits)
	defer s.end()
	text := "A: b\n\n" + strings.Repeat("line\n", 100_000)
	dir := home(t, map[string]string{"Maildir/": "", ".qmail-p": "|cmp - text && echo same\n./Maildir/\n|cmp - text && echo same\n", "text": text})
	fd := memory(t, text)
	for i := range 20 {
		s.ask(fd, fmt.Sprint(i), "", "joe", dir, "joe-p", "-", "p", "h", "s@x", "./M/")
	}
	for serial, a := range s.answers(20) {
		if a != "Ksame\nsame\ndid 1+0+2\n" {
			t.Errorf("answer %s = %q", serial, a)
		}
	}
	files, _ := filepath.Glob(dir + "/Maildir/new/*")
	for _, f := range files {
		if b, _ := os.ReadFile(f); !bytes.HasSuffix(b, []byte(text)) {
			t.Errorf("%s has %d bytes", f, len(b))
		}
	}
	if len(files) != 20 {
		t.Errorf("new/ holds %d files; want 20", len(files))
	}
}

// TestWorkerEnd: at the end of the link what runs is finished and answered.
func TestWorkerEnd(t *testing.T) {
	dir := home(t, map[string]string{".qmail": "|sleep 0.3; echo slept\n"})
	s := startWorker(t, testOffice(nil), defaultLimits)
	s.ask(memory(t, letterX), "1", "", "joe", dir, "joe", "", "", "h", "s@x", "./M/")
	s.link.CloseWrite()
	if got := s.answers(1)["1"]; got != "Kslept\ndid 0+0+1\n" {
		t.Errorf("answer = %q", got)
	}
	s.end()
}

// TestMboxTogether: many deliveries to one mbox do not mix.
func TestMboxTogether(t *testing.T) {
	s := startWorker(t, testOffice(nil), defaultLimits)
	defer s.end()
	dir := home(t, nil)
	var fds [10]int
	for i := range fds {
		fds[i] = memory(t, fmt.Sprintf("N: %d\n\n%s", i, strings.Repeat(fmt.Sprintf("%d\n", i), 10_000)))
	}
	var wg sync.WaitGroup
	for i, fd := range fds {
		wg.Go(func() { s.ask(fd, fmt.Sprint(i), "", "joe", dir, "joe", "", "", "h", "s@x", "./mbox") })
	}
	wg.Wait()
	for serial, a := range s.answers(len(fds)) {
		if a != "Kdid 1+0+0\n" {
			t.Errorf("answer %s = %q", serial, a)
		}
	}
	b, _ := os.ReadFile(dir + "/mbox")
	for i := range fds {
		if body := fmt.Sprintf("N: %d\n\n%s\n", i, strings.Repeat(fmt.Sprintf("%d\n", i), 10_000)); !bytes.Contains(b, []byte(body)) {
			t.Errorf("message %d is not whole in the mbox", i)
		}
	}
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte("1\x00again\x00joe\x00/h\x00joe\x00\x00\x00h\x00s@x\x00./M/\x00id=5\x00rcpt=1\x00"))
	f.Add([]byte("1\x00"))
	w := &worker{office: testOffice(nil), limits: defaultLimits}
	f.Fuzz(func(t *testing.T, b []byte) {
		serial, j, err := w.parse(string(b), nil)
		if j != nil && err == nil || serial != "" && err == nil {
			t.Errorf("parse(%q) without a message = %q, %v", b, serial, err)
		}
	})
}

// BenchmarkWorker is deliveries of 4 KiB handed to the program, 50 at once, to
// ten Maildirs.
func BenchmarkWorker(b *testing.B) {
	child, err := chain.StartChild([]string{os.Args[0]}, []string{"TEST_AS_LOCAL_DELIVERY=1", "PATH=/usr/bin:/bin"}, nil)
	if err != nil {
		b.Fatal(err)
	}
	var dirs [10]string
	for i := range dirs {
		dirs[i] = b.TempDir()
		os.Chmod(dirs[i], 0o755)
		if err := maildir.Make(dirs[i] + "/Maildir"); err != nil {
			b.Fatal(err)
		}
	}
	fd, _ := unix.MemfdCreate("bench", unix.MFD_CLOEXEC)
	unix.Write(fd, []byte("Subject: x\n\n"+strings.Repeat("0123456789abcdef 0123456789abcdef 0123456789abcdef 0123456789ab\n", 64)))
	slots := make(chan struct{}, 50)
	b.ResetTimer()
	go func() {
		for i := range b.N {
			slots <- struct{}{}
			fields := []string{fmt.Sprint(i), "", "joe", dirs[i%10], "joe", "", "", "h.example", "s@x", "./Maildir/", fmt.Sprintf("id=%d", 1795479806011174042+i), "rcpt=0", ""}
			child.Link.Send([]byte(strings.Join(fields, "\x00")), fd)
		}
	}()
	for range b.N {
		if p, _, err := child.Link.Recv(); err != nil || !bytes.Contains(p, []byte("\x00Kdid")) {
			b.Fatal(string(p), err)
		}
		<-slots
	}
	child.Link.CloseWrite()
	child.Wait()
}
