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

// Finding is one fault of a tenant. A chain has at most one finding, the first row that
// does not match: later rows cannot be checked.
type Finding struct {
	TenantID uuid.UUID // uuid.Nil: the registry itself.
	Subject  Subject
	Message  string // What does not match, and where; for people.
	// Unmanaged says that it is no fault: another program or a person added what the message names, and this
	// program leaves it alone.
	Unmanaged bool
}

// Subject is what a finding is about.
type Subject string

// The subjects of findings.
const (
	SubjectAudit       Subject = "audit events" // The tenant's audit chain.
	SubjectTenantAudit Subject = "audit_logs"   // The chain in the tenant's own schema.
	SubjectSchema      Subject = "schema"       // Whether it exists, and its version.
	SubjectRole        Subject = "role"         // The privileges of the tenant's role.
	SubjectContract    Subject = "contract"     // The contract on the ledger.
	SubjectKey         Subject = "API key"      // The scopes of an API key.
)

// RegistryChecker checks the database.
type RegistryChecker interface {
	// Verify checks chain, schema and role of a tenant, in one snapshot of the database.
	// With uuid.Nil it checks the registry itself: its chain, records without a tenant,
	// privileges of PUBLIC and API keys. KindNotFound for an unknown tenant. An error
	// means that the check was not done, not that it has findings.
	Verify(ctx context.Context, tenant uuid.UUID) ([]Finding, error)
	// RegistryContract returns the registry as the contract of its own chain has it: a tenant
	// with the registry's id and, if one is registered, its contract.
	RegistryContract(ctx context.Context) (tenant.Tenant, error)
	// VerifyAnchor compares a tenant's audit chain, with uuid.Nil the registry chain, with an
	// anchor: the event of that number must exist and have that hash.
	VerifyAnchor(ctx context.Context, tenant uuid.UUID, anchor contracts.Anchor) ([]Finding, error)
}

// ContractChecker checks contracts on the ledger.
type ContractChecker interface {
	// VerifyContract returns the newest anchor in the tenant's contract, zero for none.
	// KindNotFound when the registry names no contract and there is none, KindPermanent when
	// the contract is missing or differs from what was deployed, KindTransient when the network does not answer.
	VerifyContract(ctx context.Context, t tenant.Tenant) (contracts.Anchor, error)
}

// UnknownContractFinder finds contracts on the ledger that this registry made and does not have.
type UnknownContractFinder interface {
	// FindRemoved returns the contracts that this registry created or anchored in lately, and
	// that none of its tenants has. KindTransient when the network does not answer.
	FindRemoved(ctx context.Context) ([]contracts.Creation, error)
}

// TenantLister reads tenants.
type TenantLister interface {
	// Get returns KindNotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	// List returns a page of tenants, newest first.
	List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error)
}

// Options are the parts of a Verifier.
type Options struct {
	Tenants   TenantLister
	Registry  RegistryChecker
	Contracts ContractChecker       // Nil: the ledger is not read.
	Unknown   UnknownContractFinder // Nil: contracts of removed tenants are not searched for.
	Clock     clock.Clock           // Nil: the system's.
}

// Verifier runs all checks of tenants, one tenant after the other.
type Verifier struct {
	tenants   TenantLister
	clock     clock.Clock
	registry  RegistryChecker
	contracts ContractChecker
	unknown   UnknownContractFinder
	breaker   breaker.CircuitBreaker // For the calls of contracts.
}

const (
	// maxVerifyFailures is the number of consecutive contracts without a response after
	// which calls pause: each of them takes seconds.
	maxVerifyFailures = 3
	// verifyPause is the length of that pause.
	verifyPause = 5 * time.Second
	// maxProbes is how many consecutive calls may fail at the end of a run before the
	// remaining tenants are reported as not checked.
	maxProbes = 3
	// contractCheckTimeout bounds the check of one contract.
	contractCheckTimeout = 20 * time.Second
	// searchTimeout bounds the search for contracts of removed tenants, which reads the events
	// of a week.
	searchTimeout = 5 * time.Minute
)

// New makes a verifier. KindInvalid when Tenants or Registry is missing.
func New(o Options) (*Verifier, error) {
	if o.Tenants == nil || o.Registry == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up verifier", "TenantLister or RegistryChecker is missing")
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	return &Verifier{
		tenants: o.Tenants, clock: o.Clock, registry: o.Registry, contracts: o.Contracts, unknown: o.Unknown,
		breaker: breaker.CircuitBreaker{Clock: o.Clock, Threshold: maxVerifyFailures, OpenTimeout: verifyPause},
	}, nil
}

// All checks the registry itself, then every tenant, newest first, and reports each
// outcome once. A tenant that cannot be checked does not stop the others. Contracts
// without a response are checked once more at the end, and reported then. The error joins
// the errors of all tenants that could not be checked, and that of ctx if it ended.
func (v *Verifier) All(ctx context.Context, report func(id uuid.UUID, findings []Finding, err error)) error {
	r := &verifyRun{Verifier: v, report: report}
	err := r.checkAll(ctx)
	r.retryUnanswered(ctx)
	if err == nil {
		err = context.Cause(ctx)
	}
	return errors.Join(append(r.errs, err)...)
}

// Tenant checks one tenant, or with uuid.Nil the registry itself. An error means that a
// check could not be done; the findings of the other checks are returned with it.
func (v *Verifier) Tenant(ctx context.Context, id uuid.UUID) ([]Finding, error) {
	if id == uuid.Nil {
		return v.registryItself(ctx)
	}
	findings, err := v.registry.Verify(ctx, id)
	if err != nil {
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

// unansweredCheck is a tenant whose contract check had no response.
type unansweredCheck struct {
	tenant   uuid.UUID
	findings []Finding // Of its database.
	err      error     // Why the contract was not checked.
}

// checkAll checks the registry itself and every tenant. retryUnanswered checks the
// contracts without a response.
func (r *verifyRun) checkAll(ctx context.Context) error {
	findings, err := r.registryItself(ctx)
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

// retryUnanswered checks every contract without a response once more, after the pause of
// an open breaker. After maxProbes consecutive failures it reports the remaining ones as
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

// contract checks a tenant's contract, if it has one, and the anchor. KindTransient when
// the network does not answer or the breaker is open.
func (v *Verifier) contract(ctx context.Context, id uuid.UUID) ([]Finding, error) {
	if v.contracts == nil {
		return nil, nil
	}
	t, err := v.tenants.Get(ctx, id)
	if err != nil || t.ContractID == "" || !t.PurgedAt.IsZero() { // A purged tenant's contract may end.
		return nil, err
	}
	return v.anchoredChain(ctx, id, t)
}

// anchoredChain checks a contract, and the chain of id, which is uuid.Nil for the registry,
// against the anchor in it.
func (v *Verifier) anchoredChain(ctx context.Context, id uuid.UUID, t tenant.Tenant) ([]Finding, error) {
	if !v.breaker.Allow() {
		return nil, errs.Errorf(errs.KindTransient, "verify contract", "the contract was not checked: the Stellar network did not answer for the last %d tenants", maxVerifyFailures)
	}
	anchor, err := v.verifyContract(ctx, t)
	switch {
	case errs.KindOf(err) == errs.KindNotFound:
		return nil, nil
	case errs.KindOf(err) == errs.KindPermanent:
		return []Finding{{TenantID: id, Subject: SubjectContract, Message: errs.SafeMessage(err)}}, nil
	case err != nil || anchor.Seq == 0:
		return nil, err
	}
	return v.registry.VerifyAnchor(ctx, id, anchor)
}

// verifyContract checks the contract on the ledger and reports the result to the breaker.
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
