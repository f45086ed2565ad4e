// SPDX-License-Identifier: ISC

package sandbox

import "golang.org/x/sys/unix"

// machine is what the kernel calls this one in a filter's data.
const machine uint32 = unix.AUDIT_ARCH_AARCH64

// Calls that only this machine has: none.
var machineAdmin, machineBackdoor, machineOpens [0]uint32
