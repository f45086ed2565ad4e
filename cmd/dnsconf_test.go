// SPDX-License-Identifier: ISC

package cmd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dnsService is a service folder that a conf program makes.
type dnsService struct {
	name  string
	more  []string // arguments after the address
	data  string   // of root/data; none: the service has none
	ask   string   // the name to ask for, in wire form
	kind  byte
	reply string // how the reply ends
}

// dnsServices are the services, each with a question to it.
func dnsServices() []dnsService {
	return []dnsService{
		{"tinydns", nil, ".a.org:127.0.0.1:ns.a.org\n+www.a.org:1.2.3.4\n", "\x03www\x01a\x03org\x00", 1, "\x01\x02\x03\x04"},
		{"rbldns", []string{"rbl.org"}, "1.2.3.0/24\n", "\x014\x013\x012\x011\x03rbl\x03org\x00", 16, "Listed 1.2.3.4"},
		{"walldns", nil, "", "\x014\x013\x012\x011\x07in-addr\x04arpa\x00", 1, "\x01\x02\x03\x04"},
	}
}

// account is whom a service is to run as: nobody where root starts it, else who we
// are.
func account(t *testing.T) *user.User {
	t.Helper()
	u, err := user.LookupId(fmt.Sprint(os.Getuid()))
	if os.Getuid() == 0 {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// makeService makes a service's folder by a conf program, and its data by make.
func (s *dnsService) makeService(t *testing.T, conf, dir, ip string) {
	t.Helper()
	who := account(t).Username
	if out, err := exec.Command(conf, append([]string{who, who, dir, ip}, s.more...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%s: %v %s", conf, err, out)
	}
	if s.data == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "root/data"), []byte(s.data), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("make", "-C", filepath.Join(dir, "root")).CombinedOutput(); err != nil {
		t.Fatalf("make: %v %s", err, out)
	}
}

// run starts a service's run script as a supervisor does, and gives the process
// when it answers.
func (s *dnsService) run(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("./run")
	cmd.Dir = dir
	said := new(safeBuffer)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s after TERM: %v\n%s", s.name, err, said)
			}
		}
	})
	for end := time.Now().Add(10 * time.Second); !strings.Contains(said.String(), "starting "+s.name+"\n"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			cmd.Process.Kill()
			cmd.Wait()
			ended = true
			t.Fatalf("%s does not start:\n%s", s.name, said)
		}
	}
	return cmd
}

// answer is what a server says to the service's question.
func (s *dnsService) answer(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 512)
	if _, err := c.Write([]byte("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + s.ask + "\x00" + string(s.kind) + "\x00\x01")); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// freeDNSPort is one that neither UDP nor TCP of an address uses.
func freeDNSPort(t *testing.T, ip string) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			t.Fatal(err)
		}
		u, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			u.Close()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			return port
		}
	}
	t.Fatal("no port is free for UDP and TCP")
	return ""
}

// TestDNSServices: what the conf programs make runs as it is, with a port of its
// own in env/PORT, as its account, and answers.
func TestDNSServices(t *testing.T) {
	for _, s := range dnsServices() {
		t.Run(s.name, func(t *testing.T) {
			const ip = "127.0.0.53"
			parent := t.TempDir()
			open(t, parent)
			dir, port := filepath.Join(parent, s.name), freeDNSPort(t, ip)
			s.makeService(t, program(s.name+"-conf"), dir, ip)
			if err := os.WriteFile(filepath.Join(dir, "env/PORT"), []byte(port+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := s.run(t, dir)
			if got := s.answer(t, net.JoinHostPort(ip, port)); !strings.HasSuffix(got, s.reply) {
				t.Errorf("answer %q; want one that ends with %q", got, s.reply)
			}
			if uid, want := status(cmd.Process.Pid, "Uid"), account(t).Uid; !strings.HasPrefix(uid, want+"\t"+want+"\t") {
				t.Errorf("%s runs as %s; want %s", s.name, uid, want)
			}
		})
	}
}

// TestDNSScripts: the run scripts of etc/service for the small servers, beside
// those that a lab runs.
func TestDNSScripts(t *testing.T) {
	for _, s := range dnsServices()[1:] {
		t.Run(s.name, func(t *testing.T) {
			const ip = "127.0.0.54"
			home := t.TempDir()
			open(t, home)
			root := filepath.Join(home, s.name)
			if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(root, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, "bin/id"), []byte("#!/bin/sh\ncase $2 in quilldns) echo 61203;; *) exec /usr/bin/id \"$@\";; esac\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			if s.data != "" {
				if err := os.WriteFile(filepath.Join(root, "data"), []byte(s.data), 0o644); err != nil {
					t.Fatal(err)
				}
				run(t, "", "/bin/sh", "-c", "cd "+root+" && exec "+s.name+"-data")
			}
			port := freeDNSPort(t, ip)
			t.Setenv("PATH", filepath.Join(home, "bin")+":"+os.Getenv("PATH"))
			for name, value := range map[string]string{"QMAILHOME": home, "IP": ip, "PORT": port, "BASE": strings.Join(s.more, "")} {
				t.Setenv(name, value)
			}
			dir, err := filepath.Abs("../etc/service/" + s.name)
			if err != nil {
				t.Fatal(err)
			}
			s.run(t, dir)
			if got := s.answer(t, net.JoinHostPort(ip, port)); !strings.HasSuffix(got, s.reply) {
				t.Errorf("answer %q; want one that ends with %q", got, s.reply)
			}
		})
	}
}
