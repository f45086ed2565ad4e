// SPDX-License-Identifier: ISC

package dnsprint

import (
	"encoding/binary"
	"strconv"

	"quill/internal/dnswire"
)

// flags is what the line of a packet says of a bit, in the order it says it.
var flags = []struct {
	mask uint16
	text string
}{
	{0x8000, ", response"}, {0x7800, ", weird op"}, {0x0400, ", authoritative"}, {0x0200, ", truncated"}, {0x0100, ", weird rd"}, {0x0080, ", weird ra"},
}

// rcodes is the codes with a name of their own.
var rcodes = map[int]string{
	dnswire.RcodeOK: ", noerror", dnswire.RcodeNXDomain: ", nxdomain", dnswire.RcodeNotImp: ", notimp", dnswire.RcodeRefused: ", refused",
}

// sections is what a record's line begins with.
var sections = map[Section]string{Answer: "answer: ", Authority: "authority: ", Additional: "additional: "}

// Head appends the line that comes before an answer: the type's number and the
// name asked for.
func Head(out []byte, kind uint16, name []byte) []byte {
	out = strconv.AppendUint(out, uint64(kind), 10)
	return append(append(append(out, ' '), dnswire.Text(name)...), ":\n"...)
}

// Packet appends a packet as text. One that cannot be read, or does not end
// with its last record, is ErrProto.
func Packet(out, packet []byte) ([]byte, error) {
	r, err := Read(packet)
	if err != nil {
		return out, err
	}
	out = r.headline(out)
	for {
		name, kind, class, ok, err := r.Question()
		if err != nil {
			return out, err
		}
		if !ok {
			break
		}
		out = append(out, "query: "...)
		if class != dnswire.ClassIN {
			out = append(out, "weird class\n"...)
			continue
		}
		out = strconv.AppendUint(out, uint64(kind), 10)
		out = append(append(append(out, ' '), dnswire.Text(name)...), '\n')
	}
	for {
		rec, ok, err := r.Next()
		if err != nil {
			return out, err
		}
		if !ok {
			break
		}
		out = append(out, sections[rec.Section]...)
		if out, err = r.Record(out, rec); err != nil {
			return out, err
		}
	}
	if !r.End() {
		return out, ErrProto
	}
	return out, nil
}

// headline appends length, counts, flags and code.
func (r *Reader) headline(out []byte) []byte {
	out = append(strconv.AppendInt(out, int64(len(r.packet)), 10), " bytes, "...)
	for i, n := range r.Counts {
		if i > 0 {
			out = append(out, '+')
		}
		out = strconv.AppendInt(out, int64(n), 10)
	}
	out = append(out, " records"...)
	for _, f := range flags {
		if r.Flags&f.mask != 0 {
			out = append(out, f.text...)
		}
	}
	text := rcodes[r.Rcode()]
	if text == "" {
		text = ", weird rcode"
	}
	out = append(out, text...)
	if r.Flags&0x70 != 0 {
		out = append(out, ", weird z"...)
	}
	return append(out, '\n')
}

// forms prints the data of types with a form of their own; at is how far the
// data was read. All others are bytes.
var forms = map[uint16]func(r *Reader, out []byte, rec Record) (text []byte, at int, err error){
	dnswire.TypeNS:    nameForm(" NS "),
	dnswire.TypePTR:   nameForm(" PTR "),
	dnswire.TypeCNAME: nameForm(" CNAME "),
	dnswire.TypeMX:    mxForm,
	dnswire.TypeSOA:   soaForm,
	dnswire.TypeA:     addressForm,
}

// Record appends a record as a line: its owner, TTL, type and data.
func (r *Reader) Record(out []byte, rec Record) ([]byte, error) {
	out = append(append(out, dnswire.Text(rec.Name)...), ' ')
	out = strconv.AppendUint(out, uint64(rec.TTL), 10)
	if rec.Class != dnswire.ClassIN {
		return append(out, " weird class\n"...), nil
	}
	form := forms[rec.Type]
	if form == nil {
		form = bytesForm
	}
	out, at, err := form(r, out, rec)
	if err == nil && at != rec.Len {
		err = ErrProto
	}
	return append(out, '\n'), err
}

func nameForm(label string) func(*Reader, []byte, Record) ([]byte, int, error) {
	return func(r *Reader, out []byte, rec Record) ([]byte, int, error) {
		name, at, err := r.NameAt(rec, 0)
		return append(append(out, label...), dnswire.Text(name)...), at, err
	}
}

func mxForm(r *Reader, out []byte, rec Record) ([]byte, int, error) {
	if rec.Len < 2 {
		return out, 0, ErrProto
	}
	name, at, err := r.NameAt(rec, 2)
	out = strconv.AppendUint(append(out, " MX "...), uint64(binary.BigEndian.Uint16(r.Data(rec))), 10)
	return append(append(out, ' '), dnswire.Text(name)...), at, err
}

func soaForm(r *Reader, out []byte, rec Record) ([]byte, int, error) {
	mname, at, err := r.NameAt(rec, 0)
	if err != nil {
		return out, 0, err
	}
	rname, at, err := r.NameAt(rec, at)
	if err != nil || at+20 != rec.Len {
		return out, 0, ErrProto
	}
	out = append(append(append(append(out, " SOA "...), dnswire.Text(mname)...), ' '), dnswire.Text(rname)...)
	for numbers := r.Data(rec)[at:]; len(numbers) > 0; numbers = numbers[4:] {
		out = strconv.AppendUint(append(out, ' '), uint64(binary.BigEndian.Uint32(numbers)), 10)
	}
	return out, rec.Len, nil
}

func addressForm(r *Reader, out []byte, rec Record) ([]byte, int, error) {
	if rec.Len != 4 {
		return out, 0, ErrProto
	}
	between := " A "
	for _, b := range r.Data(rec) {
		out = strconv.AppendUint(append(out, between...), uint64(b), 10)
		between = "."
	}
	return out, rec.Len, nil
}

// bytesForm is the type's number and the data's bytes, those outside 33 to 126
// and the backslash as \ooo.
func bytesForm(r *Reader, out []byte, rec Record) ([]byte, int, error) {
	out = append(strconv.AppendUint(append(out, ' '), uint64(rec.Type), 10), ' ')
	for _, b := range r.Data(rec) {
		if b >= 33 && b <= 126 && b != '\\' {
			out = append(out, b)
		} else {
			out = append(out, '\\', '0'+b>>6, '0'+b>>3&7, '0'+b&7)
		}
	}
	return out, rec.Len, nil
}
