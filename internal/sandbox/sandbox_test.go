// SPDX-License-Identifier: ISC

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestMain re-runs this test binary as a confined process: the variable names
// its part.
func TestMain(m *testing.M) {
	if part := os.Getenv("SANDBOX_TEST_PART"); part != "" {
		parts[part](os.Getenv("SANDBOX_TEST_DIR"))
		return
	}
	os.Exit(m.Run())
}

// confined runs a part in a process of its own and gives what it printed.
func confined(t *testing.T, part, dir string, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "SANDBOX_TEST_PART="+part, "SANDBOX_TEST_DIR="+dir), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("confined process: %v\n%s", err, out)
	}
	return string(out)
}

var parts = map[string]func(dir string){
	"files": files,
	"calls": calls,
	"works": works,
	"state": func(string) { state(Rules{Deny: NoBackdoor, Hidden: true}) },
	"users": func(string) { state(Rules{Deny: NoAdmin, BecomesUsers: true}) },
}

// confine applies r in a part.
func confine(r Rules) {
	if err := Confine("part", r); err != nil {
		fmt.Println("confine:", err)
		os.Exit(1)
	}
}

func say(what string, err error) { fmt.Println(what, err == nil) }

// files confines itself to dir/read, dir/write and what is open of dir/at, and
// prints what it still can do.
func files(dir string) {
	at, err := unix.Open(dir+"/at", unix.O_PATH, 0)
	say("open at", err)
	confine(Rules{Deny: NoAdmin, Files: &Files{Read: []string{dir + "/read", dir + "/missing"}, Write: []string{dir + "/write"}, At: []int{at}}})
	_, err = os.ReadFile(dir + "/read/file")
	say("read inside", err)
	say("write inside read", os.WriteFile(dir+"/read/file", nil, 0o600))
	say("write inside write", os.WriteFile(dir+"/write/file", []byte("x"), 0o600))
	say("rename inside write", os.Rename(dir+"/write/file", dir+"/write/sub/file"))
	say("write inside at", os.WriteFile(dir+"/at/file", []byte("x"), 0o600))
	_, err = os.ReadFile(dir + "/outside")
	say("read outside", err)
	_, err = os.ReadDir(dir)
	say("list outside", err)
	say("exec", exec.Command("/bin/true").Run())
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // Landlock does not see such sockets; NoBackdoor does
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	say("bind", err)
	if err == nil {
		l.Close()
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"read", "write/sub", "at"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"read/file", "outside"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := confined(t, "files", dir)
	want := "open at true\nread inside true\nwrite inside read false\nwrite inside write true\nrename inside write true\nwrite inside at true\nread outside false\nlist outside false\nexec false\nbind false\n"
	if ask(unix.LANDLOCK_CREATE_RULESET_VERSION) < 4 || strings.Contains(got, "built with cgo") {
		want = "read inside true\n" // a kernel without Landlock, or a young one, or a binary with C in it (-race): nothing else is promised
	}
	if !strings.Contains(got, want) {
		t.Errorf("confined process says:\n%swant:\n%s", got, want)
	}
}

// attempt is something that a profile refuses.
type attempt struct {
	name string
	try  func() error
}

func call(number uintptr, args ...uintptr) func() error {
	var a [6]uintptr
	copy(a[:], args)
	return func() error {
		_, _, errno := syscall.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
		if errno != 0 {
			return errno
		}
		return nil
	}
}

func socket(domain, kind, protocol int) func() error {
	return func() error {
		fd, err := unix.Socket(domain, kind, protocol)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

// profiles is for each profile what it must refuse. The calls get arguments
// that could do no harm were they let through.
var profiles = []struct {
	deny  Deny
	tries []attempt
}{
	{NoAdmin, []attempt{
		{"settimeofday", call(unix.SYS_SETTIMEOFDAY, ^uintptr(0))},
		{"reboot", call(unix.SYS_REBOOT)},
		{"finit_module", call(unix.SYS_FINIT_MODULE, ^uintptr(0))},
		{"bpf", call(unix.SYS_BPF, ^uintptr(0))},
		{"open_by_handle_at", call(unix.SYS_OPEN_BY_HANDLE_AT, ^uintptr(0))},
	}},
	{NoBackdoor, []attempt{
		{"ptrace", call(unix.SYS_PTRACE, ^uintptr(0))},
		{"process_vm_readv", call(unix.SYS_PROCESS_VM_READV)},
		{"keyctl", call(unix.SYS_KEYCTL, ^uintptr(0))},
		{"perf_event_open", call(unix.SYS_PERF_EVENT_OPEN)},
		{"userfaultfd", call(unix.SYS_USERFAULTFD, ^uintptr(0))},
		{"mount", call(unix.SYS_MOUNT)},
		{"unshare", call(unix.SYS_UNSHARE, 0)},
		{"setns", call(unix.SYS_SETNS, ^uintptr(0))},
		{"clone with CLONE_NEWNS", call(unix.SYS_CLONE, unix.CLONE_NEWNS|unix.CLONE_FS)}, // let through: EINVAL
		{"io_uring_setup", call(unix.SYS_IO_URING_SETUP, 0)},
		{"personality", call(unix.SYS_PERSONALITY, 0xffffffff)},
		{"MPTCP socket", socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)},
		{"AF_ALG socket", socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)},
		{"a NoAdmin call", call(unix.SYS_REBOOT)},
	}},
	{NoExec, []attempt{
		{"execve", func() error { return unix.Exec("/bin/true", []string{"true"}, nil) }},
		{"execveat", call(unix.SYS_EXECVEAT, ^uintptr(0))},
	}},
	{NoNet, []attempt{
		{"AF_INET socket", socket(unix.AF_INET, unix.SOCK_STREAM, 0)},
		{"AF_INET6 socket", socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)},
		{"AF_NETLINK socket", socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)},
	}},
	{NoSocket, []attempt{
		{"AF_UNIX socket", socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
		{"connect", call(unix.SYS_CONNECT, ^uintptr(0))},
		{"bind", call(unix.SYS_BIND, ^uintptr(0))},
		{"listen", call(unix.SYS_LISTEN, ^uintptr(0))},
	}},
	{NoOpen, []attempt{
		{"openat", func() error { _, err := os.ReadDir("/"); return err }},
		{"openat2", call(unix.SYS_OPENAT2)},
		{"mkdirat", call(unix.SYS_MKDIRAT, ^uintptr(0))},
		{"unlinkat", call(unix.SYS_UNLINKAT, ^uintptr(0))},
		{"renameat2", call(unix.SYS_RENAMEAT2, ^uintptr(0))},
	}},
}

