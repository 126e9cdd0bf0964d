package platform

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// Report is the result of Repair.
type Report struct {
	Repaired  []Finding // Repaired by this call.
	Remaining []Finding // For a DBA, or a person.
	// TenantsUnchecked is that of the last check.
	TenantsUnchecked bool
	Errors           []RepairError // Of those in Remaining that should have been repaired.
}

// RepairError is a tenant that could not be repaired.
type RepairError struct {
	TenantID uuid.UUID // uuid.Nil: the platform itself.
	Err      error
}

// repairConcurrency is how many tenants are repaired at once.
const repairConcurrency = 4

// repairGrace is how long a repair that has begun may go on after an interruption. It may be
// committed already, and then the report names it.
var repairGrace = retry.Grace{AfterStop: 10 * time.Second, AfterDeadline: 10 * time.Second}

// Repair repairs what Check finds, as far as the current user may, and checks again. The error
// is that of the checks, or of an interruption: what was repaired until then stays, and the
// report names it. What could not be repaired is in the report.
func (p *Platform) Repair(ctx context.Context, progress Progress) (Report, error) {
	const op = "repair platform"
	found, err := p.Check(ctx, nil)
	if err != nil {
		return Report{}, err
	}
	r := &repair{platform: p, progress: progress, report: Report{Remaining: found.Findings, TenantsUnchecked: found.TenantsUnchecked}}
	tenants := r.partition(found.Findings)
	repaired, err := r.platformFindings(ctx)
	if err != nil { // The transaction was rolled back.
		r.report.Errors = append(r.report.Errors, RepairError{Err: pgdb.Classify(err, op)})
	} else {
		r.report.Repaired = repaired
	}
	r.tenants(ctx, tenants)
	if ctx.Err() != nil {
		return r.report, pgdb.Classify(ctx.Err(), op)
	}
	if len(tenants) == 0 && len(r.own) == 0 {
		return r.report, nil
	}
	remaining, err := p.Check(ctx, nil)
	if err != nil {
		return r.report, err
	}
	r.report.Remaining, r.report.Repaired = remaining.Findings, without(found.Findings, remaining.Findings)
	r.report.TenantsUnchecked = remaining.TenantsUnchecked
	return r.report, nil
}

// repair is one call of Repair.
type repair struct {
	platform *Platform
	progress Progress
	own      []Finding // Of the platform itself.
	byTenant map[uuid.UUID][]Finding

	mu     sync.Mutex // Guards what follows, and calls of progress.
	report Report
	done   int
}

// partition returns the tenants with findings that the user may repair, in the order of ids.
func (r *repair) partition(found []Finding) (tenants []uuid.UUID) {
	r.byTenant = map[uuid.UUID][]Finding{}
	for _, f := range found {
		switch _, known := r.byTenant[f.TenantID]; {
		case !f.Repairable:
		case f.TenantID == uuid.Nil:
			r.own = append(r.own, f)
		default:
			if r.byTenant[f.TenantID] = append(r.byTenant[f.TenantID], f); !known {
				tenants = append(tenants, f.TenantID)
			}
		}
	}
	return tenants
}

// platformFindings repairs the findings of the platform itself, each in a savepoint, so that
// one which is refused does not prevent the others. It returns those that it repaired.
func (r *repair) platformFindings(ctx context.Context) (repaired []Finding, err error) {
	if len(r.own) == 0 {
		return nil, nil
	}
	ctx, end := retry.WithGrace(ctx, clock.System{}, repairGrace)
	defer end(nil)
	err = pgx.BeginFunc(ctx, r.platform.db.Pool(), func(tx pgx.Tx) error {
		// Of two repairs at once, the second finds what the first has repaired.
		query, err := lockRegistry(ctx, tx)
		if err != nil {
			return err
		}
		var now privileges
		if err := tx.QueryRow(ctx, query).Scan(&now); err != nil {
			return err
		}
		for _, f := range r.current(now) {
			if err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				for _, statement := range f.Statements {
					if _, err := tx.Exec(ctx, statement); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				r.report.Errors = append(r.report.Errors, RepairError{Err: pgdb.Classify(err, "repair "+f.Object)})
			} else {
				repaired = append(repaired, f)
			}
		}
		return nil
	})
	return repaired, err
}

