//go:build unix

package testenv

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// The modes of a PgBouncer.
const (
	SessionMode     = "session"
	TransactionMode = "transaction"
	StatementMode   = "statement"
)

// PgBouncer starts a pooler before a test's database and returns the database's URL through
// it. settings are more lines of its configuration. Without the program the test is
// skipped; in CI it fails.
func PgBouncer(t testing.TB, database, mode string, settings ...string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/pgbouncer")
	}
	if err != nil {
		SkipUnlessCI(t, "pgbouncer is not installed: apt-get install pgbouncer")
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	var out Buffer
	for range 3 { // Another process can take the free port.
		pooled, err := startPgBouncer(t, program, u, mode, &out, settings)
		if err == nil {
			return pooled
		}
		t.Log(err)
	}
	t.Fatalf("pgbouncer does not start: %s", out.String())
	return ""
}

func startPgBouncer(t testing.TB, program string, database *url.URL, mode string, out *Buffer, settings []string) (string, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgbouncer-")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port, err := pgserver.FreePort(t.Context())
	if err != nil {
		return "", err
	}
	password, _ := database.User.Password()
	var configuration bytes.Buffer
	fmt.Fprintf(&configuration, "[databases]\n* = host=%s port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"+
		"auth_type = scram-sha-256\nauth_file = %s\npool_mode = %s\nmax_client_conn = 200\n", database.Hostname(), database.Port(), port, filepath.Join(dir, "users"), mode)
	for _, line := range settings {
		fmt.Fprintln(&configuration, line)
	}
	for name, text := range map[string]string{
		"pgbouncer.ini": configuration.String(), "users": fmt.Sprintf("%q %q\n", database.User.Username(), password),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-q", filepath.Join(dir, "pgbouncer.ini"))
	cmd.Stdout, cmd.Stderr = out, out
	if err := pgserver.RunUnprivileged(cmd, dir); err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	stop := func() { _ = cmd.Process.Kill(); <-ended }
	pooled := *database
	pooled.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := waitForServer(t.Context(), pooled.String(), ended); err != nil {
		stop()
		return "", err
	}
	t.Cleanup(stop)
	return pooled.String(), nil
}

// waitForServer waits until a server accepts a login.
func waitForServer(ctx context.Context, url string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ended:
			return fmt.Errorf("it has ended: %w", err)
		case <-ctx.Done():
			return err
		}
	}
}