// threads is how many threads a part has before it is confined.
const threads = 8

// calls applies the profile of the numbered test in a process with several
// threads and tries what it refuses, in each of them and in a new one.
func calls(number string) {
	p := profiles[number[0]-'0']
	var ready, done sync.WaitGroup
	start := make(chan bool)
	for range threads {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			runtime.LockOSThread() // never unlocked: a thread of our own
			ready.Done()
			<-start
			tryAll(p.tries)
		}()
	}
	ready.Wait()
	confine(Rules{Deny: p.deny})
	close(start)
	done.Wait()
	runtime.LockOSThread()
	tryAll(p.tries)
}

func tryAll(tries []attempt) {
	for _, a := range tries {
		if err := a.try(); !errors.Is(err, unix.EPERM) {
			fmt.Printf("%s: %v; want EPERM\n", a.name, err)
		}
	}
}

// filters says whether this kernel has them, and we a table.
func filters() bool {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, errno := syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno == 0 && machine != 0
}

// TestProfiles: each profile refuses what it says, on all threads.
func TestProfiles(t *testing.T) {
	for i, p := range profiles {
		if got := confined(t, "calls", fmt.Sprint(i)); got != "" && filters() {
			t.Errorf("profile %d:\n%s", p.deny, got)
		}
	}
}

// works is confined as far as a program that starts others can be, and does what
// such programs do.
func works(dir string) {
	confine(Rules{Deny: NoBackdoor})
	say("start a program", exec.Command("/bin/sh", "-c", "/bin/true | /bin/cat").Run())
	l, err := net.Listen("tcp", "127.0.0.1:0") // MPTCP first, TCP where that is refused
	say("listen", err)
	c, err := net.Dial("tcp", l.Addr().String())
	say("dial", err)
	c.Close()
	_, err = net.Interfaces()
	say("netlink", err)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	say("socketpair", err)
	unix.Close(pair[0])
	confine(Rules{Deny: NoBackdoor | NoExec | NoNet, Files: &Files{Write: []string{dir}}})
	u, err := net.Listen("unix", dir+"/socket")
	say("listen on a socket in the file system", err)
	d, err := net.Dial("unix", dir+"/socket")
	say("dial it", err)
	d.Close()
	u.Close()
	var wg sync.WaitGroup
	for range threads {
		wg.Add(1)
		go func() { // makes threads
			defer wg.Done()
			runtime.LockOSThread()
			time.Sleep(time.Millisecond)
		}()
	}
	wg.Wait()
	runtime.GC()
	say("end", nil)
}

