package tenantschema

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// schemaBatch collects the statements of one transaction that is sent in one round trip.
// Every parameter has a cast, because no statement is prepared: the tables do not exist
// yet when the first statement is sent.
//
// It goes through pgconn, because a pgx.Batch takes its mode from the whole
// connection, and all other transactions are faster with prepared statements.
type schemaBatch struct {
	pgconn.Batch
	query      pgx.ExtendedQueryBuilder
	types      *pgtype.Map
	names      *strings.Replacer
	added      int                         // Statements.
	origins    map[int]blueprintsql.Origin // Of the statements that a blueprint has, by their number.
	activation int                         // Number of the statement that checks the active revision; 0: none.
	encodeErr  error                       // The first parameter that could not be encoded.
}

func (b *schemaBatch) add(statement string, args ...any) {
	b.addVerbatim(b.names.Replace(statement), args...)
}

// addVerbatim adds a statement with its real names.
func (b *schemaBatch) addVerbatim(statement string, args ...any) {
	b.added++
	if err := b.query.Build(b.types, nil, args); err != nil {
		b.encodeErr = errors.Join(b.encodeErr, err)
		return
	}
	b.ExecParams(statement, b.query.ParamValues, nil, b.query.ParamFormats, nil)
}

// recordTimestamp is an expression that stores the server's time under a number.
func recordTimestamp(number string) string {
	return `set_config('healthcare.timestamp_` + number + `', clock_timestamp()::text, true)`
}

// newSchemaBatch makes the transaction of a new tenant. The tenant's role comes after SQL that the
// guard checks, so that no lock on the list of roles can be the registry's own before it. Without such
// SQL it comes first: from PostgreSQL 16 on the user is a member of each role that it made, and CREATE
// ROLE reads all of its memberships again. CREATE SCHEMA AUTHORIZATION and SET ROLE read them only if
// another session has made a role since. With Citus the order is the one that was tried there.
func newSchemaBatch(types *pgtype.Map, t *blueprintsql.Template, r provisioning.Run, seed provisioning.Seed, server serverFacts) *schemaBatch {
	tenant := r.Tenant
	b := &schemaBatch{types: types, names: blueprintsql.Names(tenant, server.schemaOwner), origins: map[int]blueprintsql.Origin{}}
	b.add(`BEGIN`)
	b.add(`SELECT tenant_fence($1::uuid, $2::bigint, 'CREATE_TENANT_RECORD', 'SEED_ROLES_AND_USER', nullif($3::uuid, '00000000-0000-0000-0000-000000000000'), nullif($4::int, 0), $5::int)`,
		tenant.ID, r.Epoch, seed.AdminUser, tenant.BlueprintRevision, t.Version())
	if !t.Trusted {
		b.checkActive(tenant)
	}
	roleFirst := t.Trusted && !server.citus
	if roleFirst {
		b.addRole(server)
	}
	b.add(`CREATE SCHEMA {{schema}} AUTHORIZATION {{owner}}`)
	first, last := t.AroundSeed()
	b.addAll(t.Begin(tenant, server.schemaOwner, recordTimestamp("1")+withoutFunctionChecks))
	b.addParts(t, tenant, server.schemaOwner, first)
	b.addAll(t.End(tenant, recordTimestamp("2")))
	if t.HasUsers() {
		b.add(noteAdminSQL, tenant.ID)
	}
	if t.HasUsers() || len(last) > 0 {
		b.addAll(t.Begin(tenant, server.schemaOwner, ""))
		if t.HasUsers() {
			b.addSeedRows(t.Own().Roles)
		}
		b.addParts(t, tenant, server.schemaOwner, last)
		b.addAll(t.End(tenant, ""))
	}
	if t.HasUsers() {
		b.addInvitation(tenant, seed)
	}
	if !roleFirst {
		b.addRole(server)
	}
	b.add(`SELECT revoke_defaults($1::text, '{%}')`, tenant.SchemaName)
	for _, statement := range t.GrantStatements() {
		b.add(statement)
	}
	b.addLedger(t, tenant)
	b.addOwnSteps(t.Own().Steps, tenant)
	b.addLog(t, r, seed)
	b.add(`COMMIT`)
	return b
}

