// SPDX-License-Identifier: ISC

// Package dovecottest runs Debian's Dovecot for tests, as it ships but for its
// places, its port, a static password and plain text logins. It wants root.
package dovecottest

import (
	_ "embed"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	UID      = 65534  // and GID: whose the mail is
	Password = "pass" // of every user
)

// conf is the configuration, which make bench-imap starts from, too.
//
//go:embed dovecot.conf
var conf string

// Server is a Dovecot that runs.
type Server struct {
	Addr string // host:port of IMAP
	log  string
	cmd  *exec.Cmd
}

// Start starts one in dir, which everybody may enter, and waits until it listens.
// User U's Maildir is dir/mail/U/Maildir: what there is of them becomes the
// server's. It ends with the test, if not before.
func Start(t testing.TB, dir string) *Server {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("dovecot wants root")
	}
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Join(dir, "mail"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, UID, UID)
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), log: filepath.Join(dir, "log")}
	_, port, _ := net.SplitHostPort(s.Addr)
	l.Close()
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, []byte(strings.NewReplacer("DIR", dir, "PORT", port).Replace(conf)), 0o644); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("dovecot", "-F", "-c", file)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.Stop(); t.Failed() {
			t.Logf("dovecot's log:\n%s", s.Log())
		}
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", s.Addr)
		if err == nil {
			c.Close()
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("dovecot does not listen: %v", err)
		}
	}
}

// Stop ends it and waits until it has ended.
func (s *Server) Stop() {
	if s.cmd != nil {
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.cmd.Wait()
		s.cmd = nil
	}
}

// Log is what it has written.
func (s *Server) Log() string {
	log, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(log)
}
