// SPDX-License-Identifier: ISC

package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// clientEnv makes the test binary a client inside a namespace (playClient).
const clientEnv = "QUILLTESTCLIENT"

// playClient joins descriptor 0 to an address. It is started in the namespace:
// the test itself cannot go there, Go programs have too many threads.
func playClient(addr string) int {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go io.Copy(c, os.Stdin)
	io.Copy(os.Stdin, c)
	return 0
}

// person is who starts the lab.
type person struct {
	name string
	cred *syscall.Credential // nil: who runs the test
}

// persons is who runs the test, and for root somebody else too.
func persons() []person {
	all := []person{{"myself", nil}}
	if os.Getuid() == 0 {
		all = append(all, person{"uid 65534", &syscall.Credential{Uid: 65534, Gid: 65534}})
	}
	return all
}

func (p person) root() bool { return p.cred == nil && os.Getuid() == 0 }

// command is a program that this person runs, at home in dir.
func (p person) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
	return cmd
}

// home is a folder of this person's own, where a lab that root gives away can
// make and remove its temporary folder too.
func (p person) home(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if p.cred != nil {
		if err := os.Chown(dir, int(p.cred.Uid), int(p.cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// allowed asks the kernel, without any program of ours, whether this person may
// make a network namespace and free its ports.
func (p person) allowed(t *testing.T) bool {
	t.Helper()
	cmd := p.command("/", "/bin/sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start")
	a := &syscall.SysProcAttr{Credential: p.cred, Cloneflags: unix.CLONE_NEWNET}
	if !p.root() {
		// The parent, not the child, says who the child is.
		uid, gid := os.Getuid(), os.Getgid()
		if p.cred != nil {
			uid, gid = int(p.cred.Uid), int(p.cred.Gid)
		}
		a = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET, AmbientCaps: []uintptr{unix.CAP_NET_ADMIN},
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}}
	}
	cmd.SysProcAttr = a
	out, err := cmd.CombinedOutput()
	t.Logf("%s may have a network namespace: %v (%v %s)", p.name, err == nil, err, out)
	return err == nil
}

// refusedText is what a refusal says, and what to do.
var refusedText = regexp.MustCompile(`^quill: lab --namespace: .*network namespace.*: .*\(.*\); run the lab without --namespace, on 127\.0\.0\.206\n$`)

func checkRefused(t *testing.T, out []byte, err error) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 100 || !refusedText.Match(out) {
		t.Errorf("a namespace refused: %v; want exit status 100\n%s", err, out)
	}
}

// TestNamespace: in a network of its own the lab has the lecture's addresses and
// ports, for root and for others; where the kernel gives none it says so.
func TestNamespace(t *testing.T) {
	for _, p := range persons() {
		t.Run(p.name, func(t *testing.T) {
			home := p.home(t)
			out, err := p.command(home, program("quill"), "lab", "--demo", "--namespace").CombinedOutput()
			if !p.allowed(t) {
				checkRefused(t, out, err)
			} else {
				checkNamespaceDemo(t, string(out), err)
				t.Run("running", func(t *testing.T) { p.runningLab(t, filepath.Join(home, "lab")) })
				t.Run("made for another network", func(t *testing.T) { p.otherNetwork(t, home) })
			}
			left, _ := filepath.Glob(filepath.Join(home, "quill-lab-*"))
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func checkNamespaceDemo(t *testing.T, out string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("quill lab --demo --namespace: %v\n%s", err, out)
	}
	for _, want := range []string{
		"NOERROR 192.168.32.206\n", "PTR 206.32.168.192.in-addr.arpa?",
		"a connection from 192.168.32.208 to 192.168.32.206:25\n", "a connection from 192.168.32.208 to 192.168.32.206:110\n", "a connection from 192.168.32.208 to 192.168.32.206:143\n",
		"Received: from laptop.testingsmtp.org (192.168.32.208)\n", "RETR 1",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo in a namespace does not show %q:\n%s", want, out)
		}
	}
}

// enterLine is how a person enters the namespace, as the lab prints it.
var enterLine = regexp.MustCompile(`(?m)^  (nsenter --target (\d+) .*)$`)

// runningLab starts a lab and goes into its network by the line it prints.
func (p person) runningLab(t *testing.T, dir string) {
	l := &lab{t: t, dir: dir, out: new(safeBuffer)}
	l.cmd = p.command(filepath.Dir(dir), program("quill"), "lab", "--namespace", dir)
	network := ""
	t.Cleanup(func() { checkGone(t, network) })
	l.begin(t)
	want := map[string]string{"DNS": "192.168.32.206:53", "SMTP": "192.168.32.206:25", "POP3": "192.168.32.206:110", "IMAP": "192.168.32.206:143"}
	if !maps.Equal(l.env, want) {
		t.Errorf("lab.env is %v; want %v", l.env, want)
	}
	var enter []string
	for end := time.Now().Add(10 * time.Second); enter == nil; time.Sleep(5 * time.Millisecond) {
		if enter = enterLine.FindStringSubmatch(l.out.String()); enter == nil && time.Now().After(end) {
			t.Fatalf("the lab does not say how to enter its network:\n%s", l.out)
		}
	}
	pid, _ := strconv.Atoi(enter[2])
	network, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	checkPlain(t, pid)

	c := p.enter(t, enter[1], l.env["SMTP"])
	c.hear()
	for _, s := range []struct{ line, want string }{{"EHLO laptop.testingsmtp.org", "250"}, {"MAIL FROM:<" + netwatcher + ">", "250"},
		{"RCPT TO:<x@elsewhere.example>", "550 5.7.1"}, {"RCPT TO:<" + sendmemail + ">", "250"}, {"DATA", "354"}, {"Subject: x\r\n\r\n.", "250"}, {"QUIT", "221"}} {
		c.want(s.line, s.want)
	}
	if mail := l.await("sendmemail", 1)[0]; !strings.Contains(mail, "Received: from laptop.testingsmtp.org (192.168.32.208)\n") {
		t.Errorf("the mail has no Received line from the laptop:\n%s", mail)
	}
	c = p.enter(t, enter[1], l.env["POP3"])
	c.hear()
	for _, s := range []struct{ line, want string }{{"USER " + sendmemail, "+OK"}, {"PASS lab", "+OK"}, {"STAT", "+OK 1 "}, {"QUIT", "+OK"}} {
		c.want(s.line, s.want)
	}
	c = p.enter(t, enter[1], l.env["IMAP"])
	c.hear()
	for _, s := range []struct{ line, want string }{{"a LOGIN " + sendmemail + " lab", "a OK"}, {"b STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 1)"}, {"c LOGOUT", "* BYE"}} {
		if got := c.tagged(s.line); !strings.Contains(got, s.want) {
			t.Errorf("%s -> %q; want %q", s.line, got, s.want)
		}
	}
}

// checkPlain: the lab and what it started have no rights that a user has not.
func checkPlain(t *testing.T, pid int) {
	t.Helper()
	for _, pr := range append(descendants(pid), process{pid: pid, name: "quill"}) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pr.pid))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		for _, want := range []string{"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapAmb:\t0000000000000000\n"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s (%d) in the namespace lacks %q: %v\n%s", pr.name, pr.pid, want, err, status)
			}
		}
	}
}

