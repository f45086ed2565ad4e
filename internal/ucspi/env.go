// SPDX-License-Identifier: ISC

// Package ucspi is what a session program is given: an environment that tells
// about the connection (PROTO, TCPREMOTEIP, TCPLOCALPORT …, the Unix
// Client-Server Program Interface of tcp-environ(5)) and two streams, which are
// descriptors and nothing more. It knows no protocol, accepts nothing, and does
// not link package net.
package ucspi

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Env is the environment of one session. In a program that serves many, each
// session has its own, laid over the program's. The zero Env is empty. An Env
// is never changed once made.
type Env struct {
	over []string // VAR=value, later ones win
	base []string
}

// Process is the environment of this process.
func Process() Env { return Env{base: os.Environ()} }

// Of is an environment of its own, for a program to be started.
func Of(list []string) Env { return Env{base: list} }

// With is e with VAR=value pairs laid over it. A pair without "=" unsets.
func (e Env) With(pairs []string) Env {
	if len(pairs) == 0 {
		return e
	}
	over := make([]string, 0, len(e.over)+len(pairs))
	return Env{over: append(append(over, e.over...), pairs...), base: e.base}
}

// Lookup finds a variable; ok tells an empty one from none.
func (e Env) Lookup(name string) (value string, ok bool) {
	if v, found, set := find(e.over, name); found {
		return v, set
	}
	v, _, set := find(e.base, name)
	return v, set
}

// find looks for the last mention of name; set is false where that unsets it.
func find(list []string, name string) (value string, found, set bool) {
	for i := len(list) - 1; i >= 0; i-- {
		rest, ok := strings.CutPrefix(list[i], name)
		switch {
		case !ok:
		case rest == "":
			return "", true, false
		case rest[0] == '=':
			return rest[1:], true, true
		}
	}
	return "", false, false
}

// Value is the variable's value, empty where it is not set.
func (e Env) Value(name string) string {
	v, _ := e.Lookup(name)
	return v
}

// Over is what lies over the process's own environment, as a packet of
// chain(7) carries it.
func (e Env) Over() []string { return e.over }

// List is the environment for a program to be started, each variable once.
func (e Env) List() []string {
	if len(e.over) == 0 {
		return e.base
	}
	out := make([]string, 0, len(e.base)+len(e.over))
	seen := make(map[string]bool, len(e.over))
	for i := len(e.over) - 1; i >= 0; i-- {
		name, _, set := strings.Cut(e.over[i], "=")
		if !seen[name] && set {
			out = append(out, e.over[i])
		}
		seen[name] = true
	}
	for _, kv := range e.base {
		name, _, _ := strings.Cut(kv, "=")
		if !seen[name] {
			out = append(out, kv)
		}
	}
	return out
}

// FromSocket is e with PROTO, TCPLOCALIP, TCPLOCALPORT, TCPREMOTEIP and
// TCPREMOTEPORT asked of the socket fd, where TCPREMOTEIP is not set: so a
// session knows its client under inetd and systemd too. What is no Internet
// socket changes nothing.
func (e Env) FromSocket(fd int) Env {
	if _, ok := e.Lookup("TCPREMOTEIP"); ok {
		return e
	}
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return e
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return e
	}
	rip, rport, ok := address(remote)
	lip, lport, ok2 := address(local)
	if !ok || !ok2 {
		return e
	}
	proto := "TCP"
	if strings.Contains(rip, ":") {
		proto = "TCP6"
	}
	return e.With([]string{"PROTO=" + proto, "TCPLOCALIP=" + lip, "TCPLOCALPORT=" + lport, "TCPREMOTEIP=" + rip, "TCPREMOTEPORT=" + rport})
}

// address is an Internet socket's address and port as text; an IPv4 client of
// an IPv6 socket counts as IPv4.
func address(sa unix.Sockaddr) (ip, port string, ok bool) {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return IP(a.Addr[:]), strconv.Itoa(a.Port), true
	case *unix.SockaddrInet6:
		return IP(a.Addr[:]), strconv.Itoa(a.Port), true
	}
	return "", "", false
}
