package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Service is what every entrance (Terraform, REST, command line) calls.
type Service struct {
	registry Registry
	pipeline *Pipeline
}

// NewService wires a service; both parts are needed.
func NewService(registry Registry, pipeline *Pipeline) (*Service, error) {
	if registry == nil || pipeline == nil {
		return nil, Errorf(KindInvalid, "set up service", "registry or pipeline is missing")
	}
	return &Service{registry: registry, pipeline: pipeline}, nil
}

// Provision records a tenant and takes it live, in the foreground. It is safe to
// repeat: a tenant of that name (or external id) that never went live and is
// nobody's running work is continued under its id. Besides what Pipeline.Run
// returns: KindInvalid for broken rules; KindConflict, with Outcome.Tenant set,
// for a tenant that went live before or is another run's work.
func (s *Service) Provision(ctx context.Context, in Inputs) (Outcome, error) {
	creation, err := s.claim(ctx, in)
	if err != nil {
		return Outcome{Tenant: creation.Tenant}, err
	}
	if creation.Run == nil {
		return s.existing(creation.Tenant, in)
	}
	out, err := s.pipeline.Continue(ctx, *creation.Run, ClaimRetry)
	out.Continued = creation.Continued
	return out, err
}

// busyPoll is how often a busy tenant is looked at.
const busyPoll = 250 * time.Millisecond

// claim records the tenant or waits until its holder's lease is out. A holder
// that shows a sign of life (its lease moves on) is alive, and then waiting
// longer would only hide that two callers want the same tenant.
func (s *Service) claim(ctx context.Context, in Inputs) (Creation, error) {
	lease, clock := s.pipeline.Lease(), s.pipeline.opts.Clock
	var first Creation
	for {
		draft, err := NewDraft(in, clock.Now())
		if err != nil {
			return Creation{}, err
		}
		creation, err := s.registry.Create(ctx, draft, &lease)
		if err != nil || !creation.Busy {
			return creation, err
		}
		if !first.Busy {
			first = creation
		}
		if creation.BusyEpoch != first.BusyEpoch || creation.BusyUntil.After(first.BusyUntil) {
			return creation, Errorf(KindConflict, "create tenant",
				"tenant %q (%s) is being provisioned by another run right now; wait for it to end", creation.Tenant.Name, creation.Tenant.ID)
		}
		if err := clock.Sleep(ctx, busyPoll); err != nil {
			return creation, err
		}
	}
}

// existing decides about a tenant that went live before.
func (s *Service) existing(t Tenant, in Inputs) (Outcome, error) {
	in, err := in.Normalize()
	if err != nil {
		return Outcome{Tenant: t}, err
	}
	if t.Status == StatusActive && in.ManagedBy != "" && in.Equal(t.Inputs()) {
		return Outcome{Tenant: t, Adopted: true}, nil
	}
	field, value := "name", t.Name
	if in.ExternalID != "" && in.ExternalID == t.ExternalID {
		field, value = "externalId", t.ExternalID
	}
	return Outcome{Tenant: t}, &Error{
		Kind: KindConflict, Op: "create tenant",
		Message: "a tenant with this " + field + " exists already: " + t.Name + " (" + t.ID.String() + "), " + string(t.Status),
		Fields:  []FieldError{{Field: field, Message: "is taken: " + value}},
	}
}

// Resume continues a tenant that was left PENDING, PROVISIONING or FAILED.
func (s *Service) Resume(ctx context.Context, id uuid.UUID) (Outcome, error) {
	return s.pipeline.Run(ctx, id, ClaimRetry)
}

// Get returns KindNotFound for an unknown id.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Tenant, error) {
	return s.registry.Get(ctx, id)
}

// FindByName finds the live tenant of that name, else the one archived last.
func (s *Service) FindByName(ctx context.Context, name string) (Tenant, error) {
	return s.registry.FindByName(ctx, NormalizeName(name))
}

// Update changes a tenant in place. KindInvalid, KindNotFound, KindConflict.
func (s *Service) Update(ctx context.Context, id uuid.UUID, in Inputs, version int64) (Tenant, error) {
	in, err := in.Normalize()
	if err != nil {
		return Tenant{}, err
	}
	return s.registry.Update(ctx, id, in, version)
}

// Archive takes a tenant out of service. A live one keeps its schema and its
// rows; one that never went live is rolled back first, whoever is running it.
// Repeating it is success.
func (s *Service) Archive(ctx context.Context, id uuid.UUID) (Tenant, error) {
	for try := 1; ; try++ {
		t, err := s.registry.Get(ctx, id)
		if err != nil {
			return t, err
		}
		if t.Status == StatusActive || t.Status == StatusArchived {
			t, err = s.registry.Archive(ctx, id)
		} else {
			var run Run
			if run, err = s.registry.Abort(ctx, id, s.pipeline.Lease()); err == nil {
				return s.pipeline.abort(ctx, run)
			}
		}
		// The status changed between look and act: look again.
		if KindOf(err) != KindConflict || try == 3 || ctx.Err() != nil {
			return t, err
		}
	}
}

// Log gives the provisioning log of a tenant's newest attempt, or of all.
func (s *Service) Log(ctx context.Context, id uuid.UUID, all bool) ([]LogEntry, error) {
	return s.registry.Log(ctx, id, all)
}
