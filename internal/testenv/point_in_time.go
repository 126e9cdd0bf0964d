//go:build unix

package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// archiveTimeout is how long a test waits for the end of an archive or of a recovery.
const archiveTimeout = time.Minute

// ArchivingServer is a server that archives its write-ahead log, so that it can be restored to a
// point in time.
type ArchivingServer struct {
	*pgserver.Server
	t       testing.TB
	archive string // The folder of the archived log.
	backup  string // The folder of the last backup.
}

// StartArchivingServer starts a server of its own for a test.
func StartArchivingServer(t testing.TB) *ArchivingServer {
	t.Helper()
	version, err := wantedVersion()
	must(t, err)
	dir, err := os.MkdirTemp("", "archive-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o777)) // The server may run as another user.
	s := &ArchivingServer{t: t, archive: dir}
	s.Server, err = pgserver.Start(context.WithoutCancel(t.Context()), pgserver.Options{Version: version, Settings: []string{
		"archive_mode=on", "archive_command=cp %p " + dir + "/%f",
	}})
	must(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// Archive is the folder of the archived log.
func (s *ArchivingServer) Archive() string { return s.archive }

// Backup copies the server.
func (s *ArchivingServer) Backup() {
	s.t.Helper()
	s.backup = copyServer(s.t, s.Server)
}

// Now is the server's time, for RestoreTo.
func (s *ArchivingServer) Now() string {
	s.t.Helper()
	conn := Connect(s.t, s.URL("postgres"))
	var now string
	must(s.t, conn.QueryRow(s.t.Context(), `SELECT clock_timestamp()::text`).Scan(&now))
	return now
}

// RestoreTo stops the server for good, and starts another one from the backup and the archived log, as it
// was at a time.
func (s *ArchivingServer) RestoreTo(at string) *pgserver.Server {
	s.t.Helper()
	s.archiveAll()
	must(s.t, s.Stop())
	must(s.t, os.WriteFile(filepath.Join(s.backup, "data", "recovery.signal"), nil, 0o644)) // The server may run as another user.
	return s.recover(s.backup, "restore_command=cp "+s.archive+"/%f %p", "recovery_target_time="+at, "recovery_target_action=promote")
}

// Recover stops the server for good, and starts another one on a base backup that says itself how far it
// is recovered.
func (s *ArchivingServer) Recover(base string) *pgserver.Server {
	s.t.Helper()
	parent, err := os.MkdirTemp("", "recovered-")
	must(s.t, err)
	s.t.Cleanup(func() { _ = os.RemoveAll(parent) })
	must(s.t, os.Chmod(parent, 0o755)) // The server may run as another user.
	dir := filepath.Join(parent, "server")
	must(s.t, os.Mkdir(dir, 0o700))
	must(s.t, os.WriteFile(filepath.Join(dir, "password"), []byte(s.Password()), 0o600))
	for _, command := range [][]string{
		{"cp", "-a", base, filepath.Join(dir, "data")},
		{"chown", "-R", "--reference=" + filepath.Join(s.Dir(), "data"), dir},
	} {
		if out, err := exec.CommandContext(s.t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			s.t.Fatalf("%v: %v: %s", command, err, out)
		}
	}
	s.archiveAll()
	must(s.t, s.Stop())
	return s.recover(dir)
}

// recover starts a server on a folder with data, and waits for the end of its recovery.
func (s *ArchivingServer) recover(dir string, settings ...string) *pgserver.Server {
	s.t.Helper()
	restored, err := pgserver.Start(context.WithoutCancel(s.t.Context()), pgserver.Options{Dir: dir, Binaries: s.Binaries(), Settings: settings})
	must(s.t, err)
	s.t.Cleanup(func() { _ = restored.Stop() })
	conn := Connect(s.t, restored.URL("postgres"))
	s.wait("the recovery", func(ctx context.Context) (done bool, err error) {
		err = conn.QueryRow(ctx, `SELECT NOT pg_is_in_recovery()`).Scan(&done)
		return done, err
	})
	return restored
}

// archiveAll waits until all of the log is archived.
func (s *ArchivingServer) archiveAll() {
	s.t.Helper()
	conn := Connect(s.t, s.URL("postgres"))
	var last string
	must(s.t, conn.QueryRow(s.t.Context(), `SELECT pg_walfile_name(pg_switch_wal())`).Scan(&last))
	s.wait("the archive of "+last, func(ctx context.Context) (done bool, err error) {
		err = conn.QueryRow(ctx, `SELECT coalesce(last_archived_wal >= $1, false) FROM pg_stat_archiver`, last).Scan(&done)
		return done, err
	})
}

// wait polls until done.
func (s *ArchivingServer) wait(what string, done func(context.Context) (bool, error)) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), archiveTimeout)
	defer cancel()
	for {
		ok, err := done(ctx)
		switch {
		case err != nil:
			s.t.Fatal(fmt.Errorf("wait for %s: %w", what, err))
		case ok:
			return
		}
		time.Sleep(20 * time.Millisecond) // Between two looks.
	}
}
