// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// haunted is a user's mailbox that other programs work on, and what IMAP
// sessions have been told of it.
type haunted struct {
	t     *testing.T
	s     *imapServer
	n     int    // the user
	dir   string // the Maildir, as the test reaches it
	home  string // of the other programs
	stay  *onlooker
	texts map[string]string // of every folder, UIDVALIDITY and UID: a message's text, for ever
	next  int               // the next message's number
}

// onlooker is an IMAP session.
type onlooker struct {
	*imapTalk
	folder string
	valid  string
	uids   []string // by number, from 0; "" where it was not told yet
}

// mail is a message as a session shows it, or as a file has it.
type mail struct{ uid, flags, text string }

// haunt opens the session that stays.
func (s *imapServer) haunt(t *testing.T, n int, root string) *haunted {
	h := &haunted{t: t, s: s, n: n, dir: root + s.box(n), home: t.TempDir(), texts: make(map[string]string), next: 1}
	open(t, h.home)
	h.own(h.home)
	var err error
	if h.stay, err = h.visit("INBOX"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.stay.Close() })
	return h
}

func (h *haunted) own(path string) {
	h.t.Helper()
	if os.Getuid() == 0 {
		if err := os.Lchown(path, h.s.uid, h.s.gid); err != nil {
			h.t.Fatal(err)
		}
	}
}

// put writes a message as a file of this name below the Maildir, whole at once.
func (h *haunted) put(name string) {
	h.t.Helper()
	tmp := filepath.Join(h.dir, "tmp", fmt.Sprintf("put%d", h.next))
	err := os.WriteFile(tmp, []byte(letter(fmt.Sprintf("m%03d", h.next))), 0o600)
	h.next++
	if err == nil {
		h.own(tmp)
		err = os.Rename(tmp, filepath.Join(h.dir, name))
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// fill delivers so many messages to a folder's new/ or cur/ under names with this
// beginning; theirs are the next numbers.
func (h *haunted) fill(dir, word string, n int) {
	h.t.Helper()
	info := ""
	if strings.HasSuffix(dir, "cur") {
		info = ":2,"
	}
	for range n {
		h.put(fmt.Sprintf("%s/%d.%s%d.laptop%s", dir, 1700000000+h.next, word, h.next, info))
	}
}

// sh runs a shell script in the Maildir as its owner, which must succeed. $OTHER
// is a folder of its own.
func (h *haunted) sh(script string) {
	h.t.Helper()
	if err := h.shell(script); err != nil {
		h.t.Fatal(err)
	}
}

func (h *haunted) shell(script string) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", script)
	cmd.Dir, cmd.WaitDelay = h.dir, 5*time.Second
	cmd.Env = append(os.Environ(), "HOME="+h.home, "OTHER="+h.home, "DIR="+h.dir, "TERM=vt220", "LC_ALL=C", "MAILRC=/dev/null")
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(h.s.uid), Gid: uint32(h.s.gid)}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", script, err, out)
	}
	return nil
}

