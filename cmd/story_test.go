// SPDX-License-Identifier: ISC

package cmd

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"quill/internal/checkpw"
	labs "quill/internal/lab"
	"quill/internal/users"
	"quill/queue"
)

// lineTime bounds one line of a story.
const lineTime = 60 * time.Second

// TestStory plays the scripts below testdata: our programs as a person uses
// them in a shell. Beside testscript's own commands a script has
//
//	home           make $QMAILHOME for testingsmtp.org: accounts netwatcher and
//	               sendmemail with the password lab, an empty queue, nothing running
//	sh LINE        a shell runs LINE (with -e) and must exit 0
//	exits N LINE   a shell runs LINE and must exit N
//
// Files of a script that begin with #! can be run. Nothing in a story runs as
// root: where the tests do, its shells are those of uid 65534.
func TestStory(t *testing.T) {
	root := t.TempDir()
	open(t, root)
	testscript.Run(t, testscript.Params{
		Dir: "testdata", WorkdirRoot: root, RequireExplicitExec: true, RequireUniqueNames: true, Setup: setupStory,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"home": makeStoryHome, "sh": runLine, "exits": runExits},
	})
}

// storyUID is who a story's shells run as.
func storyUID() (uid, gid int) {
	if os.Getuid() == 0 {
		return 65534, 65534
	}
	return os.Getuid(), os.Getgid()
}

// setupStory names the home and hands the story's files to who will run.
func setupStory(e *testscript.Env) error {
	e.Setenv("QMAILHOME", filepath.Join(e.WorkDir, "home"))
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("LC_ALL", "C")
	return hand(e.WorkDir)
}

// hand gives a story's folder to who runs it, scripts with their x bit.
func hand(dir string) error {
	uid, gid := storyUID()
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if bytes.HasPrefix(text, []byte("#!")) {
				if err := os.Chmod(path, 0o755); err != nil {
					return err
				}
			}
		}
		if os.Getuid() != 0 {
			return nil
		}
		return os.Lchown(path, uid, gid)
	})
}

// makeStoryHome makes the home.
func makeStoryHome(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: home")
	}
	home := ts.Getenv("QMAILHOME")
	for _, d := range []string{"control", "users"} {
		ts.Check(os.MkdirAll(filepath.Join(home, d), 0o755))
	}
	for name, text := range map[string]string{"me": "mail.testingsmtp.org", "locals": "testingsmtp.org\nmail.testingsmtp.org",
		"rcpthosts": "testingsmtp.org\nmail.testingsmtp.org", "defaultdomain": "testingsmtp.org"} {
		ts.Check(os.WriteFile(filepath.Join(home, "control", name), []byte(text+"\n"), 0o644))
	}
	ts.Check(queue.Make(filepath.Join(home, "queue")))
	uid, gid := storyUID()
	for _, name := range []string{"netwatcher", "sendmemail"} {
		ts.Check(labs.AddUser(users.NewStore(home), home, name+"@testingsmtp.org", checkpw.Plain("lab"), uid, gid))
	}
	ts.Check(hand(home))
}

func runLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sh LINE; what fails has an exit code: exits N LINE")
	}
	shell(ts, 0, args[0])
}

func runExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: exits N LINE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	shell(ts, want, args[1])
}

// shell runs a line and wants its exit code. What it started and left dies with
// it.
func shell(ts *testscript.TestScript, want int, line string) {
	ctx, cancel := context.WithTimeout(context.Background(), lineTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-ec", line)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "QMAILHOME", "LC_ALL"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		uid, gid := storyUID()
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	var ended *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &ended):
		ts.Fatalf("%s: %v", line, err)
	case cmd.ProcessState.ExitCode() != want:
		ts.Fatalf("exit %d; want %d: %s", cmd.ProcessState.ExitCode(), want, line)
	}
}
