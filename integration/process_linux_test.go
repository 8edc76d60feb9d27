package integration

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// starts carries functions to a thread that lives as long as the process: Linux sends Pdeathsig when the
// thread ends that made the child, not when the process does.
var starts = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for f := range starts {
			f()
		}
	}()
}

// start starts cmd so that it is killed when the test process ends, however it ends. It leads a group of
// its own: a Ctrl-C at the terminal reaches the test process only.
func start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	done := make(chan error)
	starts <- func() { done <- cmd.Start() }
	return <-done
}

// kill ends the process with all that it started.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// unprivileged makes cmd run as the first of users that exists, and gives it dir, if the tests run as root:
// database servers refuse to. The servers' own option for this would undo Pdeathsig.
func unprivileged(cmd *exec.Cmd, dir string, users ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var account *user.User
	err := error(user.UnknownUserError(""))
	for _, name := range users {
		if account, err = user.Lookup(name); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}
