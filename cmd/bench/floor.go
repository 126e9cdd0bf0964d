//go:build unix

package main

import (
	"context"
	_ "embed" // For the floor's SQL.
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// floorSQL is the floor. It is not made from the product's SQL, and never changes.
//
//go:embed testdata/floor.sql
var floorSQL string

// floorUser is the role that part "user" of floorSQL creates.
const floorUser = "bench_floor"

// floorPart returns one part of floorSQL, or nothing for an unknown name.
func floorPart(name string) string {
	_, text, _ := strings.Cut(floorSQL, "\n-- part: "+name+"\n")
	text, _, _ = strings.Cut(text, "\n-- part: ")
	return text
}

// floorDatabase creates a database with the floor's registry tables.
func (b *bench) floorDatabase(ctx context.Context) (url string, drop func(), err error) {
	url, drop, err = b.emptyDatabase(ctx, floorUser)
	if err != nil {
		return "", nil, err
	}
	if err := execute(ctx, url, floorPart("registry")); err != nil {
		drop()
		return "", nil, fmt.Errorf("the floor's registry: %w", err)
	}
	return url, drop, nil
}

// execute runs statements on a separate connection.
func execute(ctx context.Context, url, statements string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
	return err
}

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without`)

// floor runs pgbench until it has made the round's tenants, and returns the time they took.
func (b *bench) floor(ctx context.Context, url string, clients int) (time.Duration, error) {
	pgbench := filepath.Join(b.server.Binaries(), "pgbench")
	cmd := exec.CommandContext(ctx, pgbench, "--no-vacuum", "--protocol=simple", //nolint:gosec // of the server's own installation
		"--file="+filepath.Join(b.dir, "floor.sql"), "--define=i=0", fmt.Sprintf("--define=base=%d", 100_000_000*b.databases),
		"--client="+strconv.Itoa(clients), "--jobs="+strconv.Itoa(min(clients, 2)),
		"--transactions="+strconv.Itoa(b.tenants/clients), url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench (part of PostgreSQL's server package): %w: %s", err, out)
	}
	found := tps.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench printed no rate: %s", out)
	}
	rate, err := strconv.ParseFloat(string(found[1]), 64)
	return time.Duration(float64(b.tenants) / rate * float64(time.Second)), err
}
