//go:build !linux

package integration

import "os/exec"

// start starts cmd. Only Linux can tie a child's life to its parent's.
func start(cmd *exec.Cmd) error { return cmd.Start() }

// kill ends the process.
func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// unprivileged does nothing: run the tests as a user who is not root.
func unprivileged(*exec.Cmd, string, ...string) error { return nil }
