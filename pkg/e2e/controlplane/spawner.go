package controlplane

import (
	"os/exec"
	"runtime"
	"syscall"
)

// spawner starts processes that cannot outlive this one.
//
// The kernel kills a child with Pdeathsig when the *thread* that started it ends, and Go ends
// threads as it likes. So all children are started by one goroutine that owns its thread for as
// long as the spawner lives.
type spawner struct {
	// holds is what must not be garbage while processes run, although nobody may refer to the
	// control plane any more: a lock file or a claimed address that is collected is given up.
	holds    *ControlPlane
	requests chan spawnRequest
	stop     chan struct{}
}

type spawnRequest struct {
	cmd   *exec.Cmd
	reply chan error
}

func newSpawner(holds *ControlPlane) *spawner {
	s := &spawner{holds: holds, requests: make(chan spawnRequest), stop: make(chan struct{})}
	go s.serve()
	return s
}

// serve never unlocks its thread: when it returns, the thread ends and with it any child that
// is still running.
func (s *spawner) serve() {
	runtime.LockOSThread()
	for {
		select {
		case r := <-s.requests:
			r.reply <- r.cmd.Start()
		case <-s.stop:
			return
		}
	}
}

// start starts cmd in a process group of its own, so that a terminal's Ctrl-C reaches only the
// program that owns the control plane, which can then stop it in order.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r := spawnRequest{cmd: cmd, reply: make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.reply
	case <-s.stop:
		return errStopped
	}
}

// close kills what is left. It must be called once.
func (s *spawner) close() {
	close(s.stop)
}
