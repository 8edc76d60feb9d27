package integration

import (
	"syscall"
	"time"
	"unsafe"
)

// cpuTime returns how long the process has been running on a CPU, in user mode and in the kernel. It reads the
// clock that clock_getcpuclockid(3) names: /proc has the same in steps of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	const schedulerClock = 2 // CPUCLOCK_SCHED
	var now syscall.Timespec
	clock := uintptr(^pid)<<3 | schedulerClock
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
		return 0, errno
	}
	return time.Duration(now.Nano()), nil
}
