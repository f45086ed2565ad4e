// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v2"

	"quill/internal/lab"
)

func labCommand() *cli.Command {
	return &cli.Command{
		Name:      "lab",
		Usage:     "run the lecture's server for testingsmtp.org in a folder, without root",
		ArgsUsage: "[DIR]",
		Description: "DIR (default ./lab; a fresh temporary one for --demo) becomes the home: a stopped lab there is resumed, a running one refused," +
			"\nother people's files are never touched. INT or TERM stops it.\n\nexample: quill lab --users 3 /tmp/mylab" + codes,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "demo", Usage: "play the lecture's mail as a dialogue, then stop"},
			&cli.BoolFlag{Name: "namespace", Usage: "the lecture's addresses and ports (" + lab.Namespace.Server + ", 25, 110, 143), in a network namespace of its own"},
			&cli.BoolFlag{Name: "spawned", Usage: "one process a connection instead of resident programs"},
			&cli.IntFlag{Name: "users", Usage: "add accounts u0…u(N-1) with password pass"},
			&cli.BoolFlag{Name: "reset", Usage: "start afresh: forget mail, queue and accounts of the lab in DIR"},
			&cli.StringFlag{Name: "user", Value: "nobody", Usage: "started by root: become this user first"},
		},
		Action: runLab,
	}
}

// runLab goes to the network, the folder and the user that the lab is to have,
// and starts it there.
func runLab(c *cli.Context) error {
	if c.NArg() > 1 {
		return usage("lab takes one folder, got %d words; options come before it", c.NArg())
	}
	if n := c.Int("users"); n < 0 || n > 10000 {
		return usage("--users %d: from 0 to 10000", n)
	}
	network, entered := lab.Loopback, ""
	if c.Bool("namespace") {
		var err error
		if entered, err = enterNamespace(); err != nil || entered == "" {
			return err
		}
		network = lab.Namespace
	}
	dir, temporary, err := labDir(c)
	if err != nil {
		return err
	}
	if temporary {
		defer os.RemoveAll(dir)
	}
	if os.Getuid() == 0 {
		return asUser(dir, c.String("user")) // does not return without an error
	}
	return serveLab(c, dir, network, entered)
}

// serveLab runs the lab in dir until the demo is over or a signal says stop.
func serveLab(c *cli.Context, dir string, network lab.Network, entered string) error {
	bin, err := programs()
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	l, err := lab.Start(lab.Options{Dir: dir, Bin: bin, Spawned: c.Bool("spawned"), Users: c.Int("users"), Reset: c.Bool("reset"), Net: network})
	switch {
	case errors.Is(err, lab.ErrForeign), errors.Is(err, lab.ErrRunning), errors.Is(err, lab.ErrNetwork):
		return usage("%w", err)
	case err != nil:
		return err
	}
	if c.Bool("demo") {
		err = playDemo(l)
	} else {
		announce(l, entered)
		<-stop
	}
	return errors.Join(err, l.Stop())
}

// inTemporary tells the program that was started again as another user that its
// folder goes when it ends.
const inTemporary = "QUILLLABTEMP"

// labDir is the folder: named, the default, or a temporary one for the demo.
func labDir(c *cli.Context) (dir string, temporary bool, err error) {
	temporary = os.Getenv(inTemporary) != ""
	os.Unsetenv(inTemporary)
	switch {
	case c.NArg() == 1:
		dir = c.Args().First()
	case c.Bool("demo"):
		dir, err = os.MkdirTemp("", "quill-lab-")
		temporary = true
		if os.Getuid() == 0 {
			os.Setenv(inTemporary, "1")
		}
	default:
		dir = "lab"
	}
	if err != nil {
		return "", false, fmt.Errorf("temporary folder: %w; TMPDIR chooses another place", err)
	}
	dir, err = filepath.Abs(dir)
	return dir, temporary, err
}

// programs is the folder where our own programs lie: beside this one.
func programs() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	bin := filepath.Dir(self)
	for _, p := range lab.Programs {
		if _, err := os.Stat(filepath.Join(bin, p)); err != nil {
			return "", fmt.Errorf("%w; `make build` puts all programs into one folder", err)
		}
	}
	return bin, nil
}

// announce tells what runs where, how to get there, and what to try.
func announce(l *lab.Lab, entered string) {
	at := func(name string) (host, port string) {
		host, port, _ = net.SplitHostPort(l.Addrs[name])
		return host, port
	}
	p := newPrinter(os.Stdout)
	p.title("the lab of " + lab.Domain + " runs in " + l.Dir)
	for _, s := range []struct{ name, what string }{{"DNS", "tinydns"}, {"SMTP", "tcpserver, smtpd ► queued ► qmail-send ► local-delivery"}, {"POP3", "tcpserver, popup, checkpassword, pop3d"},
		{"IMAP", "tcpserver, imapup, checkpassword, imapd"}} {
		p.line(fmt.Sprintf("  %-5s %-22s %s", s.name, l.Addrs[s.name], s.what))
	}
	p.line("  accounts sendmemail@" + lab.Domain + " and netwatcher@" + lab.Domain + ", password " + lab.Password + "; logs in " + filepath.Join(l.Dir, "log"))
	if entered != "" {
		as := map[string]string{fromRoot: "root", fromUser: "the same user"}[entered]
		p.title("enter its network first, as " + as + "; who calls from there is the laptop, " + l.Net.Laptop)
		p.line("  " + enterLine(entered))
	}
	p.title("try")
	host, port := at("DNS")
	p.line(fmt.Sprintf("  dig @%s -p %s mail.%s", host, port, lab.Domain))
	host, port = at("SMTP")
	p.line(fmt.Sprintf("  swaks --server %s --port %s --from netwatcher@%s --to sendmemail@%s", host, port, lab.Domain, lab.Domain))
	p.line(fmt.Sprintf("  curl -u sendmemail@%s:%s pop3://%s/1", lab.Domain, lab.Password, l.Addrs["POP3"]))
	p.line(fmt.Sprintf("  curl -u sendmemail@%s:%s imap://%s/INBOX -X 'FETCH 1:* (FLAGS ENVELOPE)'", lab.Domain, lab.Password, l.Addrs["IMAP"]))
	p.line("stop it with ctrl-c")
}
