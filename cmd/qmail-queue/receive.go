// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"quill/queue"
)

// Limits; qmail-queue(8) lists them.
const (
	maxAddress = queue.MaxAddress // bytes with the NUL
	maxParts   = queue.MaxParts   // recipients
)

// descriptor reads one of ours without taking it over: descriptor 1 is an
// input here.
type descriptor int

func (d descriptor) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(d), p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(d), Events: unix.POLLIN}}, -1)
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// receive copies the message from descriptor 0 to w, then reads the envelope
// from descriptor 1.
func receive(w io.Writer, facts queue.Params) (*queue.Envelope, error) {
	buf := make([]byte, queue.MaxChunk)
	for {
		n, err := descriptor(0).Read(buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, &failure{code: exitRead}
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return nil, &failure{code: exitWrite}
		}
	}
	return readEnvelope(descriptor(1), facts)
}

// readEnvelope reads F sender NUL, T recipient NUL …, and a last NUL.
func readEnvelope(r io.Reader, facts queue.Params) (*queue.Envelope, error) {
	in := bufio.NewReaderSize(r, maxAddress+1)
	env := &queue.Envelope{Params: facts}
	for n := 0; ; n++ {
		letter, err := in.ReadByte()
		if err != nil {
			return nil, &failure{code: exitRead}
		}
		switch {
		case letter == 0 && n > 0:
			return env, nil
		case (letter == 'F') != (n == 0), letter != 'F' && letter != 'T':
			return nil, &failure{code: exitEnvelope}
		case n > maxParts:
			return nil, &failure{code: 31}
		}
		addr, err := in.ReadSlice(0)
		if errors.Is(err, bufio.ErrBufferFull) || len(addr) > maxAddress {
			return nil, &failure{code: 11}
		}
		if err != nil {
			return nil, &failure{code: exitRead}
		}
		if a := string(addr[:len(addr)-1]); letter == 'F' {
			env.Sender = a
		} else {
			env.Recipients = append(env.Recipients, queue.Recipient{Addr: a})
		}
	}
}

// frames is a message on its way to queued as frames M.
type frames struct{ conn *os.File }

func (f frames) Write(p []byte) (int, error) {
	_, err := f.conn.Write(queue.AppendFrame(nil, queue.FrameMessage, p))
	return len(p), err
}

// overSocket hands the message to queued while it is read, and waits for the
// verdict.
func overSocket(conn *os.File, facts queue.Params, message func(io.Writer) (*queue.Envelope, error)) error {
	defer conn.Close()
	if _, err := conn.Write(queue.AppendFrame(nil, queue.FrameSender, queue.AppendPart(nil, "", facts))); err != nil {
		return &failure{code: exitWrite}
	}
	env, err := message(frames{conn})
	if err != nil {
		return err
	}
	b := queue.AppendFrame(nil, queue.FrameSender, queue.AppendPart(nil, env.Sender, facts))
	for _, r := range env.Recipients {
		b = queue.AppendFrame(b, queue.FrameRecipient, queue.AppendPart(nil, r.Addr, nil))
	}
	if _, err := conn.Write(queue.AppendFrame(b, queue.FrameCommit)); err != nil {
		return &failure{code: exitWrite}
	}
	conn.SetReadDeadline(time.Now().Add(suicide))
	kind, payload, err := queue.ReadFrame(bufio.NewReaderSize(conn, 512))
	switch {
	case err != nil:
		return &failure{exitTold, "Zqueue was restarted, please try again (#4.3.0)"}
	case kind == queue.FrameOK:
		return nil
	case kind == queue.FrameError && len(payload) > 0:
		return &failure{code: int(payload[0])}
	}
	return &failure{code: 81}
}
