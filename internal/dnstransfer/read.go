// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"quill/internal/dnswire"
)

// ErrProtocol says that a server's messages are not those of a transfer.
var ErrProtocol = errors.New("protocol error")

// MaxTransfer is the bytes of all messages of a transfer that is read: no
// data.cdb holds more.
const MaxTransfer = 4 << 30

func protocol(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrProtocol}, args...)...)
}

// Query is the question for a zone's SOA, or for all of it (AXFR), as axfr-get
// asks it: with the ID 0, alone on its connection.
func Query(zone []byte, kind uint16) []byte {
	var w writer
	w.begin(0, 0)
	w.ask(zone, kind, dnswire.ClassIN)
	return w.message()
}

// rcodes have names.
var rcodes = map[int]string{1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}

// Rcode is a code's name.
func Rcode(n int) string {
	if s, ok := rcodes[n]; ok {
		return s
	}
	return "code " + strconv.Itoa(n)
}

// answers checks the header of an answer; at is where its records begin.
func answers(msg []byte) (count, at int, err error) {
	switch {
	case len(msg) < dnswire.HeaderLen:
		return 0, 0, protocol("message of %d bytes", len(msg))
	case u16(msg, 0) != 0 || msg[2]&0xf8 != 0x80:
		return 0, 0, protocol("no answer to our question")
	case msg[3]&15 != 0:
		return 0, 0, protocol("the server says %s", Rcode(int(msg[3]&15)))
	case u16(msg, 6) == 0:
		return 0, 0, protocol("message without records")
	}
	return u16(msg, 6), afterQuestions(msg), nil
}

// ReadSerial reads the answer to the question for the SOA.
func ReadSerial(zone, msg []byte) (serial uint32, err error) {
	_, at, err := answers(msg)
	if err != nil {
		return 0, err
	}
	h, ok := record(msg, at)
	owner, _, ok2 := name(msg, at)
	if !ok || !ok2 || h.kind != dnswire.TypeSOA || h.class != dnswire.ClassIN || !same(owner, zone) {
		return 0, protocol("the answer is no SOA of the zone")
	}
	data, ok := expand(msg, h)
	if !ok || !sound(h.kind, data) {
		return 0, protocol("SOA that cannot be read")
	}
	return serialOf(data), nil
}

func same(a, b []byte) bool { return bytes.Equal(dnswire.Lower(a), dnswire.Lower(b)) }

// Lines turns the messages of a transfer into lines of a data file.
type Lines struct {
	Zone []byte // wire form
	Six  bool   // addresses of IPv6 as 3 lines, not as : lines

	bytes  int64
	begun  bool
	serial uint32
	line   []byte
}

// Message takes the next message and gives each line to put, good until put
// returns; done is whether it was the last.
func (l *Lines) Message(msg []byte, put func(line []byte) error) (done bool, err error) {
	if l.bytes += int64(len(msg)); l.bytes > MaxTransfer {
		return false, protocol("more than %d bytes", int64(MaxTransfer))
	}
	count, at, err := answers(msg)
	if err != nil {
		return false, err
	}
	for ; count > 0; count-- {
		h, ok := record(msg, at)
		if !ok {
			return false, protocol("record that cannot be read")
		}
		if done {
			return false, protocol("record behind the last SOA")
		}
		if done, err = l.record(msg, h, put); err != nil {
			return false, err
		}
		at = h.end
	}
	return done, nil
}

