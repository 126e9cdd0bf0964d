// Package tenantschema creates the schemas and roles of tenants, compares them with the
// baseline, repairs and migrates them.
package tenantschema

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/runs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Schemas creates, inspects, repairs and migrates the schemas of tenants.
type Schemas struct{ db *pgdb.DB }

// New returns the tenant schemas of a database.
func New(db *pgdb.DB) *Schemas { return &Schemas{db} }

// baseline is the tenant schema's file, cut into statements by part.
var baseline = parseBaseline()

type baselineFile struct {
	parts    map[string][]string
	checksum string // SHA-256, hex.
}

func parseBaseline() baselineFile {
	text, err := schemaFiles.ReadFile("migrations/baseline.sql")
	if err != nil {
		panic(err) // It is embedded; only a broken build lacks it.
	}
	sum := sha256.Sum256(text)
	file := baselineFile{parts: map[string][]string{}, checksum: hex.EncodeToString(sum[:])}
	part, statement := "", strings.Builder{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "-- part: "); ok {
			part = strings.TrimSpace(name)
		} else if code, _, _ := strings.Cut(line, "--"); strings.TrimSpace(code) != "" {
			statement.WriteString(code)
			if strings.HasSuffix(strings.TrimSpace(code), ";") {
				file.parts[part] = append(file.parts[part], strings.TrimSuffix(strings.TrimSpace(statement.String()), ";"))
				statement.Reset()
			}
		}
	}
	return file
}

// statementsWithPrefix returns the statements that begin with a prefix.
func (b baselineFile) statementsWithPrefix(prefix string) (statements []string) {
	for _, part := range []string{"schema", "tables", "constraints"} {
		for _, statement := range b.parts[part] {
			if strings.HasPrefix(statement, prefix) {
				statements = append(statements, statement)
			}
		}
	}
	return statements
}

// schemaBatch collects the statements of one transaction that is sent in one round trip.
// Every parameter has a cast, because no statement is prepared: the tables do not exist
// yet when the first statement is sent.
//
// It goes through pgconn, because a pgx.Batch takes its mode from the whole
// connection, and all other transactions are faster with prepared statements.
type schemaBatch struct {
	pgconn.Batch
	query     pgx.ExtendedQueryBuilder
	types     *pgtype.Map
	names     *strings.Replacer
	encodeErr error // The first parameter that could not be encoded.
}

func (b *schemaBatch) add(statement string, args ...any) {
	if err := b.query.Build(b.types, nil, args); err != nil {
		b.encodeErr = errors.Join(b.encodeErr, err)
		return
	}
	b.ExecParams(b.names.Replace(statement), b.query.ParamValues, nil, b.query.ParamFormats, nil)
}

func (b *schemaBatch) addPart(name string) {
	for _, statement := range baseline.parts[name] {
		b.add(statement)
	}
}

// recordTimestamp stores the server's time under a number.
func (b *schemaBatch) recordTimestamp(number string) {
	b.add(`SELECT set_config('healthcare.timestamp_` + number + `', clock_timestamp()::text, true)`)
}

// PrepareSchema creates role, schema, tables and rows of a tenant in one transaction and
// one round trip, together with checkpoint and log.
func (s *Schemas) PrepareSchema(ctx context.Context, r provisioning.Run, seed provisioning.Seed) (tenant.Durations, error) {
	const op = "create tenant schema"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	answers, err := newSchemaBatch(conn.Conn().TypeMap(), r, seed, pgdb.HasCitus(conn.Conn())).send(ctx, conn.Conn())
	if err = pgdb.Classify(err, op); err == nil {
		pgdb.CountCreatedTenant(conn.Conn())
	}
	conn.Release()
	switch {
	case errs.KindOf(err) == errs.KindFenced:
		return s.alreadyPrepared(ctx, r, seed)
	case err != nil:
		return nil, err
	}
	return stepDurations(answers[len(answers)-2]) // The last one is the commit's.
}

// stepDurations reads the answer to the statement that wrote the log, in the text
// format: step and microseconds.
func stepDurations(answer *pgconn.Result) (tenant.Durations, error) {
	took := tenant.Durations{}
	for _, row := range answer.Rows {
		microseconds, err := strconv.ParseInt(string(row[1]), 10, 64)
		if err != nil {
			return nil, pgdb.Classify(err, "read durations of steps")
		}
		took[tenant.Step(row[0])] = time.Duration(microseconds) * time.Microsecond
	}
	return took, nil
}

// alreadyPrepared distinguishes a superseded run from one whose own commit succeeded
// although its answer was lost. That commit may still have been
// in progress when the run retried, so a read before the retry is not enough.
func (s *Schemas) alreadyPrepared(ctx context.Context, r provisioning.Run, seed provisioning.Seed) (tenant.Durations, error) {
	found, err := runs.Reload(ctx, s.db, r)
	if err != nil {
		return nil, err
	}
	if found.AdminUser != seed.AdminUser || found.Rollback != provisioning.RollbackNone ||
		found.Checkpoint.Index() < tenant.StepSeedRolesAndUser.Index() {
		return nil, pgdb.ErrFenced
	}
	return runs.Logged(ctx, s.db, found)
}

