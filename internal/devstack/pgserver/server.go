//go:build unix

package pgserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog"
)

// Options are the settings of a server. The zero value is a good test server.
type Options struct {
	// Dir is a directory for the data that is kept after Stop. Default: a temporary
	// directory that is removed.
	Dir string
	// Binaries is the directory of initdb and postgres. Default: the result of Find,
	// otherwise of Fetch.
	Binaries string
	// Version is the major version of the server, if Binaries does not say which. Default:
	// any.
	Version int
	// Durable makes commits wait for the disk. Default: they do not, because the data is
	// temporary.
	Durable bool
	// AllInterfaces lets other machines connect, with a password. Default: only this one.
	AllInterfaces bool
	// Port is the server's port. Default: a free one.
	Port int
	// InMemory puts temporary data into memory where that is possible (Linux, with
	// memoryNeeded free in /dev/shm): making and dropping many databases takes a disk's
	// file system as long as everything else. Dir has precedence.
	InMemory bool
	// Settings are more lines of postgresql.conf, as "name=value".
	Settings []string
	// Env are more variables of the server's environment, as "NAME=value".
	Env []string
	// Progress gets messages about slow steps, such as a download. Default: os.Stderr.
	Progress io.Writer
}

// Server is a running PostgreSQL server.
type Server struct {
	options  Options
	dir      string
	lock     *os.File // Open while this process holds the lock on dir.
	port     int
	password string
	account  *account // The user it runs as; nil: the current one.

	watchdog *watchdog.Watchdog // Cleans up if this process is killed.
	log      *os.File
	process  *process
}

// User is the server's superuser.
const User = "healthcare"

// Start creates a data directory if there is none, starts the server and waits until it
// answers.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Progress == nil {
		o.Progress = os.Stderr
	}
	if o.Binaries == "" {
		dir, err := findOrFetch(ctx, o.Version, o.Progress)
		if err != nil {
			return nil, err
		}
		o.Binaries = dir
	}
	s := &Server{options: o}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.cleanUp())
	}
	return s, nil
}

func findOrFetch(ctx context.Context, major int, progress io.Writer) (string, error) {
	dir, err := Find(ctx, major)
	if errors.Is(err, ErrNoBinaries) {
		if dir, err = Fetch(ctx, major, progress); err != nil {
			return "", fmt.Errorf("%w; install PostgreSQL %s, or: %w", ErrNoBinaries, wanted(major), err)
		}
	}
	return dir, err
}

// wanted names a major version, 0 for any that the project supports.
func wanted(major int) string {
	if major == 0 {
		return "13 or newer"
	}
	return strconv.Itoa(major)
}

func (s *Server) start(ctx context.Context) (err error) {
	if err := s.prepareDir(ctx); err != nil {
		return fmt.Errorf("prepare data directory: %w", err)
	}
	// Before anything that can outlive this process.
	if s.watchdog, err = s.startWatchdog(); err != nil {
		return err
	}
	if err := s.waitForPreviousServer(ctx); err != nil {
		return err
	}
	if err := s.initCluster(ctx); err != nil {
		return err
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "server.log")); err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	for range 3 { // Another process can take the free port before the server does.
		if s.port = s.options.Port; s.port == 0 {
			if s.port, err = FreePort(ctx); err != nil {
				return fmt.Errorf("find a free port: %w", err)
			}
		}
		if err = s.startProcess(ctx); err == nil || s.options.Port != 0 || !strings.Contains(s.logTail(), "Address already in use") {
			return err
		}
	}
	return err
}

// URL is the connection string of one of the server's databases for its superuser.
func (s *Server) URL(database string) string {
	return s.urlFor(User, database)
}

func (s *Server) address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// Port is the TCP port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Password is the password of the superuser and of Owner.
func (s *Server) Password() string { return s.password }

// Binaries is the directory of psql, pgbench and the server's other programs. Downloaded
// binaries are only the server.
func (s *Server) Binaries() string { return s.options.Binaries }

