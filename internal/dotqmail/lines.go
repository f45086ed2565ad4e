// SPDX-License-Identifier: ISC

package dotqmail

import (
	"strings"
	"time"
)

// Address is who a message is for and from, as local-delivery is told.
type Address struct {
	User, Home  string
	Local, Host string
	Dash, Ext   string
	Sender      string
}

// Recipient is the whole address.
func (a *Address) Recipient() string { return a.Local + "@" + a.Host }

// oneLine keeps an address from ending the line it stands in.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "_") }

// DeliveredTo is the Delivered-To line, with its LF.
func (a *Address) DeliveredTo() string { return oneLine("Delivered-To: "+a.Recipient()) + "\n" }

// ReturnPath is the Return-Path line, with its LF (RFC 5321 §4.4).
func (a *Address) ReturnPath() string { return oneLine("Return-Path: <"+Quote(a.Sender)+">") + "\n" }

// FromLine is the line that begins a message in an mbox, with its LF.
func (a *Address) FromLine(now time.Time) string {
	who := a.Sender
	if who == "" {
		who = "MAILER-DAEMON"
	}
	who = strings.NewReplacer(" ", "-", "\t", "-", "\n", "-").Replace(who)
	return "From " + who + " " + now.UTC().Format("Mon Jan 02 15:04:05 2006") + "\n"
}

// unquoted is what may stand in a local part without quotes (RFC 5321 §4.1.2,
// atext), besides letters and digits.
const unquoted = "!#$%&'*+-/=?^_`{|}~."

// Quote writes an address as headers have it: its local part, up to the last @,
// in quotes where it needs them.
func Quote(address string) string {
	if address == "" {
		return ""
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		at = len(address)
	}
	local := address[:at]
	if !needsQuotes(local) {
		return address
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		if strings.IndexByte("\r\n\"\\", local[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	return b.String() + `"` + address[at:]
}

func needsQuotes(local string) bool {
	if local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return true
	}
	for i := 0; i < len(local); i++ {
		c := local[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(unquoted, c) < 0 {
			return true
		}
	}
	return false
}

// Variable is one of the environment's.
type Variable struct{ Name, Value string }

// Environment is what programs are told of the address, in qmail-command(8)'s
// words. DEFAULT is there only where found has one. Values come from strangers:
// control characters are '_' in them, and none can pass for a shell function.
func (a *Address) Environment(found Candidate, newSender string, now time.Time) []Variable {
	ext2 := afterDash(a.Ext)
	ext3 := afterDash(ext2)
	host2 := beforeDot(a.Host)
	host3 := beforeDot(host2)
	vars := []Variable{
		{"SENDER", a.Sender}, {"NEWSENDER", newSender}, {"RECIPIENT", a.Recipient()},
		{"USER", a.User}, {"HOME", a.Home}, {"LOCAL", a.Local},
		{"HOST", a.Host}, {"HOST2", host2}, {"HOST3", host3}, {"HOST4", beforeDot(host3)},
		{"EXT", a.Ext}, {"EXT2", ext2}, {"EXT3", ext3}, {"EXT4", afterDash(ext3)},
	}
	if found.HasDefault {
		vars = append(vars, Variable{"DEFAULT", found.Default})
	}
	for i, v := range vars {
		vars[i].Value = harmless(v.Value)
	}
	return append(vars, Variable{"DTLINE", a.DeliveredTo()}, Variable{"RPLINE", a.ReturnPath()}, Variable{"UFLINE", a.FromLine(now)})
}

// Names is every variable Environment may set, so that a caller can take what it
// inherited out.
func Names() []string {
	return strings.Fields("SENDER NEWSENDER RECIPIENT USER HOME LOCAL HOST HOST2 HOST3 HOST4 EXT EXT2 EXT3 EXT4 DEFAULT DTLINE RPLINE UFLINE")
}

// harmless is a value that old shells do not take for a function (CVE-2014-6271)
// and line readers not for two.
func harmless(s string) string {
	if strings.HasPrefix(s, "()") {
		s = "_" + s[1:]
	}
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = '_'
		}
	}
	return string(b)
}

// afterDash is what follows the first '-', or nothing.
func afterDash(s string) string {
	_, rest, _ := strings.Cut(s, "-")
	return rest
}

// beforeDot is what precedes the last '.', or all.
func beforeDot(s string) string {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return s[:i]
	}
	return s
}