// neomutt has neomutt open a folder's files and press these keys, as names of its
// functions; it ends by itself.
func (h *haunted) neomutt(folder, keys string) {
	h.t.Helper()
	rc := filepath.Join(h.home, "neomuttrc")
	text := "set folder=" + h.dir + "/ mbox_type=Maildir quit=yes delete=yes confirmappend=no confirmcreate=no move=no mark_old=no wait_key=no sort=subject use_threads=no\n" +
		"set resolve=no maildir_trash=no header_cache=\"\" pager=builtin save_empty=yes\n" +
		"push \"" + keys + "\"\n"
	if err := os.WriteFile(rc, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.sh("timeout 40 script -qec 'stty rows 40 cols 100; exec neomutt -n -F \"$HOME/neomuttrc\" -f \"$DIR/" + folder + "\"' /dev/null </dev/null >\"$HOME/screen\" || { cat \"$HOME/screen\"; exit 1; }")
}

// visit begins a session.
func (h *haunted) visit(folder string) (*onlooker, error) {
	c, err := net.DialTimeout("tcp", h.s.addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	o := &onlooker{imapTalk: hearIMAP(c)}
	if _, err = o.next(); err == nil {
		err = o.ok("LOGIN "+imapUser(h.n)+" "+imapPassword, nil)
	}
	if err == nil {
		err = o.choose(folder)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("%w\n%s", err, strings.Join(o.seen, "\n"))
	}
	return o, nil
}

func (o *onlooker) choose(folder string) error {
	o.folder, o.valid, o.uids = folder, "", nil
	return o.ok("SELECT "+folder, nil)
}

// ok says a command that must succeed, and gives what FETCH told.
func (o *onlooker) ok(command string, got *[]mail) error {
	answer, err := o.say(command, func(line string) error { return o.take(line, got) })
	if err == nil && !strings.HasPrefix(answer, "OK") {
		err = saidNo(command + ": " + answer)
	}
	return err
}

// saidNo is the answer NO.
type saidNo string

func (r saidNo) Error() string { return string(r) }

// take learns from an untagged response; numbers must stand for the same UIDs.
func (o *onlooker) take(line string, got *[]mail) error {
	word, rest, _ := strings.Cut(line, " ")
	n, err := strconv.Atoi(word)
	kind, rest, _ := strings.Cut(rest, " ")
	switch {
	case word == "BYE":
		return fmt.Errorf("%q", line)
	case err != nil:
		if v, ok := code(line, "UIDVALIDITY "); ok {
			o.valid = v
		}
	case kind == "EXISTS":
		if n < len(o.uids) {
			return fmt.Errorf("EXISTS %d after %d", n, len(o.uids))
		}
		o.uids = append(o.uids, make([]string, n-len(o.uids))...)
	case n < 1 && kind != "RECENT" || n > len(o.uids):
		return fmt.Errorf("%q with %d messages", line, len(o.uids))
	case kind == "EXPUNGE":
		o.uids = slices.Delete(o.uids, n-1, n)
	case kind == "FETCH":
		return o.fetched(n, rest, got)
	}
	return nil
}

func (o *onlooker) fetched(n int, rest string, got *[]mail) error {
	var m mail
	text := false
	all, _ := parseNodes(rest)
	for items := all[0].list; len(items) >= 2; items = items[2:] {
		switch items[0].s {
		case "UID":
			m.uid = items[1].s
		case "FLAGS":
			m.flags = flagText(items[1].list)
		case "BODY[]":
			m.text, text = items[1].s, items[1].s != "NIL"
		}
	}
	if had := o.uids[n-1]; had != "" && m.uid != "" && had != m.uid {
		return fmt.Errorf("number %d is UID %s and was %s", n, m.uid, had)
	}
	if m.uid != "" {
		o.uids[n-1] = m.uid
	}
	if text && got != nil {
		*got = append(*got, m)
	}
	return nil
}

// all is what a session shows, after news.
func (h *haunted) all(o *onlooker) (got []mail, err error) {
	if err := o.ok("NOOP", nil); err != nil {
		return nil, err
	}
	if len(o.uids) > 0 {
		err = o.ok("FETCH 1:* (UID FLAGS BODY.PEEK[])", &got)
	}
	if r := saidNo(""); errors.As(err, &r) { // some have no text that can be read
		err = nil
	}
	seen := make(map[string]bool)
	for _, m := range got {
		if seen[m.uid] {
			return nil, fmt.Errorf("UID %s twice", m.uid)
		}
		seen[m.uid] = true
		at := o.folder + " " + o.valid + " " + m.uid
		if had, ok := h.texts[at]; ok && had != m.text {
			return nil, fmt.Errorf("%s was %q and is %q", at, title(had), title(m.text))
		}
		h.texts[at] = m.text
	}
	return got, err
}
