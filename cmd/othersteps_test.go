// SPDX-License-Identifier: ISC

//go:build peers

package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestForeignPrograms: while IMAP sessions look at a Maildir, neomutt, mv, cp,
// rm, rsync, find and chmod work on its files, in both shapes; after each deed
// the session that stays, a new one and POP3 show what the files are, and no UID
// is ever another message's. docs/imap-clients.md has the table.
func TestForeignPrograms(t *testing.T) {
	deeds := []struct {
		name string
		do   func(h *haunted)
	}{
		{"neomutt", byNeomutt}, {"moved", byMove}, {"copied", byCopy}, {"removed", byRemove}, {"rsync", byRsync},
		{"kinds", byKinds}, {"names", byNames}, {"chmod", byChmod}, {"away", byAway}, {"replaced", byReplacing}, {"backup", byBackup}, {"account", byAccount}, {"all", byAll},
	}
	for _, shape := range []string{"resident", "spawned"} {
		t.Run(shape, func(t *testing.T) {
			s := startIMAP(t, shape == "spawned")
			for n, d := range deeds {
				t.Run(d.name, func(t *testing.T) {
					t.Parallel()
					h := s.haunt(t, n, "")
					h.fill("new", "a", 4)
					h.fill("cur", "b", 4)
					if err := h.stay.ok("CREATE Other", nil); err != nil {
						t.Fatal(err)
					}
					h.fill(".Other/cur", "c", 2)
					h.agree("delivery")
					d.do(h)
				})
			}
		})
	}
}

// step is a shell script after which all must agree.
func (h *haunted) step(script string) {
	h.t.Helper()
	h.sh(script)
	h.agree(script)
}

func byNeomutt(h *haunted) {
	for _, keys := range []string{
		"/~s\\ m002$<enter><flag-message><quit>",
		"/~s\\ m002$<enter><flag-message>/~s\\ m003$<enter><toggle-new><quit>",
		"/~s\\ m005$<enter><display-message><exit><sync-mailbox><quit>",
		"/~s\\ m006$<enter><delete-message><quit>",
		"/~s\\ m007$<enter><save-message><kill-line>=.Other<enter><quit>",
		"/~s\\ m001$<enter><copy-message><kill-line>=.Other<enter><quit>",
		"<tag-pattern>~A<enter><tag-prefix><set-flag>r<quit>",
	} {
		before := h.state()
		h.neomutt("", keys)
		if h.state() == before {
			h.t.Errorf("neomutt: %s changed nothing", keys)
		}
		h.agree("neomutt: " + keys)
	}
}

// fresh puts so many messages into new/ and has a script meet them before anybody
// has seen them.
func (h *haunted) fresh(n int, script string) {
	h.t.Helper()
	h.fill("new", "new", n)
	h.step(script)
}

// state is the names of all messages.
func (h *haunted) state() string {
	all, err := filepath.Glob(filepath.Join(h.dir, "*", "*.laptop*"))
	more, err2 := filepath.Glob(filepath.Join(h.dir, ".Other", "*", "*"))
	if err = errors.Join(err, err2); err != nil {
		h.t.Fatal(err)
	}
	return strings.Join(append(all, more...), "\n")
}

func byMove(h *haunted) {
	h.fresh(2, `for f in new/*; do mv "$f" "cur/${f#new/}:2,S"; done`)
	h.fresh(2, `for f in new/*; do mv "$f" "cur/${f#new/}"; done`)
	h.step(`for f in cur/*.b5.*; do k=${f#cur/}; mv "$f" "new/${k%%:*}"; done`)
	h.step(`mv cur/*.b6.* .Other/cur/`)
	h.step(`mv .Other/cur/*.c9.* new/`)
	h.step(`for i in 1 2 3; do mv cur/*.b7.* .Other/cur/; mv .Other/cur/*.b7.* cur/; done`)
	h.step(`for f in cur/*:2,*; do mv "$f" "${f%:2,*}:2,FRS"; done`)
	h.fresh(2, `mv new/* cur/; mv cur/* .Other/new/`)
	h.step(`mv .Other/*/* cur/`)
}

