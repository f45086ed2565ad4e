// SPDX-License-Identifier: ISC

package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestOneClient: a client on descriptors 0 and 1, as inetd hands it over and as
// a server of UCSPI does, on a socket and on pipes.
func TestOneClient(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	q := question(t, "www.a.org.", dns.TypeA)
	framed := append([]byte{0, byte(len(q))}, q...)
	ucspi := []string{"PROTO=TCP", "TCPREMOTEIP=192.0.2.7", "TCPREMOTEPORT=258", "IP=127.0.0.1"}
	for name, c := range map[string]struct {
		env  []string
		pipe bool
		log  string
	}{
		"inetd": {nil, false, "7f000001:"}, "ucspi": {ucspi, false, "c0000207:0102:"}, "pipes": {ucspi, true, "c0000207:0102:"},
	} {
		cmd, log := alone(t, dir, c.env...)
		var in io.WriteCloser
		var out io.Reader
		if c.pipe {
			w, err1 := cmd.StdinPipe()
			r, err2 := cmd.StdoutPipe()
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			in, out = w, r
		} else {
			here, there := pair(t)
			cmd.Stdin, cmd.Stdout = there, there
			in, out = halfCloser{here}, here
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if f, ok := cmd.Stdin.(*os.File); ok {
			f.Close()
		}
		in.Write(bytes.Repeat(framed, 3))
		in.Close()
		all, err := io.ReadAll(out)
		if want := 3 * (2 + len(q) + 16); err != nil || len(all) != want {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(all), err, want)
		}
		if err := cmd.Wait(); err != nil || strings.Count(log.String(), c.log) != 3 {
			t.Errorf("%s: %v, log %q; want three lines with %s", name, err, log, c.log)
		}
	}
}

// TestInheritedClient: one client's connection as descriptor 3.
func TestInheritedClient(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, zoneText)
	here, there := pair(t)
	cmd, log := alone(t, dir, "LISTEN_FDS=1")
	cmd.ExtraFiles = []*os.File{there}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	there.Close()
	q := question(t, "www.a.org.", dns.TypeA)
	here.Write(append([]byte{0, byte(len(q))}, q...))
	here.CloseWrite()
	if all, err := io.ReadAll(here); err != nil || len(all) != 2+len(q)+16 {
		t.Errorf("%d bytes, %v; want %d", len(all), err, 2+len(q)+16)
	}
	if err := cmd.Wait(); err != nil || strings.Count(log.String(), "7f000001:") != 1 {
		t.Errorf("%v, log %q; want its end and one line", err, log)
	}
}

// alone is the program for one client, and its log.
func alone(t *testing.T, dir string, env ...string) (*exec.Cmd, *bytes.Buffer) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, log := exec.Command(exe), new(bytes.Buffer)
	cmd.Env = append([]string{"TINYDNS_TEST=1", "ROOT=" + dir, "UID=61203", "GID=61203"}, env...)
	cmd.Stderr = log
	t.Cleanup(func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
	})
	return cmd, log
}

// pair is a TCP connection's two ends.
func pair(t *testing.T) (here *net.TCPConn, there *os.File) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(8 * time.Second))
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if there, err = a.(*net.TCPConn).File(); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), there
}

// halfCloser closes one direction.
type halfCloser struct{ *net.TCPConn }

func (c halfCloser) Close() error { return c.CloseWrite() }
