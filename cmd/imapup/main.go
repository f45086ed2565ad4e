// SPDX-License-Identifier: ISC

// Program imapup greets an IMAP client, takes its name and password, and asks
// the rest of the chain who it is; see imapup(8).
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/imaplogin"
	"quill/internal/login"
	"quill/internal/logindoor"
)

// tagVariable tells who has the session the tag of the command that logged in,
// which is to be answered.
const tagVariable = "IMAPTAG"

func main() {
	signal.Ignore(syscall.SIGPIPE)
	if len(os.Args) < 3 {
		exit.Usage("imapup hostname subprogram [ arg ... ]")
	}
	host := os.Args[1]
	d := &logindoor.Door{Prog: "imapup", Argv: os.Args[2:], Dir: control.Open(control.Home()), Vars: []string{tagVariable}}
	d.Talk = func(v *logindoor.Visit) (bool, error) { return talk(host, v) }
	os.Exit(d.Run())
}

// talk is the dialogue with one client until its login.
func talk(host string, v *logindoor.Visit) (taken bool, err error) {
	l := &imaplogin.Login{Host: host, Insecure: v.Insecure(), Pause: time.Sleep, Note: v.Note}
	l.Try = func(tag string, c login.Credentials, ahead []byte) login.Verdict {
		return v.Try(c, ahead, tagVariable+"="+tag)
	}
	return l.Serve(v.Stream, v.Ahead, v.Single())
}
