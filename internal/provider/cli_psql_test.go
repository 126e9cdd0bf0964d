package provider_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
)

// psqlEnv makes this test's binary replace psql in the documentation's examples, since a
// machine may not have psql. Its value is the file for the results.
const psqlEnv = "HEALTHCARE_ACC_PSQL"

// installPsql puts a replacement of psql first in PATH, and returns the name of the file
// that it writes.
func (w *testEnv) installPsql() (output string) {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	output = "psql.seen"
	script := fmt.Sprintf("#!/bin/sh\n%s='%s' exec '%s' \"$@\"\n", psqlEnv, filepath.Join(w.dir, output), self)
	folder := filepath.Join(w.dir, "psql")
	if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "psql"), []byte(script), 0o700)); err != nil {
		w.t.Fatal(err)
	}
	w.path = folder + ":" + w.path
	return output
}

// runPsql runs the given command with a login, which must be a tenant's.
func runPsql() int {
	err := func() error {
		for _, name := range []string{"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"} {
			if os.Getenv(name) == "" {
				return fmt.Errorf("%s is not set", name)
			}
		}
		at := slices.Index(os.Args, "--command")
		if at < 0 || at+1 >= len(os.Args) {
			return errors.New("there is no --command")
		}
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, "") // The variables have it all.
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		var answer string
		if err := conn.QueryRow(ctx, `SELECT (`+os.Args[at+1]+`)::text`).Scan(&answer); err != nil {
			return err
		}
		if registrytest.Readable(ctx, conn) {
			return errors.New("the login reads the registry")
		}
		return os.WriteFile(os.Getenv(psqlEnv), []byte(os.Args[at+1]+": "+answer), 0o600)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "psql:", err)
		return 1
	}
	return 0
}
