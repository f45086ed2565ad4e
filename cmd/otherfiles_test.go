// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// files is the messages that a folder's files are, each as one mail or, where
// some have the same name but for their flags, as the ones of which one is shown.
// What its owner may not read is none here.
func (h *haunted) files(folder string) (keys map[string][]mail, err error) {
	keys = make(map[string][]mail)
	for _, sub := range []string{"new", "cur"} {
		list, err := os.ReadDir(filepath.Join(h.dir, folder, sub))
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			st, err := e.Info()
			if err != nil {
				return nil, err
			}
			name := e.Name()
			if name[0] == '.' || name[0] == ':' || !st.Mode().IsRegular() || st.Mode().Perm()&0o400 == 0 {
				continue
			}
			text, err := os.ReadFile(filepath.Join(h.dir, folder, sub, name))
			if err != nil {
				return nil, err
			}
			key, info, _ := strings.Cut(name, ":")
			keys[key] = append(keys[key], mail{flags: infoFlags(info), text: strings.ReplaceAll(string(text), "\n", "\r\n")})
		}
	}
	return keys, nil
}

// infoFlags is what a file's info part says, as flagText has it.
func infoFlags(info string) string {
	letters, ok := strings.CutPrefix(info, "2,")
	var flags []string
	for letter, flag := range map[rune]string{'S': `\Seen`, 'F': `\Flagged`, 'R': `\Answered`, 'T': `\Deleted`, 'D': `\Draft`, 'P': "$Forwarded"} {
		if ok && strings.ContainsRune(letters, letter) {
			flags = append(flags, flag)
		}
	}
	slices.Sort(flags)
	return strings.Join(flags, " ")
}

// compared says how what a session shows differs from the files.
func compared(got []mail, keys map[string][]mail) error {
	var wrong []string
	got = slices.Clone(got)
	for key, may := range keys {
		i := slices.IndexFunc(got, func(m mail) bool { return slices.Contains(may, mail{flags: m.flags, text: m.text}) })
		if i < 0 {
			wrong = append(wrong, fmt.Sprintf("%q (%s, %s) is not shown so", key, title(may[0].text), may[0].flags))
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	for _, m := range got {
		wrong = append(wrong, fmt.Sprintf("UID %s (%s, %s) is no file", m.uid, title(m.text), m.flags))
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errors.New(strings.Join(wrong, "; "))
}

// title is a mail's subject.
func title(text string) string {
	if m := subject.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return "no subject"
}

// shownSoon is how long what others did may take to be shown: a folder is read
// again some seconds after changes of our own, and the machine may be busy.
const shownSoon = 40 * time.Second

// agree waits until the session that stays, new ones and POP3 show what the files
// are; what is wrong for ever fails at once.
func (h *haunted) agree(step string) {
	h.t.Helper()
	var err error
	for end := time.Now().Add(shownSoon); ; time.Sleep(200 * time.Millisecond) {
		for _, folder := range []string{"INBOX", "Other"} {
			if err = h.agreed(folder); err != nil {
				break
			}
		}
		if err == nil {
			err = h.popped()
		}
		if err == nil {
			return
		}
		var lasting wrong
		if errors.As(err, &lasting) || time.Now().After(end) {
			h.t.Fatalf("after %s: %v\n%s", step, err, strings.Join(h.stay.seen[max(0, len(h.stay.seen)-30):], "\n"))
		}
	}
}

// wrong is what time does not mend.
type wrong struct{ error }

// agreed compares one folder's sessions with its files.
func (h *haunted) agreed(folder string) error {
	path := folder
	if path = "." + folder; folder == "INBOX" {
		path = ""
	}
	if _, err := os.Stat(filepath.Join(h.dir, path)); err != nil {
		return nil // not there yet
	}
	fresh, err := h.visit(folder)
	if err != nil {
		return err
	}
	defer fresh.Close()
	for _, o := range []*onlooker{h.stay, fresh} {
		if o.folder != folder {
			continue
		}
		got, err := h.all(o)
		if err != nil {
			return wrong{fmt.Errorf("%s, stays %v: %w", folder, o == h.stay, err)}
		}
		keys, err := h.files(path)
		if err == nil {
			err = compared(got, keys)
		}
		if err != nil {
			return fmt.Errorf("%s, stays %v: %w", folder, o == h.stay, err)
		}
	}
	return nil
}

// popped compares what POP3 shows of INBOX with the files.
func (h *haunted) popped() error {
	c := dial(h.t, h.s.pop)
	defer c.Close()
	c.hear()
	c.say("USER " + imapUser(h.n))
	if got := c.say("PASS " + imapPassword); !strings.HasPrefix(got, "+OK") {
		return fmt.Errorf("POP3: %s", got)
	}
	f := strings.Fields(c.say("STAT") + " 0 0")
	n, _ := strconv.Atoi(f[1])
	keys, err := h.files("")
	if err != nil {
		return err
	}
	ids := make(map[string]bool)
	var got []mail
	for i := 1; i <= n; i++ {
		id := strings.Fields(c.say(fmt.Sprintf("UIDL %d", i)) + " - - -")[2]
		if ids[id] {
			return wrong{fmt.Errorf("POP3: UIDL %s twice", id)}
		}
		ids[id] = true
		if !strings.HasPrefix(c.say(fmt.Sprintf("RETR %d", i)), "+OK") {
			continue // as its owner may not read it
		}
		var text strings.Builder
		for _, line := range c.body() {
			text.WriteString(strings.TrimRight(line, "\r\n") + "\r\n")
		}
		got = append(got, mail{uid: id, text: text.String()})
	}
	for _, may := range keys {
		for i := range may {
			may[i].flags = ""
		}
	}
	if err := compared(got, keys); err != nil {
		return fmt.Errorf("POP3: %w", err)
	}
	return nil
}

// again has a new session take the place of the one that stays, which must have
// been told that it ends.
func (h *haunted) again(step string) {
	h.t.Helper()
	for end := time.Now().Add(shownSoon); ; time.Sleep(200 * time.Millisecond) {
		err := h.stay.ok("NOOP", nil)
		if err != nil {
			if !strings.Contains(err.Error()+strings.Join(h.stay.seen[len(h.stay.seen)-1:], ""), "BYE") {
				h.t.Fatalf("%s: the session ends with %v", step, err)
			}
			break
		}
		if time.Now().After(end) {
			h.t.Fatalf("%s: the session that was there before goes on", step)
		}
	}
	h.stay.Close()
	var err error
	if h.stay, err = h.visit("INBOX"); err != nil {
		h.t.Fatalf("%s: %v", step, err)
	}
}
