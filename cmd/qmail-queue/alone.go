// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"io"
	"os"
	"strconv"

	"quill/internal/mailid"
	"quill/internal/sandbox"
	"quill/queue"
)

// alone queues the message where no queued runs: it is read before the log's
// lock is taken. A queued that has started meanwhile is handed what was read.
func alone(home string, facts queue.Params) error {
	if err := confine(sandbox.NoNet, &sandbox.Files{Write: []string{"queue"}}); err != nil {
		return err
	}
	told := facts
	dir := "queue"
	m := queue.NewMessage(dir)
	id, _ := mailid.Parse(facts.Value("id"))
	origin := "uid " + strconv.Itoa(os.Getuid())
	if v := facts.Value("origin"); v != "" {
		origin = v // who may write the log may say where mail came from
	}
	facts = facts.With("origin", origin)
	m.Name(id, origin)
	defer m.Forget()
	env, err := receive(m, facts)
	if err != nil {
		return err
	}
	err = queue.AppendOnce(dir, env, m, uint32(os.Getuid()))
	switch {
	case errors.Is(err, queue.ErrRunning):
		conn, err := waitFor(home)
		if err != nil {
			return err
		}
		return overSocket(conn, told, func(w io.Writer) (*queue.Envelope, error) {
			_, err := io.CopyBuffer(w, struct{ io.Reader }{m.Text()}, make([]byte, queue.MaxChunk))
			return env, err
		})
	case errors.Is(err, os.ErrPermission):
		return &failure{code: exitQueue}
	}
	return err
}
