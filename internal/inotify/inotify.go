// SPDX-License-Identifier: ISC

// Package inotify tells of changes in folders (inotify(7)): one descriptor for
// the process, one watch for a folder however many look at it.
package inotify

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// mask is what happens to a folder's files that its readers have to know.
const mask = unix.IN_MODIFY | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_CREATE | unix.IN_DELETE | unix.IN_ONLYDIR

// Watcher watches folders. Its methods may be called from any goroutine.
type Watcher struct {
	mu    sync.Mutex
	f     *os.File // nil: nobody watches
	byWD  map[int32]map[*func()]bool
	taken map[*func()][]int32
}

// New makes a Watcher, which costs nothing before the first Add.
func New() *Watcher {
	return &Watcher{byWD: make(map[int32]map[*func()]bool), taken: make(map[*func()][]int32)}
}

// Add has f called, from a goroutine of the Watcher's, whenever something happens
// to the files in one of the folders, which are open as these descriptors. It
// must not wait. stop ends this; f may be running still. An error says that the
// kernel has no room for more: look now and then instead.
func (w *Watcher) Add(dirs []int, f func()) (stop func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.open(); err != nil {
		return nil, err
	}
	key := &f
	for _, dir := range dirs {
		wd, err := unix.InotifyAddWatch(w.fd(), "/proc/self/fd/"+strconv.Itoa(dir), mask)
		if err != nil {
			w.drop(key)
			return nil, fmt.Errorf("watch a folder: %w", err)
		}
		if w.byWD[int32(wd)] == nil {
			w.byWD[int32(wd)] = make(map[*func()]bool)
		}
		if !w.byWD[int32(wd)][key] {
			w.byWD[int32(wd)][key] = true
			w.taken[key] = append(w.taken[key], int32(wd))
		}
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.drop(key)
	}, nil
}

// open starts listening, where nobody has yet.
func (w *Watcher) open() error {
	if w.f != nil {
		return nil
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	w.f = os.NewFile(uintptr(fd), "inotify")
	go w.listen(w.f)
	return nil
}

func (w *Watcher) fd() (fd int) {
	conn, err := w.f.SyscallConn()
	if err != nil {
		return -1
	}
	conn.Control(func(n uintptr) { fd = int(n) })
	return fd
}

// drop takes out a function and the watches that only it had. The kernel does not
// give a number out again while the descriptor is open.
func (w *Watcher) drop(key *func()) {
	for _, wd := range w.taken[key] {
		if delete(w.byWD[wd], key); len(w.byWD[wd]) == 0 {
			delete(w.byWD, wd)
			unix.InotifyRmWatch(w.fd(), uint32(wd))
		}
	}
	delete(w.taken, key)
}

// listen calls those whose folders have events; where the kernel lost some, all.
func (w *Watcher) listen(f *os.File) {
	buf := make([]byte, 16<<10)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		hit := make(map[*func()]bool)
		w.mu.Lock()
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd := int32(binary.NativeEndian.Uint32(b))
			if binary.NativeEndian.Uint32(b[4:])&unix.IN_Q_OVERFLOW != 0 {
				for key := range w.taken {
					hit[key] = true
				}
			}
			for key := range w.byWD[wd] {
				hit[key] = true
			}
			b = b[min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))):]
		}
		w.mu.Unlock()
		for key := range hit {
			(*key)()
		}
	}
}

// Close ends all watching.
func (w *Watcher) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	clear(w.byWD)
	clear(w.taken)
	return err
}
