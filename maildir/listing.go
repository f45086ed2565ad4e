// SPDX-License-Identifier: ISC

package maildir

import (
	"cmp"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// rereads is how often a folder is read again that changes while it is read.
// After that what was seen counts: a name may be missing that another reader
// renamed just then.
const rereads = 3

// settled is how long a folder must have been quiet before its mtime proves that
// nothing changed since: longer than a tick of the file system's clock.
const settled = 20 * time.Millisecond

// listing is the names of one folder, kept as long as its mtime stands.
type listing struct {
	mu    sync.Mutex
	names map[string]string // key: info part with the ':'
	mtime unix.Timespec
	at    time.Time // when they were read
}

// find looks a key up in the folder dir, which is read when it may have changed.
func (l *listing) find(dir int, key string) (info string, ok bool, err error) {
	names, err := l.current(dir)
	info, ok = names[key]
	return info, ok, err
}

// current is all names of the folder dir; the map is not to be changed.
func (l *listing) current(dir int) (map[string]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, err := mtime(dir)
	if err != nil {
		return nil, err
	}
	if l.names != nil && before == l.mtime && l.at.Add(-settled).After(time.Unix(before.Unix())) {
		return l.names, nil
	}
	l.at, l.mtime = time.Now(), before
	l.names, err = readKeys(dir)
	return l.names, err
}

func mtime(fd int) (unix.Timespec, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st.Mtim, err
}

// readKeys reads the folder dir: the names that begin with no dot, by their keys.
func readKeys(dir int) (map[string]string, error) {
	for try := 1; ; try++ {
		before, err := mtime(dir)
		if err != nil {
			return nil, err
		}
		names, err := readNames(dir)
		if err != nil {
			return nil, err
		}
		after, err := mtime(dir)
		if err != nil || before != after && try < rereads {
			if err != nil {
				return nil, err
			}
			continue
		}
		keys := make(map[string]string, len(names))
		for _, name := range names {
			key, _ := splitInfo(name)
			keys[key] = name[len(key):]
		}
		return keys, nil
	}
}

// readNames is the names in the folder dir but for those that begin with a dot.
func readNames(dir int) ([]string, error) {
	fd, err := openat2(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0) // has an offset of its own
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	all, err := f.Readdirnames(-1)
	if err := cmp.Or(err, f.Close()); err != nil {
		return nil, err
	}
	names := all[:0]
	for _, name := range all {
		if !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names, nil
}