// current are the findings to repair by what is true now: those of the privileges are read again,
// under the lock. The others can be repaired twice.
func (r *repair) current(now privileges) (findings []Finding) {
	for _, f := range now.findings() {
		if f.Repairable {
			findings = append(findings, f)
		}
	}
	for _, f := range r.own {
		if slices.Contains([]Check{RegistryFunctionOpen, RegistryOwner, RegistryPrivileges}, f.Check) {
			findings = append(findings, f)
		}
	}
	return findings
}

// lockRegistry locks the registry's row until tx ends, if the user may, and returns the query
// that reads privileges then.
func lockRegistry(ctx context.Context, tx pgx.Tx) (query string, err error) {
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT FROM public.registry FOR UPDATE`)
		return err
	})
	if isUnreadable(err) {
		return privilegesWithoutRegistrySQL, nil
	}
	return privilegesWithRegistrySQL, err
}

// tenants repairs the roles and ends the missing logins of tenants.
func (r *repair) tenants(ctx context.Context, ids []uuid.UUID) {
	var group errgroup.Group
	group.SetLimit(repairConcurrency)
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			work, end := retry.WithGrace(ctx, clock.System{}, repairGrace)
			err := r.tenant(work, id)
			end(nil)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.done++
			switch {
			case err == nil:
				r.report.Repaired = append(r.report.Repaired, r.byTenant[id]...)
			case errs.KindOf(err) != errs.KindCancelled: // An interruption is not a failure of the tenant.
				r.report.Errors = append(r.report.Errors, RepairError{TenantID: id, Err: err})
			}
			if r.progress != nil {
				r.progress(r.done, len(ids))
			}
			return nil
		})
	}
	_ = group.Wait()
}

// tenant repairs one tenant.
func (r *repair) tenant(ctx context.Context, id uuid.UUID) error {
	var failures []error
	logins := false
	for _, f := range r.byTenant[id] {
		switch f.Check {
		case SchemaOwner: // It comes first in the findings: the owner grants the role its privileges.
			failures = append(failures, r.platform.runForTenant(ctx, id, f.Statements))
		case RoleMissing, RoleDrift:
			failures = append(failures, r.platform.schemas.RepairRole(ctx, id))
		case LoginMissing:
			failures = append(failures, r.platform.endMissingLogins(ctx, id))
		case LoginDrift: // After the role, of which they are members.
			logins = true
		default:
			failures = append(failures, errs.Errorf(errs.KindPermanent, "repair tenant", "%s %s", f.Object, f.Message))
		}
	}
	if logins {
		failures = append(failures, r.platform.repairLogins(ctx, id))
	}
	return errors.Join(failures...)
}

// runForTenant runs statements under the lock of a tenant.
func (p *Platform) runForTenant(ctx context.Context, id uuid.UUID, statements []string) error {
	return p.db.InTx(ctx, "repair owner", func(tx pgx.Tx) error {
		if _, err := tenantrow.Lock(ctx, tx, id); err != nil {
			return err
		}
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// endMissingLogins ends the open logins of a tenant that have no role.
func (p *Platform) endMissingLogins(ctx context.Context, id uuid.UUID) error {
	const op = "end missing logins"
	rows, _ := p.db.Pool().Query(ctx, `SELECT c.id FROM tenant_credentials c WHERE c.tenant_id = $1 AND `+missingLogin, id)
	missing, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	failures := []error{pgdb.Classify(err, op)}
	for _, login := range missing {
		failures = append(failures, p.logins.CloseCredential(ctx, id, login))
	}
	return errors.Join(failures...)
}

// without are the findings that are not in remaining.
func without(found, remaining []Finding) (gone []Finding) {
	type key struct {
		check  Check
		id     uuid.UUID
		object string
	}
	still := map[key]bool{}
	for _, f := range remaining {
		still[key{f.Check, f.TenantID, f.Object}] = true
	}
	for _, f := range found {
		if !still[key{f.Check, f.TenantID, f.Object}] {
			gone = append(gone, f)
		}
	}
	return gone
}
