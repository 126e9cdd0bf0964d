//go:build unix

package registrytest

import (
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// LockTenantTable keeps all others from adding and changing tenants until release is called.
func (r *Registry) LockTenantTable() (release func()) {
	r.t.Helper()
	return r.lock(`LOCK TABLE tenants IN EXCLUSIVE MODE`)
}

// LockInvitations keeps all others from writing invitations until release is called.
func (r *Registry) LockInvitations() (release func()) {
	r.t.Helper()
	return r.lock(`LOCK TABLE tenant_invitations IN EXCLUSIVE MODE`)
}

// LockStep keeps runs from adding the log row of a step until release is called.
func (r *Registry) LockStep(step tenant.Step) (release func()) {
	r.t.Helper()
	r.exec(`CREATE FUNCTION public.wait_for_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4712); RETURN NEW; END $$`)
	r.exec(`CREATE TRIGGER wait_for_step BEFORE INSERT ON provisioning_logs FOR EACH ROW WHEN (NEW.step = '` + string(step) + `') EXECUTE FUNCTION public.wait_for_step()`)
	return r.lock(`SELECT pg_advisory_xact_lock(4712)`)
}

// WaitsForLock reports whether a run waits for a lock in a program whose name begins with
// one of these. A server's clean-up, when it starts, is no run.
func (r *Registry) WaitsForLock(programs ...string) bool {
	r.t.Helper()
	return value[bool](r, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
		AND EXISTS (SELECT FROM unnest($1::text[]) program WHERE starts_with(application_name, program))
		AND query NOT LIKE '%DELETE FROM tenant_invitations%'
		AND query NOT LIKE '%SKIP LOCKED%')`, programs)
}

// lock holds a lock in a transaction until release is called, or the test ends.
func (r *Registry) lock(statement string) (release func()) {
	r.t.Helper()
	tx, err := r.conn.Begin(r.ctx())
	r.must(err)
	release = func() {
		if err := tx.Rollback(r.ctx()); !errors.Is(err, pgx.ErrTxClosed) {
			r.must(err)
		}
	}
	r.t.Cleanup(release)
	_, err = tx.Exec(r.ctx(), statement)
	r.must(err)
	return release
}