func byCopy(h *haunted) {
	h.step(`for f in cur/*.b5.*; do cp -a "$f" "cur/copy.${f#cur/}"; done`)
	h.step(`for f in cur/*.b6.*; do cp -a "$f" "${f%:2,*}:2,F"; done`) // the same message with other flags
	h.step(`rm cur/*.b6.*:2,F`)
	h.step(`for f in cur/*.b6.*; do cp -a "$f" "${f%:2,*}:2,FS"; rm "$f"; done`)
	h.fresh(1, `for f in new/*; do cp -a "$f" "cur/${f#new/}:2,R"; done`) // in both folders
	h.step(`rm -f new/*`)
	h.step(`for f in cur/*.b7.*; do k=${f#cur/}; ln "$f" "new/${k%%:*}"; done`)
	h.step(`rm -f cur/*.b7.*`)
	h.step(`for f in cur/*.b8.*; do cp -a "$f" .Other/cur/; done`)
}

func byRemove(h *haunted) {
	h.step(`rm cur/*.b5.*`)
	h.fresh(2, `rm new/* cur/*.b6.*`)
	h.fresh(3, `find cur new -type f -exec touch {} +`)
	h.step(`find cur new -type f -exec touch -d '2001-01-01' {} +; touch cur new; touch -d '2001-01-01' cur`)
	h.fresh(1, `touch -d '2040-01-01' new; rm new/*; touch -d '2040-01-01' cur; rm cur/*.b7.*`)
	h.step(`rm -f cur/* new/*`)
	h.fill("new", "e", 2)
	h.agree("delivery")
}

func byRsync(h *haunted) {
	h.step(`rsync -a cur/ "$OTHER/copy/"; for f in "$OTHER"/copy/*.b5.*; do cp "$f" "$OTHER/copy/170.more.laptop:2,S"; done; rsync -a "$OTHER/copy/" cur/`)
	h.step(`rm "$OTHER"/copy/*.b6.*; rsync -a --delete "$OTHER/copy/" cur/`)
	h.step(`rsync -a -I "$OTHER/copy/" cur/`)
	h.step(`rsync -a -I --inplace "$OTHER/copy/" cur/; rsync -a -I --delay-updates "$OTHER/copy/" cur/`)
	h.step(`for f in "$OTHER"/copy/*.b7.*; do mv "$f" "${f%:2,*}:2,FS"; done; rsync -a --delete-before "$OTHER/copy/" cur/`)
	h.step(`for f in "$OTHER"/copy/*.b7.*; do mv "$f" "${f%:2,*}:2,"; done; rsync -a --delete-after "$OTHER/copy/" cur/`)
	h.fresh(2, `rsync -a --remove-source-files new/ cur/`)
}

func byKinds(h *haunted) {
	h.step(`mkdir cur/1.dir.x:2,S new/1.dir2.x; echo x >cur/1.dir.x:2,S/file`)
	h.step(`mkfifo cur/2.fifo.x:2,S new/2.fifo.x`)
	h.step(`ln -s /etc/passwd cur/3.link.x:2,; for f in cur/*.b5.*; do ln -s "$PWD/$f" cur/4.link.x:2,; done; ln -s nowhere new/5.link.x`)
	if os.Getuid() == 0 { // a device, which root alone can make
		if err := syscall.Mknod(filepath.Join(h.dir, "cur/6.null.x:2,"), syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
			h.t.Logf("no device: %v", err)
		}
	}
	h.agree("mknod")
	h.step(`for f in cur/*.b6.*; do rm "$f"; mkfifo "$f"; done`) // what was a message
	h.step(`for f in cur/*.b7.*; do mv "$f" "$OTHER/m"; ln -s "$OTHER/m" "$f"; done`)
	h.step(`for f in cur/*.b8.*; do rm "$f"; mkdir "$f"; done`)
	h.step(`rm -r cur/*.b[678].*`)
}

