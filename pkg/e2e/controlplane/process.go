package controlplane

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a running program. Its handle identifies it, since its number may be reused.
type process struct {
	name    string
	program program // so that it can be started again
	cmd     *exec.Cmd
	logPath string
	exited  chan struct{} // closed once the process has been waited for
}

// program says what to run.
type program struct {
	name    string
	path    string
	args    []string
	env     []string // the whole environment; never inherited, so that no setting of the caller leaks in
	dir     string
	logPath string
	log     io.Writer // optional second receiver
}

// run starts p through s. Its output is appended to its log file.
func (s *spawner) run(p program) (*process, error) {
	logFile, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", p.name, err)
	}
	defer func() { _ = logFile.Close() }() // the child has its own copy, or the copying goroutine below opens one
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append([]string{}, p.env...)
	cmd.Dir = p.dir
	cmd.Stdout = logFile
	var tee *teeLog
	if p.log != nil {
		if tee, err = newTeeLog(p); err != nil {
			return nil, err
		}
		cmd.Stdout = tee
	}
	cmd.Stderr = cmd.Stdout
	// A grandchild that keeps the pipe open must not keep us waiting.
	cmd.WaitDelay = time.Second
	if err := s.start(cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", p.name, err), tee.Close())
	}
	proc := &process{name: p.name, program: p, cmd: cmd, logPath: p.logPath, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		_ = tee.Close()
		close(proc.exited)
	}()
	return proc, nil
}

// pid returns the process id, for display and for reading /proc. Signals go through the handle.
func (p *process) pid() int { return p.cmd.Process.Pid }

// hasExited reports whether the process has ended.
func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// signal sends sig. It returns no error if the process has ended.
func (p *process) signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %v to %s: %w", sig, p.name, err)
	}
	return nil
}

// terminate sends SIGTERM, then SIGKILL once grace has passed, and waits for the end.
func (p *process) terminate(grace time.Duration) error {
	err := p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.exited:
		return err
	case <-timer.C:
		return errors.Join(err, p.kill())
	}
}

// kill sends SIGKILL and waits for the end.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	<-p.exited
	return err
}

// failure describes a process that should still be running, with the end of its log.
func (p *process) failure() error {
	how := "exited"
	if p.cmd.ProcessState != nil {
		how = p.cmd.ProcessState.String()
	}
	return fmt.Errorf("%s ended unexpectedly: %s\n%s", p.name, how, tail(p.logPath, 20))
}

// tail returns the end of a log, or why it cannot be read.
func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// teeLog writes to the log file and, line by line after the program's name, to a second writer.
type teeLog struct {
	mu      sync.Mutex
	name    string
	file    *os.File
	copy    io.Writer
	pending []byte
}

func newTeeLog(p program) (*teeLog, error) {
	file, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", p.name, err)
	}
	return &teeLog{name: p.name, file: file, copy: p.log}, nil
}

// Write never reports an error of the second writer: the program must not stop for its audience.
func (t *teeLog) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append(t.pending, b...)
	for {
		end := bytes.IndexByte(t.pending, '\n')
		if end < 0 {
			return t.file.Write(b)
		}
		_, _ = fmt.Fprintf(t.copy, "%s: %s\n", t.name, t.pending[:end])
		t.pending = t.pending[end+1:]
	}
}

// Close closes the file. It accepts a nil teeLog.
func (t *teeLog) Close() error {
	if t == nil {
		return nil
	}
	return t.file.Close()
}
