// SPDX-License-Identifier: ISC

package inject

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"quill/internal/chain"
	"quill/internal/mailid"
	"quill/queue"
)

// maxErrorText is how much of a program's error text is taken.
const maxErrorText = 255

// pipeMessage is a message on its way to a queue program: the message on its
// descriptor 0, the envelope on 1, error text on 4 and 6.
type pipeMessage struct {
	id       mailid.ID
	proc     *os.Process
	body     *os.File
	envelope *os.File
	text     *os.File
	err      error
}

// beginPipe starts the program.
func (j *Injector) beginPipe(id mailid.ID, facts queue.Params) (Message, error) {
	m := &pipeMessage{id: id}
	argv := []string{j.program}
	path, err := chain.Find(argv)
	if err != nil {
		return failed{Result{id, 120, textOf(120, "")}}, nil
	}
	pipe := os.Pipe
	if j.alone {
		pipe = blockingPipe
	}
	bodyR, bodyW, err1 := pipe()
	envR, envW, err2 := pipe()
	textR, textW, err3 := pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		closeFiles(bodyR, bodyW, envR, envW, textR, textW)
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		closeFiles(bodyR, bodyW, envR, envW, textR, textW)
		return nil, err
	}
	m.body, m.envelope, m.text = bodyW, envW, textR
	m.proc, err = os.StartProcess(path, argv, &os.ProcAttr{
		Dir:   j.home,
		Env:   environment(facts),
		Files: []*os.File{bodyR, envR, os.Stderr, null, textW, null, textW},
	})
	closeFiles(bodyR, envR, textW, null)
	if err != nil {
		closeFiles(bodyW, envW, textR)
		return failed{Result{id, 120, textOf(120, "")}}, nil
	}
	return m, nil
}

// blockingPipe is os.Pipe without the runtime's poller, which costs a process
// of one session more than the pipe itself.
func blockingPipe() (r, w *os.File, err error) {
	var fd [2]int
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return os.NewFile(uintptr(fd[0]), "pipe"), os.NewFile(uintptr(fd[1]), "pipe"), nil
}

// hear reads the program's error text to its end. What it says beyond the
// bound is dropped; a pipe takes 64 KiB of it before the program would wait.
func (m *pipeMessage) hear() string {
	text := make([]byte, maxErrorText+1)
	n, err := io.ReadFull(m.text, text)
	if err == nil {
		io.Copy(io.Discard, m.text)
	}
	m.text.Close()
	return string(text[:n])
}

// failed is a message whose program could not be started.
type failed struct{ r Result }

func (f failed) Write(p []byte) (int, error)   { return len(p), nil }
func (f failed) Commit(*queue.Envelope) Result { return f.r }
func (f failed) Abort()                        {}

// environment is this process's with what a pipe cannot say.
func environment(facts queue.Params) []string {
	env := []string{}
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "QUILLID", "QUILLPARAMS", "ERROR_FD":
		default:
			env = append(env, v)
		}
	}
	rest := queue.Params{}
	for _, kv := range facts {
		if kv.Key != "id" {
			rest = append(rest, kv)
		}
	}
	return append(env, "QUILLID="+facts.Value("id"), "QUILLPARAMS="+queue.EncodeParams(rest), "ERROR_FD=4")
}

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

func (m *pipeMessage) Write(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	n, err := m.body.Write(p)
	m.err = err
	return n, err
}

func (m *pipeMessage) Commit(e *queue.Envelope) Result {
	wrote := m.err
	if err := m.body.Close(); wrote == nil {
		wrote = err
	}
	b := append([]byte{'F'}, e.Sender...)
	b = append(b, 0)
	for _, r := range e.Recipients {
		b = append(append(append(b, 'T'), r.Addr...), 0)
	}
	if wrote == nil {
		_, wrote = m.envelope.Write(append(b, 0))
	}
	if err := m.envelope.Close(); wrote == nil {
		wrote = err
	}
	text := m.hear()
	code := m.wait()
	if code == 0 && wrote != nil {
		code = 54
	}
	if code == 0 {
		return Result{ID: m.id}
	}
	return Result{m.id, code, textOf(code, text)}
}

// wait waits for the program; a crash is -1.
func (m *pipeMessage) wait() int {
	st, err := m.proc.Wait()
	if err != nil {
		return -1
	}
	w := st.Sys().(syscall.WaitStatus)
	if !w.Exited() {
		return -1
	}
	return w.ExitStatus()
}

// Abort ends the program without an envelope: it must refuse the message.
func (m *pipeMessage) Abort() {
	m.proc.Kill()
	closeFiles(m.body, m.envelope)
	m.proc.Wait()
	m.text.Close()
}
