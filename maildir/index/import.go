// SPDX-License-Identifier: ISC

package index

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/random"
	"quill/maildir"
)

// exportedFile is the last snapshot of a folder that was given back (Export); it
// says that what the other server keeps counts again.
const exportedFile = "qx.exported"

// courierFiles is how many files of single messages are read in
// courierimapkeywords.
const courierFiles = 1_000_000

// seed is the index's first state as Dovecot or Courier left the folder, on disk
// but for the state; nil where they left nothing that counts, or the folder had
// an index of ours.
func (x *Index) seed(root *maildir.Maildir, gen uint64) (*state, error) {
	if virgin, err := x.virgin(); err != nil || !virgin {
		return nil, err
	}
	f, err := newestList(x.m.Fd())
	if err != nil || f == nil {
		return nil, err
	}
	defer f.Close()
	dirs, err := x.mtimes()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	seen, err := x.scan(true)
	if err != nil {
		return nil, err
	}
	l, err := parseList(f, seen.has)
	if errors.Is(err, errRefused) {
		return nil, nil
	}
	files := len(seen.cur) + len(seen.fresh)
	if err != nil || files > messagesMax || uint64(l.next)+uint64(files) > uidMax {
		return nil, err
	}
	// No modseq that a client knows may be greater, and what was expunged is not known.
	base := uint64(time.Now().UnixMicro())
	s := &state{gen: gen, valid: l.valid, next: l.next, modseq: base, horizon: base, box: l.box}
	if settled(dirs.fresh, now) && settled(dirs.cur, now) {
		s.dirs = dirs // else merge looks again
	}
	if s.box == [16]byte{} {
		random.Fill(s.box[:])
	}
	if err := x.fill(s, l, seen); err != nil {
		return nil, err
	}
	if err := x.foreignKeywords(s, seen.has); err != nil {
		return nil, err
	}
	if err := x.syncDirs(); err != nil {
		return nil, err
	}
	return s, raiseValidity(root.Fd(), l.valid, x.opt.Wait)
}

// virgin tells that the folder never had an index of ours, or was given back.
func (x *Index) virgin() (bool, error) {
	var st unix.Stat_t
	if unix.Fstatat(x.m.Fd(), snapFile, &st, unix.AT_SYMLINK_NOFOLLOW) != unix.ENOENT {
		return false, nil
	}
	mark, marked, err := markIn(x.lock)
	if err != nil {
		return false, err
	}
	if gen, ok := exportedGen(x.m.Fd()); ok {
		return !marked || mark.gen <= gen, nil // else one that a crash kept from being deleted
	}
	if marked {
		return false, nil
	}
	names, err := namesIn(x.m.Fd(), ".", -1)
	if err != nil {
		return false, err
	}
	head := int64(len(appendRecord(nil, &record{kind: kindHead})))
	for _, name := range names {
		if strings.HasPrefix(name, logPrefix) && (unix.Fstatat(x.m.Fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || name != logName(1) || st.Size > head) {
			return false, nil // more than a first try that a crash cut off
		}
	}
	return true, nil
}

// exportedGen is the generation of the snapshot that was put aside.
func exportedGen(dir int) (gen uint64, ok bool) {
	f, err := openForeign(dir, exportedFile)
	if err != nil || f == nil {
		return 0, false
	}
	defer f.Close()
	b := make([]byte, snapHead)
	if _, err := io.ReadFull(f, b); err != nil || sum(b[:snapHead-4]) != binary.LittleEndian.Uint32(b[snapHead-4:]) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[16:]), true
}

// namesIn reads at most n names of a folder; -1: all.
func namesIn(dir int, name string, n int) ([]string, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	names, err := f.Readdirnames(n)
	if err == io.EOF {
		err = nil
	}
	return names, err
}

// has tells whether a file with the key was found.
func (f *files) has(key string) bool {
	_, ok := f.cur[key]
	if !ok {
		_, ok = f.fresh[key]
	}
	return ok
}

