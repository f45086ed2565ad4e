// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quill/internal/dnswire"
)

var secret = base64.StdEncoding.EncodeToString([]byte("a secret of two servers, 32 bytes"))

var clock = time.Unix(1700000000, 0)

func keysOf(t testing.TB, lines ...string) Keys {
	t.Helper()
	k, err := ParseKeys(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signed is a question that another program signed.
func signed(t testing.TB, m *dns.Msg, key, algorithm, secret string, at time.Time) (packet []byte, mac string) {
	t.Helper()
	m.SetTsig(key, algorithm, fudge, at.Unix())
	packet, mac, err := dns.TsigGenerate(m, secret, "", false)
	if err != nil {
		t.Fatal(err)
	}
	return packet, mac
}

func soaQuestion() *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion("ex.test.", dns.TypeSOA)
	return m
}

// TestDN4: a signed answer is no request: to answer it, were it only to refuse
// its key, could go on for ever between two servers.
func TestDN4(t *testing.T) {
	m := soaQuestion()
	m.Response = true
	packet, _ := signed(t, m, "nobody.", dns.HmacSHA256, secret, time.Now())
	if Signed(packet) {
		t.Error("an answer counts as a signed request")
	}
	if _, ok := Read(packet); ok {
		t.Error("an answer counts as a request for a zone")
	}
	m.SetAxfr("ex.test.")
	m.Response = true
	if packet, err := m.Pack(); err != nil {
		t.Fatal(err)
	} else if _, ok := Read(packet); ok {
		t.Error("an answer counts as a request for a zone")
	}
}

// TestAlgorithms: signatures of another program hold here and ours there, of
// one message and of many.
func TestAlgorithms(t *testing.T) {
	for name := range algorithms {
		keys := keysOf(t, "Key.One:"+strings.ToUpper(name)+":"+secret)
		packet, mac := signed(t, soaQuestion(), "KEY.one.", name+".", secret, time.Now())
		if !Signed(packet) {
			t.Fatalf("%s: Signed = false", name)
		}
		bare, s, refusal := Accept(packet, keys, time.Now())
		if refusal != nil || s.Key() != keys.Named("key.one") {
			t.Fatalf("%s: refused: %v", name, unpack(t, refusal))
		}
		if m := unpack(t, bare); len(m.Extra) != 0 || m.Question[0].Name != "ex.test." || Signed(bare) {
			t.Errorf("%s: bare question is %v", name, m)
		}
		for i := range 3 {
			said := s.Sign(bytes.Clone(bare), time.Now())
			if err := dns.TsigVerify(bytes.Clone(said), secret, mac, i > 0); err != nil {
				t.Errorf("%s: our signature of answer %d: %v", name, i, err)
			}
			mac = unpack(t, said).IsTsig().MAC
		}
		asked, client := Ask(bytes.Clone(bare), keys.Named("key.one"), time.Now())
		if err := dns.TsigVerify(bytes.Clone(asked), secret, "", false); err != nil {
			t.Errorf("%s: our signature of a question: %v", name, err)
		}
		mac = unpack(t, asked).IsTsig().MAC
		for i := range 3 {
			m := soaQuestion()
			m.Id, m.Response = 0, true
			m.SetTsig("key.one.", name+".", fudge, time.Now().Unix())
			var said []byte
			var err error
			if said, mac, err = dns.TsigGenerate(m, secret, mac, i > 0); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Verify(said, time.Now()); err != nil {
				t.Errorf("%s: their signature of answer %d: %v", name, i, err)
			}
		}
	}
}

// TestRefusals: wrong keys, secrets, times and cut signatures (RFC 8945 §5.2).
func TestRefusals(t *testing.T) {
	keys := keysOf(t, "key:hmac-sha256:"+secret)
	other := base64.StdEncoding.EncodeToString([]byte("another"))
	cutTo := func(n int) func([]byte) []byte {
		return func(b []byte) []byte {
			m := unpack(t, b)
			sig := m.IsTsig()
			sig.MAC, sig.MACSize = sig.MAC[:2*n], uint16(n)
			out, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	whole := func(b []byte) []byte { return b }
	for _, c := range []struct {
		why, key, algorithm, secret string
		age                         time.Duration
		change                      func([]byte) []byte
		rcode                       int
		code                        uint16
		signed                      bool
	}{
		{"right", "key.", dns.HmacSHA256, secret, 0, whole, 0, 0, false},
		{"unknown key", "kez.", dns.HmacSHA256, secret, 0, whole, dns.RcodeNotAuth, badKey, false},
		{"another algorithm", "key.", dns.HmacSHA512, secret, 0, whole, dns.RcodeNotAuth, badKey, false},
		{"unknown algorithm", "key.", dns.HmacSHA256, secret, 0, func(b []byte) []byte { return bytes.Replace(b, []byte("sha256"), []byte("sha257"), 1) }, dns.RcodeNotAuth, badKey, false},
		{"MD5", "key.", dns.HmacSHA256, secret, 0, func(b []byte) []byte {
			m := unpack(t, b)
			m.IsTsig().Algorithm = "hmac-md5.sig-alg.reg.int."
			out, _ := m.Pack()
			return out
		}, dns.RcodeNotAuth, badKey, false},
		{"wrong secret", "key.", dns.HmacSHA256, other, 0, whole, dns.RcodeNotAuth, badSig, false},
		{"changed question", "key.", dns.HmacSHA256, secret, 0, func(b []byte) []byte { b[14] ^= 1; return b }, dns.RcodeNotAuth, badSig, false},
		{"changed flags", "key.", dns.HmacSHA256, secret, 0, func(b []byte) []byte { b[2] ^= 1; return b }, dns.RcodeNotAuth, badSig, false},
		{"another ID: of a forwarder", "key.", dns.HmacSHA256, secret, 0, func(b []byte) []byte { b[0] ^= 1; return b }, 0, 0, false},
		{"at the edge", "key.", dns.HmacSHA256, secret, fudge * time.Second, whole, 0, 0, false},
		{"replayed later", "key.", dns.HmacSHA256, secret, (fudge + 1) * time.Second, whole, dns.RcodeNotAuth, badTime, true},
		{"from the future", "key.", dns.HmacSHA256, secret, -(fudge + 1) * time.Second, whole, dns.RcodeNotAuth, badTime, true},
		{"half a MAC", "key.", dns.HmacSHA256, secret, 0, cutTo(16), dns.RcodeNotAuth, badTrunc, true},
		{"less than half", "key.", dns.HmacSHA256, secret, 0, cutTo(15), dns.RcodeFormatError, 0, false},
		{"no MAC", "key.", dns.HmacSHA256, secret, 0, cutTo(0), dns.RcodeFormatError, 0, false},
		{"half a MAC, of another secret", "key.", dns.HmacSHA256, other, 0, cutTo(16), dns.RcodeNotAuth, badSig, false},
	} {
		packet, mac := signed(t, soaQuestion(), c.key, c.algorithm, c.secret, clock.Add(-c.age))
		if packet = c.change(packet); !Signed(packet) {
			t.Errorf("%s: Signed = false", c.why)
			continue
		}
		_, s, refusal := Accept(packet, keys, clock)
		if (refusal == nil) != (c.rcode == 0) || (s.Key() == nil) == (c.rcode == 0) {
			t.Errorf("%s: refused %x, key %v; want rcode %d", c.why, refusal, s.Key(), c.rcode)
			continue
		}
		if refusal == nil {
			continue
		}
		m := unpack(t, refusal)
		if m.Rcode != c.rcode || !m.Response || m.Id != uint16(u16(packet, 0)) || m.Authoritative {
			t.Errorf("%s: %v; want rcode %d", c.why, m, c.rcode)
		}
		sig := m.IsTsig()
		if (sig != nil) != (c.code != 0) || sig != nil && (sig.Error != c.code || (sig.MACSize > 0) != c.signed) {
			t.Errorf("%s: TSIG %v; want error %d, signed %v", c.why, sig, c.code, c.signed)
		}
		if c.code == badTrunc {
			mac = mac[:32]
		}
		if c.signed { // the other program does not look at signatures of NOTAUTH
			asked, _ := hex.DecodeString(mac)
			client := &Session{key: keys.Named("key"), prior: asked}
			if _, err := client.Verify(refusal, clock); err == nil || !strings.HasSuffix(err.Error(), "the server says "+tsigErrors[c.code]) {
				t.Errorf("%s: the refusal's signature: %v", c.why, err)
			}
		}
		if c.code == badTime && sig.OtherData != hex.EncodeToString([]byte{0, 0, 0x65, 0x53, 0xf1, 0}) {
			t.Errorf("%s: our time is %s", c.why, sig.OtherData)
		}
	}
}

// TestPlace: a signature counts as the last record of the additional section
// alone.
func TestPlace(t *testing.T) {
	packet, _ := signed(t, soaQuestion(), "key.", dns.HmacSHA256, secret, clock)
	for _, c := range []struct {
		why  string
		b    []byte
		want bool
	}{
		{"last", packet, true},
		{"no record", func() []byte { b, _ := soaQuestion().Pack(); return b }(), false},
		{"EDNS alone", func() []byte { m := soaQuestion(); m.SetEdns0(1232, true); b, _ := m.Pack(); return b }(), false},
		{"with the root's name", func() []byte { b, _ := signed(t, soaQuestion(), ".", dns.HmacSHA256, secret, clock); return b }(), true},
		{"bytes behind", append(bytes.Clone(packet), 0), false},
		{"cut", packet[:len(packet)-1], false},
		{"a record too few", func() []byte { b := bytes.Clone(packet); b[11] = 2; return b }(), false},
		{"in the answer section", func() []byte { b := bytes.Clone(packet); b[7], b[11] = 1, 0; return b }(), false},
		{"two of them", func() []byte {
			m := unpack(t, packet)
			m.Extra = append(m.Extra, m.Extra[0])
			b, _ := m.Pack()
			return b
		}(), false},
		{"short", []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, false},
	} {
		if got := Signed(c.b); got != c.want {
			t.Errorf("%s: Signed = %v; want %v", c.why, got, c.want)
		}
	}
}

// TestAnswers: a client takes no answer that is unsigned, of another key,
// changed, out of order, replayed, or old; between signed ones of a transfer up
// to 99 may be unsigned (RFC 8945 §5.3.1).
func TestAnswers(t *testing.T) {
	keys := keysOf(t, "key:hmac-sha256:"+secret, "kez:hmac-sha256:"+secret)
	zone, _ := dnswire.Name("ex.test")
	answer := func(i int) []byte {
		b := Query(zone, dnswire.TypeAXFR)
		b[2] |= 0x80
		b[3] = byte(i)
		return b
	}
	begin := func(key string) (*Session, *Session) {
		asked, client := Ask(Query(zone, dnswire.TypeAXFR), keys.Named(key), clock)
		_, server, refusal := Accept(asked, keys, clock)
		if refusal != nil {
			t.Fatal(unpack(t, refusal))
		}
		return client, server
	}
	wants := func(why string, err error, ok bool) {
		t.Helper()
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v; want ok %v", why, err, ok)
		}
	}
	client, server := begin("key")
	first := server.Sign(answer(0), clock)
	second := server.Sign(answer(1), clock)
	_, err := client.Verify(bytes.Clone(second), clock)
	wants("second before the first", err, false)
	bare, err := client.Verify(bytes.Clone(first), clock)
	wants("first", err, true)
	if !bytes.Equal(bare, answer(0)) {
		t.Errorf("bare answer is %x; want %x", bare, answer(0))
	}
	_, err = client.Verify(bytes.Clone(first), clock)
	wants("first again", err, false)
	changed := bytes.Clone(second)
	changed[3] ^= 1
	_, err = client.Verify(changed, clock)
	wants("changed", err, false)
	_, err = client.Verify(bytes.Clone(second), clock.Add((fudge+1)*time.Second))
	wants("old", err, false)
	_, err = client.Verify(second, clock)
	wants("second", err, true)
	if !client.Complete() {
		t.Error("not complete after a signed answer")
	}
	client, _ = begin("key")
	_, err = client.Verify(answer(0), clock)
	wants("unsigned first", err, false)
	client, _ = begin("key")
	_, foreign := begin("kez")
	_, err = client.Verify(foreign.Sign(answer(0), clock), clock)
	wants("another key", err, false)
	_, err = client.Verify([]byte{1}, clock)
	wants("short", err, false)

	for _, unsigned := range []int{99, 100} {
		client, server = begin("key")
		if _, err := client.Verify(server.Sign(answer(0), clock), clock); err != nil {
			t.Fatal(err)
		}
		var covered []byte
		for i := range unsigned {
			covered = append(covered, answer(i)...)
			if _, err = client.Verify(answer(i), clock); err != nil {
				break
			}
		}
		wants("unsigned ones in a row", err, unsigned < 100)
		if unsigned == 100 {
			continue
		}
		if client.Complete() {
			t.Error("complete after an unsigned answer")
		}
		_, err = client.Verify(signRow(server, covered, answer(0)), clock)
		wants("signed after unsigned ones", err, true)
	}
}

// signRow signs a message that comes behind unsigned ones.
func signRow(s *Session, before, msg []byte) []byte {
	t := &tsig{name: s.key.name, algorithm: s.key.algorithm, seconds: uint64(clock.Unix()), fudge: fudge}
	t.mac = s.key.mac(counted(s.prior), before, msg, t.timers())
	msg = t.append(msg)
	msg[11]++
	return msg
}

// TestAround: what is asked signed is answered signed, within what the client
// takes.
func TestAround(t *testing.T) {
	keys := keysOf(t, "key:hmac-sha256:"+secret)
	for _, c := range []struct {
		edns, inner uint16 // what the client takes, how long the answer is
		tcp, tc     bool
	}{{0, 300, false, false}, {0, 500, false, true}, {0, 5000, true, false}, {4096, 1000, false, false}, {4096, 1232, false, true}, {512, 500, false, true}, {1232, 1232, true, false}} {
		m := soaQuestion()
		if c.edns > 0 {
			m.SetEdns0(c.edns, true)
		}
		packet, mac := signed(t, m, "key.", dns.HmacSHA256, secret, time.Now())
		sees := 0
		said := Around([]byte{9}, packet, keys, time.Now(), c.tcp, func(out, bare []byte) []byte {
			asked := unpack(t, bare)
			if e := asked.IsEdns0(); e != nil {
				sees = int(e.UDPSize())
			}
			r := new(dns.Msg)
			r.SetReply(asked)
			for b, _ := r.Pack(); len(b) < int(c.inner); b, _ = r.Pack() {
				r.Answer = append(r.Answer, &dns.NULL{Hdr: dns.RR_Header{Name: "ex.test.", Rrtype: dns.TypeNULL, Class: 1}, Data: "0123456789"})
			}
			b, _ := r.Pack()
			return append(out, b[:]...)
		})
		if said[0] != 9 {
			t.Errorf("%v: out is lost", c)
		}
		said = said[1:]
		limit := max(512, min(int(c.edns), dnswire.MaxUDP))
		r := unpack(t, said)
		if err := dns.TsigVerify(bytes.Clone(said), secret, mac, false); err != nil || r.Truncated != c.tc || !c.tcp && len(said) > limit || c.tc && (len(r.Answer) > 0 || (r.IsEdns0() != nil) != (c.edns > 0)) {
			t.Errorf("%v: %v, %d bytes: %v", c, err, len(said), r.MsgHdr)
		}
		if c.edns > 0 && (sees == 0 || sees >= limit) {
			t.Errorf("%v: inner may take %d bytes", c, sees)
		}
	}
	packet, _ := signed(t, soaQuestion(), "other.", dns.HmacSHA256, secret, time.Now())
	said := Around(nil, packet, keys, time.Now(), true, func(out, bare []byte) []byte { t.Error("asked"); return out })
	if r := unpack(t, said); r.Rcode != dns.RcodeNotAuth {
		t.Errorf("unknown key: %v", r)
	}
	packet, _ = signed(t, soaQuestion(), "key.", dns.HmacSHA256, secret, time.Now())
	if said := Around(nil, packet, keys, time.Now(), false, func(out, bare []byte) []byte { return out }); len(said) > 0 {
		t.Errorf("no answer became %x", said)
	}
}

// FuzzAccept: any packet and any answer is taken or refused, without a panic;
// what is refused is a message.
func FuzzAccept(f *testing.F) {
	keys := keysOf(f, "key:hmac-sha256:"+secret)
	packet, _ := signed(f, soaQuestion(), "key.", dns.HmacSHA256, secret, clock)
	f.Add(packet)
	m := soaQuestion()
	m.SetEdns0(1232, true)
	packet, _ = signed(f, m, "kez.", dns.HmacSHA1, secret, clock)
	f.Add(packet)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, client := Ask(Query([]byte{0}, dnswire.TypeSOA), keys.Named("key"), clock)
		if _, err := client.Verify(bytes.Clone(b), clock); err == nil {
			t.Error("an answer that nobody signed holds")
		}
		if !Signed(b) {
			return
		}
		said := Around(nil, b, keys, clock, false, func(out, bare []byte) []byte { return append(out, refuse(bare, 0)...) })
		if len(said) < dnswire.HeaderLen || said[2]&0x80 == 0 || question(said) == 0 {
			t.Errorf("said %x", said)
		}
	})
}

// BenchmarkSigned: what a question with EDNS pays, that is not signed.
func BenchmarkSigned(b *testing.B) {
	m := soaQuestion()
	m.SetEdns0(1232, true)
	packet, err := m.Pack()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if Signed(packet) {
			b.Fatal("signed")
		}
	}
}
