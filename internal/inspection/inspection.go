// Package inspection reads the state of many tenants at once, in the database and on the
// ledger, and repairs drift that needs no operator.
package inspection

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// DatabaseState says whether a live tenant's database objects are as they were created.
type DatabaseState string

// The states of a tenant's database objects.
const (
	DatabaseInSync  DatabaseState = "IN_SYNC" // As created.
	DatabaseDrifted DatabaseState = "DRIFTED" // Its role is missing, or has too many or too few privileges. Repair restores it.
	DatabaseMissing DatabaseState = "MISSING" // Its schema, or a table in it, is missing. Only a backup restores it.
)

// Inspection is a tenant with the state of its database objects and contract.
type Inspection struct {
	Tenant        tenant.Tenant
	Database      DatabaseState      // Empty unless the tenant is ACTIVE.
	DatabaseDrift []string           // What differs, for people.
	Contract      contracts.Snapshot // State is empty when the contract was not read.
	ContractError string             // Why the contract was not read, for people.
}

// MaxInspect is how many tenants can be inspected at once.
const MaxInspect = 100

// Store inspects and repairs tenants in the database.
type Store interface {
	// Inspect reads tenants, all in one query, in no order, and omits unknown ids.
	Inspect(ctx context.Context, ids []uuid.UUID) ([]Inspection, error)
	// Repair grants missing privileges to an ACTIVE tenant's role, revokes excess ones
	// and returns the drift that it found. KindPermanent, without a change, for drift
	// that only an operator can repair.
	Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error)
}

// Inspect reads tenants with their state in the database and, if contract management is
// configured, on the ledger, in no order. It omits unknown ids. KindInvalid for more than
// MaxInspect ids.
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

// Repair restores the privileges of a tenant's database role. See Store.
func (s *Service) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	return s.store.Repair(ctx, id)
}