// openForeign opens a file of another server's; nil where there is none. What is no
// file is as good as none, while one that cannot be read now must not cost UIDs.
func openForeign(dir int, name string) (*os.File, error) {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT || err == unix.ENOTDIR || err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil
	}
	f, err := maildir.OpenRegular(dir, name, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// newestList is the list that was changed last: the server that is not used any
// more has given UIDs that are not true now. nil: there is none.
func newestList(dir int) (newest *os.File, err error) {
	var mtime time.Time
	for _, name := range []string{dovecotList, courierList} {
		f, err := openForeign(dir, name)
		var st fs.FileInfo
		if err == nil && f != nil {
			st, err = f.Stat()
		}
		switch {
		case err != nil:
			f.Close()
			newest.Close()
			return nil, err
		case f == nil:
		case newest == nil || st.ModTime().After(mtime):
			newest.Close()
			newest, mtime = f, st.ModTime()
		default:
			f.Close()
		}
	}
	return newest, nil
}

// fill gives the state the messages: those in the list their UIDs, and the others
// the next ones in the order of their delivery.
func (x *Index) fill(s *state, l *list, seen files) error {
	var rest []maildir.Message
	saved := uint32(time.Now().Unix())
	add := func(uid UID, f maildir.Message) {
		hash := sha256.Sum256([]byte(f.Key()))
		s.msgs = append(s.msgs, &Message{UID: uid, Flags: nameFlags(f.Name), New: f.New, Size: f.Size, Wire: f.Wire, Date: f.MTime.UnixNano(),
			Saved: saved, EmailID: binary.LittleEndian.Uint64(hash[:]), Name: f.Name, ModSeq: s.modseq})
	}
	for _, fresh := range []bool{true, false} {
		names := seen.cur
		if fresh {
			names = seen.fresh
		}
		for key, info := range names {
			if _, both := seen.cur[key]; fresh && both || !validName(key+info) {
				continue
			}
			e, known := l.files[key]
			f, ok, err := x.lookUp(key, info, fresh, &e, known)
			switch {
			case err != nil:
				return err
			case !ok:
			case known && !e.twice:
				add(e.uid, f)
			default:
				rest = append(rest, f)
			}
		}
	}
	slices.SortFunc(s.msgs, func(a, b *Message) int { return int(int64(a.UID) - int64(b.UID)) })
	slices.SortFunc(rest, maildir.ByTime)
	for _, f := range rest {
		add(s.next, f)
		s.next++
	}
	return nil
}

// lookUp is Look, but that the list tells the size of a file whose name does not.
func (x *Index) lookUp(key, info string, fresh bool, e *entry, known bool) (f maildir.Message, ok bool, err error) {
	if known && !e.twice && e.wire >= 0 && !strings.Contains(key, ",W=") {
		var st unix.Stat_t
		err := unix.Fstatat(x.m.Dir(fresh), key+info, &st, unix.AT_SYMLINK_NOFOLLOW)
		if wire, ok := e.wireOf(st.Size); err == nil && ok && st.Mode&unix.S_IFMT == unix.S_IFREG {
			return maildir.Message{Name: key + info, New: fresh, Size: st.Size, Wire: wire, MTime: time.Unix(st.Mtim.Unix())}, true, nil
		}
	}
	return x.m.Look(key+info, fresh)
}

// foreignKeywords gives the messages their keywords: by the letters in their
// names, and by Courier's files.
func (x *Index) foreignKeywords(s *state, has func(key string) bool) error {
	f, err := openForeign(x.m.Fd(), dovecotKeywords)
	if err != nil {
		return err
	}
	if f != nil {
		names, err := parseLetters(f)
		f.Close()
		if err != nil && !errors.Is(err, errRefused) {
			return err
		}
		for i := range s.msgs {
			m := s.msgs[i]
			for set, n := nameLetters(m.Name), 0; set != 0; set, n = set>>1, n+1 {
				if set&1 != 0 {
					s.mark(m, names[n])
				}
			}
		}
	}
	words, err := x.courierWords(has)
	if err != nil {
		return err
	}
	for i := range s.msgs {
		for _, name := range words[s.msgs[i].Key()] {
			s.mark(s.msgs[i], name)
		}
	}
	return nil
}

// forwarded is the keyword that is a flag of ours.
const forwarded = "$Forwarded"

// mark gives a message a keyword, which gets a number where it has none and one
// is left.
func (s *state) mark(m *Message, name string) {
	switch n := s.keyword(name); {
	case !ValidKeyword(name):
	case strings.EqualFold(name, forwarded):
		m.Flags |= Passed
	case n >= 0:
		m.Keywords |= 1 << n
	case len(s.keywords) < KeywordsMax:
		m.Keywords |= 1 << len(s.keywords)
		s.keywords = append(s.keywords, name)
	}
}

// courierWords is the keywords that Courier has kept, by key: :list, over that
// the file .N.key with the greatest N, over that the file key, each with one
// keyword a line.
func (x *Index) courierWords(has func(key string) bool) (map[string][]string, error) {
	names, err := namesIn(x.m.Fd(), courierKeywords, courierFiles)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	words := make(map[string][]string)
	f, err := openForeign(x.m.Fd(), courierKeywords+"/"+courierAll)
	if err != nil {
		return nil, err
	}
	if f != nil {
		words, err = parseCourier(f, has)
		f.Close()
		if err != nil && !errors.Is(err, errRefused) {
			return nil, err
		}
	}
	newest := make(map[string]uint64)
	for _, name := range names {
		key, age := name, uint64(1<<64-1)
		if rest, ok := strings.CutPrefix(name, "."); ok {
			var number string
			number, key, _ = strings.Cut(rest, ".")
			if age, err = strconv.ParseUint(number, 10, 63); err != nil {
				continue
			}
		}
		if old, ok := newest[key]; !has(key) || ok && old > age {
			continue
		}
		newest[key] = age
		if words[key], err = x.courierFile(name); err != nil {
			return nil, err
		}
	}
	return words, nil
}

func (x *Index) courierFile(name string) (words []string, err error) {
	f, err := openForeign(x.m.Fd(), courierKeywords+"/"+name)
	if err != nil || f == nil {
		return nil, err
	}
	defer f.Close()
	err = eachLine(f, keywordsMax, func(line []byte, _ bool) error {
		if len(words) <= KeywordsMax { // $Forwarded is one more
			words = append(words, string(line))
		}
		return nil
	})
	if errors.Is(err, errRefused) {
		err = nil
	}
	return words, err
}

// raiseValidity sees to it that each UIDVALIDITY below root from now on is
// greater than v, and than Dovecot's last.
func raiseValidity(root int, v uint32, wait time.Duration) error {
	lock, err := lockIn(nil, root, validByte, wait)
	if lock != nil {
		defer lock.Close()
	}
	if err != nil {
		return err
	}
	last := [2]int64{}
	for i, name := range []string{validFile, dovecotValidity} {
		f, err := openForeign(root, name)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		b := make([]byte, 8)
		n, _ := io.ReadFull(f, b)
		f.Close()
		last[i], _ = strconv.ParseInt(string(b[:n]), 16, 64)
	}
	to := int64(v)
	if last[1] <= validMax {
		to = max(to, last[1])
	}
	if to <= last[0] {
		return nil
	}
	return replace(root, validFile+".tmp", validFile, fmt.Appendf(nil, "%08x\n", to))
}
