// SPDX-License-Identifier: ISC

package main

import (
	"container/heap"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"quill/internal/mailid"
	"quill/queue"
)

const letter = "Received: (qmail 1 invoked by uid 0); DATE\nSubject: orig\n\nbody\n"

// familyLog is what qmail-send of the family wrote in the same case: ids
// numbered, qp the id itself, the channels' limits as ours.
const familyLog = `status: local 0/0 remote
new msg M1
info msg M1: bytes N from <ok-sendmemail@testingsmtp.org> qp M1 uid 7
starting delivery 1: msg M1 to local no-body-here@testingsmtp.org
status: local 1/120 remote
starting delivery 2: msg M1 to local no-such@testingsmtp.org
status: local 2/120 remote
starting delivery 3: msg M1 to local no-virt-info@virt.example
status: local 3/120 remote
delivery 1: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/
status: local 2/120 remote
delivery 2: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/
status: local 1/120 remote
delivery 3: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/
status: local 0/120 remote
bounce msg M1 qp M2
end msg M1
new msg M2
info msg M2: bytes N from <> qp M2 uid 7
starting delivery 4: msg M2 to local ok-sendmemail@testingsmtp.org
status: local 1/120 remote
delivery 4: success: did_1+0+0/
status: local 0/120 remote
end msg M2
status: local 0/120 remote exitasap
status: exiting
`

const familyBounce = `From: MAILER-DAEMON@mail.testingsmtp.org
To: ok-sendmemail@testingsmtp.org
Subject: failure notice

Hi. This is the qmail-send program at mail.testingsmtp.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<no-body-here@testingsmtp.org>:
Sorry, no mailbox here by that name. (#5.1.1)

<no-such@testingsmtp.org>:
Sorry, no mailbox here by that name. (#5.1.1)

<info@virt.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <ok-sendmemail@testingsmtp.org>
` + letter

// TestFamily is the log and the bounce of a recorded case: three recipients
// fail, one of them a virtual domain's.
func TestFamily(t *testing.T) {
	w := newWorld(t, map[string]string{"virtualdomains": "virt.example:no-virt"})
	w.start()
	first := w.post(mailid.New(), "ok-sendmemail@testingsmtp.org", letter, "no-body-here@testingsmtp.org", "no-such@testingsmtp.org", "info@virt.example")
	w.await(`^delivery 4: success(.*\n)+end msg`)
	w.stop()
	if got := w.masked(); got != familyLog {
		t.Errorf("log:\n%s\nwant:\n%s", got, familyLog)
	}
	for id, text := range w.texts {
		if date, rest, _ := strings.Cut(text, "\n"); id != first && (rest != familyBounce || !regexp.MustCompile(`^Date: \d+ \w+ \d{4} \d\d:\d\d:\d\d -0000$`).MatchString(date)) {
			t.Errorf("bounce:\n%s\nwant:\n%s", text, familyBounce)
		}
	}
}

// TestDoubleBounce: a bounce that bounces goes to the postmaster, and one that
// bounces again to nobody.
func TestDoubleBounce(t *testing.T) {
	w := newWorld(t, map[string]string{"doublebounceto": "no-postmaster"})
	w.start()
	w.post(mailid.New(), "no-user@testingsmtp.org", letter, "no-body@testingsmtp.org")
	w.await(`^triple bounce: discarding bounce/\d+\nend msg`)
	w.stop()
	for _, want := range []string{`info msg M2: bytes N from <> `, `info msg M3: bytes N from <#@\[\]> `, `starting delivery 3: msg M3 to local no-postmaster@mail.testingsmtp.org`,
		`bounce msg M1 qp M2\nend msg M1\n`, `bounce msg M2 qp M3\nend msg M2\n`, `triple bounce: discarding bounce/M3\nend msg M3\n`} {
		if !regexp.MustCompile(want).MatchString(w.masked()) {
			t.Errorf("log lacks %q:\n%s", want, w.masked())
		}
	}
	var double string
	for _, text := range w.texts {
		if strings.Contains(text, "the bounce bounced!") {
			double = text
		}
	}
	_, got, _ := strings.Cut(double, "\n")
	const want = "From: MAILER-DAEMON@mail.testingsmtp.org\nTo: no-postmaster@mail.testingsmtp.org\nSubject: failure notice\n\nHi. This is the qmail-send program at mail.testingsmtp.org.\n" +
		"I tried to deliver a bounce message to this address, but the bounce bounced!\n\n<no-user@testingsmtp.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n" +
		"--- Below this line is the original bounce.\n\nReturn-Path: <>\nDate: "
	if !strings.HasPrefix(got, want) {
		t.Errorf("double bounce:\n%s\nwant:\n%s", got, want)
	}
}

