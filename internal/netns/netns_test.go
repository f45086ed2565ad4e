// SPDX-License-Identifier: ISC

package netns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// stageEnv makes the test binary play a program that goes into a namespace.
const stageEnv = "QUILLNETNSTEST"

var server, client = netip.MustParseAddr("192.168.32.206"), netip.MustParseAddr("192.168.32.208")

func TestMain(m *testing.M) {
	stage := os.Getenv(stageEnv)
	if stage == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	if err := play(stage); err != nil {
		fmt.Println(err)
		if errors.Is(err, ErrRefused) {
			os.Exit(100)
		}
		os.Exit(111)
	}
}

// play goes in and furnishes the network; what execs next looks around.
func play(stage string) error {
	switch stage {
	case "look":
		return look()
	case "own":
		if err := Own(); err != nil {
			return err
		}
	}
	if err := Furnish(server, client); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		if err := Forsake(); err != nil {
			return err
		}
	}
	os.Setenv(stageEnv, "look")
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}

// look tells what a program sees there.
func look() error {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	fmt.Println("addresses", addrs)
	for _, at := range []string{"53", "25", "110"} {
		l, err := net.Listen("tcp", net.JoinHostPort(server.String(), at))
		if err != nil {
			return err
		}
		fmt.Println("listens", l.Addr())
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		fmt.Println("source", c.LocalAddr().(*net.TCPAddr).IP)
		c.Close()
		l.Close()
	}
	status, err := os.ReadFile("/proc/self/status")
	fmt.Println("uid", os.Getuid(), string(status))
	return err
}

// TestNamespace: whichever way a program goes in, it finds the two addresses,
// may listen on standard ports, is the client by default, and has no rights
// left; or it is refused in clear words.
func TestNamespace(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		cmd := exec.Command("/proc/self/exe")
		out := new(bytes.Buffer)
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), stageEnv+"=own"), out, out
		check(t, cmd.Run(), out.String())
	})
	t.Run("child", func(t *testing.T) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd := exec.Command("/proc/self/exe")
		out := new(bytes.Buffer)
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), stageEnv+"=bare"), out, out
		err := Start(cmd)
		if errors.Is(err, ErrRefused) {
			checkRefusal(t, err.Error())
			return
		}
		if err == nil {
			err = cmd.Wait()
		}
		check(t, err, out.String())
	})
}

func check(t *testing.T, err error, out string) {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 100 {
		checkRefusal(t, out)
		return
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := []string{"127.0.0.1/8", "192.168.32.206/32", "192.168.32.208/32", "listens 192.168.32.206:25\nsource 192.168.32.208\n", fmt.Sprintf("uid %d ", os.Getuid())}
	if os.Getuid() != 0 {
		want = append(want, "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000")
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("inside there is no %q:\n%s", w, out)
		}
	}
}

func checkRefusal(t *testing.T, text string) {
	t.Helper()
	for _, w := range []string{"network namespace: ", ErrRefused.Error(), "("} {
		if !strings.Contains(text, w) {
			t.Errorf("the refusal %q does not say %q", text, w)
		}
	}
}

// TestRefusal: what trying again cannot mend is told apart, and says why.
func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string // part of the text of a refusal; "" is none
	}{
		{unix.EPERM, "apparmor_restrict_unprivileged_userns"},
		{&fs.PathError{Op: "open", Path: freePorts, Err: unix.EROFS}, "read-only"},
		{unix.ENOSPC, "max_user_namespaces"},
		{unix.ENOSYS, "built without"},
		{unix.EAGAIN, ""},
		{errors.New("something else"), ""},
	} {
		err := refusal("make it", c.err)
		if !strings.HasPrefix(err.Error(), "make it: ") || errors.Is(err, ErrRefused) != (c.want != "") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("refusal(%v) = %v; want a refusal that says %q", c.err, err, c.want)
		}
	}
}

// TestNetlink: a request has its length and its attributes; an answer is an
// errno or none.
func TestNetlink(t *testing.T) {
	m := &unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: 32, Index: loopback}
	b, err := request(unix.RTM_NEWADDR, unix.NLM_F_CREATE, m, []attr{{unix.IFA_LOCAL, server.AsSlice()}})
	if err != nil {
		t.Fatal(err)
	}
	if want := unix.SizeofNlMsghdr + unix.SizeofIfAddrmsg + 8; len(b) != want || binary.NativeEndian.Uint32(b) != uint32(want) {
		t.Errorf("request is %d bytes and says %d; want %d", len(b), binary.NativeEndian.Uint32(b), want)
	}
	if want := []byte{192, 168, 32, 206}; !bytes.HasSuffix(b, want) {
		t.Errorf("request ends in % x; want % x", b[len(b)-4:], want)
	}
	answer := func(kind uint16, code int32) []byte {
		b, err := binary.Append(nil, binary.NativeEndian, &unix.NlMsghdr{Len: 36, Type: kind})
		if err != nil {
			t.Fatal(err)
		}
		return binary.NativeEndian.AppendUint32(b, uint32(code))
	}
	for _, c := range []struct {
		in   []byte
		want string
	}{
		{answer(unix.NLMSG_ERROR, 0), "<nil>"},
		{answer(unix.NLMSG_ERROR, -int32(unix.EEXIST)), unix.EEXIST.Error()},
		{answer(unix.NLMSG_DONE, 0), "netlink: an answer of type 3"},
		{nil, "netlink: an answer of 0 bytes"},
	} {
		if got := fmt.Sprint(verdict(c.in)); got != c.want {
			t.Errorf("verdict(% x) = %s; want %s", c.in, got, c.want)
		}
	}
}
