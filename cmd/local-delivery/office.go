// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"io"
	"math"
	"strings"

	"quill/maildir"
)

// office is what all deliveries of a process share.
type office struct {
	deliverer *maildir.Deliverer
	filler    *filler // nil: indexes are left to sessions
	submit    func(*letter) (id string, err error)
}

// letter is a new message that a delivery sends on.
type letter struct {
	sender     string
	recipients []string
	content    io.Reader
}

// forward sends the message on to all addresses at once, as a new message with
// our Delivered-To line before it.
func (j *job) forward() error {
	body := io.NewSectionReader(j.msg, 0, math.MaxInt64)
	id, err := j.submit(&letter{j.newSender, j.recipients, io.MultiReader(strings.NewReader(j.to.DeliveredTo()), body)})
	var f failure
	switch {
	case errors.As(err, &f):
		return failure{f.code, "Unable to forward message: " + f.text + "."}
	case err != nil:
		return temporary("Unable to forward message: %s. (#4.3.0)", err)
	}
	j.child = id
	parent := j.id
	if parent == 0 {
		parent = j.parent
	}
	if parent != 0 {
		note("msg %s forwarded as qp %s", parent, id)
	}
	return nil
}
