// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"quill/internal/imap"
	"quill/maildir"
	"quill/maildir/folders"
	"quill/maildir/index"
)

func mailboxCommand() *cli.Command {
	sub := func(name, use, example string, action cli.ActionFunc, flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, Usage: use, ArgsUsage: "DIR", Description: "example: quill mailbox " + example + codes, Action: action, Flags: flags}
	}
	return &cli.Command{
		Name: "mailbox", Usage: "look at a Maildir's indexes, make them anew, give them back to Dovecot or Courier",
		Description: "example: quill mailbox stat Maildir" + codes,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("mailbox: unknown command %q; quill mailbox --help shows the commands", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
		Subcommands: []*cli.Command{
			sub("stat", "print the figures of each folder", "stat Maildir", mailboxStat),
			sub("check", "read indexes and messages, change nothing, name what is wrong", "check Maildir", mailboxCheck),
			sub("rebuild", "make the indexes anew, under new UIDs", "rebuild --yes Maildir", mailboxRebuild,
				&cli.BoolFlag{Name: "yes", Usage: "do it; without, only what it costs is said"}),
			sub("export", "give all folders back to Dovecot or Courier with UIDs, flags, keywords and subscriptions", "export --courier Maildir", mailboxExport,
				&cli.BoolFlag{Name: "courier", Usage: "to Courier; without, to Dovecot"}),
		},
	}
}

// folder is one of a user's: INBOX or a folder below it that begins with a dot.
type folder struct {
	name string
	m    *maildir.Maildir
}

// eachFolder calls f for INBOX and each folder in the Maildir that the command
// line names. Root becomes the Maildir's owner first, for good, so that what is
// written is that user's.
func eachFolder(c *cli.Context, f func(at folder, opt index.Options) error) error {
	if c.NArg() != 1 {
		return usage("mailbox %s takes one word: a Maildir", c.Command.Name)
	}
	dir := c.Args().First()
	if err := becomeOwner(dir); err != nil {
		return err
	}
	root, err := maildir.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := f(folder{"INBOX", root}, index.Options{}); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, e.Name(), "cur")); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		m, err := maildir.OpenBeneath(dir, e.Name())
		if err != nil {
			return err
		}
		err = f(folder{e.Name(), m}, index.Options{Root: root})
		m.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func becomeOwner(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	if st.Uid == 0 {
		return nil
	}
	uid, gid := int(st.Uid), int(st.Gid)
	if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("unable to become uid %d, who owns %s: %w", uid, dir, err)
	}
	return nil
}

func mailboxStat(c *cli.Context) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "folder\tmessages\tunseen\tbytes\tuidvalidity\tuidnext\thighestmodseq\tgeneration\tsnapshot\tlog\tcache")
	err := eachFolder(c, func(at folder, _ index.Options) error {
		f, err := index.Stat(at.m)
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(w, "%s\tno index\n", at.name)
			return nil
		}
		if err != nil {
			return no("%s: %w; quill mailbox check says more", at.name, err)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", at.name, f.Messages, f.Unseen, f.Bytes, f.UIDValidity, f.UIDNext,
			f.HighestModSeq, f.Generation, f.Snapshot, f.Log, f.Cache)
		return nil
	})
	return errors.Join(err, w.Flush())
}

func mailboxCheck(c *cli.Context) error {
	found := 0
	err := eachFolder(c, func(at folder, _ index.Options) error {
		wrong, pending, err := index.Check(at.m)
		if err != nil {
			return fmt.Errorf("%s: %w", at.name, err)
		}
		for _, line := range wrong {
			fmt.Printf("%s: %s\n", at.name, line)
		}
		if pending > 0 {
			fmt.Printf("%s: %d changes of other programs, to be taken in by whoever opens it next\n", at.name, pending)
		}
		found += len(wrong)
		return nil
	})
	if err == nil && found > 0 {
		err = no("%s has %d defects; what is lost with quill mailbox rebuild, that command says", c.Args().First(), found)
	}
	return err
}

// cost is what making indexes anew comes to.
const cost = `every folder gets a new UIDVALIDITY: each client forgets what it has fetched of it
and fetches all messages again. Mail, flags and dates stay; keywords stay where the
old index can be read. Stop the IMAP and POP3 sessions of this user first.`

func mailboxRebuild(c *cli.Context) error {
	fmt.Println(cost)
	if !c.Bool("yes") {
		return usage("mailbox rebuild does this with --yes only; nothing was changed")
	}
	return eachFolder(c, func(at folder, opt index.Options) error {
		kept, err := index.Rebuild(at.m, opt)
		if err != nil {
			return err
		}
		fmt.Printf("%s: made anew; %d messages have keywords or flags of the old index\n", at.name, kept)
		return nil
	})
}

func mailboxExport(c *cli.Context) error {
	courier, export := c.Bool("courier"), index.Export
	if courier {
		export = index.ExportCourier
	}
	lost := 0
	err := eachFolder(c, func(at folder, opt index.Options) error {
		done, err := export(at.m, opt)
		if err != nil {
			return err
		}
		for _, line := range done.Lost {
			fmt.Fprintf(os.Stderr, "quill: %s: lost: %s\n", at.name, line)
		}
		lost += len(done.Lost)
		fmt.Printf("%s: %d messages are ", at.name, done.Messages)
		if courier {
			fmt.Println("Courier's")
		} else {
			fmt.Printf("Dovecot's, HIGHESTMODSEQ %d\n", done.ModSeq)
		}
		return nil
	})
	if err == nil {
		err = giveSubscriptions(c.Args().First(), courier)
	}
	if err == nil && lost > 0 {
		err = no("%d keywords or UIDs were lost", lost)
	}
	return err
}

func giveSubscriptions(dir string, courier bool) error {
	root, err := maildir.Open(dir)
	if err != nil {
		return err
	}
	account, err := folders.Open(root, folders.Options{Encode: imap.EncodeUTF7, Decode: imap.DecodeUTF7})
	if err != nil {
		return err
	}
	defer account.Close()
	return account.GiveSubscriptions(courier)
}