// TestPutOff: what is put off is due (root of its age + 10)² seconds after its
// birth; a message that is too old is given up, and the bounce says so.
func TestPutOff(t *testing.T) {
	w := newWorld(t, nil)
	w.start()
	young := w.post(mailid.New(), "ok-x@testingsmtp.org", letter, "later-a@testingsmtp.org")
	w.until("a record NEXT", func() bool { return len(w.records(queue.Next)) == 1 })
	next := w.records(queue.Next)[0]
	at, err := strconv.ParseInt(string(next.Text), 10, 64)
	age := float64(at - young.Time().Unix())
	if root := math.Sqrt(age); err != nil || next.ID != young || root != math.Trunc(root) || root < 10 || root > 15 {
		t.Errorf("next try %s (%v) is %v seconds after the birth; want 10² or a little later", next.Text, err, age)
	}
	old := mailid.ID(time.Now().Add(-8*24*time.Hour).UnixMicro()) * 1000
	w.post(old, "ok-x@testingsmtp.org", letter, "later-b@testingsmtp.org")
	w.await(`^bounce msg ` + old.String())
	w.stop()
	results := w.records(queue.Result)
	if want := "Dbusy\nI'm not going to try again; this message has been in the queue too long.\n"; len(results) < 1 || string(results[0].Text) != want {
		t.Errorf("results %v; want %q first", results, want)
	}
	if ends := w.records(queue.Done); len(ends) > 1 {
		t.Errorf("ends %v; the young message has none", ends)
	}
}

// TestAlarm: ALRM makes due what was put off; what is held waits for its
// release; HUP with a control file that cannot be read keeps what was.
func TestAlarm(t *testing.T) {
	w := newWorld(t, nil)
	w.start()
	w.post(mailid.New(), "", letter, "later-a@testingsmtp.org")
	w.await(`^delivery 1: deferral: busy/`)
	held := w.post(mailid.New(), "", letter, "later-b@testingsmtp.org")
	w.await(`^delivery 2: deferral: busy/`)
	w.until("both put off", func() bool { return len(w.records(queue.Next)) == 2 })
	w.add(queue.Event{Kind: queue.Hold, ID: held})
	w.post(mailid.New(), "", letter, "ok-c@testingsmtp.org") // the hold has been read when this one ends
	w.await(`^delivery 3: success`)
	w.send.Process.Signal(syscall.SIGALRM)
	w.await(`^delivery 4: deferral: busy/`)
	os.Remove(filepath.Join(w.home, "control/me"))
	os.Mkdir(filepath.Join(w.home, "control/me"), 0o755)
	w.send.Process.Signal(syscall.SIGHUP)
	w.await(`^alert: unable to reread controls: .*; the old ones stay$`)
	if strings.Contains(w.said(), "starting delivery 5") {
		t.Errorf("a held message was tried:\n%s", w.said())
	}
	w.add(queue.Event{Kind: queue.Release, ID: held})
	w.await(`^delivery 5: deferral: busy/`)
	w.stop()
}

// TestSpawnerDies: the spawner is started again, and the delivery whose outcome
// nobody knows is made again with the flag for it. One that root has started
// cannot start the spawner again: it ends, and is started as a whole.
func TestSpawnerDies(t *testing.T) {
	w := newWorld(t, nil)
	w.start()
	w.post(mailid.New(), "", letter, "die-a@testingsmtp.org")
	w.await(`^delivery 1: deferral: spawner_died/`)
	if os.Getuid() == 0 {
		w.await(`^qmail-send: fatal: only root could start the spawner again`)
		if w.send.Wait(); w.send.ProcessState.ExitCode() != 111 {
			t.Errorf("exit %d; want 111", w.send.ProcessState.ExitCode())
		}
		w.start()
	}
	w.await(`^delivery [12]: success: again/`)
	w.stop()
	if got := w.said(); !strings.Contains(got, "alert: /usr/bin/env died\n") || len(w.records(queue.Next)) != 0 {
		t.Errorf("NEXT records %v, log:\n%s", w.records(queue.Next), got)
	}
}

