package tenantschema

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// checkHold returns an error if a legal hold forbids one of the migrations after a version: its trial
// found that it deletes data.
func (m *oneMigration) checkHold(ctx context.Context, tx pgx.Tx, applied int) error {
	if !m.tenant.Hold.Active() || m.target.Revision == 0 {
		return nil
	}
	var reports []blueprint.MigrationReport
	err := tx.QueryRow(ctx, `SELECT report FROM blueprint_revisions WHERE blueprint = $1 AND revision = $2`, m.target.Blueprint, m.target.Revision).Scan(&reports)
	if err != nil {
		return err
	}
	for _, r := range reports {
		if r.Version > applied && len(r.DeletesData) > 0 {
			held := provisioning.ErrHeld("migrate tenant", m.tenant)
			held.Message = r.File + " deletes " + strings.Join(r.DeletesData, ", ") + ", and " + held.Message
			return held
		}
	}
	return nil
}

// recordHeld records a migration that a legal hold refused, if that is what err says.
func (s *Schemas) recordHeld(ctx context.Context, id uuid.UUID, err error) error {
	if !errs.IsAudited(err) {
		return err
	}
	return errors.Join(err, auditlog.New(s.db).Record(ctx, audit.Event{
		TenantID: id, Action: AuditMigrate, Outcome: audit.OutcomeRejected, Caller: audit.CallerOf(ctx), Detail: map[string]any{"error": errs.SafeMessage(err)},
	}))
}
