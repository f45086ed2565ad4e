// SPDX-License-Identifier: ISC

package maildir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOpenWhileMoved: a file that another program moves between new/ and cur/ while
// it is opened is found or is not there; nothing else.
func TestOpenWhileMoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "Maildir")
	if err := Make(dir); err != nil {
		t.Fatal(err)
	}
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	here, there := filepath.Join(dir, "new", "1.a"), filepath.Join(dir, "cur", "1.a")
	if err := os.WriteFile(here, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(500 * time.Millisecond)
	done := make(chan error, 1)
	go func() {
		for time.Now().Before(end) {
			if err := errors.Join(os.Rename(here, there), os.Rename(there, here)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	found := 0
	for time.Now().Before(end) {
		fd, err := openat2(m.new_, "1.a", unix.O_RDONLY, inside)
		switch {
		case err == nil:
			os.NewFile(uintptr(fd), "1.a").Close()
			found++
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatalf("open = %v; want the file, or that it is not there", err)
		}
	}
	if err := <-done; err != nil || found == 0 {
		t.Errorf("renames: %v; the file was found %d times", err, found)
	}
}