// record takes a record. Those of other zones and classes do not count.
func (l *Lines) record(msg []byte, h header, put func([]byte) error) (last bool, err error) {
	owner, _, ok := name(msg, h.owner)
	if !ok {
		return false, protocol("name that cannot be read")
	}
	if h.class != dnswire.ClassIN || meta(h.kind) || !below(dnswire.Lower(owner), dnswire.Lower(l.Zone)) {
		if !l.begun {
			return false, protocol("the first record is no SOA of the zone")
		}
		return false, nil
	}
	data, ok := expand(msg, h)
	if !ok {
		return false, protocol("%s: data of type %d that cannot be read", dnswire.Text(owner), h.kind)
	}
	if h.kind == dnswire.TypeSOA {
		return l.soa(owner, h.ttl, data, put)
	}
	if !l.begun {
		return false, protocol("the first record is no SOA of the zone")
	}
	if h.kind == dnswire.TypeNS && len(owner) > 2 && owner[0] == 1 && owner[1] == '*' {
		return false, protocol("%s: NS of a wildcard", dnswire.Text(owner))
	}
	l.line = l.append(l.line[:0], owner, h.kind, h.ttl, data)
	return false, put(l.line)
}

// soa takes the first record, and the same one as the last.
func (l *Lines) soa(owner []byte, ttl uint32, data []byte, put func([]byte) error) (last bool, err error) {
	if !sound(dnswire.TypeSOA, data) || !same(owner, l.Zone) {
		return false, protocol("%s: SOA that does not belong to the zone, or cannot be read", dnswire.Text(owner))
	}
	if l.begun {
		if serialOf(data) != l.serial {
			return false, protocol("the zone changed on its way: it began with the serial number %d and ends with %d", l.serial, serialOf(data))
		}
		return true, nil
	}
	l.begun, l.serial = true, serialOf(data)
	b := append(l.line[:0], '#')
	b = append(strconv.AppendUint(b, uint64(l.serial), 10), " auto axfr-get\nZ"...)
	b = append(b, dnswire.Text(owner)...)
	rname := data[dnswire.NameLen(data):]
	for _, n := range [][]byte{data, rname} {
		b = append(append(append(b, ':'), dnswire.Text(n)...), '.')
	}
	for times := data[len(data)-20:]; len(times) > 0; times = times[4:] {
		b = number(b, binary.BigEndian.Uint32(times))
	}
	l.line = append(number(b, ttl), '\n')
	return false, put(l.line)
}

func number(b []byte, n uint32) []byte { return strconv.AppendUint(append(b, ':'), uint64(n), 10) }

// named are the types with lines of their own that name a host: their first
// byte, and how many numbers come before the name.
var named = map[uint16]struct {
	letter  byte
	empty   string // fields between owner and name
	numbers []int  // the numbers of the data in the order of the line
}{
	dnswire.TypeNS: {'&', ":", nil}, dnswire.TypeCNAME: {'C', "", nil}, dnswire.TypePTR: {'^', "", nil}, dnswire.TypeMX: {'@', ":", []int{0}},
	dnswire.TypeSRV: {'S', ":", []int{2, 0, 1}}, // tinydns-data reads port, priority, weight
}

// append adds the line of a record, in axfr-get's form.
func (l *Lines) append(b, owner []byte, kind uint16, ttl uint32, data []byte) []byte {
	form, known := named[kind]
	switch {
	case known:
		b = append(append(b, form.letter), dnswire.Text(owner)...)
		b = append(append(append(b, form.empty...), ':'), dnswire.Text(data[layouts[kind].before:])...)
		b = append(b, '.')
		for _, n := range form.numbers {
			b = number(b, uint32(u16(data, 2*n)))
		}
	case kind == dnswire.TypeA && len(data) == 4:
		b = append(append(b, '+'), dnswire.Text(owner)...)
		for i, n := range data {
			b = strconv.AppendUint(append(b, ":..."[i]), uint64(n), 10)
		}
	case kind == dnswire.TypeAAAA && len(data) == 16 && l.Six:
		b = append(append(b, '3'), dnswire.Text(owner)...)
		b = fmt.Appendf(b, ":%x", data)
	default:
		b = append(append(b, ':'), dnswire.Text(owner)...)
		b = append(number(b, uint32(kind)), ':')
		b = octal(b, data)
	}
	return append(number(b, ttl), '\n')
}

// octal adds data in the escapes of : lines.
func octal(b, data []byte) []byte {
	for _, c := range data {
		if c == '.' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b = append(b, c)
		} else {
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	return b
}
