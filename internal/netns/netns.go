// SPDX-License-Identifier: ISC

// Package netns makes a network namespace of our own: an empty network of one
// process and its children, whose addresses and standard ports nobody else has.
// It goes when the last process in it ends; nothing of the host's network is
// touched.
//
// As root a thread takes one (Own); anybody else starts a child in one that a
// user namespace of its own belongs to (Start). Either way the process there
// furnishes it (Furnish), gives up what it needed for that (Forsake), and goes
// on by exec: the Go runtime has other threads, which only an exec leaves
// behind.
package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrRefused says that there is no namespace to be had here, by this user, for
// as long as nobody changes the machine's settings.
var ErrRefused = errors.New("this machine does not let this user have a network namespace")

// reasons is what each errno of a refusal is about.
var reasons = map[syscall.Errno]string{
	unix.EPERM:  forbidden,
	unix.EACCES: forbidden,
	unix.EROFS:  "/proc/sys is read-only here, as in many containers",
	unix.ENOSPC: "the limit in /proc/sys/user/max_user_namespaces or max_net_namespaces is reached, or is 0",
	unix.EUSERS: "namespaces are nested too deep",
	unix.EINVAL: absent,
	unix.ENOSYS: absent,
}

const (
	forbidden = "a container's rules, kernel.unprivileged_userns_clone or kernel.apparmor_restrict_unprivileged_userns forbid it"
	absent    = "the kernel was built without them"
)

// refusal is err with what was tried; ErrRefused where trying again is no use.
func refusal(what string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if why := reasons[errno]; why != "" {
			return fmt.Errorf("%s: %w: %w (%s)", what, errno, ErrRefused, why)
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Own gives the calling thread a network namespace of its own, which takes
// root. The caller has locked the thread, and never unlocks it: the process is
// in two networks until it ends or this thread calls exec.
func Own() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return refusal("make a network namespace", err)
	}
	return nil
}

// Start starts a command in a user and a network namespace of its own, as the
// same user and group, with no right but to furnish that network. The command
// is told to end when the thread that called Start ends.
func Start(cmd *exec.Cmd) error {
	uid, gid := os.Geteuid(), os.Getegid()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN},
		Pdeathsig:   syscall.SIGTERM,
	}
	if err := cmd.Start(); err != nil {
		return refusal("make a user and a network namespace", err)
	}
	return nil
}

// freePorts is the first port that anybody may listen on.
const freePorts = "/proc/sys/net/ipv4/ip_unprivileged_port_start"

// Furnish readies the calling thread's network: the loopback interface with the
// two addresses, every port free for everybody, and whoever talks to server
// without naming a source address does it from client. It is for a network of
// our own: on a host's it would change the host's.
func Furnish(server, client netip.Addr) error {
	n, err := dialKernel()
	if err != nil {
		return refusal("furnish the network namespace: netlink", err)
	}
	defer n.close()
	for _, s := range []struct {
		what string
		do   func() error
	}{
		{"the loopback interface up", n.loopbackUp},
		{"address " + server.String(), func() error { return n.addAddress(server) }},
		{"address " + client.String(), func() error { return n.addAddress(client) }},
		{"route to " + server.String(), func() error { return n.sourceOf(server, client) }},
		{freePorts, func() error { return os.WriteFile(freePorts, []byte("0\n"), 0) }},
	} {
		if err := s.do(); err != nil {
			return refusal("furnish the network namespace: "+s.what, err)
		}
	}
	return nil
}

// Forsake gives up the right that Start gave: for the calling thread, and so
// for the program that it execs next. The caller is not root, whose programs
// get all rights back.
func Forsake() error {
	none := [2]unix.CapUserData{}
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	return nil
}
