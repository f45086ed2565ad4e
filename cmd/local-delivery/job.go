// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"quill/internal/dotqmail"
	"quill/internal/exit"
	"quill/internal/mailid"
	"quill/maildir"
)

// job is one delivery. Its message is read by position only: other deliveries
// may share the open file.
type job struct {
	*office
	limits          limits
	to              dotqmail.Address
	defaultDelivery string
	dry             bool      // -n: tell what would be done
	id              mailid.ID // of the message in the queue; 0 by hand
	rcpt            int       // the recipient's number
	again           bool      // an earlier try's outcome is unknown
	parent          mailid.ID // by hand: QUILLID, for the log only
	msg             *os.File
	out, err        io.Writer // what goes to descriptors 1 and 2
	// progOut and progErr are given to programs as they are; nil: their output
	// goes to out, as far as the limits let it.
	progOut, progErr *os.File
	progIn           func() (*os.File, error) // the message for a program, at its begin; nil: msg, rewound

	home                      int // descriptor
	found                     dotqmail.Candidate
	newSender                 string
	files, forwards, programs int
	to99                      bool // a program said 99
	recipients                []string
	child                     string // id of what was sent on
}

// failure is why a delivery ended: its exit code and the line for the report.
type failure struct {
	code int
	text string
}

func (f failure) Error() string { return f.text }

func temporary(format string, a ...any) error {
	return failure{exit.Temporary, fmt.Sprintf(format, a...)}
}
func permanent(format string, a ...any) error {
	return failure{exit.Permanent, fmt.Sprintf(format, a...)}
}

// run delivers, writes the report, and gives the exit code.
func (j *job) run() int {
	err := j.deliver()
	var f failure
	switch {
	case err == nil:
		report := fmt.Sprintf("did %d+%d+%d\n", j.files, j.forwards, j.programs)
		if j.child != "" {
			report += "qp " + j.child + "\n"
		}
		io.WriteString(j.out, report) // delivered is delivered, whether anybody listens
		return exit.OK
	case errors.As(err, &f):
		if f.text != "" {
			io.WriteString(j.err, f.text+"\n")
		}
		return f.code
	}
	io.WriteString(j.err, err.Error()+". (#4.3.0)\n")
	return exit.Temporary
}

// deliver does the checks in their order and obeys the file that holds.
func (j *job) deliver() error {
	var err error
	j.home, err = unix.Open(j.to.Home, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return temporary("Unable to switch to %s: %s. (#4.3.0)", j.to.Home, reason(err))
	}
	defer unix.Close(j.home)
	if err := j.checkHome(); err != nil {
		return err
	}
	if !j.dry {
		if err := j.checkLoop(); err != nil {
			return err
		}
	}
	instructions, guard, err := j.instructions()
	if err != nil {
		return err
	}
	if err := j.obey(instructions, guard); err != nil {
		return err
	}
	if len(j.recipients) > 0 {
		return j.forward()
	}
	return nil
}

// checkHome: nobody else may write the home, and who edits his .qmail says so by
// the sticky bit.
func (j *job) checkHome() error {
	var st unix.Stat_t
	if err := unix.Fstat(j.home, &st); err != nil {
		return temporary("Unable to stat home directory: %s. (#4.3.0)", reason(err))
	}
	switch {
	case st.Mode&0o002 != 0:
		return temporary("Uh-oh: home directory is writable. (#4.7.0)")
	case st.Mode&unix.S_ISVTX != 0 && j.dry:
		io.WriteString(j.err, "Warning: home directory is sticky.\n")
	case st.Mode&unix.S_ISVTX != 0:
		return temporary("Home directory is sticky: user is editing his .qmail file. (#4.2.1)")
	}
	return nil
}

// obey does instruction after instruction; forwards are only noted.
func (j *job) obey(instructions []dotqmail.Instruction, guard dotqmail.Guard) error {
	for _, in := range instructions {
		if err := guard.Allow(in); err != nil {
			return temporary("Uh-oh: %s. (#4.7.0)", err)
		}
		if j.dry && in.Kind != dotqmail.List {
			fmt.Fprintf(j.out, "%s %s\n", in.Kind, in.Text)
		}
		var err error
		switch in.Kind {
		case dotqmail.Maildir:
			j.files++
			err = j.unlessDry(j.toMaildir, in.Text)
		case dotqmail.Mbox:
			j.files++
			err = j.unlessDry(j.toMbox, in.Text)
		case dotqmail.Program:
			j.programs++
			err = j.unlessDry(j.toProgram, in.Text)
		case dotqmail.Forward:
			j.forwards++
			err = j.unlessDry(j.noteForward, in.Text)
		}
		if err != nil || j.to99 {
			return err
		}
	}
	return nil
}

func (j *job) unlessDry(do func(string) error, text string) error {
	if j.dry {
		return nil
	}
	return do(text)
}

func (j *job) noteForward(to string) error {
	j.recipients = append(j.recipients, to)
	return nil
}

// toMaildir delivers into a Maildir: below the home for a relative name, with no
// way out of it; by a full path with the user's rights.
func (j *job) toMaildir(path string) error {
	m, err := j.openMaildir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return temporary("Unable to chdir to maildir. (#4.2.1)")
	}
	if err != nil {
		return temporary("Unable to chdir to maildir: %s. (#4.2.1)", err)
	}
	name, err := j.deliverer.Deliver(m, &maildir.Delivery{ID: j.id, Rcpt: j.rcpt, Again: j.again, Head: j.head(), Body: j.msg})
	if err != nil || !j.filler.take(m, name) {
		m.Close()
	}
	if err != nil {
		return temporary("Temporary error on maildir delivery: %s. (#4.3.0)", err)
	}
	return nil
}

func (j *job) openMaildir(path string) (*maildir.Maildir, error) {
	if path[0] == '/' {
		return maildir.Open(path)
	}
	return maildir.OpenAt(j.home, path)
}

// head is the lines that a delivered file begins with.
func (j *job) head() []byte { return []byte(j.to.ReturnPath() + j.to.DeliveredTo()) }

// reason is an error in the family's words, which scripts look for, where it has
// its own.
func reason(err error) string {
	var errno unix.Errno
	switch {
	case errors.Is(err, unix.ENOENT):
		return "file does not exist"
	case errors.Is(err, unix.EACCES):
		return "access denied"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}
