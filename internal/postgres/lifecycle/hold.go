package lifecycle

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// SetHold puts a tenant under a legal hold.
func (s *Lifecycle) SetHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error) {
	const op = "set hold"
	return s.changeHold(ctx, op, id, func(tx pgx.Tx, t tenant.Tenant) (tenant.Tenant, error) {
		switch {
		case !t.PurgedAt.IsZero():
			return t, t.PurgedError(op)
		case !t.WasLive():
			return t, errs.Errorf(errs.KindConflict, op, "the tenant is %s and was never live, so it has no data to hold", t.Status)
		case t.Hold.Reason == reason:
			return t, nil
		}
		t, err := writeHold(ctx, tx, t.ID, `hold_reason = $2::text, hold_by = left($3::text, 300), hold_since = coalesce(hold_since, now())`, reason, audit.CallerOf(ctx).String())
		if err == nil {
			err = auditlog.Append(ctx, tx, t.ID, audit.ActionSetHold, map[string]any{"reason": reason})
		}
		return t, err
	})
}

// ClearHold ends a legal hold.
func (s *Lifecycle) ClearHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error) {
	return s.changeHold(ctx, "clear hold", id, func(tx pgx.Tx, t tenant.Tenant) (tenant.Tenant, error) {
		if !t.Hold.Active() {
			return t, nil
		}
		before := t.Hold
		t, err := writeHold(ctx, tx, t.ID, `hold_reason = NULL, hold_by = NULL, hold_since = NULL`)
		if err == nil {
			err = auditlog.Append(ctx, tx, t.ID, audit.ActionClearHold, map[string]any{"reason": reason, "held": before.Reason, "since": before.Since})
		}
		return t, err
	})
}

func (s *Lifecycle) changeHold(ctx context.Context, op string, id uuid.UUID, change func(pgx.Tx, tenant.Tenant) (tenant.Tenant, error)) (t tenant.Tenant, err error) {
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err == nil {
			t, err = change(tx, locked.Tenant)
		}
		return err
	})
	return t, err
}

func writeHold(ctx context.Context, tx pgx.Tx, id uuid.UUID, items string, args ...any) (tenant.Tenant, error) {
	rows, _ := tx.Query(ctx, `UPDATE tenants SET `+items+`, updated_at = now(), version = version + 1 WHERE id = $1 RETURNING `+tenantrow.Columns, append([]any{id}, args...)...)
	return pgx.CollectExactlyOneRow(rows, tenantrow.Scan)
}
