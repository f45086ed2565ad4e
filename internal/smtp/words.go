// SPDX-License-Identifier: ISC

package smtp

import "strconv"

// words is what a dialogue says: the modern one with enhanced codes (RFC 2034,
// RFC 3463), or the qmail family's.
type words struct {
	mailOK, rcptOK, reset, noop, verify, help, goAhead Reply
	mailFirst, rcptFirst, unknown, tooLong, bareLF     Reply
	timeout                                            Reply
	flaws                                              []Reply
	classic                                            bool
}

// wordsOf is the words of a mode.
func wordsOf(classic bool) *words {
	if classic {
		return &classicWords
	}
	return &modernWords
}

var modernWords = words{
	mailOK: "250 2.1.0 ok", rcptOK: "250 2.1.5 ok", reset: "250 2.0.0 flushed", noop: "250 2.0.0 ok",
	verify: "252 2.0.0 send some mail, i'll try my best", help: "214 2.0.0 see RFC 5321",
	goAhead: "354 go ahead", mailFirst: "503 5.5.1 MAIL first", rcptFirst: "503 5.5.1 RCPT first",
	unknown: "500 5.5.2 unknown command", tooLong: "500 5.5.2 line too long", bareLF: "500 5.5.2 line ends in LF without CR",
	timeout: "421 4.4.2 timeout",
	flaws: []Reply{"", "550 5.6.0 message has a CR without LF", "550 5.6.0 message has a LF without CR", "550 5.6.0 message has a NUL byte",
		"552 5.3.4 message too big", "554 5.4.6 too many hops, this message is looping", "552 5.3.4 message header too big", ""},
}

var classicWords = words{
	mailOK: "250 ok", rcptOK: "250 ok", reset: "250 flushed", noop: "250 ok",
	verify: "252 send some mail, i'll try my best", help: "214 see RFC 5321",
	goAhead: "354 go ahead", mailFirst: "503 MAIL first (#5.5.1)", rcptFirst: "503 RCPT first (#5.5.1)",
	unknown: "502 unimplemented (#5.5.1)", tooLong: "500 line too long (#5.5.2)", bareLF: "",
	timeout: "451 timeout (#4.4.2)",
	flaws: []Reply{"", "550 message has a CR without LF (#5.6.0)", "550 message has a LF without CR (#5.6.0)", "550 message has a NUL byte (#5.6.0)",
		"552 sorry, that message size exceeds my databytes limit (#5.3.4)", "554 too many hops, this message is looping (#5.4.6)", "552 message header too big (#5.3.4)", ""},
	classic: true,
}

// name is how we call ourselves in the reply to HELO.
func (w *words) name(s *Server) string {
	if w.classic {
		return s.Greeting
	}
	return s.Name
}

// bye is the reply to QUIT.
func (w *words) bye(s *Server) Reply {
	if w.classic {
		return Reply("221 " + s.Greeting)
	}
	return Reply("221 2.0.0 " + s.Name)
}

// extensions is the lines of the reply to EHLO.
func (w *words) extensions(s *Server) []string {
	if w.classic {
		return []string{s.Greeting, "PIPELINING", "8BITMIME"}
	}
	size := "SIZE"
	if s.Limits.Size > 0 {
		size += " " + strconv.FormatInt(s.Limits.Size, 10)
	}
	return []string{s.Name, "PIPELINING", size, "8BITMIME", "ENHANCEDSTATUSCODES"}
}