// citusLogin lets a tenant's role log in, with no password: Citus connects to its nodes as
// the role. Its members cannot become the role.
const citusLogin = `ALTER ROLE {{role}} LOGIN PASSWORD NULL`

func newSchemaBatch(types *pgtype.Map, r provisioning.Run, seed provisioning.Seed, citus bool) *schemaBatch {
	t := r.Tenant
	schema := pgx.Identifier{t.SchemaName}.Sanitize()
	role := pgx.Identifier{t.DatabaseRole}.Sanitize()
	b := &schemaBatch{types: types, names: strings.NewReplacer("{{schema}}", schema, "{{role}}", role)}
	b.add(`BEGIN`)
	b.add(`SELECT tenant_fence($1::uuid, $2::bigint, 'CREATE_TENANT_RECORD', 'SEED_ROLES_AND_USER', $3::uuid)`, t.ID, r.Epoch, seed.AdminUser)
	b.addPart("schema")
	if citus {
		b.add(citusLogin)
	}
	b.recordTimestamp("1")
	b.addPart("tables")
	b.recordTimestamp("2")
	b.addSeedRows(t, seed)
	b.add(`SELECT revoke_defaults($1::text, '{%}')`, t.SchemaName)
	b.addPart("constraints")
	b.add(`INSERT INTO tenant_migrations (tenant_id, version, checksum) VALUES ($1::uuid, $2::int, $3::text)
		ON CONFLICT (tenant_id, version) DO UPDATE SET checksum = excluded.checksum, applied_at = now()`,
		t.ID, Version, baseline.checksum)
	b.add(`INSERT INTO provisioning_logs (tenant_id, attempt, step, status, result, duration_ms)
		SELECT $1::uuid, $2::int, step, status, result,
		       extract(epoch FROM ended::timestamptz - began::timestamptz) * 1000
		FROM (VALUES
			('CREATE_SCHEMA', 'COMPLETED', jsonb_build_object('schemaName', $3::text, 'databaseRole', $4::text),
			 current_setting('healthcare.timestamp_0'), current_setting('healthcare.timestamp_1')),
			('RUN_MIGRATIONS', 'COMPLETED', jsonb_build_object('version', $5::int),
			 current_setting('healthcare.timestamp_1'), current_setting('healthcare.timestamp_2')),
			('SEED_ROLES_AND_USER', 'COMPLETED', jsonb_build_object('adminUserId', $6::text),
			 current_setting('healthcare.timestamp_2'), clock_timestamp()::text),
			($7::text, 'IN_PROGRESS', NULL, NULL, NULL)
		) AS steps (step, status, result, began, ended)
		ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO UPDATE SET `+tenantrow.LogMergeSetItems+`
		RETURNING step, (extract(epoch FROM `+tenantrow.LogDuration+`) * 1000000)::bigint`,
		t.ID, t.Attempt, t.SchemaName, t.DatabaseRole, Version, seed.AdminUser.String(), string(seed.Next))
	b.add(`COMMIT`)
	return b
}

// addSeedRows adds the tenant's roles, its admin and the admin's invitation.
func (b *schemaBatch) addSeedRows(t tenant.Tenant, seed provisioning.Seed) {
	var (
		rows   []string
		values []any
		admin  string // The id of the first role.
	)
	for i, role := range seed.Roles {
		id := uuid.NewString()
		if i == 0 {
			admin = id
		}
		rows = append(rows, fmt.Sprintf("($%d::uuid, $%d::text, $%d::text)", 3*i+1, 3*i+2, 3*i+3))
		values = append(values, id, role.Name, role.Description)
	}
	// With VALUES, because Citus has no plan for INSERT ... SELECT FROM unnest.
	b.add(`INSERT INTO {{schema}}.roles (id, name, description) VALUES `+strings.Join(rows, ", "), values...)
	// The values are read from the registry's row, which the fence has locked: it may
	// have been changed since the run read it.
	b.add(`INSERT INTO {{schema}}.users (id, email, password_hash, first_name, last_name, role_id)
		SELECT admin_user_id, admin_email, admin_password_hash, admin_first_name, admin_last_name, $2::uuid FROM tenants WHERE id = $1::uuid`,
		t.ID, admin)
	b.add(`INSERT INTO tenant_invitations (token_hash, tenant_id, user_id, expires_at)
		VALUES ($1::bytea, $2::uuid, $3::uuid, $4::timestamptz) ON CONFLICT (token_hash) DO NOTHING`,
		seed.Invitation.Hash[:], t.ID, seed.AdminUser, seed.Invitation.ExpiresAt)
}

// rollbackTimeout limits a ROLLBACK. Without an answer the connection is closed.
const rollbackTimeout = 5 * time.Second

// send runs the batch, which begins and commits its own transaction, and returns the
// results of its statements.
func (b *schemaBatch) send(ctx context.Context, conn *pgx.Conn) ([]*pgconn.Result, error) {
	if b.encodeErr != nil {
		return nil, b.encodeErr
	}
	answers, err := conn.PgConn().ExecBatch(ctx, &b.Batch).ReadAll()
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		// The transaction has failed; ROLLBACK makes the connection usable again.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, `ROLLBACK`)
	}
	return answers, err
}
