//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog"
)

const (
	// startTimeout is long: a cold disk under load is slow.
	startTimeout = 60 * time.Second
	// stopTimeout is how long a server may take for a clean shutdown.
	stopTimeout = 20 * time.Second
)

// process is one run of the server.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// spawn starts the command on a thread that lives as long as the process, because on
// Linux the kernel stops the server when that thread ends.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	watchdog.DieWithThread(cmd.SysProcAttr, syscall.SIGQUIT)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // Its ProcessState has the exit status.
		}
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal sends a signal; the process may have ended already.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

func (s *Server) startProcess(ctx context.Context) error {
	listen, err := s.listenSettings()
	if err != nil {
		return err
	}
	args := append([]string{"-D", s.data(), "-p", strconv.Itoa(s.port)}, listen...)
	args = append(args, "-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "log_checkpoints=off")
	if !s.options.Durable {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	for _, setting := range s.options.Settings {
		args = append(args, "-c", setting)
	}
	// Not the caller's context: it may end long before the server must.
	cmd := s.command(context.WithoutCancel(ctx), "postgres", args...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if s.process, err = spawn(cmd); err != nil {
		return err
	}
	if err := s.watchdog.Send("%d", s.Pid()); err != nil {
		return errors.Join(fmt.Errorf("write to the watchdog: %w", err), s.stopProcess(syscall.SIGQUIT))
	}
	if err := s.waitReady(ctx); err != nil {
		return errors.Join(err, s.stopProcess(syscall.SIGQUIT))
	}
	return nil
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.process.exited:
			return fmt.Errorf("postgres ended during its start (%v): %s", s.process.cmd.ProcessState, s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("postgres did not answer: %w: %w: %s", context.Cause(ctx), err, s.logTail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stopProcess stops the server with sig, and with a stronger signal after a timeout.
func (s *Server) stopProcess(sig syscall.Signal) error {
	if s.process == nil {
		return nil
	}
	for _, sig := range []syscall.Signal{sig, syscall.SIGQUIT, syscall.SIGKILL} {
		s.process.signal(sig)
		select {
		case <-s.process.exited:
			return nil
		case <-time.After(stopTimeout):
		}
	}
	return fmt.Errorf("postgres (process %d) does not end", s.Pid())
}

// Restart kills the server, as in a crash, and starts it again on the same port. For
// fault tests.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Crash(); err != nil {
		return err
	}
	return s.Resume(ctx)
}

// Crash kills the server without a clean shutdown; the data stays.
func (s *Server) Crash() error { return s.stopProcess(syscall.SIGQUIT) }

// Resume starts a crashed server again on the same port.
func (s *Server) Resume(ctx context.Context) error { return s.startProcess(ctx) }
