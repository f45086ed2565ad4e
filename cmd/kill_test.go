// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	killTime  = 30 * time.Second       // how long the sender goes on
	sendEvery = 75 * time.Millisecond  // one message is started
	killEvery = 200 * time.Millisecond // one process is killed
	leastAcks = 250                    // of some 400 messages
)

// tally collects what a sender was told.
type tally struct {
	mu    sync.Mutex
	acked []string // tokens of the messages that were acknowledged
	tried int
}

// attempt sends messages until one is acknowledged or time is up; each try is a
// new message with a token of its own.
func (y *tally) attempt(n int, until time.Time, send func(token string) error) {
	for try := 0; ; try++ {
		token := fmt.Sprintf("token-%d-%d-", n, try)
		err := send(token)
		y.mu.Lock()
		y.tried++
		if err == nil {
			y.acked = append(y.acked, token)
		}
		y.mu.Unlock()
		if err == nil || time.Now().After(until) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// drive starts a message every sendEvery until the time is up, while kill runs
// every killEvery, and waits for all.
func (y *tally) drive(send func(token string) error, kill func()) {
	until := time.Now().Add(killTime)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		// The moment of the kill drifts through the time between two messages, so
		// that it meets them at every stage.
		for n, t := 0, time.NewTicker(killEvery); time.Now().Before(until); n, _ = n+1, <-t.C {
			time.Sleep(time.Duration(n) * 7 * time.Millisecond % sendEvery)
			kill()
		}
	}()
	for n, t := 0, time.NewTicker(sendEvery); time.Now().Before(until); n, _ = n+1, <-t.C {
		wg.Add(1)
		go func() { defer wg.Done(); y.attempt(n, until, send) }()
	}
	wg.Wait()
}

// check waits until every acknowledged message is in the mailbox, and holds that
// it is there once.
func (y *tally) check(t *testing.T, l *lab) {
	t.Helper()
	missing := len(y.acked)
	var counts map[string]int
	for end := time.Now().Add(150 * time.Second); missing > 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		counts = make(map[string]int)
		for _, m := range l.mails("sendmemail") {
			if i := strings.Index(m, "token-"); i >= 0 {
				token, _, _ := strings.Cut(m[i:], "\n")
				counts[token]++
			}
		}
		missing = 0
		for _, token := range y.acked {
			if counts[token] == 0 {
				missing++
			}
		}
	}
	twice := 0
	for _, token := range y.acked {
		if counts[token] > 1 {
			twice++
			t.Logf("twice: %s", strings.Join(l.having("sendmemail", token), " "))
		}
		if counts[token] == 0 {
			t.Logf("missing: %s", token)
		}
	}
	t.Logf("%d tried, %d acknowledged, %d of these missing, %d of these twice", y.tried, len(y.acked), missing, twice)
	if missing > 0 || twice > 0 {
		t.Errorf("of %d acknowledged messages %d are missing and %d are there more than once; want none", len(y.acked), missing, twice)
	}
	if len(y.acked) < leastAcks {
		t.Errorf("%d messages were acknowledged; want at least %d", len(y.acked), leastAcks)
	}
}

// having is the files of a user's mails that contain a text.
func (l *lab) having(user, text string) (out []string) {
	files, _ := filepath.Glob(filepath.Join(l.dir, "mail/testingsmtp.org", user, "Maildir/[nc][eu][wr]/*"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), text) {
			out = append(out, filepath.Base(f))
		}
	}
	return out
}

// TestKillResident: a lab under a sender, one of its resident programs or
// workers killed every 200 ms in turn: what was acknowledged is in the Maildir
// exactly once, and nothing needs a hand.
func TestKillResident(t *testing.T) {
	t.Parallel() // it waits, mostly
	l := startLab(t)
	kills := make(map[string]int)
	last := ""
	var y tally
	y.drive(func(token string) error { return sendOnce(l.env["SMTP"], token) }, func() {
		if name := killNext(l.cmd.Process.Pid, last, kills); name != "" {
			last = name
		}
	})
	for _, name := range slices.Sorted(maps.Keys(kills)) {
		t.Logf("killed %-15s %3d times", name, kills[name])
	}
	y.check(t, l)
}

// killNext kills a process of the program that follows last in the alphabet.
func killNext(root int, last string, kills map[string]int) string {
	byName := make(map[string]int)
	for _, p := range descendants(root) {
		name := p.name
		if a := argv(p.pid); len(a) > 0 && name == "tcpserver" {
			name += " " + a[len(a)-1]
		}
		if p.name != "sh" && p.name != "quill" {
			byName[name] = p.pid
		}
	}
	names := slices.Sorted(maps.Keys(byName))
	if len(names) == 0 {
		return ""
	}
	i, found := slices.BinarySearch(names, last)
	if found {
		i++
	}
	name := names[i%len(names)]
	if syscall.Kill(byName[name], syscall.SIGKILL) == nil {
		kills[name]++
	}
	return name
}

// sendOnce sends one message, and is nil only after its 250.
func sendOnce(addr, token string) error {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	for _, step := range []string{"", "HELO laptop.testingsmtp.org", "MAIL FROM:<netwatcher@testingsmtp.org>", "RCPT TO:<sendmemail@testingsmtp.org>", "DATA", "Subject: " + token + "\r\n\r\nx\r\n."} {
		if step != "" {
			if _, err := c.Write([]byte(step + "\r\n")); err != nil {
				return err
			}
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if line[0] != '2' && line[0] != '3' {
			return errors.New(line)
		}
	}
	return nil
}

// TestKillQmailQueue: the same with qmail-queue, by pipes, as the victim.
func TestKillQmailQueue(t *testing.T) {
	t.Parallel() // it waits, mostly
	l := startLab(t, "--spawned")
	var mu sync.Mutex
	running := make(map[*os.Process]bool)
	killed := 0
	victim := func() bool {
		mu.Lock()
		defer mu.Unlock()
		for p := range running {
			if p.Kill() == nil {
				killed++
				return true
			}
		}
		return false
	}
	var y tally
	y.drive(func(token string) error {
		return queueOnce(l, token, func(p *os.Process, alive bool) {
			mu.Lock()
			defer mu.Unlock()
			if running[p] = alive; !alive {
				delete(running, p)
			}
		})
	}, func() {
		for i := 0; i < 100 && !victim(); i++ {
			time.Sleep(time.Millisecond)
		}
	})
	t.Logf("killed qmail-queue %d times", killed)
	y.check(t, l)
}

// queueOnce hands one message to qmail-queue, slowly enough to be killed.
func queueOnce(l *lab, token string, note func(p *os.Process, alive bool)) error {
	cmd := exec.Command(program("qmail-queue"))
	cmd.Env = append(os.Environ(), "QMAILHOME="+l.dir)
	msg, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	envR, envW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer envW.Close()
	cmd.Stdout = envR
	if err := cmd.Start(); err != nil {
		return err
	}
	envR.Close()
	note(cmd.Process, true)
	defer note(cmd.Process, false)
	fmt.Fprintf(msg, "Subject: %s\n\nx\n", token)
	time.Sleep(10 * time.Millisecond)
	msg.Close()
	envW.WriteString("Fnetwatcher@testingsmtp.org\x00Tsendmemail@testingsmtp.org\x00\x00")
	envW.Close()
	return cmd.Wait()
}