func TestWorks(t *testing.T) {
	if got := confined(t, "works", t.TempDir()); strings.Contains(got, "false") || !strings.Contains(got, "end true") {
		t.Errorf("a confined program cannot work:\n%s", got)
	}
}

// state confines itself and prints what /proc says of each thread.
func state(r Rules) {
	for range threads {
		go func() { runtime.LockOSThread(); select {} }()
	}
	time.Sleep(20 * time.Millisecond)
	confine(r)
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, f := range tasks {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		var line []string
		for l := range strings.Lines(string(b)) {
			if k, v, _ := strings.Cut(l, ":"); slices.Contains([]string{"NoNewPrivs", "Seccomp"}, k) {
				line = append(line, k+"="+strings.TrimSpace(v))
			}
		}
		fmt.Println(strings.Join(line, " "))
	}
	n, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Println("dumpable", n)
}

// TestState: no_new_privs and the filter hold on all threads; root that becomes
// users keeps no_new_privs off; QUILLNOSANDBOX leaves everything, and says so.
func TestState(t *testing.T) {
	gains := "NoNewPrivs=1 Seccomp=2"
	if os.Getuid() == 0 {
		gains = "NoNewPrivs=0 Seccomp=2"
	}
	for _, c := range []struct {
		part, env, want, dumpable string
	}{
		{"state", "X=", "NoNewPrivs=1 Seccomp=2", "dumpable 0"},
		{"users", "X=", gains, "dumpable 1"},
		{"state", Off + "=1", "NoNewPrivs=0 Seccomp=0", "dumpable 1"},
	} {
		got := confined(t, c.part, "", c.env)
		if !filters() {
			continue
		}
		if n := strings.Count(got, c.want+"\n"); n < threads || n != strings.Count(got, "Seccomp=") {
			t.Errorf("%s %s: %d threads with %s; want all of:\n%s", c.part, c.env, n, c.want, got)
		}
		if !strings.Contains(got, c.dumpable) {
			t.Errorf("%s %s: no %q in:\n%s", c.part, c.env, c.dumpable, got)
		}
		if off := strings.Contains(got, "QUILLNOSANDBOX is set: not confined"); off != (c.env != "X=") {
			t.Errorf("%s %s: told that it is off: %v", c.part, c.env, off)
		}
	}
}

// run is a filter's verdict on a call, as the kernel computes it.
func (b program) run(t *testing.T, arch, nr, arg0, arg2 uint32) uint32 {
	t.Helper()
	data := map[uint32]uint32{atNumber: nr, atMachine: arch, atArg0: arg0, atArg2: arg2}
	var acc uint32
	for pc := 0; pc < len(b); pc++ {
		in := b[pc]
		yes := false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = data[in.K]
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			yes = acc == in.K
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			yes = acc >= in.K
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			yes = acc > in.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			yes = acc&in.K != 0
		}
		if yes {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
	t.Fatal("the filter ends without a verdict")
	return 0
}

// TestFilter: for every set of profiles and every number, the filter refuses the
// listed calls and no other, and other ABIs altogether.
func TestFilter(t *testing.T) {
	if machine == 0 {
		t.Log("no filter on this machine")
		return
	}
	for d := Deny(0); d < NoOpen<<1; d++ {
		b, lists := d.filter(nil), d.lists()
		list := slices.Concat(lists[:]...)
		if len(list) > 0 && slices.Max(list) >= highest || len(b) > 128 {
			t.Errorf("profiles %b: a filter of %d instructions for numbers up to %d; want 128 and %d at most", d, len(b), slices.Max(list), highest)
		}
		for nr := range uint32(600) {
			want := uint32(pass)
			switch {
			case slices.Contains(list, nr):
				want = refuse
			case nr == unix.SYS_CLONE3 && d&NoBackdoor != 0:
				want = absent
			}
			if got := b.run(t, machine, nr, unix.AF_UNIX, 0); got != want {
				t.Errorf("profiles %b, call %d: %#x; want %#x", d, nr, got, want)
			}
			if got := b.run(t, machine, nr|otherABI, 0, 0); got != refuse {
				t.Errorf("profiles %b, x32 call %d: %#x; want EPERM", d, nr, got)
			}
		}
		if got := b.run(t, machine^1, unix.SYS_GETPID, 0, 0); got != refuse {
			t.Errorf("profiles %b: a call of another machine: %#x; want EPERM", d, got)
		}
	}
}
