// SPDX-License-Identifier: ISC

// Program popup greets a POP3 client, takes its name and password, and asks the
// rest of the chain who it is; see popup(8).
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"quill/internal/control"
	"quill/internal/exit"
	"quill/internal/login"
	"quill/internal/logindoor"
	"quill/internal/pop3"
	"quill/internal/random"
)

func main() {
	signal.Ignore(syscall.SIGPIPE)
	if len(os.Args) < 3 {
		exit.Usage("popup hostname subprogram [ arg ... ]")
	}
	host := os.Args[1]
	d := &logindoor.Door{Prog: "popup", Argv: os.Args[2:], Dir: control.Open(control.Home())}
	d.Talk = func(v *logindoor.Visit) (bool, error) { return talk(host, v) }
	os.Exit(d.Run())
}

// talk is the dialogue with one client until its login.
func talk(host string, v *logindoor.Visit) (taken bool, err error) {
	l := &pop3.Login{Host: host, Insecure: v.Insecure(), Pause: time.Sleep, Note: v.Note}
	l.Try = func(c login.Credentials, ahead []byte) login.Verdict { return v.Try(c, ahead) }
	apop, err := v.Door.Dir.Exists("apop")
	if err == nil && apop {
		l.Timestamp = timestamp(host)
	}
	l.Classic, _ = v.Door.Dir.Exists("popclassic")
	return l.Serve(v.Stream, v.Ahead, v.Single())
}

// timestamp is a greeting's, as the family writes it; no two are the same.
func timestamp(host string) string {
	var b [4]byte
	random.Fill(b[:])
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	return fmt.Sprintf("<%d.%d@%s>", n, time.Now().UnixNano(), host)
}
