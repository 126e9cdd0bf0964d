package welcome

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Revoke revokes the open invitations of a locked tenant.
func Revoke(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `WITH revoked AS (
			UPDATE tenant_invitations SET revoked_at = now() WHERE tenant_id = $1 AND used_at IS NULL AND revoked_at IS NULL
		) UPDATE tenants SET invitation_revoked_at = now() WHERE id = $1 AND `+tenantrow.OpenInvitation, id)
	return err
}

// InviteSoon revokes the invitation of a locked tenant, even one that was accepted, and makes the welcome mail of an ACTIVE tenant due, to an address that has changed, if it
// is not PENDING by now. The caller of the change has some seconds to send it itself; then a
// worker does.
func InviteSoon(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `UPDATE tenants SET welcome_email = 'PENDING', welcome_email_failures = 0, welcome_email_due_at = clock_timestamp() + interval '10 seconds'
		WHERE id = $1 AND welcome_email <> 'PENDING'`, id)
	if err == nil {
		_, err = tx.Exec(ctx, `UPDATE tenants SET invitation_accepted_at = NULL, invitation_revoked_at = now() WHERE id = $1 AND invitation_expires_at IS NOT NULL`, id)
	}
	return err
}

// FindInvitation returns the invitation with a hash, and its tenant.
func (s *Mails) FindInvitation(ctx context.Context, hash [sha256.Size]byte) (provisioning.Invited, error) {
	found, err := s.lookUp(ctx, hash)
	if err == nil {
		found.Tenant, err = tenantrow.Get(ctx, s.db, found.Tenant.ID)
	}
	return found, err
}

// lookUp is find outside of a transaction.
func (s *Mails) lookUp(ctx context.Context, hash [sha256.Size]byte) (provisioning.Invited, error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return provisioning.Invited{}, err
	}
	found, err := find(ctx, pool, hash)
	return found, pgdb.Classify(err, "read invitation")
}

// find returns the invitation with a hash; of its tenant it has the id. An invitation that is not
// for the present administrator of a tenant in service counts as revoked.
func find(ctx context.Context, q pgdb.RowQuerier, hash [sha256.Size]byte) (found provisioning.Invited, err error) {
	err = q.QueryRow(ctx, `SELECT t.id, i.expires_at, CASE
			WHEN i.used_at IS NOT NULL THEN 'ACCEPTED'
			WHEN i.revoked_at IS NOT NULL OR i.user_id IS DISTINCT FROM t.admin_user_id OR t.status NOT IN ('PROVISIONING', 'ACTIVE') THEN 'REVOKED'
			WHEN i.expires_at <= now() THEN 'EXPIRED' ELSE 'PENDING' END
		FROM tenant_invitations i JOIN tenants t ON t.id = i.tenant_id WHERE i.token_hash = $1`, hash[:]).Scan(&found.Tenant.ID, &found.ExpiresAt, &found.Status)
	if errors.Is(err, pgx.ErrNoRows) {
		err = provisioning.ErrNoInvitation("read invitation")
	}
	return found, err
}

// end sets used_at or revoked_at of an invitation of a locked tenant. KindConflict unless it has the
// wanted status.
func end(ctx context.Context, tx pgx.Tx, op string, hash [sha256.Size]byte, wanted invitation.Status, column string) error {
	found, err := find(ctx, tx, hash)
	if err == nil && found.Status != wanted {
		err = provisioning.InvitationError(op, found.Status)
	}
	if err == nil {
		_, err = tx.Exec(ctx, `UPDATE tenant_invitations SET `+column+` = now() WHERE token_hash = $1`, hash[:])
	}
	return err
}

// UseInvitation records that an invitation of a locked tenant was used, and ends what that makes
// needless: its other invitations, and a mail that is still to be sent. KindConflict unless it is
// PENDING.
func UseInvitation(ctx context.Context, tx pgx.Tx, id uuid.UUID, hash [sha256.Size]byte) error {
	err := end(ctx, tx, "accept invitation", hash, invitation.StatusPending, "used_at")
	if err == nil {
		err = Revoke(ctx, tx, id)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE tenants SET invitation_accepted_at = now(), invitation_revoked_at = NULL, updated_at = now(), version = version + 1,
			welcome_email_claim = welcome_email_claim + (welcome_email IN ('PENDING', 'FAILED'))::integer, welcome_email_failures = 0, welcome_email_unanswered = false, welcome_email_due_at = NULL,
			welcome_email = CASE WHEN welcome_email IN ('PENDING', 'FAILED') THEN 'SENT' ELSE welcome_email END
		WHERE id = $1`, id)
	return err
}
