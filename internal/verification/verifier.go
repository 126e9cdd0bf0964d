// Package verification checks tenants one by one: audit chains, schema, privileges and
// contract. It reports findings and changes nothing.
package verification

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/breaker"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Finding is something about a tenant that is not as it should be. A chain gives
// at most one, the first row that does not fit: behind it nothing can be said.
type Finding struct {
	TenantID uuid.UUID // uuid.Nil: the platform itself.
	Subject  Subject
	Message  string // What does not fit, and where; for people.
}

// Subject is what a finding is about.
type Subject string

// The subjects of findings.
const (
	SubjectAudit       Subject = "audit events" // The chain of who did what.
	SubjectTenantAudit Subject = "audit_logs"   // The chain in the tenant's own schema.
	SubjectSchema      Subject = "schema"       // Whether it is there, and its version.
	SubjectRole        Subject = "role"         // What the tenant's role may do.
	SubjectContract    Subject = "contract"     // What the ledger has.
	SubjectKey         Subject = "API key"      // What it permits.
)

// RegistryChecker checks what is in the database.
type RegistryChecker interface {
	// Verify checks chain, schema and role of a tenant; uuid.Nil is the platform's
	// chain. Everything is of one moment. KindNotFound for an unknown tenant; an
	// error means that the check could not be made, not that it failed.
	Verify(ctx context.Context, tenant uuid.UUID) ([]Finding, error)
	// VerifyAnchor holds a tenant's audit chain against an anchor of it: the event of
	// that number is there and has that hash.
	VerifyAnchor(ctx context.Context, tenant uuid.UUID, anchor contracts.Anchor) ([]Finding, error)
}

// ContractChecker checks what is on the ledger.
type ContractChecker interface {
	// VerifyContract returns KindPermanent when the tenant's contract is not there or
	// not as it was made, KindTransient when the network did not tell. It gives the
	// newest anchor in it, the zero one when there is none.
	VerifyContract(ctx context.Context, t tenant.Tenant) (contracts.Anchor, error)
}

// TenantLister reads tenants.
type TenantLister interface {
	// Get returns KindNotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	// List returns a page of tenants, newest first.
	List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error)
}

// Verifier checks tenants as a whole, one after the other.
type Verifier struct {
	tenants   TenantLister
	clock     clock.Clock
	registry  RegistryChecker
	contracts ContractChecker
	breaker   breaker.CircuitBreaker // Around the calls of contracts.
}

const (
	// maxVerifyFailures is after how many contracts in a row the network is given a
	// pause: each call that is not answered takes seconds.
	maxVerifyFailures = 3
	// verifyPause is how long that pause is.
	verifyPause = 5 * time.Second
	// maxProbes is how many calls in a row may fail at the end of a run before the rest
	// is reported as not checked.
	maxProbes = 3
	// contractCheckTimeout bounds the check of one contract.
	contractCheckTimeout = 20 * time.Second
)

// New wires a verifier. Without contracts, which may be nil, it does not
// look at the ledger.
func New(tenants TenantLister, registry RegistryChecker, contracts ContractChecker, c clock.Clock) (*Verifier, error) {
	if tenants == nil || registry == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up verifier", "TenantLister or RegistryVerifier is missing")
	}
	if c == nil {
		c = clock.System{}
	}
	return &Verifier{
		tenants: tenants, clock: c, registry: registry, contracts: contracts,
		breaker: breaker.CircuitBreaker{Clock: c, Threshold: maxVerifyFailures, Pause: verifyPause},
	}, nil
}

// All checks the platform and then every tenant, newest first, and reports each
// outcome once. A tenant that cannot be checked holds up no other. Contracts that the
// network did not answer for are tried once more at the end, and reported then. The
// error joins those of all tenants that could not be checked, and ends with ctx.
func (v *Verifier) All(ctx context.Context, report func(id uuid.UUID, findings []Finding, err error)) error {
	r := &verifyRun{Verifier: v, report: report}
	err := r.checkAll(ctx)
	r.retryUnanswered(ctx)
	if err == nil {
		err = context.Cause(ctx)
	}
	return errors.Join(append(r.errs, err)...)
}

