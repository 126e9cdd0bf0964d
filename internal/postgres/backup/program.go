package backup

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// lockWait is how long pg_dump waits for a table that another session has locked.
const lockWait = 30 * time.Second

// stopWait is how long an interrupted program has for its own end.
const stopWait = 5 * time.Second

// maxOutput limits what is kept of a program's messages, in bytes.
const maxOutput = 4096

// installed are places of pg_dump that are not on PATH, on Debian and with Homebrew.
var installed = []string{"/usr/lib/postgresql/*/bin/pg_dump", "/opt/homebrew/opt/postgresql@*/bin/pg_dump", "/usr/local/opt/postgresql@*/bin/pg_dump"}

var majorVersion = regexp.MustCompile(`\d+`)

// findPgDump returns the path of pg_dump: the configured one, or the newest that is installed.
func findPgDump(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	var found []string
	for _, pattern := range installed {
		paths, _ := filepath.Glob(pattern) // The patterns are constants.
		found = append(found, paths...)
	}
	slices.SortFunc(found, func(a, b string) int { return majorIn(b) - majorIn(a) })
	if len(found) > 0 {
		return found[0], nil
	}
	path, err := exec.LookPath("pg_dump")
	if err != nil {
		return "", errs.Wrap(err, errs.KindInvalid, "find pg_dump", "pg_dump is not installed; install PostgreSQL's client programs, of the server's major version or newer, or set PG_DUMP to the path of pg_dump")
	}
	return path, nil
}

func majorIn(path string) int {
	n, _ := strconv.Atoi(majorVersion.FindString(path)) // 0 without a number.
	return n
}

// programs runs pg_dump and pg_restore against the server that a connection has reached.
type programs struct {
	dump string
	env  []string
}

func newPrograms(configured, connection string, conn *pgx.Conn, host string, port int) (p programs, err error) {
	if p.dump, err = findPgDump(configured); err != nil {
		return p, err
	}
	config := conn.Config()
	// Of the variables that libpq reads, the environment's own are those of TLS alone: the others are in
	// the connection that was made.
	p.env = slices.DeleteFunc(os.Environ(), func(setting string) bool {
		return strings.HasPrefix(setting, "PG") && !strings.HasPrefix(setting, "PGSSL") && !strings.HasPrefix(setting, "PGCHANNELBINDING=")
	})
	p.env = append(p.env,
		"PGHOST="+host, "PGPORT="+strconv.Itoa(port), "PGUSER="+config.User, "PGPASSWORD="+config.Password, "PGDATABASE="+config.Database,
		"PGAPPNAME=tenant-api backup", "PGCLIENTENCODING=UTF8")
	p.env = append(p.env, tlsSettings(connection)...)
	return p, nil
}

// tlsSettings returns the TLS settings of a connection string as libpq's variables.
func tlsSettings(connection string) (env []string) {
	u, err := url.Parse(connection)
	if err != nil {
		return nil
	}
	for _, name := range []string{"sslmode", "sslrootcert", "sslcert", "sslkey", "sslsni", "channel_binding"} {
		if value := u.Query().Get(name); value != "" {
			env = append(env, "PG"+strings.ToUpper(strings.ReplaceAll(name, "_", ""))+"="+value)
		}
	}
	return env
}

// version returns what pg_dump says of itself.
func (p programs) version(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, p.dump, "--version").Output() //nolint:gosec // The operator's own program.
	if err != nil {
		return "", errs.Wrap(err, errs.KindInvalid, "run pg_dump", "%s --version failed: %s", p.dump, errs.Truncate(err.Error(), 200))
	}
	return strings.TrimSpace(errs.Truncate(string(out), 100)), nil
}

// dumpSchema writes a schema as it was in a snapshot. owner is the schema owner, whose rights read all
// rows in spite of policies.
func (p programs) dumpSchema(ctx context.Context, schema, snapshot, owner, file string) error {
	return p.run(ctx, p.dump, "--format=custom", "--no-password", "--strict-names", "--schema="+pattern(schema), "--snapshot="+snapshot, "--role="+owner,
		fmt.Sprintf("--lock-wait-timeout=%dms", lockWait.Milliseconds()), "--file="+file)
}

// restoreSchema fills an empty schema of the same name, all of it or nothing.
func (p programs) restoreSchema(ctx context.Context, schema, owner, database, file string) error {
	program := filepath.Join(filepath.Dir(p.dump), "pg_restore")
	return p.run(ctx, program, "--no-password", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--schema="+schema, "--role="+owner, "--dbname="+database, file)
}

// pattern quotes a name for an option that takes patterns.
func pattern(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// run runs a program until it ends, and interrupts it when ctx ends.
func (p programs) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // The operator's own program.
	cmd.Env, cmd.WaitDelay = p.env, stopWait
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var messages headBuffer
	cmd.Stderr = &messages
	err := cmd.Run()
	name := filepath.Base(program)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errs.Wrap(ctx.Err(), errs.KindCancelled, "run "+name, "%s was stopped", name)
	case messages.Len() == 0:
		return errs.Wrap(err, errs.KindInvalid, "run "+name, "%s cannot be run: %s; set PG_DUMP to the path of pg_dump, which has pg_restore beside it", program, errs.Truncate(err.Error(), 200))
	}
	return errs.Wrap(err, errs.KindPermanent, "run "+name, "%s failed: %s", name, errs.Truncate(strings.TrimSpace(messages.String()), errs.MaxErrorLength/2))
}

// headBuffer keeps the beginning of a program's messages.
type headBuffer struct{ bytes.Buffer }

func (b *headBuffer) Write(p []byte) (int, error) {
	if left := maxOutput - b.Len(); left > 0 {
		b.Buffer.Write(p[:min(left, len(p))])
	}
	return len(p), nil
}
