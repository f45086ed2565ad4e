// SPDX-License-Identifier: ISC

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"quill/internal/dnstransfer"
	"quill/internal/dnswire"
	"quill/internal/safefile"
	"quill/internal/ucspi"
)

// Limits; axfr-get(8) lists them.
const (
	patience = 60 * time.Second // for bytes to come, or to be taken
	maxTime  = time.Hour        // for the whole transfer
)

// conn is the connection to the server.
type conn struct {
	raw     *ucspi.Stream
	in      *bufio.Reader
	end     time.Time
	key     *dnstransfer.Key
	session *dnstransfer.Session // of the question that is being answered; nil: not signed
	message [dnswire.MaxTCP]byte
}

func newConn(key *dnstransfer.Key) *conn {
	c := &conn{raw: ucspi.NewStream(6, 7, false), end: time.Now().Add(maxTime), key: key}
	c.in = bufio.NewReaderSize(c, 64<<10)
	return c
}

// Read reads what has come.
func (c *conn) Read(p []byte) (int, error) {
	limit := time.Now().Add(patience)
	if limit.After(c.end) {
		limit = c.end
	}
	c.raw.SetReadDeadline(limit)
	return c.raw.Read(p)
}

// ask sends a question.
func (c *conn) ask(zone []byte, kind uint16) error {
	msg := dnstransfer.Query(zone, kind)
	if c.session = nil; c.key != nil {
		msg, c.session = dnstransfer.Ask(msg, c.key, time.Now())
	}
	c.raw.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.raw.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)); err != nil {
		return fmt.Errorf("unable to write to network: %w", plain(err))
	}
	return nil
}

// hear is the next message, good until the one after.
func (c *conn) hear() ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, network(err)
	}
	msg := c.message[:binary.BigEndian.Uint16(head[:])]
	if _, err := io.ReadFull(c.in, msg); err != nil {
		return nil, network(err)
	}
	if c.session == nil {
		return msg, nil
	}
	bare, err := c.session.Verify(msg, time.Now())
	if err != nil {
		return nil, unparsed(err)
	}
	return bare, nil
}

// network is an error of reading.
func network(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return unparsed(fmt.Errorf("%w: the server hung up before the end", dnstransfer.ErrProtocol))
	}
	return fmt.Errorf("unable to read from network: %w", plain(err))
}

func unparsed(err error) error { return fmt.Errorf("unable to parse AXFR results: %w", err) }

// plain is an error without what the message says already.
func plain(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("timed out")
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// fetch is one zone's.
type fetch struct {
	zone      []byte
	file, tmp string
	six       bool
	conn      *conn
}

// run fetches the zone, unless the file has its serial number already.
func (f *fetch) run() error {
	old, err := oldSerial(f.file)
	if err != nil {
		return err
	}
	if err := f.conn.ask(f.zone, dnswire.TypeSOA); err != nil {
		return err
	}
	msg, err := f.conn.hear()
	if err != nil {
		return err
	}
	serial, err := dnstransfer.ReadSerial(f.zone, msg)
	if err != nil {
		return unparsed(err)
	}
	if old != 0 && serial == old {
		return nil
	}
	out, err := os.OpenFile(f.tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return f.unwritten(err)
	}
	err = f.transfer(out)
	if cerr := out.Close(); err == nil && cerr != nil {
		err = f.unwritten(cerr)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.tmp, f.file); err != nil {
		return fmt.Errorf("unable to move %s to %s: %w", f.tmp, f.file, plain(err))
	}
	return safefile.SyncDir(filepath.Dir(f.file))
}

func (f *fetch) unwritten(err error) error {
	return fmt.Errorf("unable to write %s: %w", f.tmp, plain(err))
}

// transfer writes the lines of the zone and syncs them.
func (f *fetch) transfer(out *os.File) error {
	if err := f.conn.ask(f.zone, dnswire.TypeAXFR); err != nil {
		return err
	}
	b := bufio.NewWriterSize(out, 64<<10)
	lines := &dnstransfer.Lines{Zone: f.zone, Six: f.six}
	var full error
	put := func(line []byte) error {
		_, full = b.Write(line)
		return full
	}
	for done := false; !done; {
		msg, err := f.conn.hear()
		if err != nil {
			return err
		}
		switch done, err = lines.Message(msg, put); {
		case full != nil:
			return f.unwritten(full)
		case err != nil:
			return unparsed(err)
		}
	}
	if s := f.conn.session; s != nil && !s.Complete() {
		return unparsed(fmt.Errorf("%w: the last message is not signed", dnstransfer.ErrSignature))
	}
	if err := b.Flush(); err != nil {
		return f.unwritten(err)
	}
	if err := out.Sync(); err != nil {
		return f.unwritten(err)
	}
	return nil
}

// oldSerial is the number that the first line of the file begins with; 0 where
// there is none.
func oldSerial(path string) (uint32, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("unable to read %s: %w", path, plain(err))
	}
	defer f.Close()
	var b [24]byte
	n, _ := f.Read(b[:])
	if n == 0 || b[0] != '#' {
		return 0, nil
	}
	serial := uint32(0)
	for _, c := range b[1:n] {
		if c < '0' || c > '9' {
			break
		}
		serial = serial*10 + uint32(c-'0')
	}
	return serial, nil
}
