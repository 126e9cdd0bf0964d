package tenantschema

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
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
