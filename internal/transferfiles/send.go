// SPDX-License-Identifier: ISC

package transferfiles

import (
	"errors"
	"fmt"
	"runtime/debug"

	"quill/internal/cdb"
	"quill/internal/dnstransfer"
)

const dataFile = "data.cdb"

// Use calls fn with data.cdb of the current folder as it is now; it stays that
// version until fn returns, whatever takes its place meanwhile. A file that is
// cut short under it is cdb.ErrCorrupt.
func Use(fn func(*cdb.Map) error) (err error) {
	m, err := cdb.Open(dataFile)
	if err != nil {
		return err
	}
	defer m.Close()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover(); r.(type) {
		case nil:
		case interface{ Addr() uintptr }: // runtime/debug.SetPanicOnFault
			err = cdb.ErrCorrupt
		default:
			panic(r)
		}
	}()
	return fn(m)
}

// Send answers a request that is allowed: with the zone, or why not. An error
// is for the log.
func Send(q *dnstransfer.Request, c dnstransfer.Client, write func([]byte) error) error {
	begun := false
	left := 0
	err := Use(func(m *cdb.Map) (err error) {
		left, err = q.Send(m, c, func(msg []byte) error { begun = true; return write(msg) })
		return err
	})
	switch {
	case err == nil && left > 0:
		return fmt.Errorf("%d records were left out: their data are not what their types want, or too long", left)
	case err == nil || begun:
		return err
	case errors.Is(err, dnstransfer.ErrNoZone):
		return errors.Join(err, write(q.NotOurs()))
	}
	return errors.Join(err, write(q.Failure()))
}
