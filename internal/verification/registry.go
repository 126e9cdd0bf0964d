package verification

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
)

// registryItself checks the registry and what the ledger has of it. An error means that a check
// could not be done; the findings of the others are returned with it.
func (v *Verifier) registryItself(ctx context.Context) ([]Finding, error) {
	findings, err := v.registry.Verify(ctx, uuid.Nil)
	anchored, anchorErr := v.registryChain(ctx)
	removed, searchErr := v.removedTenants(ctx)
	return slices.Concat(findings, anchored, removed), errors.Join(err, anchorErr, searchErr)
}

// registryChain compares the registry chain with the anchor in the registry's contract. Its
// address follows from the registry's id, so it is found also when its record was deleted.
func (v *Verifier) registryChain(ctx context.Context) ([]Finding, error) {
	if v.contracts == nil {
		return nil, nil
	}
	t, err := v.registry.RegistryContract(ctx)
	if err != nil {
		return nil, err
	}
	return v.anchoredChain(ctx, uuid.Nil, t)
}

// removedTenants finds contracts on the ledger whose tenants the registry does not have. The
// database's owner can delete all that the database has of a tenant, and not these.
func (v *Verifier) removedTenants(ctx context.Context) (findings []Finding, err error) {
	if v.unknown == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	found, err := v.unknown.FindRemoved(ctx)
	for _, c := range found {
		findings = append(findings, Finding{Subject: SubjectContract, Message: removedMessage(c)})
	}
	return findings, err
}

func removedMessage(c contracts.Creation) string {
	did := "created"
	if c.Anchored {
		did = "anchored an audit chain in"
	}
	return fmt.Sprintf("no tenant in the registry has the contract %s, and this registry %s it in ledger %d, at %s, with the transaction %s: the tenant was removed, or lost with the database; restore the registry from a backup",
		c.ContractID, did, c.Ledger, c.ClosedAt.UTC().Format(time.DateTime), c.TransactionHash)
}
