package provisioning

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// HoldStore sets and clears legal holds.
type HoldStore interface {
	// SetHold puts a tenant that was live, and is not purged, under a legal hold, or gives its hold
	// another reason. KindConflict for every other tenant.
	SetHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error)
	// ClearHold ends a hold and records the reason. It does not change a tenant without one.
	ClearHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error)
}

// SetHold puts a tenant under a legal hold: nothing deletes its data. KindInvalid for a reason that
// is empty or too long; other errors as of HoldStore.SetHold.
func (s *Service) SetHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error) {
	reason, err := checkReason("set hold", reason)
	var t tenant.Tenant
	if err == nil {
		t, err = s.holds.SetHold(ctx, id, reason)
	}
	return t, s.refusals.Add(ctx, id, audit.ActionSetHold, err)
}

// ClearHold ends the legal hold of a tenant. KindInvalid for a reason that is empty or too long.
func (s *Service) ClearHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error) {
	reason, err := checkReason("clear hold", reason)
	var t tenant.Tenant
	if err == nil {
		t, err = s.holds.ClearHold(ctx, id, reason)
	}
	return t, s.refusals.Add(ctx, id, audit.ActionClearHold, err)
}

func checkReason(op, reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if err := tenant.CheckReason(reason); err != nil {
		return "", &errs.Error{Kind: errs.KindInvalid, Op: op, Fields: []errs.FieldError{{Field: "reason", Message: err.Error()}}}
	}
	return reason, nil
}

// ErrHeld is the error of a move that would delete data of a tenant under a legal hold. Who returns
// it records the refusal in the tenant's audit chain.
func ErrHeld(op string, t tenant.Tenant) *errs.Error {
	err := errs.Errorf(errs.KindConflict, op, "the tenant is under a legal hold since %s, set by %s: %s. Nothing deletes its data until the hold is cleared, with a reason (tenant-api tenants hold clear %s)",
		t.Hold.Since.UTC().Format(time.DateTime), t.Hold.By, t.Hold.Reason, t.ID)
	err.Audited = true
	return err
}

// ErrProtected is the error of a move that deletion protection does not permit.
func ErrProtected(op string, t tenant.Tenant) *errs.Error {
	return errs.Errorf(errs.KindConflict, op, "the tenant has deletion protection; turn it off first (tenant-api tenants update %s --deletion-protection=false, or deletion_protection = false in the Terraform configuration)", t.ID)
}
