// SPDX-License-Identifier: ISC

package cmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"quill/internal/privilege/privilegetest"
)

// imapHome makes a home whose Maildir belongs to whom imapd runs as.
func imapHome(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "", program("maildirmake"), filepath.Join(home, "Maildir"))
	open(t, filepath.Dir(home))
	return privilegetest.Reachable(t, home)
}

// spawnIMAPD starts imapd for a home on one end of a socketpair; start is how.
func spawnIMAPD(home string, start func(*exec.Cmd) error) (net.Conn, *exec.Cmd, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "client"), os.NewFile(uintptr(pair[1]), "server")
	defer ours.Close()
	defer theirs.Close()
	cmd := exec.Command(program("imapd"), "Maildir")
	cmd.Env = append(os.Environ(), "HOME="+home, "USER=sendmemail", "QMAILHOME="+home)
	cmd.Stdin, cmd.Stdout = theirs, theirs
	privilegetest.Plain(cmd)
	if err := start(cmd); err != nil {
		return nil, nil, err
	}
	conn, err := net.FileConn(ours)
	return conn, cmd, err
}

// imapTalk is a client's side of an imapd of its own.
type imapTalk struct {
	net.Conn
	cmd  *exec.Cmd
	in   chan string // responses, closed at the end of the connection
	log  *safeBuffer
	tag  int
	seen []string // the last lines of both sides, for a report
}

// talkIMAP starts an imapd and reads its greeting.
func talkIMAP(home string) (*imapTalk, error) {
	log := new(safeBuffer)
	conn, cmd, err := spawnIMAPD(home, func(cmd *exec.Cmd) error {
		cmd.Stderr = log
		return cmd.Start()
	})
	if err != nil {
		return nil, err
	}
	c := hearIMAP(conn)
	c.cmd, c.log = cmd, log
	if hello := <-c.in; !strings.HasPrefix(hello, "* PREAUTH ") {
		c.leave()
		return nil, fmt.Errorf("imapd says %q; want PREAUTH; its log: %s", hello, log)
	}
	return c, nil
}

// hearIMAP begins to read what an imapd says.
func hearIMAP(conn net.Conn) *imapTalk {
	c := &imapTalk{Conn: conn, in: make(chan string, 1000)}
	go c.listen()
	return c
}

// listen reads responses with their literals.
func (c *imapTalk) listen() {
	defer close(c.in)
	r := bufio.NewReader(c)
	for {
		var b bytes.Buffer
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			b.WriteString(line)
			n, ok := literalSize(line)
			if !ok {
				break
			}
			if _, err := io.CopyN(&b, r, int64(n)); err != nil {
				return
			}
		}
		c.in <- strings.TrimSuffix(b.String(), "\r\n")
	}
}

// literalSize is the size of the literal that a line announces.
func literalSize(line string) (int, bool) {
	line, ok := strings.CutSuffix(line, "}\r\n")
	i := strings.LastIndexByte(line, '{')
	if !ok || i < 0 {
		return 0, false
	}
	n, err := strconv.Atoi(line[i+1:])
	return n, err == nil
}

var errEnded = errors.New("the connection ended")

// next is the next response.
func (c *imapTalk) next() (string, error) {
	select {
	case line, ok := <-c.in:
		if !ok {
			return "", errEnded
		}
		c.note("S: " + line)
		return line, nil
	case <-time.After(60 * time.Second):
		return "", errors.New("no answer within 60 s")
	}
}

func (c *imapTalk) note(line string) {
	if len(c.seen) >= 400 {
		c.seen = c.seen[1:]
	}
	c.seen = append(c.seen, line[:min(len(line), 300)])
}

// say sends a command, has each untagged response taken, and gives the answer
// without its tag.
func (c *imapTalk) say(command string, take func(response string) error) (string, error) {
	c.tag++
	tag := fmt.Sprintf("t%d ", c.tag)
	c.note("C: " + tag + command)
	if _, err := io.WriteString(c, tag+command+"\r\n"); err != nil {
		return "", errEnded
	}
	return c.answer(tag, take)
}

// answer waits for a command's end.
func (c *imapTalk) answer(tag string, take func(response string) error) (string, error) {
	var wrong error
	for {
		line, err := c.next()
		if err != nil {
			return "", err
		}
		if end, ok := strings.CutPrefix(line, tag); ok {
			return end, wrong
		}
		if take != nil && strings.HasPrefix(line, "* ") {
			wrong = errors.Join(wrong, take(line[2:]))
		}
	}
}

// leave ends the connection and the process.
func (c *imapTalk) leave() error {
	c.Close()
	for range c.in {
	}
	return c.cmd.Wait()
}

// code is what stands in brackets after a status, without its first word.
func code(status, name string) (string, bool) {
	_, rest, ok := strings.Cut(status, "["+name)
	if !ok {
		return "", false
	}
	rest, _, ok = strings.Cut(rest, "]")
	return strings.TrimSpace(rest), ok
}

// node is a value of a response: a string, or a list.
type node struct {
	s    string
	list []node
}

// parseNodes reads the values in text.
func parseNodes(text string) (nodes []node, rest string) {
	for text != "" {
		switch text[0] {
		case ' ':
			text = text[1:]
		case ')':
			return nodes, text[1:]
		case '(':
			var n node
			n.list, text = parseNodes(text[1:])
			nodes = append(nodes, n)
		case '"':
			end := strings.IndexByte(text[1:], '"') + 1
			nodes = append(nodes, node{s: text[1:end]})
			text = text[end+1:]
		case '{':
			line, after, _ := strings.Cut(text, "\n")
			n, _ := literalSize(line + "\n")
			nodes = append(nodes, node{s: after[:n]})
			text = after[n:]
		default:
			end := atomEnd(text)
			nodes = append(nodes, node{s: text[:end]})
			text = text[end:]
		}
	}
	return nodes, ""
}

// atomEnd is where an atom ends; what stands in brackets belongs to it.
func atomEnd(text string) int {
	in := false
	for i := range len(text) {
		switch {
		case text[i] == '[':
			in = true
		case text[i] == ']':
			in = false
		case !in && strings.IndexByte(" ()", text[i]) >= 0:
			return i
		}
	}
	return len(text)
}

// numbers is the numbers of a set without '*', in its order.
func numbers(set string) (out []uint32) {
	for part := range strings.SplitSeq(set, ",") {
		lo, hi, ok := strings.Cut(part, ":")
		a, _ := strconv.ParseUint(lo, 10, 32)
		b := a
		if ok {
			b, _ = strconv.ParseUint(hi, 10, 32)
		}
		for n := a; n <= b && n > 0; n++ {
			out = append(out, uint32(n))
		}
	}
	return out
}
