// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"quill/internal/checkpw"
	"quill/internal/control"
	"quill/internal/lab"
	"quill/internal/users"
)

// maxPassword is the bytes of a password: checkpassword's descriptor 3 holds
// 512 with the name.
const maxPassword = 200

func userCommand() *cli.Command {
	stdin := &cli.BoolFlag{Name: "password-stdin", Usage: "read the password from descriptor 0, first line"}
	plain := &cli.BoolFlag{Name: "plain", Usage: "store the password itself, as APOP needs it, instead of a hash"}
	return &cli.Command{
		Name:        "user",
		Usage:       "accounts of a home (QMAILHOME)",
		Description: "example: quill user list" + codes,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("user: unknown command %q; quill user --help shows the commands", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
		Subcommands: []*cli.Command{
			{Name: "add", Usage: "add an account with its mailbox", ArgsUsage: "ADDRESS", Flags: []cli.Flag{stdin, plain,
				&cli.IntFlag{Name: "uid", Value: -1, Usage: "the uid that owns the mail (default the owner of the home)"}, &cli.IntFlag{Name: "gid", Value: -1, Usage: "its gid"}},
				Description: "example: quill user add netwatcher@testingsmtp.org" + codes, Action: userAdd},
			{Name: "passwd", Usage: "change an account's password", ArgsUsage: "ADDRESS", Flags: []cli.Flag{stdin, plain},
				Description: "example: quill user passwd netwatcher@testingsmtp.org" + codes, Action: userPasswd},
			{Name: "remove", Usage: "remove an account; its mail stays", ArgsUsage: "ADDRESS",
				Description: "example: quill user remove netwatcher@testingsmtp.org" + codes, Action: userRemove},
			{Name: "list", Usage: "list the accounts", Description: "example: quill user list" + codes, Action: userList},
		},
	}
}

// address is the one word that most of these take.
func address(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", usage("user %s takes one address, as user@domain; options come before it", c.Command.Name)
	}
	if err := users.ValidAddress(c.Args().First()); err != nil {
		return "", usage("%w", err)
	}
	return strings.ToLower(c.Args().First()), nil
}

// explain gives the errors of the accounts their exit codes.
func explain(err error) error {
	switch {
	case errors.Is(err, users.ErrExists):
		return no("%w; quill user passwd changes its password", err)
	case errors.Is(err, users.ErrUnknown):
		return no("%w; quill user list shows them", err)
	}
	return err
}

func userAdd(c *cli.Context) error {
	a, err := address(c)
	if err != nil {
		return err
	}
	home := control.Home()
	routes, err := control.Open(home).Routes()
	if err != nil {
		return err
	}
	if _, local := routes.LocalKey(a); !local {
		return usage("%s: its domain is neither in control/locals nor in control/virtualdomains of %s", a, home)
	}
	secret, err := newSecret(c)
	if err != nil {
		return err
	}
	uid, gid := c.Int("uid"), c.Int("gid")
	st, err := os.Stat(home)
	if err != nil {
		return err
	}
	owner := st.Sys().(*syscall.Stat_t)
	if uid < 0 {
		uid = int(owner.Uid)
	}
	if gid < 0 {
		gid = int(owner.Gid)
	}
	if uid == 0 {
		return usage("mail is never delivered as root: name the owner with --uid and --gid")
	}
	return explain(lab.AddUser(users.NewStore(home), home, a, secret, uid, gid))
}

func userPasswd(c *cli.Context) error {
	a, err := address(c)
	if err != nil {
		return err
	}
	secret, err := newSecret(c)
	if err != nil {
		return err
	}
	return explain(users.NewStore(control.Home()).SetSecret(a, secret))
}

func userRemove(c *cli.Context) error {
	a, err := address(c)
	if err != nil {
		return err
	}
	return explain(users.NewStore(control.Home()).Remove(a))
}

func userList(c *cli.Context) error {
	list, bad, err := users.NewStore(control.Home()).List()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ADDRESS\tSCHEME\tUID\tGID\tHOME")
	for _, a := range list {
		scheme, _, _ := strings.Cut(strings.TrimPrefix(a.Secret, "{"), "}")
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", a.Address, scheme, a.UID, a.GID, a.Home)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(bad) > 0 {
		return no("users/passwd line %d: %w; %d lines are no accounts", bad[0].Line, bad[0].Err, len(bad))
	}
	return nil
}

// newSecret asks for a password, on the terminal twice, and makes its secret.
func newSecret(c *cli.Context) (string, error) {
	password, err := newPassword(c.Bool("password-stdin"))
	if err != nil {
		return "", err
	}
	if password == "" || len(password) > maxPassword || strings.ContainsAny(password, "\x00\r\n") {
		return "", usage("a password has 1 to %d bytes and no NUL, CR or LF", maxPassword)
	}
	if !c.Bool("plain") {
		return checkpw.Hash(password), nil
	}
	if strings.Contains(password, ":") {
		return "", usage("a password stored as it is cannot contain a colon")
	}
	return checkpw.Plain(password), nil
}

func newPassword(stdin bool) (string, error) {
	if stdin {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil && line == "" {
			return "", usage("no password on descriptor 0")
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	if !terminal(os.Stdin) {
		return "", usage("no terminal to ask for a password: use --password-stdin")
	}
	one, err := ask("password: ")
	if err != nil {
		return "", err
	}
	two, err := ask("again: ")
	if err != nil {
		return "", err
	}
	if one != two {
		return "", usage("the two passwords differ; nothing was changed")
	}
	return one, nil
}

// ask reads a line from the terminal without showing it.
func ask(prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", err
	}
	silent := *old
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return "", err
	}
	defer unix.IoctlSetTermios(fd, unix.TCSETS, old)
	fmt.Fprint(os.Stderr, prompt)
	line, err := bufio.NewReaderSize(os.Stdin, 1024).ReadString('\n')
	fmt.Fprintln(os.Stderr)
	return strings.TrimRight(line, "\r\n"), err
}
