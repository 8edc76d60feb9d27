//go:build !linux

package integration

import "os/exec"

// chroot does nothing: .ci/mysql9 is for Linux.
func chroot(*exec.Cmd, string) {}
