// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"os"
	"strconv"

	"quill/internal/mailid"
	"quill/queue"
)

// alone queues the message where no queued runs: it is read before the log's
// lock is taken.
func alone(facts queue.Params) error {
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
	if errors.Is(err, os.ErrPermission) {
		return &failure{code: exitQueue}
	}
	return err
}
