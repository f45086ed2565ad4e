// SPDX-License-Identifier: ISC

package main

import (
	"io"
	"os"
	"syscall"
	"time"

	"quill/internal/chain"
	"quill/internal/users"
)

// maxOutput is how much of a foreign program's output makes a report, as
// qmail-lspawn has it.
const maxOutput = 3000

// byCode is the letter of a foreign delivery program's exit code: the
// family's own codes among them.
var byCode = map[int]byte{0: 'K', 111: 'Z', 71: 'Z', 74: 'Z', 75: 'Z', 112: 'Z', 113: 'Z', 115: 'Z', 116: 'Z', 117: 'Z', 118: 'Z', 119: 'Z', 120: 'Z', 121: 'Z'}

// runForeign runs $QMAILLOCAL for one delivery by qmail-local's contract.
func (s *spawner) runForeign(e users.Entry, args [8]string, message *os.File) string {
	argv := append([]string{s.foreign, "--"}, args[:]...)
	path, err := chain.Find(argv)
	if err != nil {
		return "ZUnable to run " + s.foreign + ". (#4.3.0)\n"
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "ZUnable to make a pipe. (#4.3.0)\n"
	}
	defer r.Close()
	proc, err := os.StartProcess(path, argv, &os.ProcAttr{Files: []*os.File{message, w, w}, Sys: &syscall.SysProcAttr{Credential: credential(e)}})
	w.Close()
	if err != nil {
		return "ZUnable to run " + s.foreign + ". (#4.3.0)\n"
	}
	timer := time.AfterFunc(deliveryLimit, func() { proc.Kill() })
	defer timer.Stop()
	text, _ := io.ReadAll(io.LimitReader(r, maxOutput))
	if len(text) == maxOutput {
		text = append(text, "\nError report too long, sorry.\n"...)
		io.Copy(io.Discard, r)
	}
	st, err := proc.Wait()
	if err != nil || !st.Exited() {
		return "Z" + s.foreign + " crashed. (#4.3.0)\n"
	}
	letter, ok := byCode[st.ExitCode()]
	if !ok {
		letter = 'D'
	}
	return string(letter) + string(text)
}
