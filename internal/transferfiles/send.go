// SPDX-License-Identifier: ISC

package transferfiles

import (
	"errors"
	"fmt"
	"runtime/debug"

	"quill/internal/cdb"
	"quill/internal/dnstransfer"
	"quill/internal/dnswire"
)

// DataFile is what zones are read from.
const DataFile = "data.cdb"

// Use calls fn with data.cdb of the current folder as it is now; it stays that
// version until fn returns, whatever takes its place meanwhile. A file that is
// cut short under it is cdb.ErrCorrupt.
func Use(fn func(*cdb.Map) error) error {
	m, err := cdb.Open(DataFile)
	if err != nil {
		return err
	}
	defer m.Close()
	return Guard(func() error { return fn(m) })
}

// Guard calls fn, which reads through a map; where the file under it is cut
// short meanwhile, the error is cdb.ErrCorrupt.
func Guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer cdb.Faulted(func() { err = cdb.ErrCorrupt })
	return fn()
}

// Send answers a request that is allowed: with the zone, or why not, which is
// also the error. warn is told of records that could not be sent.
func Send(q *dnstransfer.Request, c dnstransfer.Client, warn func(error), write func([]byte) error) error {
	begun := false
	left := 0
	err := Use(func(m *cdb.Map) (err error) {
		left, err = q.Send(m, c, func(msg []byte) error { begun = true; return write(msg) })
		return err
	})
	if left > 0 {
		warn(fmt.Errorf("zone %s: %d records were not sent: their data are not what their types want, or too long", dnswire.Text(q.Name), left))
	}
	switch {
	case err == nil || begun:
		return err
	case errors.Is(err, dnstransfer.ErrNoZone):
		return errors.Join(err, write(q.NotOurs()))
	}
	return errors.Join(err, write(q.Failure()))
}