// TestAtOnce: a message that moved, or whose worker crashed, is tried again at
// once, three times, then put off as any other.
func TestAtOnce(t *testing.T) {
	for _, what := range []string{"moved", "crash"} {
		w := newWorld(t, nil)
		w.start()
		w.post(mailid.New(), "", letter, what+"-a@testingsmtp.org")
		w.until("a record NEXT", func() bool { return len(w.records(queue.Next)) == 1 })
		w.stop()
		if n := strings.Count(w.said(), "starting delivery"); n != 1+maxAtOnce {
			t.Errorf("%s: %d deliveries before it was put off; want %d\n%s", what, n, 1+maxAtOnce, w.said())
		}
	}
}

// TestRestart: what was queued before qmail-send started is delivered with the
// flag again, what comes later without; a recipient that is done is not tried
// again, and a message that only lacks its end gets it.
func TestRestart(t *testing.T) {
	w := newWorld(t, nil)
	half := w.post(mailid.New(), "owner-@testingsmtp.org-@[]", letter, "ok-done@testingsmtp.org", "text-old@testingsmtp.org")
	w.add(queue.Event{Kind: queue.Result, ID: half, Rcpt: 0, Text: []byte("Kdid 1+0+0\n")})
	whole := w.post(mailid.New(), "", letter, "ok-a@testingsmtp.org")
	w.add(queue.Event{Kind: queue.Result, ID: whole, Rcpt: 0, Text: []byte("K\n")})
	w.start()
	w.await(`^delivery 1: success: again_true,_from_<owner-text-old=testingsmtp.org@testingsmtp.org>/`)
	w.until("both ends", func() bool { return len(w.records(queue.Done)) == 2 })
	w.post(mailid.New(), "s@x", letter, "text-new@testingsmtp.org")
	w.await(`^delivery 2: success: again_false,_from_<s@x>/`)
	w.stop()
	if n := strings.Count(w.said(), "starting delivery"); n != 2 {
		t.Errorf("%d deliveries; want 2\n%s", n, w.said())
	}
}

// TestStop: TERM starts nothing more, and waits for what runs and for its
// record.
func TestStop(t *testing.T) {
	w := newWorld(t, map[string]string{"concurrencylocal": "1"})
	w.start()
	w.post(mailid.New(), "", letter, "wait-a@testingsmtp.org", "ok-b@testingsmtp.org")
	w.until("a delivery that runs", func() bool { _, err := os.Stat(filepath.Join(w.home, "waiting")); return err == nil })
	w.send.Process.Signal(syscall.SIGTERM)
	w.await(`^status: local 1/1 remote 0/0 exitasap$`)
	os.WriteFile(filepath.Join(w.home, "go"), nil, 0o644)
	w.stop()
	if r := w.records(queue.Result); len(r) != 1 || string(r[0].Text) != "Kwaited\n" || strings.Contains(w.said(), "delivery 2") {
		t.Errorf("results %v; want that of the delivery that ran alone\n%s", r, w.said())
	}
}

// TestQueueComesAndGoes: a connection that is cut brings everything back, and
// what runs goes on; a record that was refused is submitted again.
func TestQueueComesAndGoes(t *testing.T) {
	w := newWorld(t, nil)
	w.start()
	w.post(mailid.New(), "", letter, "wait-a@testingsmtp.org")
	w.until("a delivery that runs", func() bool { _, err := os.Stat(filepath.Join(w.home, "waiting")); return err == nil })
	w.cut()
	w.await(`^warning: .*; connecting again$`)
	w.mu.Lock()
	w.refuse = 1
	w.mu.Unlock()
	w.until("the following begun anew", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.followers) == 1 })
	os.WriteFile(filepath.Join(w.home, "go"), nil, 0o644)
	w.await(`^alert: unable to record a result of msg \d+: disk full \(exit code 53\)$`)
	w.await(`^end msg`)
	w.stop()
	if n := strings.Count(w.said(), "starting delivery"); n != 1 {
		t.Errorf("%d deliveries; want 1\n%s", n, w.said())
	}
}

