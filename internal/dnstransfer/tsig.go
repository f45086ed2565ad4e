// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"quill/internal/dnswire"
)

// Errors of TSIG (RFC 8945 §3).
const (
	badSig   = 16
	badKey   = 17
	badTime  = 18
	badTrunc = 22
)

// fudge is the seconds that clocks may differ (RFC 8945 §10).
const fudge = 300

// SignatureRoom is more than a signature takes.
const SignatureRoom = 2*dnswire.MaxName + 16 + 64 + 6 + 32

// ErrSignature says that a message is not signed as it should be.
var ErrSignature = errors.New("signature")

// tsig is the record of that name.
type tsig struct {
	name, algorithm []byte // lower case
	seconds         uint64
	fudge           uint16
	mac             []byte
	id              uint16
	err             uint16
	other           []byte
}

// loneOPT is how an EDNS record begins.
var loneOPT = []byte{0, 0, dnswire.TypeOPT}

// Signed says whether a message is a question, or another request, whose last
// record is a signature. It is cheap, for it is asked of every question.
func Signed(msg []byte) bool {
	if len(msg) < dnswire.HeaderLen || msg[2]&0x80 != 0 || msg[10]|msg[11] == 0 {
		return false
	}
	at := question(msg)
	if at == 0 || bytes.HasPrefix(msg[at+4:], loneOPT) && msg[10] == 0 && msg[11] == 1 && msg[6]|msg[7]|msg[8]|msg[9] == 0 {
		return false
	}
	_, signed := signature(msg, at+4)
	return signed
}

// signature is where the last record of a message begins, if that is a TSIG;
// at is where the records begin.
func signature(msg []byte, at int) (begin int, signed bool) {
	for n := u16(msg, 6) + u16(msg, 8) + u16(msg, 10); n > 0; n-- {
		h, ok := record(msg, at)
		if !ok {
			return 0, false
		}
		if h.kind == typeTSIG {
			return at, n == 1 && h.end == len(msg) && u16(msg, 10) > 0
		}
		at = h.end
	}
	return 0, false
}

// parseTSIG reads the record that Signed has seen.
func parseTSIG(msg []byte, begin int) (t tsig, ok bool) {
	h, ok := record(msg, begin)
	if !ok || h.class != classANY || h.ttl != 0 {
		return t, false
	}
	owner, _, ok1 := name(msg, begin)
	algorithm, at, ok2 := name(msg[:h.end], h.at)
	if !ok1 || !ok2 || at+10 > h.end {
		return t, false
	}
	t.name, t.algorithm = dnswire.Lower(owner), dnswire.Lower(algorithm)
	t.seconds = binary.BigEndian.Uint64(append([]byte{0, 0}, msg[at:at+6]...))
	t.fudge = uint16(u16(msg, at+6))
	n := u16(msg, at+8)
	if at += 10; at+n+6 > h.end {
		return t, false
	}
	t.mac = msg[at : at+n]
	at += n
	t.id, t.err = uint16(u16(msg, at)), uint16(u16(msg, at+2))
	n = u16(msg, at+4)
	if at += 6; at+n != h.end {
		return t, false
	}
	t.other = msg[at : at+n]
	return t, true
}

// timers are what a signature covers of itself in later messages.
func (t *tsig) timers() []byte {
	b := binary.BigEndian.AppendUint64(nil, t.seconds)[2:]
	return binary.BigEndian.AppendUint16(b, t.fudge)
}

// variables are what it covers of itself in the first (RFC 8945 §4.3.3).
func (t *tsig) variables() []byte {
	b := append([]byte(nil), t.name...)
	b = append(b, 0, classANY, 0, 0, 0, 0)
	b = append(append(b, t.algorithm...), t.timers()...)
	b = binary.BigEndian.AppendUint16(b, t.err)
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.other)))
	return append(b, t.other...)
}

