// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quill/internal/privilege/privilegetest"
)

const (
	stormSteps = 700 // of each client, without IMAP_STORM
	crowd      = 120 // messages in a folder, then nobody makes more
)

var stormFolders = []string{"INBOX", "Other"}

// storm is a mailbox with two clients, deliveries, and somebody who renames
// files, all at once.
type storm struct {
	home string
	k    *known
	made atomic.Int64
	stay atomic.Int64 // copies of messages that nobody deletes
	end  atomic.Bool
	mu   sync.Mutex
	errs []string
}

// fail keeps what was found and ends the storm.
func (w *storm) fail(who string, err error, seen []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end.Store(true)
	w.errs = append(w.errs, fmt.Sprintf("%s: %v\n\t%s", who, err, strings.Join(seen, "\n\t")))
}

// dir is a folder's directory.
func (w *storm) dir(folder, sub string) string {
	if folder == "INBOX" {
		folder = ""
	} else {
		folder = "." + folder
	}
	return filepath.Join(w.home, "Maildir", folder, sub)
}

func (w *storm) crowded(folder string) bool {
	n := 0
	for _, sub := range []string{"new", "cur"} {
		list, _ := os.ReadDir(w.dir(folder, sub))
		n += len(list)
	}
	return n > crowd
}

// token is a new message's; its letter says what may happen to it.
func (w *storm) token(name string, n int) string {
	class := "E"
	switch total := w.made.Add(1); {
	case total%4 == 0 && total < 200:
		class = "K"
	case total%17 == 0 && total < 500:
		class = "C"
	}
	return fmt.Sprintf("token-%s-%s-%d-", class, name, n)
}

func stormMail(token string, more int) string {
	return "From: netwatcher@testingsmtp.org\r\nSubject: " + token + "\r\n\r\n" + token + "\r\n" + strings.Repeat("0123456789abcdef\r\n", more/18)
}

