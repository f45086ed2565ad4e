// SPDX-License-Identifier: ISC

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"quill/internal/safefile"
	"quill/internal/sandbox"
	"quill/internal/supervise"
)

// readyTime is how long all services together may take to answer.
const readyTime = 20 * time.Second

// Lab is one that runs.
type Lab struct {
	Dir   string
	Net   Network
	Addrs map[string]string // DNS, SMTP, POP3, IMAP: host:port
	lock  *os.File
	group supervise.Group
}

// services in the order they start, each with the name of its address and its
// standard port.
var services = []struct{ name, addr, port string }{{"dns", "DNS", "53"}, {"queued", "", ""}, {"send", "", ""}, {"smtpd", "SMTP", "25"}, {"pop3d", "POP3", "110"},
	{"imapd", "IMAP", "143"}}

// Start makes or resumes the lab in o.Dir and starts its services. It returns
// when all of them answer and lab.env tells where.
func Start(o Options) (*Lab, error) {
	lock, err := claim(o)
	if err != nil {
		return nil, err
	}
	l := &Lab{Dir: o.Dir, Net: o.Net, lock: lock}
	if err := l.start(o); err != nil {
		l.Stop()
		return nil, err
	}
	return l, nil
}

func (l *Lab) start(o Options) error {
	if err := o.Net.settle(o.Dir); err != nil {
		return err
	}
	if err := makeHome(o); err != nil {
		return err
	}
	ports := l.ports
	if o.Net.own {
		ports = l.standardPorts
	}
	if err := ports(); err != nil {
		return err
	}
	if err := compileZone(o); err != nil {
		return err
	}
	for _, s := range services {
		if err := l.group.Start(l.service(o, s.name, s.addr)); err != nil {
			return err
		}
	}
	if err := l.ready(); err != nil {
		return err
	}
	return safefile.WriteFile(l.envFile(), []byte(l.env()), 0o644)
}

func (l *Lab) envFile() string { return filepath.Join(l.Dir, "lab.env") }

// env is lab.env.
func (l *Lab) env() string {
	var b strings.Builder
	for _, s := range services {
		if s.addr != "" {
			b.WriteString(s.addr + "=" + l.Addrs[s.addr] + "\n")
		}
	}
	return b.String()
}

// service is a service's place and environment.
func (l *Lab) service(o Options, name, addr string) supervise.Service {
	shape := "-k"
	if o.Spawned {
		shape = ""
	}
	env := []string{"PATH=" + o.Bin + ":/usr/bin:/bin", "QMAILHOME=" + o.Dir, "QUILLDNS=" + l.Addrs["DNS"], "SHAPE=" + shape, "POPHOST=pop3." + Domain, "IMAPHOST=imap." + Domain, "HOME=" + o.Dir}
	if off := os.Getenv(sandbox.Off); off != "" {
		env = append(env, sandbox.Off+"="+off)
	}
	if addr != "" {
		host, port, _ := net.SplitHostPort(l.Addrs[addr])
		env = append(env, "IP="+host, "PORT="+port)
	}
	return supervise.Service{Name: name, Script: filepath.Join(o.Dir, "service", name, "run"), Dir: o.Dir, Env: env, Log: filepath.Join(o.Dir, "log", name)}
}

// ports reads the lab's ports, or chooses free ones the first time. A port that
// somebody took meanwhile is named: clients may have written it down.
func (l *Lab) ports() error {
	path := filepath.Join(l.Dir, "ports")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l.Addrs = make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			l.Addrs[k] = v
		}
	}
	for _, s := range services {
		if s.addr == "" {
			continue
		}
		if at := l.Addrs[s.addr]; at != "" {
			if err := free(at); err != nil {
				return fmt.Errorf("%s of this lab is %s, which is in use: end who listens there, or remove %s to choose new ports: %w", s.addr, at, path, err)
			}
			continue
		}
		if l.Addrs[s.addr], err = choose(l.Net.Server, slices.Collect(maps.Values(l.Addrs))); err != nil {
			return err
		}
	}
	return safefile.WriteFile(path, []byte(l.env()), 0o644)
}

