// SPDX-License-Identifier: ISC

package index

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// noSyncEnv makes the test binary a program on whose disk nothing comes, but it
// does not know it until it syncs: the Maildir it works on. noFolderEnv has it so
// for folders, and from the start.
const (
	noSyncEnv   = "QUILL_INDEX_TEST_NOSYNC"
	noFolderEnv = "QUILL_INDEX_TEST_NOFOLDER"
)

func noSync(dir string) error {
	m, err := maildir.Open(dir)
	if err != nil {
		return err
	}
	folders := os.Getenv(noFolderEnv) != ""
	if folders {
		if err := failing(unix.SYS_FSYNC); err != nil {
			return err
		}
	}
	x, err := Open(m, Options{})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if !folders {
		if err := failing(unix.SYS_FDATASYNC); err != nil {
			return err
		}
	}
	_, err = x.Store([]UID{1}, Store{Op: Add, Keywords: []string{"lost"}})
	return fmt.Errorf("store: %w", err)
}

// failing has a system call fail with EIO from now on, in all threads.
func failing(call uint32) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EIO)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return e
	}
	return nil
}

// inNoSync runs noSync and is what it said.
func inNoSync(dir string, more ...string) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), noSyncEnv+"="+dir), more...)
	out, _ := cmd.Output()
	return string(out)
}

// TestSyncFails: what a sync has refused is not taken for written by the next who
// reads it from the kernel's memory.
func TestSyncFails(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	if said := inNoSync(dir); !strings.HasPrefix(said, "error: store: ") || !strings.Contains(said, unix.EIO.Error()) {
		t.Fatalf("it said %q", said)
	}
	log, err := os.ReadFile(dir + "/" + x.log.Name())
	if k, ok := readMark(x.lock); err != nil || !ok || int64(len(log)) != k.len {
		t.Errorf("the log has %d bytes; %d are on disk (%v)", len(log), k.len, err)
	}
	takeIn(t, x)
	want(t, "keywords", x.View().Keywords(), "[]")
}

// TestGenerationUnsynced: who made a generation was killed before it synced the
// folder; the next to write to it does.
func TestGenerationUnsynced(t *testing.T) {
	m, dir := newBox(t, 1)
	x := open(t, m, Options{})
	before := saved(t, dir)[lockFile]
	want(t, "rotate", x.update(x.rotate), nil)
	want(t, "the mark of before", os.WriteFile(dir+"/"+lockFile, before, 0o600), nil)
	if said := inNoSync(dir, noFolderEnv+"=1"); !strings.HasPrefix(said, "error: open: ") || !strings.Contains(said, "sync .") {
		t.Errorf("where the folder cannot be synced it said %q", said)
	}
	y := open(t, m, Options{})
	if k, ok := readMark(y.lock); !ok || k.gen != y.s.gen {
		t.Errorf("mark %+v; generation %d", k, y.s.gen)
	}
}