// addRole makes the tenant's role.
func (b *schemaBatch) addRole(server serverFacts) {
	b.add(blueprintsql.CreateRole)
	if server.citus {
		b.add(blueprintsql.CitusLogin)
	}
}

// withoutFunctionChecks leaves out the check of the bodies of a new tenant's functions, which were
// checked when the blueprint was published.
const withoutFunctionChecks = `, set_config('check_function_bodies', 'off', true)`

// addAll adds statements of the guard or of a blueprint.
func (b *schemaBatch) addAll(statements []blueprintsql.Statement) {
	for _, s := range statements {
		b.addVerbatim(s.SQL, s.Args...)
		if s.Origin.File != "" {
			b.origins[b.added-1] = s.Origin
		}
	}
}

// addParts adds parts of migrations for a schema that nobody uses yet.
func (b *schemaBatch) addParts(t *blueprintsql.Template, tenant tenant.Tenant, schemaOwner string, parts []blueprintsql.Part) {
	for _, p := range parts {
		b.addAll(t.Guarded(tenant, schemaOwner, p, blueprint.Statement.WithoutConcurrently))
	}
}

// addLedger records all migrations of the template, over those of an attempt that failed.
func (b *schemaBatch) addLedger(t *blueprintsql.Template, tenant tenant.Tenant) {
	s := t.RecordMigrations(tenant.ID, t.Version())
	b.add(s.SQL+` ON CONFLICT (tenant_id, blueprint, version) DO UPDATE SET checksum = excluded.checksum, applied_at = now()`, s.Args...)
}

// addOwnSteps records the own steps of the blueprint, which the run sends later.
func (b *schemaBatch) addOwnSteps(steps []blueprint.Step, t tenant.Tenant) {
	if len(steps) == 0 {
		return
	}
	names, after := make([]string, len(steps)), make([]string, len(steps))
	for i, s := range steps {
		names[i], after[i] = s.Name, s.After
	}
	b.add(`INSERT INTO tenant_steps (tenant_id, attempt, step, after_step, position, revision)
		SELECT $1::uuid, $2::int, step, after_step, position, $5::int FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS s (step, after_step, position)`,
		t.ID, t.Attempt, names, after, t.BlueprintRevision)
}

// firstStep is the step that begins after SEED_ROLES_AND_USER.
func firstStep(steps []blueprint.Step, next tenant.Step) string {
	for _, s := range steps {
		if s.After == string(tenant.StepSeedRolesAndUser) {
			return s.Name
		}
	}
	if next == tenant.StepSendWelcomeEmail && len(steps) > 0 { // Without a contract.
		return steps[0].Name
	}
	return string(next)
}

// addLog writes the log of the three steps; its answer has their durations.
func (b *schemaBatch) addLog(t *blueprintsql.Template, r provisioning.Run, seed provisioning.Seed) {
	seeded, admin := string(tenant.StepCompleted), &seed.AdminUser
	if !t.HasUsers() {
		seeded, admin = string(tenant.StepSkipped), nil
	}
	b.add(`INSERT INTO provisioning_logs (tenant_id, attempt, trace_id, step, status, result, duration_ms)
		SELECT $1::uuid, $2::int, nullif(substr($9::text, 4, 32), ''), step, status, result,
		       extract(epoch FROM ended::timestamptz - began::timestamptz) * 1000
		FROM (VALUES
			('CREATE_SCHEMA', 'COMPLETED', jsonb_build_object('schemaName', $3::text, 'databaseRole', $4::text),
			 current_setting('healthcare.timestamp_0'), current_setting('healthcare.timestamp_1')),
			('RUN_MIGRATIONS', 'COMPLETED', jsonb_build_object('version', $5::int),
			 current_setting('healthcare.timestamp_1'), current_setting('healthcare.timestamp_2')),
			('SEED_ROLES_AND_USER', $8::text, jsonb_build_object('adminUserId', $6::text),
			 current_setting('healthcare.timestamp_2'), clock_timestamp()::text),
			($7::text, 'IN_PROGRESS', NULL, NULL, NULL)
		) AS steps (step, status, result, began, ended)
		ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO UPDATE SET `+tenantrow.LogMergeSetItems+`
		RETURNING step, (extract(epoch FROM `+tenantrow.LogDuration+`) * 1000000)::bigint`,
		r.Tenant.ID, r.Tenant.Attempt, r.Tenant.SchemaName, r.Tenant.DatabaseRole, t.Version(), textOf(admin), firstStep(t.Own().Steps, seed.Next), seeded, r.Traceparent)
}

