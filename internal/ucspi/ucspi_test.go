// SPDX-License-Identifier: ISC

package ucspi

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEnv(t *testing.T) {
	e := Env{base: []string{"A=1", "B=2", "AB=x"}}.With([]string{"B=3", "C=4"}).With([]string{"A", "C=5"})
	for _, c := range []struct {
		name, want string
		set        bool
	}{{"A", "", false}, {"B", "3", true}, {"C", "5", true}, {"AB", "x", true}, {"D", "", false}} {
		if got, ok := e.Lookup(c.name); got != c.want || ok != c.set {
			t.Errorf("Lookup(%s) = %q, %v; want %q, %v", c.name, got, ok, c.want, c.set)
		}
	}
	got := e.List()
	slices.Sort(got)
	if want := []string{"AB=x", "B=3", "C=5"}; !slices.Equal(got, want) {
		t.Errorf("List() = %q; want %q", got, want)
	}
}

func TestLoopback(t *testing.T) {
	for ip, want := range map[string]bool{"127.0.0.206": true, "::1": true, "::ffff:127.0.0.1": true, "192.168.32.208": false, "": false, "127.1": false} {
		if got := Loopback(ip); got != want {
			t.Errorf("Loopback(%q) = %v; want %v", ip, got, want)
		}
	}
}

// pair is a stream and the other end of its socket.
func pair(t *testing.T, nonblocking bool) (*Stream, *os.File) {
	t.Helper()
	kind := unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	if nonblocking {
		kind |= unix.SOCK_NONBLOCK
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	return NewStream(fds[0], fds[0], nonblocking), os.NewFile(uintptr(fds[1]), "peer")
}

func TestStream(t *testing.T) {
	for _, nonblocking := range []bool{false, true} {
		s, peer := pair(t, nonblocking)
		buf := make([]byte, 16)
		s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := s.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("nonblocking %v: Read past the deadline: %v", nonblocking, err)
		}
		s.SetReadDeadline(time.Time{})
		peer.WriteString("hello")
		if n, err := s.Read(buf); err != nil || string(buf[:n]) != "hello" {
			t.Errorf("nonblocking %v: Read = %q, %v", nonblocking, buf[:n], err)
		}
		s.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := s.Write(make([]byte, 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("nonblocking %v: Write to a peer that does not read: %v", nonblocking, err)
		}
		peer.Close()
		s.SetWriteDeadline(time.Time{})
		if _, err := s.Write([]byte("x")); !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("nonblocking %v: Write to nobody: %v; want EPIPE", nonblocking, err)
		}
		if _, err := s.Read(buf); err != io.EOF && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("nonblocking %v: Read from nobody: %v; want EOF", nonblocking, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("nonblocking %v: Close: %v", nonblocking, err)
		}
	}
}

func TestStreamOnPipes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	s := NewStream(int(r.Fd()), int(w.Fd()), false)
	go s.Write(make([]byte, 100_000))
	got := 0
	s.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 8192)
	for got < 100_000 {
		n, err := s.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		got += n
	}
}

func TestFromSocket(t *testing.T) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	unix.Listen(l, 1)
	at, _ := unix.Getsockname(l)
	c, _ := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	defer unix.Close(c)
	if err := unix.Connect(c, at); err != nil {
		t.Fatal(err)
	}
	a, _, err := unix.Accept(l)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(a)
	e := Env{}.FromSocket(a)
	for name, want := range map[string]string{"PROTO": "TCP", "TCPREMOTEIP": "127.0.0.1", "TCPLOCALIP": "127.0.0.1"} {
		if got := e.Value(name); got != want {
			t.Errorf("FromSocket: %s = %q; want %q", name, got, want)
		}
	}
	if e := (Env{}).With([]string{"TCPREMOTEIP=10.0.0.1"}).FromSocket(a); e.Value("TCPREMOTEPORT") != "" {
		t.Error("FromSocket overwrote what the door had said")
	}
}

// TestMovedDeadline: a read that waits ends when its deadline is moved into the
// past; one that is moved on holds, and bytes are read as ever.
func TestMovedDeadline(t *testing.T) {
	for _, nonblocking := range []bool{false, true} {
		s, peer := pair(t, nonblocking)
		for range 3 {
			s.SetReadDeadline(time.Now().Add(time.Minute))
			end := make(chan error)
			go func() {
				_, err := s.Read(make([]byte, 16))
				end <- err
			}()
			select {
			case err := <-end:
				t.Fatalf("non-blocking %v: read ends by itself: %v", nonblocking, err)
			case <-time.After(20 * time.Millisecond):
			}
			s.SetReadDeadline(time.Now().Add(30 * time.Second))
			s.SetReadDeadline(time.Unix(1, 0))
			select {
			case err := <-end:
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("non-blocking %v: read ends with %v; want ErrDeadlineExceeded", nonblocking, err)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("non-blocking %v: the read waits on", nonblocking)
			}
		}
		s.SetReadDeadline(time.Now().Add(20 * time.Second))
		peer.Write([]byte("x"))
		if n, err := s.Read(make([]byte, 16)); n != 1 || err != nil {
			t.Errorf("non-blocking %v: read = %d, %v; want 1", nonblocking, n, err)
		}
		peer.Close()
		s.Close()
	}
}
