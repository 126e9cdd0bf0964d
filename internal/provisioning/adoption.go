package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// AdoptionStore makes tenants of schemas that exist.
type AdoptionStore interface {
	// Adopt records the draft as the tenant of a schema and claims it, or claims an adoption that
	// did not end. The schema gets the schema owner and keeps its name; nothing in it is changed.
	// KindConflict when the schema differs from what the migrations make, or is a tenant's, with the
	// cause ErrAdopted if there is nothing left to do; KindInvalid for a version or a schema that cannot be.
	Adopt(ctx context.Context, d tenant.Draft, a Adoption, lease LeaseRequest) (Run, error)
	// CompareSchema compares a schema with a blueprint, and changes nothing.
	CompareSchema(ctx context.Context, blueprint string, a Adoption) (SchemaDifference, error)
}

// Adoption says which schema becomes a tenant's.
type Adoption struct {
	Schema   string
	Version  int  // The number of the last migration that the schema has.
	SendMail bool // The administrator gets the welcome mail.
}

// The administrator's name for an adoption that gives none.
const (
	AdoptedFirstName = "Administrator"
	AdoptedLastName  = "of the organisation"
)

// ErrAdopted is the cause of an AdoptionStore.Adopt that failed because the schema was adopted before
// and its tenant was live.
var ErrAdopted = errors.New("the schema was adopted before")

// SchemaDifference is how a schema differs from what its migrations make.
type SchemaDifference struct {
	Missing, Changed []string
	Unmanaged        []string // Others added it; no obstacle.
	Statements       []string // That a DBA has to run before the adoption.
}

// Equal reports whether nothing is missing or changed.
func (d SchemaDifference) Equal() bool { return len(d.Missing)+len(d.Changed) == 0 }

// maxDifferences is how many objects a message names.
const maxDifferences = 5

// String lists what is missing and changed, for messages.
func (d SchemaDifference) String() string {
	var all []string
	for _, object := range d.Missing {
		all = append(all, "it lacks the "+object)
	}
	for _, object := range d.Changed {
		all = append(all, "the "+object+" differs")
	}
	more := ""
	if len(all) > maxDifferences {
		more = fmt.Sprintf(" and %d more", len(all)-maxDifferences)
	}
	return strings.Join(slices.Clip(all[:min(len(all), maxDifferences)]), ", ") + more
}

// Adopt makes a tenant of a schema that exists, with its contract. It is safe to repeat: an
// adoption that was interrupted goes on. It returns the errors of AdoptionStore.Adopt and
// Pipeline.Run.
func (s *Service) Adopt(ctx context.Context, in tenant.Inputs, a Adoption) (Outcome, error) {
	var run Run
	err := s.withLeaseRetry(ctx, func(ctx context.Context) error {
		draft, err := s.newDraft(ctx, in)
		if err == nil {
			run, err = s.adoptions.Adopt(ctx, draft, a, s.pipeline.Lease())
		}
		return err
	})
	switch {
	case errors.Is(err, ErrAdopted): // A repeated adoption has nothing to do.
		return Outcome{}, err
	case err != nil:
		return Outcome{}, s.refusals.Add(ctx, uuid.Nil, audit.ActionCreate, err)
	}
	out, err := s.pipeline.Continue(ctx, run, s.runOptions())
	return s.goOn(ctx, run.Tenant.ID, out, err)
}

// CompareSchema says how a schema differs from a blueprint at a version. It changes nothing.
func (s *Service) CompareSchema(ctx context.Context, blueprint string, a Adoption) (SchemaDifference, error) {
	return s.adoptions.CompareSchema(ctx, blueprint, a)
}