// TestOneSender: a second qmail-send does not work on the same queue.
func TestOneSender(t *testing.T) {
	w := newWorld(t, nil)
	w.start()
	w.await(`^status:`)
	second := exec.Command(os.Args[0])
	second.Env = append(w.send.Env, "TEST_AS=qmail-send")
	out, _ := second.CombinedOutput()
	if code := second.ProcessState.ExitCode(); code != 111 || !strings.Contains(string(out), "another qmail-send works on this queue") {
		t.Errorf("second qmail-send: exit %d, %s", code, out)
	}
	w.stop()
}

// TestRemoteWaits: recipients of other hosts wait, and keep their message.
func TestRemoteWaits(t *testing.T) {
	w := newWorld(t, nil)
	w.start()
	w.post(mailid.New(), "", letter, "x@elsewhere.example", "ok-a@testingsmtp.org")
	w.until("the local result", func() bool { return len(w.records(queue.Result)) == 1 })
	w.stop()
	if len(w.records(queue.Done)) != 0 || strings.Count(w.said(), "starting delivery") != 1 {
		t.Errorf("ends %v\n%s", w.records(queue.Done), w.said())
	}
}

func TestVerp(t *testing.T) {
	for _, c := range []struct{ sender, rcpt, want, bounce string }{
		{"a@b", "c@d", "a@b", "a@b"},
		{"", "c@d", "", ""},
		{"list-@h-@[]", "c@d", "list-c=d@h", "list-@h"},
		{"list-@h-@[]", "c@x@d", "list-c@x=d@h", "list-@h"},
		{"#@[]", "c@d", "#@[]", "#@[]"},
		{"-@[]", "c@d", "-@[]", ""},
		{"list-@h-@[]", "nodomain", "list-@h-@[]", "list-@h"},
	} {
		if got := verp(c.sender, c.rcpt); got != c.want {
			t.Errorf("verp(%q, %q) = %q; want %q", c.sender, c.rcpt, got, c.want)
		}
		if got := verpReturn(c.sender); got != c.bounce {
			t.Errorf("verpReturn(%q) = %q; want %q", c.sender, got, c.bounce)
		}
	}
}

// TestDue: what is due first comes first, also when times change.
func TestDue(t *testing.T) {
	s := &sender{}
	m := &message{id: 1}
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	var all []*recipient
	for i, n := range []int{50, 20, 90, 10, 70} {
		r := &recipient{m: m, number: i, local: true, index: -1}
		all = append(all, r)
		s.schedule(r, at(n))
	}
	remote := &recipient{m: m, index: -1}
	s.schedule(remote, at(1))
	s.schedule(all[2], at(5))
	s.schedule(all[3], at(60))
	for i := range 6 { // of one time: in the order of messages, then of recipients
		s.schedule(&recipient{m: &message{id: mailid.ID(3 - i%3)}, number: 10 + i, local: true, index: -1}, at(100))
	}
	var got []int
	for len(s.due) > 0 {
		r := heap.Pop(&s.due).(*recipient)
		if r.index != -1 {
			t.Errorf("recipient %d keeps index %d", r.number, r.index)
		}
		got = append(got, r.number)
	}
	want := []int{2, 1, 0, 3, 4, 12, 15, 11, 14, 10, 13}
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("order %v; want %v", got, want)
		}
	}
}

// TestOriginal: a bounce copies so much of a message, and says where it cut.
func TestOriginal(t *testing.T) {
	home := t.TempDir()
	if err := queue.Make(filepath.Join(home, "queue")); err != nil {
		t.Fatal(err)
	}
	id := mailid.New()
	s := &sender{home: home, set: settings{bounceMax: 10}}
	for text, want := range map[string]string{"": "", "123456789": "123456789", "1234567890": "1234567890", "12345678901": "1234567890\n--- Rest of message truncated.\n"} {
		if err := os.WriteFile(filepath.Join(home, "queue/mess", id.String()), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := s.original(&message{id: id, place: queue.Place{File: id.String()}}); err != nil || string(got) != want {
			t.Errorf("original of %q = %q, %v; want %q", text, got, err, want)
		}
	}
	if _, err := s.original(&message{id: id + 1, place: queue.Place{File: (id + 1).String()}}); err == nil {
		t.Error("original of a message that is not there: no error")
	}
}
