//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// registryRow matches the statements of the floor for the rows of the registry.
var registryRow = regexp.MustCompile(`(?s)(?:^|;\n)(INSERT INTO (?:tenants|tenant_migrations|tenant_invitations|provisioning_logs) [^;]*);`)

// blueprintScript is one transaction that makes a tenant with the SQL of a blueprint: the same
// files, seed rows and privileges as the product's, under the user's own role and without a guard,
// and the floor's rows of the registry.
func blueprintScript(t *blueprintsql.Template, n int) string {
	id := uuid.New()
	tn := tenant.Tenant{ID: id, SchemaName: fmt.Sprintf("tenant_%d", n), DatabaseRole: fmt.Sprintf("tenant_%d_%s", n, id.String()[:8])}
	names := blueprintsql.Names(tn, "")
	var s strings.Builder
	add := func(statement string) { s.WriteString(names.Replace(statement) + ";\n") }
	add("BEGIN")
	for _, row := range registryRow.FindAllStringSubmatch(floorPart("tenant"), -1) {
		s.WriteString(strings.ReplaceAll(row[1], ":n", fmt.Sprint(n)) + ";\n")
	}
	add("CREATE SCHEMA {{schema}}")
	add("SET LOCAL search_path = {{schema}}")
	for _, v := range t.Own().Variables {
		value, _ := v.Sample(0)
		add("SET LOCAL tenant.variables." + v.Name + " = '" + value + "'")
	}
	before, after := t.AroundSeed()
	addParts := func(parts []blueprintsql.Part) {
		for _, p := range parts {
			for _, statement := range p.Statements {
				s.WriteString(blueprint.Statement.WithoutConcurrently(statement) + ";\n")
			}
		}
	}
	addParts(before)
	var roles []string
	for _, r := range t.Own().Roles {
		roles = append(roles, "('"+r.Name+"', '"+r.Description+"')")
	}
	add("INSERT INTO roles (name, description) VALUES " + strings.Join(roles, ", "))
	add("INSERT INTO users (email, first_name, last_name, role_id) SELECT 'ada@clinic.example', 'Ada', 'Lovelace', id FROM roles WHERE name = '" + t.Own().Roles[0].Name + "'")
	addParts(after)
	add("CREATE ROLE {{role}} NOLOGIN")
	for _, statement := range t.GrantStatements() {
		add(statement)
	}
	add("COMMIT")
	return s.String()
}

// floorOfBlueprint returns a database of the floor's user with the floor's registry, and the
// scripts of a round's tenants.
func (b *bench) floorOfBlueprint(ctx context.Context) (url string, scripts []string, drop func(), err error) {
	for n := range b.tenants {
		scripts = append(scripts, blueprintScript(b.measured.template, n))
	}
	url, drop, err = b.floorDatabase(ctx)
	return url, scripts, drop, err
}

// messageRound sends each tenant's transaction as one message of the simple protocol.
func (b *bench) messageRound(ctx context.Context) (time.Duration, error) {
	url, scripts, drop, err := b.floorOfBlueprint(ctx)
	if err != nil {
		return 0, err
	}
	defer drop()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	began := time.Now()
	for _, script := range scripts {
		if _, err := conn.PgConn().Exec(ctx, script).ReadAll(); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// psqlRound gives each tenant's transaction to one psql that stays connected.
func (b *bench) psqlRound(ctx context.Context) (took time.Duration, err error) {
	url, scripts, drop, err := b.floorOfBlueprint(ctx)
	if err != nil {
		return 0, err
	}
	defer drop()
	cmd := exec.CommandContext(ctx, filepath.Join(b.server.Binaries(), "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", url) //nolint:gosec // of the server's own installation
	var failure strings.Builder
	cmd.Stderr = &failure
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(out)
	send := func(script string) error {
		if _, err := io.WriteString(in, script+"\\echo done\n"); err != nil {
			return err
		}
		for lines.Scan() {
			if lines.Text() == "done" {
				return nil
			}
		}
		return errors.New("psql ended")
	}
	err = send("") // It is connected then.
	began := time.Now()
	for _, script := range scripts {
		if err == nil {
			err = send(script)
		}
	}
	took = time.Since(began)
	_ = in.Close()
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, failure.String())
	}
	return took, nil
}
