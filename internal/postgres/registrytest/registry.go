//go:build unix

// Package registrytest shows and changes a registry for tests of other packages, so that
// only the packages under internal/postgres know its tables.
package registrytest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Registry is a registry with its own connections. A failed query fails the test.
type Registry struct {
	t    testing.TB
	conn *pgxpool.Pool // Some tests have many goroutines.
}

// Open connects to the registry in a database until the test ends.
func Open(t testing.TB, url string) *Registry {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &Registry{t, pool}
}

// Tenant is what tests compare of a tenant.
type Tenant struct {
	ID, Name, AdminLastName, ExternalID, SchemaName, ContractID, ManagedBy string // "": not set.

	Status       tenant.Status
	PasswordHash string // The administrator's, until the tenant is live.
	UpdatedAt    time.Time
	Checkpoint   string // Step that the run has completed last.
	DatabaseRole string
	Blueprint    string
	Variables    map[string]string
}

// All returns the tenants in these statuses, or all, the oldest first.
func (r *Registry) All(statuses ...tenant.Status) []Tenant {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT id::text, name, admin_last_name, coalesce(external_id, ''), coalesce(schema_name, ''), coalesce(soroban_contract_id, ''),
			coalesce(managed_by, ''), status, coalesce(admin_password_hash, ''), updated_at, coalesce(checkpoint::text, ''), `+tenantrow.RoleName("tenants")+`::text, blueprint, variables
		FROM tenants WHERE cardinality($1::text[]) = 0 OR status = ANY($1) ORDER BY created_at, id`, texts(statuses))
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Tenant])
	r.must(err)
	return all
}

// Named is the newest tenant of this name.
func (r *Registry) Named(name string) Tenant {
	r.t.Helper()
	for _, t := range slices.Backward(r.All()) {
		if t.Name == name {
			return t
		}
	}
	r.t.Fatalf("there is no tenant %q", name)
	return Tenant{}
}

// ConnectRole is the name of the registry's connect role.
func (r *Registry) ConnectRole() string {
	r.t.Helper()
	return value[string](r, `SELECT connect_role::text FROM registry`)
}

// Count is the number of tenants in these statuses, or of all.
func (r *Registry) Count(statuses ...tenant.Status) int {
	r.t.Helper()
	return len(r.All(statuses...))
}

// Live are the names of the ACTIVE tenants, by id.
func (r *Registry) Live() map[string]string {
	r.t.Helper()
	names := map[string]string{}
	for _, t := range r.All(tenant.StatusActive) {
		names[t.ID] = t.Name
	}
	return names
}

// Unpurged returns the number of tenants that were not purged.
func (r *Registry) Unpurged() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenants WHERE purged_at IS NULL`)
}

// Unarchived is the number of tenants that are not archived.
func (r *Registry) Unarchived() int {
	r.t.Helper()
	return r.Count() - r.Count(tenant.StatusArchived)
}

// Tenant is the only tenant that is not archived, or the only one at all.
func (r *Registry) Tenant() Tenant {
	r.t.Helper()
	all := r.All()
	var unarchived []Tenant
	for _, t := range all {
		if t.Status != tenant.StatusArchived {
			unarchived = append(unarchived, t)
		}
	}
	switch {
	case len(unarchived) == 1:
		return unarchived[0]
	case len(all) == 1:
		return all[0]
	}
	r.t.Fatalf("%d tenants, %d of them not archived; want one", len(all), len(unarchived))
	return Tenant{}
}

// Runs is the number of tenants whose run has a lease or must be rolled back.
func (r *Registry) Runs() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenants WHERE run_expires_at IS NOT NULL OR rollback_target IS NOT NULL`)
}

// ValidLeases is the number of runs whose lease has not expired.
func (r *Registry) ValidLeases() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenants WHERE run_expires_at > now()`)
}

// OpenSteps is the number of steps of all attempts that have not ended.
func (r *Registry) OpenSteps() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM provisioning_logs WHERE status IN ('IN_PROGRESS', 'PENDING')`)
}

// InProgress is the number of runs that are in a step.
func (r *Registry) InProgress(step tenant.Step) int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM provisioning_logs WHERE step = $1 AND status = 'IN_PROGRESS'`, string(step))
}

// Invitations is the number of invitations that were not revoked.
func (r *Registry) Invitations() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenant_invitations WHERE revoked_at IS NULL`)
}

// Transactions is the number of Stellar transactions of a purpose in a state; "" is any.
func (r *Registry) Transactions(purpose txlog.Purpose, state txlog.State) int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM stellar_transactions WHERE $1 IN ('', purpose) AND $2 IN ('', state)`, string(purpose), string(state))
}

// TransactionSources is the number of accounts that sent transactions of a purpose.
func (r *Registry) TransactionSources(purpose txlog.Purpose) int {
	r.t.Helper()
	return value[int](r, `SELECT count(DISTINCT source) FROM stellar_transactions WHERE purpose = $1`, string(purpose))
}

// Objects is the number of objects that tenants have: schemas, roles and invitations.
func (r *Registry) Objects() int {
	r.t.Helper()
	return r.Schemas() + r.Invitations() + value[int](r, `SELECT count(*) FROM pg_roles r JOIN tenants t ON r.rolname LIKE t.schema_name || '%'`)
}

// Schemas is the number of tenants whose schema exists.
func (r *Registry) Schemas() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM pg_namespace n JOIN tenants t ON n.nspname = t.schema_name`)
}

// ContractStatus is the status in the contract of the only tenant that has one.
func (r *Registry) ContractStatus() string {
	r.t.Helper()
	return value[string](r, `SELECT contract_status FROM tenant_contracts`)
}

// KeysUsedWithin is the number of API keys that were used in the time before now.
func (r *Registry) KeysUsedWithin(ago time.Duration) int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM api_keys WHERE last_used_at > now() - $1::interval`, ago)
}

// RequestHash is the hash of the only request with an idempotency key, in hexadecimal.
func (r *Registry) RequestHash() string {
	r.t.Helper()
	return value[string](r, `SELECT encode(request_hash, 'hex') FROM idempotency_keys`)
}

// Login is a temporary login.
type Login struct {
	Username  string
	ExpiresAt time.Time
}

// Logins are the temporary logins that are not dropped.
func (r *Registry) Logins() []Login {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT username, expires_at FROM tenant_credentials ORDER BY username`)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Login])
	r.must(err)
	return all
}

// Events are the audit events after a position in the log, as "action detail".
func (r *Registry) Events(after int) []string {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT action || ' ' || detail::text FROM audit_events WHERE seq > $1 ORDER BY seq`, after)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	r.must(err)
	return all
}

// LastEvent is the position of the newest audit event.
func (r *Registry) LastEvent() int {
	r.t.Helper()
	return value[int](r, `SELECT coalesce(max(seq), 0) FROM audit_events`)
}

// ctx outlives the test's context: clean-up functions read the registry, too.
func (r *Registry) ctx() context.Context { return context.WithoutCancel(r.t.Context()) }

func (r *Registry) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("registry: %v", err)
	}
}

func value[T any](r *Registry, query string, args ...any) (v T) {
	r.t.Helper()
	err := r.conn.QueryRow(r.ctx(), query, args...).Scan(&v)
	if errors.Is(err, pgx.ErrNoRows) {
		r.t.Fatalf("registry: no row: %s", query)
	}
	r.must(err)
	return v
}

func texts[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}
