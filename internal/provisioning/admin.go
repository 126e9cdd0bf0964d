package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// This file has the methods of Service for administrators.

// Submit records a tenant and queues its provisioning for a worker. KindInvalid
// for broken rules; other errors as of CreationStore.Submit.
func (s *Service) Submit(ctx context.Context, in tenant.Inputs, idem *Idempotency) (Submission, error) {
	if in.UnarchiveExisting {
		return Submission{}, &errs.Error{Kind: errs.KindInvalid, Op: "create tenant", Fields: []errs.FieldError{{
			Field: "unarchiveExisting", Message: "does not work for a tenant that is queued; send the request to POST /admin/tenants/provision, or unarchive the tenant"}}}
	}
	draft, err := s.newDraft(ctx, in)
	if err == nil {
		return s.creations.Submit(ctx, draft, idem)
	}
	if idem != nil && errs.KindOf(err) == errs.KindInvalid {
		// A request that is invalid now can repeat one that was valid: its blueprint was
		// retired since, or another revision activated.
		if first, ok, stored := s.creations.Submitted(ctx, *idem); ok || stored != nil {
			return first, stored
		}
	}
	return Submission{}, err
}

// CheckInputs reports whether a tenant could be created: the rules of its fields, its blueprint with its variables, and
// whether another tenant holds its name or has its external id. Names that only look alike are compared when it is created.
// KindInvalid and KindConflict as of Submit.
func (s *Service) CheckInputs(ctx context.Context, in tenant.Inputs) error {
	draft, err := s.newDraft(ctx, in)
	if err != nil {
		return err
	}
	holder, err := s.FindByName(ctx, draft.Name)
	switch {
	case err == nil && holder.Status.OccupiesName():
		return errs.Errorf(errs.KindConflict, "check tenant", "a tenant with this name exists already; choose another name")
	case err != nil && errs.KindOf(err) != errs.KindNotFound:
		return err
	}
	if draft.ExternalID == "" {
		return nil
	}
	if _, err = s.FindByExternalID(ctx, draft.ExternalID); err == nil {
		return errs.Errorf(errs.KindConflict, "check tenant", "a tenant with this external id exists already; choose another one")
	}
	if errs.KindOf(err) == errs.KindNotFound {
		return nil
	}
	return err
}

// SubmitRetry queues another attempt for a tenant that never went live. See
// CreationStore.Requeue.
func (s *Service) SubmitRetry(ctx context.Context, id uuid.UUID) (Submission, error) {
	return s.creations.Requeue(ctx, id)
}

// List returns a page of tenants. KindInvalid for a limit out of range, an unknown status, or
// what is no name of a blueprint.
func (s *Service) List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error) {
	var broken []errs.FieldError
	if q.Limit == 0 {
		q.Limit = tenant.DefaultPage
	}
	if q.Limit < 1 || q.Limit > tenant.MaxPage {
		broken = append(broken, errs.FieldError{Field: "limit", Message: "is out of range; give 1 to 100"})
	}
	if q.Status != "" && !q.Status.Known() {
		broken = append(broken, errs.FieldError{Field: "status", Message: "is unknown; give PENDING, PROVISIONING, ACTIVE, SUSPENDED, FAILED or ARCHIVED"})
	}
	if err := tenant.CheckLength(q.Text, 0, tenant.MaxNameLength); err != nil {
		broken = append(broken, errs.FieldError{Field: "q", Message: err.Error()})
	}
	if err := tenant.CheckMetadata(q.Metadata); err != nil {
		broken = append(broken, errs.FieldError{Field: "metadata", Message: err.Error()})
	}
	if q.ManagedBy != "" {
		if err := tenant.CheckManagedBy(q.ManagedBy); err != nil {
			broken = append(broken, errs.FieldError{Field: "managedBy", Message: err.Error()})
		}
	}
	if q.Blueprint != "" {
		if err := tenant.CheckBlueprint(q.Blueprint); err != nil {
			broken = append(broken, errs.FieldError{Field: "blueprint", Message: err.Error()})
		}
	}
	if len(broken) > 0 {
		return tenant.Page{}, &errs.Error{Kind: errs.KindInvalid, Op: "list tenants", Fields: broken}
	}
	return s.tenants.List(ctx, q)
}

