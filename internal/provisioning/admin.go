package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// The part of a Service that only administrators need.

// Submit records a tenant and leaves its provisioning to a worker. KindInvalid
// for broken rules; else see Registry.Submit.
func (s *Service) Submit(ctx context.Context, in Inputs, idem *Idempotency) (Submission, error) {
	draft, err := NewDraft(in, s.pipeline.opts.Clock.Now())
	if err != nil {
		return Submission{}, err
	}
	return s.registry.Submit(ctx, draft, idem)
}

// Retry leaves another attempt of a tenant that never went live to a worker. See
// Registry.Requeue.
func (s *Service) Retry(ctx context.Context, id uuid.UUID) (Submission, error) {
	return s.registry.Requeue(ctx, id)
}

// List gives a page of tenants. KindInvalid for a limit or status that does not exist.
func (s *Service) List(ctx context.Context, q ListQuery) (Page, error) {
	var broken []FieldError
	if q.Limit == 0 {
		q.Limit = DefaultPage
	}
	if q.Limit < 1 || q.Limit > MaxPage {
		broken = append(broken, FieldError{Field: "limit", Message: "is out of range; give 1 to 100"})
	}
	if q.Status != "" && !q.Status.Known() {
		broken = append(broken, FieldError{Field: "status", Message: "is unknown; give PENDING, PROVISIONING, ACTIVE, FAILED or ARCHIVED"})
	}
	if err := checkLength(q.Text, 0, MaxNameLength); err != nil {
		broken = append(broken, FieldError{Field: "q", Message: err.Error()})
	}
	if len(broken) > 0 {
		return Page{}, &Error{Kind: KindInvalid, Op: "list tenants", Fields: broken}
	}
	return s.registry.List(ctx, q)
}

// Patch is a change of some of a tenant's inputs; nil leaves one as it is.
type Patch struct {
	Name           *string
	AdminEmail     *string
	AdminFirstName *string
	AdminLastName  *string
	ExternalID     *string
	Metadata       *map[string]string // Takes the place of the whole map.
	ManagedBy      *string
	AdminPassword  Password // Empty leaves it as it is.
}

func (p Patch) apply(in Inputs) Inputs {
	set := func(field *string, value *string) {
		if value != nil {
			*field = *value
		}
	}
	set(&in.Name, p.Name)
	set(&in.AdminEmail, p.AdminEmail)
	set(&in.AdminFirstName, p.AdminFirstName)
	set(&in.AdminLastName, p.AdminLastName)
	set(&in.ExternalID, p.ExternalID)
	set(&in.ManagedBy, p.ManagedBy)
	if p.Metadata != nil {
		in.Metadata = *p.Metadata
	}
	in.AdminPassword = p.AdminPassword
	return in
}

// patchTries bounds how often Patch looks again after others changed the tenant.
const patchTries = 5

// Patch changes some of a tenant's inputs. With a version that is not 0, only
// that version is changed, and another one is KindStale; else the newest is. It
// returns what Update returns.
func (s *Service) Patch(ctx context.Context, id uuid.UUID, p Patch, version int64) (Tenant, error) {
	for try := 1; ; try++ {
		t, err := s.registry.Get(ctx, id)
		if err != nil {
			return t, err
		}
		expected := version
		if expected == 0 {
			expected = t.Version
		}
		t, err = s.Update(ctx, id, p.apply(t.Inputs()), expected)
		if KindOf(err) != KindStale || version != 0 || try == patchTries {
			return t, err
		}
	}
}

// Restore takes an archived tenant back into service. See Registry.Restore.
func (s *Service) Restore(ctx context.Context, id uuid.UUID) (Tenant, error) {
	return s.registry.Restore(ctx, id)
}

// Purge deletes what an archived tenant has stored, for good. confirm has to be
// its name; KindInvalid when it is not. See Registry.Purge for the rest.
func (s *Service) Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (PurgeCertificate, error) {
	t, err := s.registry.Get(ctx, id)
	if err != nil {
		return PurgeCertificate{}, err
	}
	if NormalizeName(confirm) != t.Name {
		return PurgeCertificate{}, &Error{Kind: KindInvalid, Op: "purge tenant", Fields: []FieldError{{
			Field: "confirm", Message: "is not the tenant's name; give the name exactly, to show that this tenant is meant",
		}}}
	}
	return s.registry.Purge(ctx, id, retention)
}

// Changes gives what happened to a tenant since a point of its log.
func (s *Service) Changes(ctx context.Context, id uuid.UUID, after int64) (Changes, error) {
	return s.registry.Changes(ctx, id, after)
}

// Record writes refusals into the audit log. See AuditLog.
func (s *Service) Record(ctx context.Context, events ...AuditEvent) error {
	return s.registry.Record(ctx, events...)
}

// AuditEvents reads the audit log. KindNotFound for an unknown tenant.
func (s *Service) AuditEvents(ctx context.Context, tenant uuid.UUID, after int64, limit int) ([]AuditEvent, error) {
	if tenant != uuid.Nil {
		if _, err := s.registry.Get(ctx, tenant); err != nil {
			return nil, err
		}
	}
	return s.registry.AuditEvents(ctx, tenant, after, limit)
}