// deliver delivers messages by local-delivery.
func (w *storm) deliver() error {
	for n := 1; !w.end.Load(); n++ {
		if w.crowded("INBOX") {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		token := w.token("mail", n)
		w.k.with(func() { w.k.sent[token] = true })
		cmd := exec.Command(program("local-delivery"), "sendmemail", w.home, "sendmemail", "", "", "testingsmtp.org", "netwatcher@testingsmtp.org", "./Maildir/")
		letter := filepath.Join(w.home, "letter")
		if err := os.WriteFile(letter, []byte(strings.ReplaceAll(stormMail(token, n%2000), "\r\n", "\n")), 0o644); err != nil {
			return err
		}
		in, err := os.Open(letter)
		if err != nil {
			return err
		}
		cmd.Stdin = in
		privilegetest.Plain(cmd)
		out, err := cmd.CombinedOutput()
		in.Close()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		w.k.with(func() { w.k.arrived[token] = true })
		time.Sleep(time.Duration(n%7) * 3 * time.Millisecond)
	}
	return nil
}

// meddle does what other mail programs do to the files.
func (w *storm) meddle(rng *rand.Rand) (deeds [3]int) {
	for !w.end.Load() {
		time.Sleep(time.Duration(rng.IntN(8)) * time.Millisecond)
		folder := stormFolders[rng.IntN(2)]
		sub, deed := "cur", rng.IntN(8)
		if deed == 0 {
			sub = "new"
		}
		list, _ := os.ReadDir(w.dir(folder, sub))
		if len(list) == 0 {
			continue
		}
		name := list[rng.IntN(len(list))].Name()
		from := filepath.Join(w.dir(folder, sub), name)
		switch deed {
		case 0:
			if os.Rename(from, filepath.Join(w.dir(folder, "cur"), name+":2,"+[]string{"", "S"}[rng.IntN(2)])) == nil {
				deeds[0]++
			}
		case 1:
			text, err := os.ReadFile(from)
			token := tokenForm.FindString(string(text))
			if err != nil || !strings.HasPrefix(token, "token-E-") {
				continue
			}
			w.k.with(func() { w.k.doomed[token] = true })
			if os.Remove(from) == nil {
				deeds[2]++
			}
		default:
			if os.Rename(from, filepath.Join(w.dir(folder, sub), toggled(name, "RFS"[rng.IntN(3)]))) == nil {
				deeds[1]++
			}
		}
	}
	return deeds
}

// toggled is a file's name with a flag set or taken off.
func toggled(name string, letter byte) string {
	key, flags, ok := strings.Cut(name, ":2,")
	if !ok {
		return key + ":2," + string(letter)
	}
	if strings.IndexByte(flags, letter) >= 0 {
		return key + ":2," + strings.ReplaceAll(flags, string(letter), "")
	}
	i := 0
	for i < len(flags) && flags[i] < letter {
		i++
	}
	return key + ":2," + flags[:i] + string(letter) + flags[i:]
}

// board starts a client.
func (w *storm) board(name string, seed uint64) (*sailor, error) {
	c, err := talkIMAP(w.home)
	if err != nil {
		return nil, err
	}
	s := &sailor{w: w, c: c, name: name, rng: rand.New(rand.NewPCG(seed, uint64(len(name)))), refused: make(map[string]int)}
	s.view = view{k: w.k, qresync: true, bodies: make(map[uint32]string)}
	if _, err := c.say("ENABLE QRESYNC", nil); err != nil {
		return nil, err
	}
	return s, s.enter("INBOX", nil)
}

// sail does steps until it is time.
func (s *sailor) sail(until func(steps int) bool) (steps int) {
	for ; !s.w.end.Load() && !until(steps); steps++ {
		if err := s.step(); err != nil {
			s.w.fail(s.name, err, s.c.seen)
		}
	}
	return steps
}

// TestStorm: two imapd on one mailbox, deliveries, and a program that renames
// and removes files: numbers, UIDs, bodies and modseqs hold for both clients at
// every step, and at the end everything is there that nobody has deleted.
// IMAP_STORM (a duration) makes it longer.
func TestStorm(t *testing.T) {
	w := &storm{home: imapHome(t), k: newKnown()}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	until := func(steps int) bool { return steps >= stormSteps }
	if v := os.Getenv("IMAP_STORM"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(d)
		until = func(int) bool { return time.Now().After(end) }
	}
	var crew [2]*sailor
	for i, name := range []string{"anna", "bert"} {
		s, err := w.board(name, seed)
		if err != nil {
			t.Fatal(err)
		}
		defer s.c.leave()
		crew[i] = s
		s.c.say("CREATE Other", nil)
	}
	var clients, others sync.WaitGroup
	steps := make([]int, len(crew))
	for i, s := range crew {
		clients.Go(func() { steps[i] = s.sail(until) })
	}
	var deeds [3]int
	others.Go(func() { deeds = w.meddle(rand.New(rand.NewPCG(seed, 3))) })
	others.Go(func() {
		if err := w.deliver(); err != nil {
			w.fail("delivery", err, nil)
		}
	})
	clients.Wait()
	w.end.Store(true)
	others.Wait()
	for i, s := range crew {
		t.Logf("%s: %d steps, %d responses, refused %v", s.name, steps[i], s.took, s.refused)
	}
	t.Logf("%d messages made; by others %d moved to cur/, %d renamed, %d removed", w.made.Load(), deeds[0], deeds[1], deeds[2])
	if len(w.errs) == 0 {
		w.calm(t, crew[:])
	}
	for _, s := range crew {
		if log := s.c.log.String(); log != "" {
			t.Errorf("log of %s's imapd: %s", s.name, log)
		}
	}
	for _, e := range w.errs {
		t.Error(e)
	}
}

// calm holds what must be true when all is quiet: both clients, one that comes
// new, and the files agree, and everything is there that must be.
func (w *storm) calm(t *testing.T, crew []*sailor) {
	last, err := w.board("cora", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer last.c.leave()
	count := make(map[string]int)
	for _, folder := range stormFolders {
		var want []shown
		for i, s := range append(crew, last) {
			if _, _, err = s.do("NOOP"); err == nil {
				err = s.verify()
			}
			if err = errors.Join(err, s.enterLate(folder)); err != nil {
				w.fail(s.name, err, s.c.seen)
				return
			}
			if i == 0 {
				want = s.box
			}
			if fmt.Sprint(s.box) != fmt.Sprint(want) {
				t.Errorf("%s: %s knows\n%v\n%s knows\n%v", folder, s.name, s.box, crew[0].name, want)
			}
		}
		w.files(t, folder, want, count)
	}
	w.account(t, count)
}

// enterLate selects a folder by the oldest point there is.
func (s *sailor) enterLate(folder string) error {
	for _, p := range s.points {
		if p.folder == folder {
			return errors.Join(s.enter(folder, &p), s.verify())
		}
	}
	return errors.Join(s.enter(folder, nil), s.verify())
}

// files holds that a folder's files are what the clients know, and counts.
func (w *storm) files(t *testing.T, folder string, box []shown, count map[string]int) {
	there := make(map[string]int)
	for _, sub := range []string{"new", "cur"} {
		list, _ := filepath.Glob(filepath.Join(w.dir(folder, sub), "*"))
		for _, f := range list {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			there[tokenForm.FindString(string(text))]++
		}
	}
	for _, m := range box {
		token := w.k.token[place{folder, m.uid}]
		if w.k.gone[place{folder, m.uid}] != 0 {
			t.Errorf("%s: UID %d (%s) was told to be gone and is there", folder, m.uid, token)
		}
		there[token]--
		count[token]++
	}
	for token, n := range there {
		if n != 0 {
			t.Errorf("%s: %s has %d more files than UIDs", folder, token, n)
		}
	}
}

// account holds that nothing is lost, nor there too often.
func (w *storm) account(t *testing.T, count map[string]int) {
	safe := 0
	for token := range w.k.arrived {
		want := 1 + w.k.copies[token]
		switch got := count[token]; {
		case got > want:
			t.Errorf("%s is there %d times; want at most %d", token, got, want)
		case got < want && !w.k.doomed[token]:
			t.Errorf("%s, which nobody deleted, is there %d times; want %d", token, got, want)
		case !w.k.doomed[token]:
			safe++
		}
	}
	for token := range w.k.denied {
		if count[token] != 0 {
			t.Errorf("%s is there, whose APPEND was refused", token)
		}
	}
	t.Logf("%d messages arrived, %d of them deleted by somebody, %d others all there", len(w.k.arrived), len(w.k.doomed), safe)
}
