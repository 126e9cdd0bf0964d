package provisioning

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
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

// RegistryVerifier checks what is in the database.
type RegistryVerifier interface {
	// Verify checks chain, schema and role of a tenant; uuid.Nil is the platform's
	// chain. Everything is of one moment. KindNotFound for an unknown tenant; an
	// error means that the check could not be made, not that it failed.
	Verify(ctx context.Context, tenant uuid.UUID) ([]Finding, error)
	// VerifyAnchor holds a tenant's audit chain against an anchor of it: the event of
	// that number is there and has that hash.
	VerifyAnchor(ctx context.Context, tenant uuid.UUID, anchor Anchor) ([]Finding, error)
}

// ContractVerifier checks what is on the ledger.
type ContractVerifier interface {
	// VerifyContract returns KindPermanent when the tenant's contract is not there or
	// not as it was made, KindTransient when the network did not tell. It gives the
	// newest anchor in it, the zero one when there is none.
	VerifyContract(ctx context.Context, t Tenant) (Anchor, error)
}

// Verifier checks tenants as a whole, one after the other.
type Verifier struct {
	service   *Service
	registry  RegistryVerifier
	contracts ContractVerifier
	silences  int // Tenants in a row about which the network did not tell.
}

// NewVerifier wires a verifier. Without contracts, which may be nil, it does not
// look at the ledger.
func NewVerifier(service *Service, registry RegistryVerifier, contracts ContractVerifier) (*Verifier, error) {
	if service == nil || registry == nil {
		return nil, Errorf(KindInvalid, "set up verifier", "Service or RegistryVerifier is missing")
	}
	return &Verifier{service: service, registry: registry, contracts: contracts}, nil
}

// maxSilences is after how many tenants the network is not asked any more: each
// question that is not answered takes seconds.
const maxSilences = 3

// Tenant checks one tenant, or with uuid.Nil the platform. An error means that
// something could not be checked; the findings of the rest are given all the same.
func (v *Verifier) Tenant(ctx context.Context, id uuid.UUID) ([]Finding, error) {
	findings, err := v.registry.Verify(ctx, id)
	if err != nil || id == uuid.Nil || v.contracts == nil {
		return findings, err
	}
	t, err := v.service.Get(ctx, id)
	if err != nil || t.ContractID == "" || !t.PurgedAt.IsZero() { // A purged tenant's contract may end.
		return findings, err
	}
	if v.silences >= maxSilences {
		return findings, Errorf(KindTransient, "verify contract", "the contract was not looked at: the Stellar network did not answer for %d tenants before", maxSilences)
	}
	anchor, err := v.contracts.VerifyContract(ctx, t)
	if KindOf(err) == KindTransient {
		v.silences++
	} else {
		v.silences = 0
	}
	if KindOf(err) == KindPermanent {
		findings = append(findings, Finding{TenantID: id, Subject: SubjectContract, Message: SafeMessage(err)})
		err = nil
	} else if err == nil && anchor.Seq > 0 {
		var more []Finding
		more, err = v.registry.VerifyAnchor(ctx, id, anchor)
		findings = append(findings, more...)
	}
	return findings, err
}

// All checks the platform and then every tenant, newest first, and tells each
// outcome. A tenant that cannot be checked holds up no other; the error joins
// those, and ends with ctx.
func (v *Verifier) All(ctx context.Context, tell func(id uuid.UUID, findings []Finding, err error)) error {
	var errs []error
	check := func(id uuid.UUID) {
		findings, err := v.Tenant(ctx, id)
		tell(id, findings, err)
		if err != nil {
			errs = append(errs, fmt.Errorf("verify tenant %s: %w", id, err))
		}
	}
	check(uuid.Nil)
	for q := (ListQuery{Limit: MaxPage}); ; {
		page, err := v.service.List(ctx, q)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, t := range page.Tenants {
			check(t.ID)
			if ctx.Err() != nil {
				return errors.Join(append(errs, context.Cause(ctx))...)
			}
		}
		if page.Next == nil {
			return errors.Join(errs...)
		}
		q.After = page.Next
	}
}
