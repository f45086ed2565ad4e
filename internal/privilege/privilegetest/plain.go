// SPDX-License-Identifier: ISC

// Package privilegetest lets tests that root runs start programs as somebody
// else: programs that strangers speak to refuse to be root.
package privilegetest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// plain is who such programs run as.
const plain = 65534

// Plain makes cmd run as somebody who is not root, where the test is. The
// program must be one that anybody can reach, as /proc/self/exe is.
func Plain(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: plain, Gid: plain}}
	}
}

// Reachable gives a folder of t.TempDir, and what is in it by now, to whom Plain
// names.
func Reachable(t testing.TB, dir string) string {
	t.Helper()
	if os.Getuid() != 0 {
		return dir
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, plain, plain)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