// append adds the record to a message.
func (t *tsig) append(msg []byte) []byte {
	msg = append(append(msg, t.name...), 0, typeTSIG, 0, classANY, 0, 0, 0, 0)
	size := len(t.algorithm) + 8 + 2 + len(t.mac) + 6 + len(t.other)
	msg = binary.BigEndian.AppendUint16(msg, uint16(size))
	msg = append(append(msg, t.algorithm...), t.timers()...)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(t.mac)))
	msg = append(msg, t.mac...)
	for _, n := range []uint16{t.id, t.err, uint16(len(t.other))} {
		msg = binary.BigEndian.AppendUint16(msg, n)
	}
	return append(msg, t.other...)
}

// strip is a copy of a message without its signature, with the ID that was
// signed.
func strip(msg []byte, begin int, id uint16) []byte {
	bare := append(make([]byte, 0, len(msg)), msg[:begin]...)
	binary.BigEndian.PutUint16(bare[10:], uint16(u16(bare, 10)-1))
	binary.BigEndian.PutUint16(bare, id)
	return bare
}

// counted is a MAC behind its length, as the next one covers it; nothing where
// there is none.
func counted(mac []byte) []byte {
	if len(mac) == 0 {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(mac))), mac...)
}

// Session is the signatures of one request and its answers.
type Session struct {
	key     *Key
	prior   []byte // the MAC that the next one covers
	later   bool   // the first answer has been
	pending []byte // answers not signed, since the last that was
	unsaid  int    // their number
	refused *tsig  // what is wrong with the request
}

// Key is whose signature the request had; nil where that does not hold.
func (s *Session) Key() *Key {
	if s == nil || s.refused != nil {
		return nil
	}
	return s.key
}

// within says whether two clocks agree.
func (t *tsig) within(now time.Time) bool {
	d := now.Unix() - int64(t.seconds)
	return d <= int64(t.fudge) && d >= -int64(t.fudge)
}

// Accept verifies a request that Signed saw. bare is the request without its
// signature. Where refusal is not nil, it is the answer, and all there is to
// do.
func Accept(msg []byte, keys Keys, now time.Time) (bare []byte, s *Session, refusal []byte) {
	begin, _ := signature(msg, question(msg)+4)
	t, ok := parseTSIG(msg, begin)
	if !ok {
		return nil, nil, refuse(msg, dnswire.RcodeFormErr)
	}
	id := uint16(u16(msg, 0))
	bare = strip(msg, begin, t.id)
	s = &Session{}
	s.key = keys[string(t.name)]
	if s.key == nil || string(s.key.algorithm) != string(t.algorithm) {
		return nil, nil, s.reject(msg, &tsig{name: t.name, algorithm: t.algorithm, seconds: t.seconds, fudge: t.fudge, id: t.id, err: badKey}, now)
	}
	want := s.key.mac(bare, t.variables())
	if len(t.mac) > len(want) || len(t.mac) < max(10, len(want)/2) {
		return nil, nil, refuse(msg, dnswire.RcodeFormErr) // RFC 8945 §5.2.2.1
	}
	bad := &tsig{name: t.name, algorithm: t.algorithm, seconds: t.seconds, fudge: t.fudge, id: t.id}
	s.prior = append([]byte(nil), t.mac...)
	switch {
	case !hmac.Equal(want[:len(t.mac)], t.mac):
		bad.err = badSig
	case !t.within(now):
		bad.err = badTime
		bad.other = binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))[2:]
	case len(t.mac) < len(want):
		bad.err = badTrunc
	default:
		binary.BigEndian.PutUint16(bare, id)
		return bare, s, nil
	}
	return nil, nil, s.reject(msg, bad, now)
}

// reject is NOTAUTH with the reason in its TSIG, which is signed if the
// request's signature was by the key (RFC 8945 §5.3.2).
func (s *Session) reject(msg []byte, bad *tsig, now time.Time) []byte {
	out := refuse(msg, rcodeNotAuth)
	if bad.err == badTime || bad.err == badTrunc {
		s.refused = bad
		return s.Sign(out, now)
	}
	out[11] = 1
	return bad.append(out)
}