// Patch changes some of a tenant's inputs; nil keeps a field.
type Patch struct {
	Name                *string
	AdminEmail          *string
	AdminFirstName      *string
	AdminLastName       *string
	ExternalID          *string
	Metadata            *map[string]string // Replaces the whole map.
	ManagedBy           *string
	Locale              *string
	AllowConfusableName *bool
	Blueprint           *string            // Must be the tenant's: it never changes.
	Variables           *map[string]string // Replaces the whole map.
	AdminPassword       tenant.Password    // Empty keeps the password.
	// DeletionProtection is Inputs.DeletionProtection.
	DeletionProtection *bool
}

func (p Patch) apply(in tenant.Inputs) tenant.Inputs {
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
	set(&in.Locale, p.Locale)
	set(&in.Blueprint, p.Blueprint)
	if p.AllowConfusableName != nil {
		in.AllowConfusableName = *p.AllowConfusableName
	}
	if p.Variables != nil {
		in.Variables = *p.Variables
	}
	if p.Metadata != nil {
		in.Metadata = *p.Metadata
	}
	in.AdminPassword, in.DeletionProtection = p.AdminPassword, p.DeletionProtection
	return in
}

// maxPatchAttempts bounds how often Patch retries after concurrent changes.
const maxPatchAttempts = 5

// Patch changes some of a tenant's inputs. With version 0 it changes the newest version;
// otherwise it returns KindStale unless the stored version is that one. Other errors as of
// Update.
func (s *Service) Patch(ctx context.Context, id uuid.UUID, p Patch, version int64) (tenant.Tenant, error) {
	for try := 1; ; try++ {
		t, err := s.tenants.Get(ctx, id)
		if err != nil {
			return t, err
		}
		expected := version
		if expected == 0 {
			expected = t.Version
		}
		t, err = s.update(ctx, id, p.apply(t.Inputs()), expected)
		if errs.KindOf(err) != errs.KindStale || version != 0 || try == maxPatchAttempts {
			return t, s.refusals.Add(ctx, id, audit.ActionUpdate, err)
		}
	}
}

// Unarchive brings an archived tenant back into service. See MoveStore.Unarchive.
func (s *Service) Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	t, err := s.moves.Unarchive(ctx, id)
	return t, s.refusals.Add(ctx, id, audit.ActionUnarchive, err)
}

// CheckPurge returns the error that Purge would return, as far as it is known before it begins; for a
// live tenant, the error that archiving it and then purging it would return. It changes nothing; a
// refusal because of a legal hold is recorded.
func (s *Service) CheckPurge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) error {
	t, err := s.tenants.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := checkConfirmation(t, confirm); err != nil {
		return s.refusals.Add(ctx, id, audit.ActionPurge, err)
	}
	return s.refusals.Add(ctx, id, audit.ActionPurge, s.moves.CheckPurge(ctx, id, retention, true))
}

// Purge permanently deletes the data of an archived tenant, after its own steps were undone.
// confirm must be its name, otherwise KindInvalid. See MoveStore.Purge.
func (s *Service) Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (PurgeCertificate, error) {
	certificate, err := s.purge(ctx, id, confirm, retention)
	return certificate, s.refusals.Add(ctx, id, audit.ActionPurge, err)
}

func (s *Service) purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (PurgeCertificate, error) {
	t, err := s.tenants.Get(ctx, id)
	if err != nil {
		return PurgeCertificate{}, err
	}
	if err := checkConfirmation(t, confirm); err != nil {
		return PurgeCertificate{}, err
	}
	if !t.IsStandard() && t.PurgedAt.IsZero() {
		if err := s.moves.CheckPurge(ctx, id, retention, false); err != nil {
			return PurgeCertificate{}, err
		}
		if err := s.pipeline.undoForPurge(ctx, id); err != nil {
			return PurgeCertificate{}, err
		}
	}
	return s.moves.Purge(ctx, id, retention)
}

// Changes returns what changed in a tenant's log after a position.
func (s *Service) Changes(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error) {
	return s.tenants.Changes(ctx, id, after)
}
