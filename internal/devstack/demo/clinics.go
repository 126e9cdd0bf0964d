//go:build unix

package demo

import (
	"context"
	_ "embed" // For clinics.tf.
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

// clinicsConfiguration makes three tenants of the blueprint clinic.
//
//go:embed clinics.tf
var clinicsConfiguration []byte

// laterMigration is the file of the second revision, and the column that it adds.
const (
	laterMigration = "migrations/0007_phone.sql"
	laterSQL       = "-- +goose Up\nALTER TABLE patients ADD COLUMN phone text;\n"
	laterColumn    = "phone"
)

// revision is what tenant-api says about a published revision.
type revision struct {
	Revision      int
	SchemaVersion int
	Migrations    []struct {
		File, Class string
		Locks       []string
	}
}

// clinics shows a platform with tables of its own: it publishes examples/blueprints/clinic, makes
// three tenants of it, with what its own step answered, and brings a second revision to them.
func (d *demoRun) clinics(ctx context.Context) error {
	tenants := &cli{program: d.cli.program, workspace: d.workspace, dir: d.workspace.clinicsPath(), env: d.cli.env}
	if err := d.publish(ctx, "Publish the blueprint examples/blueprints/clinic", nil); err != nil {
		return err
	}
	outcome := new(string)
	if err := d.screen.runStageWithOutcome(tenants.name()+" apply, 3 clinics", outcome, func() error { return tenants.applyChange(ctx, "apply", outcome) }); err != nil {
		return err
	}
	before, err := readClinics(ctx, d.stack)
	if err != nil {
		return err
	}
	d.screen.printClinics(before)
	return d.rollOut(ctx, before)
}

// rollOut publishes one more migration and brings the tenants to it.
func (d *demoRun) rollOut(ctx context.Context, before []clinicState) error {
	if err := os.WriteFile(filepath.Join(d.workspace.blueprintPath(), laterMigration), []byte(laterSQL), 0o600); err != nil {
		return err
	}
	var second revision
	if err := d.publish(ctx, "Publish a second revision", &second); err != nil {
		return err
	}
	var report string
	err := d.screen.runStage("tenant-api tenants migrate", func() (err error) {
		if report, err = d.tenantAPI(ctx, "tenants", "migrate", "--blueprint", "clinic", "--canary", "1"); err != nil {
			return err
		}
		after, err := readClinics(ctx, d.stack)
		if err != nil {
			return err
		}
		return checkRollOut(before, after)
	})
	if err != nil {
		return err
	}
	d.screen.printRollOut(second, report)
	return nil
}

// publish publishes the blueprint's folder and activates the revision.
func (d *demoRun) publish(ctx context.Context, title string, r *revision) error {
	if r == nil {
		r = &revision{}
	}
	outcome := new(string)
	return d.screen.runStageWithOutcome(title, outcome, func() error {
		out, err := d.tenantAPI(ctx, "blueprints", "publish", d.workspace.blueprintPath(), "--activate", "--json")
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(out), r); err != nil {
			return fmt.Errorf("tenant-api printed %q: %w", out, err)
		}
		*outcome = fmt.Sprintf("%d migrations", len(r.Migrations))
		return nil
	})
}

// tenantAPI runs a command of tenant-api and returns its standard output.
func (d *demoRun) tenantAPI(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.workspace.binPath(), "tenant-api"), args...) //nolint:gosec // G204: built by the demo
	cmd.Dir, cmd.Env = d.workspace.dir, d.cli.env
	out, err := d.workspace.run(cmd)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("tenant-api %s: %w", strings.Join(args[:2], " "), err)
	}
	return out, nil
}

// clinicState is one tenant of the blueprint, read with plain SQL.
type clinicState struct {
	name, schema  string
	schemaVersion int
	ownStep       stepInfo // The blueprint's.
	directoryID   string   // Its output.
	tables        []tableInfo
	columns       []string // Of the table patients.
}

func readClinics(ctx context.Context, s *stack.Stack) ([]clinicState, error) {
	conn, err := pgx.Connect(ctx, s.Postgres.OwnerURL(stack.Database))
	if err != nil {
		return nil, fmt.Errorf("connect to the registry: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT t.name, t.schema_name, t.schema_version, coalesce(t.outputs->>'directory_id', ''), l.step, l.status, l.duration_ms
		FROM public.tenants t JOIN public.tenant_steps s ON s.tenant_id = t.id JOIN public.provisioning_logs l ON (l.tenant_id, l.attempt, l.step) = (s.tenant_id, s.attempt, s.step)
		WHERE t.blueprint = 'clinic' AND t.status = 'ACTIVE' ORDER BY t.name`)
	if err != nil {
		return nil, fmt.Errorf("read the clinics: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c clinicState, err error) {
		var ms float64
		err = row.Scan(&c.name, &c.schema, &c.schemaVersion, &c.directoryID, &c.ownStep.name, &c.ownStep.status, &ms)
		c.ownStep.duration = time.Duration(ms * float64(time.Millisecond))
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the clinics: %w", err)
	}
	for i := range all {
		if c := all[i]; c.ownStep.status != "COMPLETED" || c.directoryID == "" {
			return nil, fmt.Errorf("step %s of %s is %s, with the output %q", c.ownStep.name, c.name, c.ownStep.status, c.directoryID)
		}
		if all[i].tables, err = readTables(ctx, conn, all[i].schema); err != nil {
			return nil, fmt.Errorf("read schema %q: %w", all[i].schema, err)
		}
		if all[i].columns, err = readColumns(ctx, conn, all[i].schema, "patients"); err != nil {
			return nil, fmt.Errorf("read schema %q: %w", all[i].schema, err)
		}
	}
	if len(all) != 3 || len(all[0].tables) < 10 {
		return nil, fmt.Errorf("there are %d live clinics, not three with their tables", len(all))
	}
	return all, nil
}

func readColumns(ctx context.Context, conn *pgx.Conn, schema, table string) ([]string, error) {
	rows, err := conn.Query(ctx, "SELECT column_name::text FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position", schema, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// checkRollOut compares each clinic with what it was before the migration.
func checkRollOut(before, after []clinicState) error {
	if len(before) != len(after) {
		return errors.New("a clinic is missing after the migration")
	}
	for i, c := range after {
		if c.schemaVersion != before[i].schemaVersion+1 || c.directoryID != before[i].directoryID || !slices.Equal(c.columns, append(slices.Clone(before[i].columns), laterColumn)) {
			return fmt.Errorf("%s has schema version %d, directory_id %s and the columns %v", c.name, c.schemaVersion, c.directoryID, c.columns)
		}
	}
	return nil
}