// checkGone: the network went with the lab; nobody is in it.
func checkGone(t *testing.T, network string) {
	t.Helper()
	if network == "" {
		t.Error("the lab's network is not known")
		return
	}
	all, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, f := range all {
		if in, _ := os.Readlink(f); in == network {
			t.Errorf("%s is in the lab's network after its end", f)
		}
	}
}

// enter opens a connection inside the namespace. The test binary, which may lie
// where the person cannot go, is there as descriptor 3.
func (p person) enter(t *testing.T, line, addr string) *talk {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer theirs.Close()
	c, err := net.FileConn(ours)
	if err = errors.Join(err, ours.Close()); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(line)
	errs := new(safeBuffer)
	cmd := p.command("/", words[0], append(words[1:], "/proc/self/fd/3")...)
	cmd.Env = append(cmd.Env, clientEnv+"="+addr)
	cmd.Stdin, cmd.Stderr, cmd.ExtraFiles = theirs, errs, []*os.File{self}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, errs)
		}
	})
	return newTalk(t, c)
}

// otherNetwork: a lab that was made for one network is not started on the other,
// unless it starts afresh.
func (p person) otherNetwork(t *testing.T, home string) {
	start := func(dir string, args ...string) *exec.Cmd {
		return p.command(home, program("quill"), append(append([]string{"lab"}, args...), filepath.Join(home, dir))...)
	}
	if out, err := start("plain", "--demo").CombinedOutput(); err != nil {
		t.Fatalf("quill lab --demo: %v\n%s", err, out)
	}
	for _, c := range []struct {
		dir, made string
		args      []string
	}{{"lab", "made with --namespace", nil}, {"plain", "made without --namespace", []string{"--namespace"}}} {
		out, err := start(c.dir, c.args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 100 || !strings.Contains(string(out), c.made) || !strings.Contains(string(out), "--reset") || strings.Count(string(out), "\n") != 1 {
			t.Errorf("a lab that was %s, started with %q: %v; want exit status 100 and one line that names --reset\n%s", c.made, c.args, err, out)
		}
		if out, err := start(c.dir, append(c.args, "--demo", "--reset")...).CombinedOutput(); err != nil {
			t.Errorf("the same with --reset: %v\n%s", err, out)
		}
	}
}

// TestNamespaceRefused: a kernel that gives no namespace is told from other
// trouble, in one line that says what to do, and nothing is made.
func TestNamespaceRefused(t *testing.T) {
	dir := filepath.Join(person{}.home(t), "lab")
	out, err := refusingCommand(t, program("quill"), "lab", "--namespace", dir)
	checkRefused(t, out, err)
	if _, err := os.Stat(dir); err == nil {
		t.Error("a refused lab made its folder")
	}
}

// refusingCommand runs a program to which the kernel refuses a namespace: root
// without the right to make one, anybody else in a user namespace whose limit
// is 0. Where that one is refused already, so is the program's.
func refusingCommand(t *testing.T, words ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if os.Getuid() == 0 {
		runtime.LockOSThread() // for good: it ends with the test, poorer as it is
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		return exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", `echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"`, "sh"}, words...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, AmbientCaps: []uintptr{unix.CAP_SYS_RESOURCE},
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	if cmd.Process == nil || strings.Contains(string(out), "max_net_namespaces: ") {
		t.Logf("no user namespace with limits of its own: %v %s", err, out)
		return exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	}
	return out, err
}