func byNames(h *haunted) {
	long := strings.Repeat("l", 240)
	for _, name := range []string{
		"cur/" + long + strings.Repeat("l", 15), "cur/" + long + "k:2,FRS", "new/" + long + "n" + strings.Repeat("l", 14),
		"cur/10.new\nline.x:2,S", "cur/11.\xff\xfe\x80.x:2,F", "cur/12.é ü\t\r.x:2,", "cur/13.two:2,S:2,F", "cur/14.colon::2,S", "new/15.info:2,S",
		"cur/16.lie,S=1:2,S", "cur/17.lie,S=99999999999999999999:2,", "cur/18.lie,S=-1,W=7:2,", "cur/19.lie,S=1,W=1", "cur/20.unknown:2,SabcXYZ!",
		"cur/21.repeated:2,SSSFFF", "cur/22.unsorted:2,TSRPFD", "cur/23.one:1,x", "cur/24.three:3,S", "cur/25.none:", "cur/26.empty:2",
		"cur/.27.dot:2,S", "new/.28.dot", "cur/:2,S", "cur/%s%n$(x)`x`\"'\\*?{12}:2,", "cur/29.\x01\x1b[2J:2,", "cur/99999999999999999999999.x:2,", "cur/-rf:2,S",
		"new/30.both", "cur/30.both:2,S", "cur/qx.lock:2,", "cur/\u202e31:2,",
	} {
		h.put(name)
	}
	h.agree("hostile names")
	if err := h.stay.ok(`STORE 1:* +FLAGS (\Flagged)`, nil); err != nil {
		h.t.Fatal(err)
	}
	// A name of 255 bytes has no room for flags: the index has them.
	short := func() {
		for _, at := range []string{"cur/" + long + strings.Repeat("l", 15), "new/" + long + "n" + strings.Repeat("l", 14)} {
			os.Remove(filepath.Join(h.dir, at))
			os.Remove(filepath.Join(h.dir, "cur", filepath.Base(at)))
		}
	}
	short()
	h.agree("STORE to hostile names")
	h.step(`find cur -name '[12]*' -type f -exec sh -c 'for f; do mv "$f" "${f%%:*}:2,S"; done' sh {} +`)
	h.step(`find cur new -type f -delete`)
}

func byChmod(h *haunted) {
	h.step(`chmod 000 cur/*.b5.*`)
	found := ""
	if _, err := h.stay.say(`SEARCH TEXT "Its last line"`, func(line string) error { found = line; return nil }); err != nil {
		h.t.Fatal(err)
	}
	if n := len(strings.Fields(found)) - 1; n != 7 {
		h.t.Errorf("SEARCH finds %q; want 7, all that can be read", found)
	}
	h.fresh(2, `chmod 000 new/*`)
	h.step(`chmod 400 cur/*.b6.*; chmod 777 cur/*.b7.*`)
	h.step(`chmod 600 cur/* new/* || true`)
}

func byAway(h *haunted) {
	h.sh(`mv "$DIR" "$DIR.away"`)
	if err := h.stay.ok("NOOP", nil); err != nil {
		h.t.Fatalf("NOOP while the Maildir is away: %v", err)
	}
	if o, err := h.visit("INBOX"); err == nil {
		o.Close()
		h.t.Error("SELECT while the Maildir is away: OK")
	}
	if err := os.Rename(h.dir+".away", h.dir); err != nil {
		h.t.Fatal(err)
	}
	h.agree("Maildir away and back")
	h.step(`mv .Other .Away; mv .Away .Other`)
	h.step(`mv cur cur.away; mv cur.away cur`)
	for _, gone := range []string{"qx.snap", "qx.log.*", "qx.*"} {
		h.sh("rm -r " + gone)
		h.again("without " + gone)
		h.agree("without " + gone)
	}
	h.step("rm qx.lock") // tells nothing that cannot be made anew
}

func byReplacing(h *haunted) {
	h.step(`cp -a cur cur.new; mv cur cur.old; mv cur.new cur`)
	h.step(`rm cur/*.b5.*; for f in cur/*.b6.*; do mv "$f" "${f%:2,*}:2,F"; done`)
	h.fill("cur", "d", 2)
	h.fill("new", "d", 2)
	h.agree("more mail")
	h.step(`mkdir new.new; mv new new.old; mv new.new new`)
	h.fill("new", "e", 2)
	h.agree("more mail")
	h.step(`mkdir cur.new; mv cur cur.old2; mv cur.new cur`)
	h.fill("cur", "f", 2)
	h.agree("more mail")
}