// checkActive ends the transaction if another revision was activated since the tenant's was read.
// The run repeats it.
func (b *schemaBatch) checkActive(t tenant.Tenant) {
	b.add(`SELECT 1 / (CASE WHEN active_revision = $2::int THEN 1 ELSE 0 END) FROM blueprints WHERE name = $1::text FOR SHARE`, t.Blueprint, t.BlueprintRevision)
	b.activation = b.added - 1
}

// textOf is nil for nil.
func textOf(id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	text := id.String()
	return &text
}

// noteAdminSQL keeps the administrator's row for the statement that inserts it as the schema owner:
// triggers of a blueprint must not run as the registry owner. The values are read from the registry's
// row, which the fence has locked: it may have been changed since the run read it.
const noteAdminSQL = `SELECT set_config('healthcare.admin', to_jsonb(admin)::text, true) FROM (
	SELECT admin_user_id AS id, admin_email AS email, admin_password_hash AS password_hash, admin_first_name AS first_name, admin_last_name AS last_name
	FROM tenants WHERE id = $1::uuid) admin`

// insertAdminSQL inserts that row, and forgets it.
const insertAdminSQL = `INSERT INTO users (id, email, password_hash, first_name, last_name, role_id)
	SELECT (admin->>'id')::uuid, admin->>'email', admin->>'password_hash', admin->>'first_name', admin->>'last_name', $1::uuid
	FROM (SELECT current_setting('healthcare.admin')::jsonb AS admin, set_config('healthcare.admin', '', true)) noted`

// addSeedRows adds the tenant's roles and its administrator, as the schema owner.
func (b *schemaBatch) addSeedRows(roles []blueprint.Role) {
	var (
		rows   []string
		values []any
		admin  string // The id of the first role.
	)
	for i, role := range roles {
		id := uuid.NewString()
		if i == 0 {
			admin = id
		}
		rows = append(rows, fmt.Sprintf("($%d::uuid, $%d::text, $%d::text)", 3*i+1, 3*i+2, 3*i+3))
		values = append(values, id, role.Name, role.Description)
	}
	// With VALUES, because Citus has no plan for INSERT ... SELECT FROM unnest.
	b.addVerbatim(`INSERT INTO roles (id, name, description) VALUES `+strings.Join(rows, ", "), values...)
	b.addVerbatim(insertAdminSQL, admin)
}

// addInvitation adds the administrator's invitation.
func (b *schemaBatch) addInvitation(t tenant.Tenant, seed provisioning.Seed) {
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
	ctx, end := pgdb.StartBatchSpan(ctx, "batch of a tenant's schema", b.added)
	answers, err := conn.PgConn().ExecBatch(ctx, &b.Batch).ReadAll()
	end(err)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		if b.activation > 0 && len(answers) == b.activation {
			err = errs.Wrap(err, errs.KindTransient, opCreateSchema, "another revision of the blueprint was activated meanwhile")
		}
		err = blueprintsql.OriginError(b.origins[len(answers)], err, opCreateSchema)
		// The transaction has failed; ROLLBACK makes the connection usable again.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, `ROLLBACK`)
	}
	return answers, err
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