// refuse is an answer with the question alone.
func refuse(msg []byte, rcode int) []byte {
	end := question(msg) + 4
	out := append([]byte(nil), msg[:end]...)
	out[2] = 0x80 | out[2]&0x79 // opcode and RD stay
	out[3] = byte(rcode)
	clear(out[6:12])
	return out
}

// Sign signs an answer, or the request, by appending to it.
func (s *Session) Sign(msg []byte, now time.Time) []byte {
	t := &tsig{name: s.key.name, algorithm: s.key.algorithm, seconds: uint64(now.Unix()), fudge: fudge, id: uint16(u16(msg, 0))}
	if s.refused != nil {
		t.err, t.other = s.refused.err, s.refused.other
		if t.err == badTime {
			t.seconds = s.refused.seconds // the client's, so that it can verify it
		}
	}
	covered := t.variables()
	if s.later {
		covered = t.timers()
	}
	t.mac = s.key.mac(counted(s.prior), msg, covered)
	s.prior = t.mac
	s.later = true
	msg = t.append(msg)
	binary.BigEndian.PutUint16(msg[10:], uint16(u16(msg, 10)+1))
	return msg
}

// Ask signs a request and begins the session of its answers.
func Ask(msg []byte, key *Key, now time.Time) ([]byte, *Session) {
	s := &Session{key: key}
	msg = s.Sign(msg, now)
	s.later = false
	return msg, s
}

// maxUnsigned is the answers in a row that need not be signed (RFC 8945
// §5.3.1).
const maxUnsigned = 99

// Verify takes the next answer to a request that was signed by Ask and gives it
// without its signature. All that was verified holds only when the last answer
// was signed: see Complete.
func (s *Session) Verify(msg []byte, now time.Time) (bare []byte, err error) {
	if len(msg) < dnswire.HeaderLen {
		return nil, fmt.Errorf("%w: message cut short", ErrSignature)
	}
	begin, signed := signature(msg, afterQuestions(msg))
	if !signed {
		if s.unsaid++; !s.later || s.unsaid > maxUnsigned {
			return nil, fmt.Errorf("%w: the answer is not signed", ErrSignature)
		}
		s.pending = append(s.pending, msg...)
		return msg, nil
	}
	t, ok := parseTSIG(msg, begin)
	if !ok || string(t.name) != string(s.key.name) || string(t.algorithm) != string(s.key.algorithm) {
		return nil, fmt.Errorf("%w: the answer is signed with another key", ErrSignature)
	}
	bare = strip(msg, begin, t.id)
	covered := t.variables()
	if s.later {
		covered = t.timers()
	}
	if want := s.key.mac(counted(s.prior), s.pending, bare, covered); !hmac.Equal(want, t.mac) {
		if t.err != 0 && len(t.mac) == 0 {
			return nil, fmt.Errorf("%w: the server says %s", ErrSignature, tsigErrors[t.err])
		}
		return nil, fmt.Errorf("%w: the answer's does not hold", ErrSignature)
	}
	switch {
	case t.err != 0:
		return nil, fmt.Errorf("%w: the server says %s", ErrSignature, tsigErrors[t.err])
	case !t.within(now):
		return nil, fmt.Errorf("%w: the answer's is of another time; set the clock", ErrSignature)
	}
	s.prior, s.pending, s.unsaid, s.later = append([]byte(nil), t.mac...), nil, 0, true
	copy(bare, msg[:2])
	return bare, nil
}

// Complete says whether no answer waits for its signature.
func (s *Session) Complete() bool { return s.unsaid == 0 }

// tsigErrors say what to do.
var tsigErrors = map[uint16]string{
	badSig: "BADSIG: the secrets differ", badKey: "BADKEY: it has no such key with this algorithm",
	badTime: "BADTIME: the clocks differ", badTrunc: "BADTRUNC: it wants whole signatures",
}

// afterQuestions is where the records of a message begin; its length where they
// do not.
func afterQuestions(msg []byte) int {
	at := dnswire.HeaderLen
	for n := u16(msg, 4); n > 0; n-- {
		if at = skip(msg, at); at == 0 || at+4 > len(msg) {
			return len(msg)
		}
		at += 4
	}
	return at
}
