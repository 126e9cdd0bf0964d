package provisioning

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
	Contract      contracts.Snapshot // Without Life: nobody has looked, or the network did not say.
}

// MaxInspect is how many tenants can be inspected at once.
const MaxInspect = 100

// Inspector looks at tenants and puts right what can be.
type Inspector interface {
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
	found, err := s.registry.Inspect(ctx, ids)
	if err == nil && s.contracts != nil {
		s.contracts.inspect(ctx, found)
	}
	return found, err
}

// Repair puts a tenant's database role right. See Inspector.
func (s *Service) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	return s.registry.Repair(ctx, id)
}
