// SPDX-License-Identifier: ISC

package queue

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/mailid"
)

// The frames of queued(7).
const (
	FrameSender    = 'F'
	FrameRecipient = 'T'
	FrameMessage   = 'M'
	FrameCommit    = 'X'
	FrameAbort     = 'A'
	FrameSpace     = 'S'
	FrameRecord    = 'R'
	FrameFollow    = 'L'
	FrameOK        = 'K'
	FrameError     = 'E'
	FrameEvent     = 'l'
	FrameCaughtUp  = '.'
)

// Limits of frames; queued(8) lists them.
const (
	MaxChunk = 65536   // bytes of a message frame
	MaxFrame = 1 << 20 // bytes of any other
	// MaxParts is the recipients of one message.
	MaxParts = 1 << 17
)

// ErrFrame says that bytes are no frame of queued(7).
var ErrFrame = errors.New("malformed frame")

// frameHead is the bytes before a frame's payload.
const frameHead = 5

// AppendFrame appends a frame.
func AppendFrame(b []byte, kind byte, payload ...[]byte) []byte {
	n := 0
	for _, p := range payload {
		n += len(p)
	}
	b = binary.BigEndian.AppendUint32(append(b, kind), uint32(n))
	for _, p := range payload {
		b = append(b, p...)
	}
	return b
}

// AppendPartFrame appends a frame F or T.
func AppendPartFrame(b []byte, kind byte, addr string, params Params) []byte {
	start := len(b)
	b = AppendPart(append(b, kind, 0, 0, 0, 0), addr, params)
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start-frameHead))
	return b
}

// ReadHead reads a frame's kind and length, which is within bounds.
func ReadHead(r *bufio.Reader) (kind byte, n int, err error) {
	h, err := r.Peek(frameHead)
	if err != nil {
		if len(h) > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, 0, err
	}
	kind, n = h[0], int(binary.BigEndian.Uint32(h[1:]))
	r.Discard(frameHead)
	if n > MaxFrame || kind == FrameMessage && n > MaxChunk {
		return 0, 0, ErrFrame
	}
	return kind, n, nil
}

// ReadFrame reads a whole frame.
func ReadFrame(r *bufio.Reader) (kind byte, payload []byte, err error) {
	kind, n, err := ReadHead(r)
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return kind, payload, nil
}

// EncodeRecord is the payload of a frame R.
func EncodeRecord(kind Kind, id mailid.ID, rcpt int, text []byte) []byte {
	b := append([]byte{byte(kind), 0}, id.String()...)
	b = append(strconv.AppendInt(append(b, 0), int64(rcpt), 10), 0)
	return append(b, text...)
}

// ParseRecord reads the payload of a frame R.
func ParseRecord(b []byte) (kind Kind, id mailid.ID, rcpt int, text []byte, err error) {
	f := strings.SplitN(string(b), "\x00", 4)
	if len(f) != 4 || len(f[0]) != 1 || !Kind(f[0][0]).known() {
		return 0, 0, 0, nil, ErrFrame
	}
	id, ok := mailid.Parse(f[1])
	n, err := strconv.ParseUint(f[2], 10, 31)
	if !ok || err != nil {
		return 0, 0, 0, nil, ErrFrame
	}
	return Kind(f[0][0]), id, int(n), []byte(f[3]), nil
}

// AppendEvent appends a frame l.
func AppendEvent(b []byte, e *Event) []byte {
	start := len(b)
	b = strconv.AppendUint(append(b, FrameEvent, 0, 0, 0, 0), e.Seq, 10)
	b = strconv.AppendUint(append(b, 0, byte(e.Kind), 0), uint64(e.ID), 10)
	b = append(strconv.AppendInt(append(b, 0), int64(e.Rcpt), 10), 0)
	if e.Kind == Enqueue {
		b = e.At.append(b)
	}
	b = append(append(b, 0), e.Text...)
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start-frameHead))
	return b
}

// ParseEvent reads the payload of a frame l; the event keeps b.
func ParseEvent(b []byte) (Event, error) {
	var f [5]string
	for i := range f {
		word, rest, ok := bytes.Cut(b, []byte{0})
		if !ok {
			return Event{}, ErrFrame
		}
		f[i], b = string(word), rest
	}
	if len(f[1]) != 1 {
		return Event{}, ErrFrame
	}
	seq, err1 := strconv.ParseUint(f[0], 10, 64)
	id, ok := mailid.Parse(f[2])
	rcpt, err2 := strconv.ParseUint(f[3], 10, 31)
	var at Place
	var err3 error
	if f[4] != "" {
		at, err3 = ParsePlace(f[4])
	}
	if err := errors.Join(err1, err2, err3); err != nil || !ok {
		return Event{}, ErrFrame
	}
	return Event{Seq: seq, Kind: Kind(f[1][0]), ID: id, Rcpt: int(rcpt), At: at, Text: b}, nil
}

// Connect connects to the queued of a home. The home's path may be longer than
// a socket's may be.
func Connect(home string) (*os.File, error) {
	dir, err := unix.Open(home, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: home, Err: err}
	}
	defer unix.Close(dir)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	for {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/queue/lock/queued", dir)})
		if err != unix.EINTR {
			break
		}
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "connect", Path: filepath.Join(home, "queue/lock/queued"), Err: err}
	}
	return os.NewFile(uintptr(fd), "queued"), nil
}

// Absent says whether an error of Connect means that no queued runs, as opposed
// to one that may not be reached.
func Absent(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED)
}

// ConnectWait is Connect that waits while queued is being restarted.
func ConnectWait(home string, limit time.Duration) (*os.File, error) {
	end := time.Now().Add(limit)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		f, err := Connect(home)
		if err == nil || !Absent(err) || time.Now().Add(pause).After(end) {
			return f, err
		}
		time.Sleep(pause)
	}
}
