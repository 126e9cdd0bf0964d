//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// serverProcess is a tenant-api process with its own database.
type serverProcess struct {
	cmd          *exec.Cmd
	conn         *pgx.Conn
	client       *http.Client
	url          string
	key          string
	startTime    time.Duration // From start to ready.
	dropDatabase func()
}

// buildAPI builds tenant-api.
func (b *bench) buildAPI(ctx context.Context) error {
	b.binary = filepath.Join(b.dir, "tenant-api")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, "./cmd/tenant-api").CombinedOutput() //nolint:gosec // our own source
	if err != nil {
		return fmt.Errorf("build tenant-api: %w: %s", err, out)
	}
	return nil
}

// startServer starts a server with a new database: tenant-api if it uses Stellar, else this
// program with -serve, whose deployer takes no time (see serve.go).
func (b *bench) startServer(ctx context.Context, chain bool) (*serverProcess, error) {
	if !chain {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return b.startProgram(ctx, self, "-serve")
	}
	return b.startProgram(ctx, b.binary, "serve", "--port", "0", "--rate-limit", "1000000")
}

var servingLine = regexp.MustCompile(`msg=serving url=(\S+)`)

func (b *bench) startProgram(ctx context.Context, program string, args ...string) (*serverProcess, error) {
	database, drop, err := b.database(ctx)
	if err != nil {
		return nil, err
	}
	s, err := b.startOn(ctx, database, program, args...)
	if err != nil {
		drop()
		return nil, err
	}
	s.dropDatabase = drop
	return s, nil
}

// startOn starts a server with an existing database, which stop does not drop.
func (b *bench) startOn(ctx context.Context, database, program string, args ...string) (_ *serverProcess, err error) {
	s := &serverProcess{dropDatabase: func() {}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	env := append(os.Environ(), b.settings(database)...)
	run := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, b.binary, args...) //nolint:gosec // our own program
		cmd.Env = env
		return cmd
	}
	if out, err := run("migrate", "up").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("migrate: %w: %s", err, out)
	}
	key, err := run("apikey", "create", "--name", "bench", "--scope", "admin").Output()
	if err != nil {
		return nil, fmt.Errorf("create a key: %w", err)
	}
	s.key = strings.TrimSpace(string(key))
	if s.conn, err = pgx.Connect(ctx, database); err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, program, args...) //nolint:gosec // our own program
	s.cmd.Env = env
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	started := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(pipe)
	var output []string
	for s.url == "" && lines.Scan() {
		output = append(output, lines.Text())
		if found := servingLine.FindStringSubmatch(lines.Text()); found != nil {
			s.url = found[1]
		}
	}
	if s.url == "" {
		return nil, fmt.Errorf("the server did not start: %s", strings.Join(output, "\n"))
	}
	go func() {
		for lines.Scan() { // Discard the log: a full pipe would block the server.
		}
	}()
	return s, s.waitReady(ctx, started)
}

// waitReady waits until a server is ready, at most a minute after its start.
func (s *serverProcess) waitReady(ctx context.Context, started time.Time) error {
	for {
		var ready any
		err := s.call(ctx, http.MethodGet, "/readyz", nil, http.StatusOK, &ready)
		s.startTime = time.Since(started)
		if err == nil || s.startTime > time.Minute {
			return err
		}
		time.Sleep(time.Millisecond) // Readiness can only be polled.
	}
}

// settings returns the environment of a server or provider.
func (b *bench) settings(database string) []string {
	all := []string{
		"DATABASE_URL=" + database, "MAIL_HOST=" + b.mail.SMTPHost(), "MAIL_PORT=" + strconv.Itoa(b.mail.SMTPPort()), "MAIL_TLS=none",
		"MAIL_FROM=no-reply@platform.example", "APP_URL=https://app.platform.example", "LOG_LEVEL=info",
	}
	return append(all, b.networkSettings...)
}

// stop ends the server and drops the database that spawn created.
func (s *serverProcess) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // It may have exited already.
		_ = s.cmd.Wait()
	}
	if s.conn != nil {
		_ = s.conn.Close(context.Background())
	}
	s.client.CloseIdleConnections()
	s.dropDatabase()
}

// resident returns the server's resident memory in MB.
func (s *serverProcess) resident() (float64, error) {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(s.cmd.Process.Pid)).Output() //nolint:gosec,noctx // the argument is a number; ps returns at once
	if err != nil {
		return 0, fmt.Errorf("ps: %w", err)
	}
	kb, err := strconv.Atoi(strings.TrimSpace(string(out)))
	return float64(kb) / 1024, err
}

// measureStartAndIdle measures tenant-api's start with a migrated database, and its memory while
// it is idle.
func (b *bench) measureStartAndIdle(ctx context.Context) ([]measurement, error) {
	var starts, idles []float64
	for range 5 {
		s, err := b.startServer(ctx, true)
		if err != nil {
			return nil, err
		}
		starts = append(starts, s.startTime.Seconds())
		select {
		case <-time.After(2 * time.Second): // The first passes of its background tasks end within this time.
		case <-ctx.Done():
		}
		idle, err := s.resident()
		s.stop()
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		idles = append(idles, idle)
	}
	start := time.Duration(median(starts) * float64(time.Second))
	idle := median(idles)
	return []measurement{
		{"cold start to ready, migrated database, median of 5", start.Round(time.Millisecond).String(), "< " + maxStartTime.String(), start < maxStartTime},
		{"resident memory, idle, median of 5", fmt.Sprintf("%.1f MB", idle), fmt.Sprintf("< %.0f MB", maxIdleMemory), idle < maxIdleMemory},
	}, nil
}

// measureUsedMemory measures the memory after many tenants, without Stellar.
func (b *bench) measureUsedMemory(ctx context.Context) ([]measurement, error) {
	s, err := b.startServer(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.postTenants(ctx, b.memory); err != nil {
		return nil, err
	}
	if err := s.waitActive(ctx, b.memory); err != nil {
		return nil, err
	}
	used, err := s.resident()
	return []measurement{{fmt.Sprintf("resident memory after %d tenants", b.memory), fmt.Sprintf("%.1f MB", used), fmt.Sprintf("< %.0f MB", maxUsedMemory), used < maxUsedMemory}}, err
}