// standardPorts takes the ports that everybody knows.
func (l *Lab) standardPorts() error {
	l.Addrs = make(map[string]string)
	for _, s := range services {
		if s.addr == "" {
			continue
		}
		at := net.JoinHostPort(l.Net.Server, s.port)
		if err := free(at); err != nil {
			return fmt.Errorf("%s of this lab is %s, where it cannot listen: %w", s.addr, at, err)
		}
		l.Addrs[s.addr] = at
	}
	return nil
}

// listen is a listener that another program sees as one (no MPTCP).
func listen(at string) (net.Listener, error) {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	return c.Listen(context.Background(), "tcp", at)
}

// free says whether nobody listens at an address, TCP and UDP.
func free(at string) error {
	t, err := listen(at)
	if err != nil {
		return err
	}
	defer t.Close()
	u, err := net.ListenPacket("udp", at)
	if err != nil {
		return err
	}
	return u.Close()
}

// choose is a port of an address that is free for TCP and UDP, and none of those
// that are chosen already, on which nobody listens yet.
func choose(ip string, chosen []string) (string, error) {
	last := errors.New("no port is free")
	for range 50 {
		t, err := listen(net.JoinHostPort(ip, "0"))
		if err != nil {
			return "", fmt.Errorf("unable to listen on %s: %w; is the loopback interface up?", ip, err)
		}
		at := t.Addr().String()
		t.Close()
		if slices.Contains(chosen, at) {
			continue
		}
		if last = free(at); last == nil {
			return at, nil
		}
	}
	return "", last
}

// compileZone runs tinydns-data.
func compileZone(o Options) error {
	cmd := exec.Command(filepath.Join(o.Bin, "tinydns-data"))
	cmd.Dir = filepath.Join(o.Dir, "dns")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("tinydns-data: %w: %s", err, strings.TrimSpace(out.String()))
	}
	return nil
}

// ready waits until every service answers.
func (l *Lab) ready() error {
	end := time.Now().Add(readyTime)
	for _, s := range services {
		for s.addr != "" {
			err := answers(s.addr, l.Addrs[s.addr])
			if err == nil {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("service %s does not answer at %s: %w; its log is %s:\n%s", s.name, l.Addrs[s.addr], err, filepath.Join(l.Dir, "log", s.name, "current"), l.tail(s.name))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	for {
		c, err := net.Dial("unix", shortened(l.Dir))
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("queued does not answer: %w:\n%s", err, l.tail("queued"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// shortened is the queue's socket by a path that fits: the folder is opened,
// and named by its descriptor.
func shortened(dir string) string {
	long := filepath.Join(dir, "queue/lock/queued")
	if len(long) < 100 {
		return long
	}
	f, err := os.Open(dir)
	if err != nil {
		return long
	}
	return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) + "/queue/lock/queued" // stays open as long as we run
}

// answers asks a service for a sign of life.
func answers(kind, at string) error {
	c, err := net.DialTimeout("tcp", at, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if kind == "DNS" {
		return nil
	}
	c.SetDeadline(time.Now().Add(3 * time.Second))
	b := make([]byte, 1)
	if _, err := c.Read(b); err != nil {
		return err
	}
	bye := "QUIT\r\n"
	if kind == "IMAP" {
		bye = "a LOGOUT\r\n"
	}
	_, err = c.Write([]byte(bye))
	return err
}

// tail is the end of a service's log.
func (l *Lab) tail(name string) string {
	b, err := os.ReadFile(filepath.Join(l.Dir, "log", name, "current"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-1500):])
}

// Stop ends the services and takes lab.env away; the home stays.
func (l *Lab) Stop() error {
	err := os.Remove(l.envFile())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	l.group.Stop()
	return errors.Join(err, l.lock.Close())
}