// byBackup puts yesterday's Maildir back. Without the index's files nothing can
// go wrong; with them a session that is there meanwhile is ended, and its UIDs with
// it. Where nobody is there, who has put it back must say so.
func byBackup(h *haunted) {
	h.sh(`rsync -a "$DIR/" "$OTHER/yesterday/"`)
	h.fill("new", "d", 3)
	h.agree("a day")
	h.sh(`rsync -a -I --delete --exclude 'qx.*' "$OTHER/yesterday/" "$DIR/"`)
	h.agree("a backup without qx.*")
	h.fill("new", "e", 3)
	h.agree("the day after")
	h.sh(`rsync -a -I --delete "$OTHER/yesterday/" "$DIR/"`)
	h.fill("new", "f", 3)
	if o, err := h.visit("INBOX"); err == nil { // who comes before that session looks
		o.Close()
	}
	h.again("a backup with qx.*")
	h.agree("the day after")
	h.stay.Close()
	for h.given() >= time.Now().Unix() { // as there is a day between
		time.Sleep(50 * time.Millisecond)
	}
	h.sh(`rsync -a -I --delete "$OTHER/yesterday/" "$DIR/"; ` + program("quill") + ` mailbox rebuild --yes "$DIR" 2>&1`)
	h.fill("new", "g", 3)
	var err error
	if h.stay, err = h.visit("INBOX"); err != nil {
		h.t.Fatal(err)
	}
	h.agree("a backup, and quill mailbox rebuild")
}

// given is the greatest UIDVALIDITY that a session was told.
func (h *haunted) given() (most int64) {
	for at := range h.texts {
		n, _ := strconv.ParseInt(strings.Fields(at)[1], 10, 64)
		most = max(most, n)
	}
	return most
}

// byAccount puts another account's Maildir, with its index, in the place of this
// one's: no UID that its sessions know may stand for that account's mail.
func byAccount(h *haunted) {
	other := h.s.haunt(h.t, imapUsers-1, "")
	other.fill("new", "a", 12)
	if err := other.stay.ok("CREATE Other", nil); err != nil {
		h.t.Fatal(err)
	}
	other.agree("delivery to another account")
	other.stay.Close()
	h.sh(`rsync -a -I --delete "` + other.dir + `/" "$DIR/"`)
	h.again("another account's Maildir")
	h.next = 100
	h.fill("new", "b", 3)
	h.agree("more mail")
}

// byAll has all of them work while sessions look without a pause.
func byAll(h *haunted) {
	h.fill("cur", "d", 20)
	h.sh(`rsync -a cur/ "$OTHER/copy/"`)
	var ended atomic.Bool
	var workers sync.WaitGroup
	errs := make(chan error, 4)
	for _, script := range []string{
		`for f in cur/*; do mv "$f" "${f%:2,*}:2,$((n % 2))FS"; done 2>/dev/null || true`,
		`for f in cur/*.d*; do mv "$f" .Other/cur/; done 2>/dev/null || true; for f in .Other/cur/*.d*; do mv "$f" cur/; done 2>/dev/null || true`,
		`rsync -a -I "$OTHER/copy/" .Other/cur/; rm -f .Other/cur/*.d1*`,
		`for f in cur/*.b5.*; do cp -a "$f" tmp/copy; mv tmp/copy "new/$n.copy.laptop"; done 2>/dev/null || true; find cur new -type f -exec touch -c {} + 2>/dev/null || true; rm -f cur/*.copy.*`,
	} {
		workers.Go(func() {
			errs <- h.shell(`n=0; while [ $n -lt 15 ]; do n=$((n + 1)); ` + script + "; done")
		})
	}
	go func() { workers.Wait(); ended.Store(true) }()
	for rounds := 0; !ended.Load(); rounds++ {
		fresh, err := h.visit([]string{"INBOX", "Other"}[rounds%2])
		if err != nil {
			h.t.Fatal(err)
		}
		for _, o := range []*onlooker{h.stay, fresh} {
			if _, err := h.all(o); err != nil {
				h.t.Errorf("%s while others work: %v", o.folder, err)
			}
		}
		fresh.Close()
		if h.t.Failed() {
			break
		}
	}
	workers.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			h.t.Error(err)
		}
	}
	h.agree("all of it at once")
}
