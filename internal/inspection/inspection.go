// Package inspection reads the state of many tenants at once, in the database and on the
// ledger, and repairs what can be repaired without a person.
package inspection

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// DatabaseState tells whether a live tenant has in the database what it was given.
type DatabaseState string

// The states of what a tenant has in the database.
const (
	DatabaseInSync  DatabaseState = "IN_SYNC" // As it was made.
	DatabaseDrifted DatabaseState = "DRIFTED" // Its role is gone, or may do more or less than it should. Repair sees to it.
	DatabaseMissing DatabaseState = "MISSING" // Its schema, or a table of it, is gone. Only a backup brings that back.
)

// Inspection is a tenant with what the database has of it.
type Inspection struct {
	Tenant        tenant.Tenant
	Database      DatabaseState      // Empty unless the tenant is ACTIVE.
	DatabaseDrift []string           // What is not as it was made, for people.
	Contract      contracts.Snapshot // State is empty when the contract was not read.
	ContractError string             // Why the contract was not read, for people.
}

// MaxInspect is how many tenants can be inspected at once.
const MaxInspect = 100

// Store looks at tenants and puts right what can be.
type Store interface {
	// Inspect reads tenants, all in one query, in no order. Ids that nobody has are left out.
	Inspect(ctx context.Context, ids []uuid.UUID) ([]Inspection, error)
	// Repair gives an ACTIVE tenant's role back what it should be able to do, and
	// takes what it should not, and tells what that was. KindPermanent, and nothing is
	// changed, when something is left that nobody but a person can put right.
	Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error)
}

// Inspect reads tenants, with what the database has of them and, where this service
// looks after contracts, what the ledger has, all at once and in no order; ids that
// nobody has are left out. KindInvalid for more than MaxInspect.
func (s *Service) Inspect(ctx context.Context, ids []uuid.UUID) ([]Inspection, error) {
	if len(ids) > MaxInspect {
		return nil, &errs.Error{Kind: errs.KindInvalid, Op: "inspect tenants", Fields: []errs.FieldError{{
			Field: "tenantId", Message: fmt.Sprintf("has %d ids; give at most %d", len(ids), MaxInspect),
		}}}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := s.startContractRead(ctx, ids)
	found, err := s.store.Inspect(ctx, ids)
	if err != nil {
		return nil, err
	}
	s.addContracts(ctx, found, read)
	return found, nil
}

// Repair puts a tenant's database role right. See Inspector.
func (s *Service) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	return s.store.Repair(ctx, id)
}