// Dir is the directory of data and log.
func (s *Server) Dir() string { return s.dir }

// Pid is the server's process.
func (s *Server) Pid() int { return s.process.pid() }

// Done is closed when the server ends, stopped or not.
func (s *Server) Done() <-chan struct{} { return s.process.exited }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// initCluster runs initdb unless the directory has a cluster already. It renames the
// result to "data" only when it is complete.
func (s *Server) initCluster(ctx context.Context) error {
	secret := filepath.Join(s.dir, "password")
	if _, err := os.Stat(s.data()); err == nil {
		stored, err := os.ReadFile(secret) //nolint:gosec // G304: a file of devstack's own folder
		if err != nil {
			return fmt.Errorf("%q has data that this program did not create: %w", s.dir, err)
		}
		s.password = string(stored)
		return nil
	}
	s.password = rand.Text()
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return fmt.Errorf("store the password: %w", err)
	}
	if err := s.account.chown(secret); err != nil {
		return fmt.Errorf("store the password: %w", err)
	}
	unfinished := s.data() + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove the files of an interrupted initdb: %w", err)
	}
	cmd := s.command(ctx, "initdb", "--pgdata="+unfinished, "--username="+User, "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	watchdog.DieWithThread(cmd.SysProcAttr, syscall.SIGKILL)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out)))
	}
	return os.Rename(unfinished, s.data())
}

// command prepares one of PostgreSQL's programs, as the unprivileged user and without
// the caller's PG* variables.
func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.options.Binaries, name), args...) //nolint:gosec // G204: a program of the PostgreSQL that was found
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C", "TZ=UTC"}
	cmd.Env = append(cmd.Env, s.options.Env...)
	cmd.SysProcAttr = s.account.sysProcAttr()
	return cmd
}

// Stop stops the server and removes its directory. If the directory is Options.Dir, it
// is kept, and the server shuts down cleanly.
func (s *Server) Stop() error {
	if s.options.Dir == "" {
		return errors.Join(s.stopProcess(syscall.SIGQUIT), s.cleanUp())
	}
	return errors.Join(s.stopProcess(syscall.SIGINT), s.cleanUp())
}

// cleanUp unlocks the directory, and removes a temporary one with all its content.
func (s *Server) cleanUp() error {
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.watchdog != nil {
		errs = append(errs, s.watchdog.Close())
	}
	if s.options.Dir == "" && s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	s.log, s.watchdog, s.lock = nil, nil, nil
	return errors.Join(errs...)
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

// The ports that FreePort chooses from. Operating systems give none of them to connections and to
// listeners that ask for any port, so nobody takes one between the choice and its use by chance.
const (
	firstFreePort = 20_000
	freePorts     = 12_000
)

// claimedPorts are sockets on the ports that FreePort has returned, open as long as this process.
var claimedPorts sync.Map

// FreePort is a TCP port of 127.0.0.1 that nothing listens on, chosen at random. No two calls return
// the same one, in this process or another, while the first one's process exists: what is to listen
// on a port often takes a second to start. A UDP socket on the port is the claim; nothing else here
// uses UDP.
//
// It connects to the port, and does not listen there itself: a process that this one starts has a
// copy of each socket until it executes its program, and nothing else could listen meanwhile.
func FreePort(ctx context.Context) (int, error) {
	var (
		config net.ListenConfig
		dialer = net.Dialer{Timeout: time.Second}
	)
	for range 100 {
		port := firstFreePort + mathrand.IntN(freePorts) //nolint:gosec // No secret.
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		claim, err := config.ListenPacket(ctx, "udp", address)
		if err != nil {
			continue
		}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			claimedPorts.Store(port, claim)
			return port, nil
		}
		if err == nil {
			_ = conn.Close()
		}
		_ = claim.Close()
	}
	return 0, cmp.Or(ctx.Err(), errors.New("100 ports chosen at random are in use"))
}