// Tenant checks one tenant, or with uuid.Nil the platform. An error means that
// something could not be checked; the findings of the rest are given all the same.
func (v *Verifier) Tenant(ctx context.Context, id uuid.UUID) ([]Finding, error) {
	findings, err := v.registry.Verify(ctx, id)
	if err != nil || id == uuid.Nil {
		return findings, err
	}
	more, err := v.contract(ctx, id)
	return append(findings, more...), err
}

// verifyRun is one run over all tenants.
type verifyRun struct {
	*Verifier
	report     func(id uuid.UUID, findings []Finding, err error)
	errs       []error
	unanswered []unansweredCheck
}

// unansweredCheck is a tenant whose contract the network did not answer for.
type unansweredCheck struct {
	tenant   uuid.UUID
	findings []Finding // Of its database.
	err      error     // Why the contract was not checked.
}

// checkAll checks the platform and every tenant. Contracts without an answer are left
// to retryUnanswered.
func (r *verifyRun) checkAll(ctx context.Context) error {
	findings, err := r.registry.Verify(ctx, uuid.Nil)
	r.finish(uuid.Nil, findings, err)
	for t, err := range tenant.All(ctx, r.tenants, tenant.ListQuery{}) {
		if err != nil {
			return err
		}
		r.check(ctx, t.ID)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

func (r *verifyRun) check(ctx context.Context, id uuid.UUID) {
	findings, err := r.registry.Verify(ctx, id)
	if err == nil {
		var more []Finding
		more, err = r.contract(ctx, id)
		findings = append(findings, more...)
		if errs.KindOf(err) == errs.KindTransient {
			r.unanswered = append(r.unanswered, unansweredCheck{id, findings, err})
			return
		}
	}
	r.finish(id, findings, err)
}

// retryUnanswered tries every contract without an answer once more, after the breaker's
// pause where it is open. When the network stays silent, what is left is reported as
// not checked.
func (r *verifyRun) retryUnanswered(ctx context.Context) {
	failures := 0
	for _, u := range r.unanswered {
		if failures < maxProbes && r.clock.Sleep(ctx, r.breaker.OpenFor()) == nil {
			var more []Finding
			more, u.err = r.contract(ctx, u.tenant)
			u.findings = append(u.findings, more...)
			if failures++; errs.KindOf(u.err) != errs.KindTransient {
				failures = 0
			}
		}
		r.finish(u.tenant, u.findings, u.err)
	}
}

// finish reports the outcome for a tenant.
func (r *verifyRun) finish(id uuid.UUID, findings []Finding, err error) {
	r.report(id, findings, err)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("verify tenant %s: %w", id, err))
	}
}

// contract checks a tenant's contract, if it has one, and its anchor. KindTransient
// when the network did not answer, or is not asked now because it did not before.
func (v *Verifier) contract(ctx context.Context, id uuid.UUID) ([]Finding, error) {
	if v.contracts == nil {
		return nil, nil
	}
	t, err := v.tenants.Get(ctx, id)
	if err != nil || t.ContractID == "" || !t.PurgedAt.IsZero() { // A purged tenant's contract may end.
		return nil, err
	}
	if !v.breaker.Allow() {
		return nil, errs.Errorf(errs.KindTransient, "verify contract", "the contract was not checked: the Stellar network did not answer for %d tenants before", maxVerifyFailures)
	}
	anchor, err := v.verifyContract(ctx, t)
	switch {
	case errs.KindOf(err) == errs.KindPermanent:
		return []Finding{{TenantID: id, Subject: SubjectContract, Message: errs.SafeMessage(err)}}, nil
	case err != nil || anchor.Seq == 0:
		return nil, err
	}
	return v.registry.VerifyAnchor(ctx, id, anchor)
}

// verifyContract asks the network, and tells the breaker what came of it.
func (v *Verifier) verifyContract(ctx context.Context, t tenant.Tenant) (contracts.Anchor, error) {
	limited, cancel := context.WithTimeout(ctx, contractCheckTimeout)
	defer cancel()
	anchor, err := v.contracts.VerifyContract(limited, t)
	switch {
	case ctx.Err() != nil:
		v.breaker.Abandon()
	case errs.KindOf(err) == errs.KindTransient:
		v.breaker.Failure()
	default:
		v.breaker.Success()
	}
	return anchor, err
}
