package controlplane

import (
	"os/exec"
	"runtime"
	"syscall"
)

// spawner starts processes that cannot outlive this one.
//
// The kernel kills a child with Pdeathsig when the *thread* that started it ends, and Go ends threads at any time. So one goroutine
// starts all children and owns its thread for as long as the spawner lives.
type spawner struct {
	// holds must not be collected while processes run, even if nothing else refers to the control plane: collecting a lock file or
	// a claimed address gives it up.
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

// serve never unlocks its thread. When it returns, the thread ends and with it any child that is still running.
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

// start starts cmd in a process group of its own. So a terminal's Ctrl-C reaches only the program that owns the control plane,
// which can then stop it in order.
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

// close kills the remaining processes. It must be called once.
func (s *spawner) close() {
	close(s.stop)
}
