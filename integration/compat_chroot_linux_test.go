package integration

import (
	"os/exec"
	"syscall"
)

// chroot makes cmd run with dir as its root directory. It comes after unprivileged.
func chroot(cmd *exec.Cmd, dir string) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Chroot = dir
}
