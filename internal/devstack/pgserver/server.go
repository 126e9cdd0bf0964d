package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options are the settings of a server. The zero value is a good test server.
type Options struct {
	// Dir keeps the data there, beyond the server's end. Default: a temporary
	// directory that is removed.
	Dir string
	// Binaries is the directory of initdb and postgres. Default: what Find gives.
	Binaries string
	// Durable makes commits wait for the disk. Default: they do not, because the
	// data is thrown away.
	Durable bool
	// Settings are further lines of postgresql.conf, as "name=value".
	Settings []string
}

// Server is a running PostgreSQL server.
type Server struct {
	options  Options
	dir      string
	port     int
	password string
	account  *account // The user it runs as, nil for the current one.

	cmd     *exec.Cmd
	exited  chan struct{}
	exitErr error
	guard   io.Closer // Its end makes the watchdog clean up.
	log     *os.File
}

// User is the server's superuser.
const User = "healthcare"

// Start makes a data directory, if there is none yet, starts the server and
// waits until it answers.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Binaries == "" {
		dir, err := Find()
		if err != nil {
			return nil, err
		}
		o.Binaries = dir
	}
	s := &Server{options: o}
	if err := s.prepareDir(); err != nil {
		return nil, fmt.Errorf("prepare data directory: %w", err)
	}
	if err := s.initialise(ctx); err != nil {
		return nil, errors.Join(err, s.discard())
	}
	var err error
	for range 3 { // The free port can be taken by somebody else before the server has it.
		if err = s.launch(ctx); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, s.discard())
}

// URL is the connection string of one of the server's databases.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(User, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is the TCP port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Password is the superuser's password.
func (s *Server) Password() string { return s.password }

// Binaries is the directory of psql, pgbench and the server's other programs.
func (s *Server) Binaries() string { return s.options.Binaries }

// Pid is the server's process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

func (s *Server) prepareDir() (err error) {
	sweep()
	if s.account, err = unprivileged(); err != nil {
		return err
	}
	if s.options.Dir != "" {
		if s.dir, err = filepath.Abs(s.options.Dir); err != nil {
			return err
		}
		if err = os.MkdirAll(s.dir, 0o700); err != nil {
			return err
		}
	} else if s.dir, err = os.MkdirTemp("", tempPrefix); err != nil {
		return err
	}
	return s.account.own(s.dir)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// initialise runs initdb unless the directory has a cluster already.
func (s *Server) initialise(ctx context.Context) error {
	secret := filepath.Join(s.dir, "password")
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); err == nil {
		known, err := os.ReadFile(secret) //nolint:gosec // our own file
		s.password = string(known)
		return err
	}
	s.password = rand.Text()
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return err
	}
	if err := s.account.own(secret); err != nil {
		return err
	}
	cmd := s.command(ctx, "initdb", "--pgdata="+s.data(), "--username="+User, "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out)))
	}
	return nil
}

// command prepares one of PostgreSQL's programs, as the unprivileged user and
// with an environment that PG* variables of the caller cannot upset.
func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.options.Binaries, name), args...) //nolint:gosec // the binaries that Find found
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = s.account.attributes()
	return cmd
}

func (s *Server) launch(ctx context.Context) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	s.port = port
	if s.log, err = os.Create(filepath.Join(s.dir, "server.log")); err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "log_checkpoints=off"}
	if !s.options.Durable {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	for _, setting := range s.options.Settings {
		args = append(args, "-c", setting)
	}
	// Not the caller's context: it may end long before the server shall.
	s.cmd = s.command(context.WithoutCancel(ctx), "postgres", args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.exited = make(chan struct{})
	go func() {
		s.exitErr = s.cmd.Wait()
		close(s.exited)
	}()
	if s.guard, err = s.watch(); err != nil {
		return errors.Join(err, s.halt(syscall.SIGQUIT))
	}
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, s.halt(syscall.SIGQUIT))
	}
	return nil
}

// startTimeout is generous: a cold disk under load takes a while.
const startTimeout = 60 * time.Second

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("postgres ended at its start: %w: %s", s.exitErr, s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("postgres did not answer within %v: %w: %s", startTimeout, err, s.logTail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Stop ends the server, fast but clean, and removes its directory unless it is
// the caller's.
func (s *Server) Stop() error {
	return errors.Join(s.halt(syscall.SIGINT), s.discard())
}

func (s *Server) halt(sig syscall.Signal) error {
	if s.cmd == nil || s.cmd.Process == nil {
		return nil
	}
	_ = s.cmd.Process.Signal(sig) // It may be over already.
	select {
	case <-s.exited:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.exited
	}
	if s.guard != nil {
		_ = s.guard.Close()
	}
	return s.log.Close()
}

// Restart stops the server at once, as a crash would, and starts it again on
// the same port. For fault tests.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Crash(); err != nil {
		return err
	}
	return s.Resume(ctx)
}

// Crash stops the server without any goodbye; the data stays.
func (s *Server) Crash() error {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.exited
	return nil
}

// Resume starts a crashed server again on its port.
func (s *Server) Resume(ctx context.Context) error {
	s.cmd = s.command(context.WithoutCancel(ctx), "postgres", s.cmd.Args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	exited := make(chan struct{})
	s.exited = exited
	cmd := s.cmd
	go func() {
		s.exitErr = cmd.Wait()
		close(exited)
	}()
	return s.awaitReady(ctx)
}

func (s *Server) discard() error {
	if s.options.Dir != "" || s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

func (s *Server) logTail() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "server.log"))
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text))
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
