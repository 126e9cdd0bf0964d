//go:build unix

package pgserver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog/watchdogtest"
)

func start(t *testing.T, o pgserver.Options) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sharedDir is a directory that every user can enter, unlike t.TempDir.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgserver-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// query returns one text from the server.
func query(ctx context.Context, t *testing.T, url, statement string) string {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var got string
	if err := conn.QueryRow(ctx, statement).Scan(&got); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return got
}

func TestServer_Serves(t *testing.T) {
	t.Parallel()
	s := start(t, pgserver.Options{Settings: []string{"work_mem=7MB"}})
	if got := query(t.Context(), t, s.URL("postgres"), "SELECT current_user::text"); got != pgserver.User {
		t.Errorf("user %q", got)
	}
	if got := query(t.Context(), t, s.URL("postgres"), "SHOW work_mem"); got != "7MB" {
		t.Errorf("work_mem is %s", got)
	}
	if got := query(t.Context(), t, s.URL("postgres"), "SHOW listen_addresses"); got != "127.0.0.1" {
		t.Errorf("it listens on %q", got)
	}
	wrong := strings.Replace(s.URL("postgres"), s.Password(), "wrong", 1)
	if _, err := pgx.Connect(t.Context(), wrong); err == nil {
		t.Error("a wrong password was accepted")
	}
}

func TestServer_HidesPasswordFromArguments(t *testing.T) {
	t.Parallel()
	s := start(t, pgserver.Options{})
	line := commandLine(t, s.Pid())
	if !strings.Contains(line, "postgres") || strings.Contains(line, s.Password()) {
		t.Errorf("the command line is %q", line)
	}
}

func TestServer_StopRemovesEverything(t *testing.T) {
	t.Parallel()
	s, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if watchdogtest.Alive(s.Pid()) || exists(s.Dir()) {
		t.Errorf("process %d alive: %v, directory %s there: %v", s.Pid(), watchdogtest.Alive(s.Pid()), s.Dir(), exists(s.Dir()))
	}
	select {
	case <-s.Done():
	default:
		t.Error("Done is not closed")
	}
}

func TestServer_CrashAndResume(t *testing.T) {
	t.Parallel()
	s := start(t, pgserver.Options{})
	query(t.Context(), t, s.URL("postgres"), "WITH x AS (SELECT 1) SELECT 'up'")
	port := s.Port()
	if err := s.Crash(); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(t.Context(), s.URL("postgres")); err == nil {
		t.Error("a crashed server answers")
	}
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t.Context(), t, s.URL("postgres"), "SELECT 'up'"); got != "up" || s.Port() != port {
		t.Errorf("answer %q on port %d, was %d", got, s.Port(), port)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestServer_PersistsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(sharedDir(t), "kept")
	first, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	query(t.Context(), t, first.URL("postgres"), "SELECT set_config('x.y', 'z', false)")
	conn, err := pgx.Connect(t.Context(), first.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 'yes' AS answer"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another process uses") {
		t.Errorf("a second server on the same data: %v", err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := start(t, pgserver.Options{Dir: dir})
	if got := query(t.Context(), t, second.URL("postgres"), "SELECT answer FROM kept"); got != "yes" || second.Password() != first.Password() {
		t.Errorf("the table has %q", got)
	}
}

func TestStart_ReportsFailures(t *testing.T) {
	t.Parallel()
	t.Run("BadSettingReturnsReason", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(sharedDir(t), "data")
		_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Settings: []string{"no_such_setting=1"}})
		if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("CancelReturnsImmediately", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := pgserver.Start(ctx, pgserver.Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("InterruptedInitdbIsRepeated", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(sharedDir(t), "data")
		if err := os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700); err != nil {
			t.Fatal(err)
		}
		start(t, pgserver.Options{Dir: dir})
	})
}

// TestServer_InMemory: the data is in memory where there is enough, else on the disk, and
// is removed at the end.
func TestServer_InMemory(t *testing.T) {
	t.Parallel()
	s, err := pgserver.Start(t.Context(), pgserver.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t.Context(), t, s.URL("postgres"), "SHOW data_directory"); !strings.HasPrefix(got, s.Dir()) {
		t.Errorf("data is in %s, not in %s", got, s.Dir())
	}
	if inMemory := strings.HasPrefix(s.Dir(), "/dev/shm/"); inMemory != pgserver.EnoughMemory() {
		t.Errorf("data is in %s", s.Dir())
	}
	if err := s.Stop(); err != nil || exists(s.Dir()) {
		t.Errorf("%v; the directory is there: %v", err, exists(s.Dir()))
	}
}
