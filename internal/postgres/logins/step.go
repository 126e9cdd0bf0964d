package logins

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// OpenStepLogin opens a login for an own step of a tenant that a run holds, or returns the step's login
// if it is open: each delivery of the step names the same one. KindFenced when the run was superseded.
func (s *Logins) OpenStepLogin(ctx context.Context, r provisioning.Run, step provisioning.OwnStep, password tenant.Password, ttl time.Duration) (credentials.Credential, error) {
	const op = "open login"
	if _, err := s.db.ReadyPool(ctx); err != nil {
		return credentials.Credential{}, err
	}
	_ = s.endDue(ctx) // As in OpenCredential.
	l, err := newLogin(r.Tenant.ID, password)
	if err != nil {
		return credentials.Credential{}, err
	}
	l.webhookID, l.step = &step.WebhookID, string(step.Step())
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		t, err := tenantrow.Lock(ctx, tx, r.Tenant.ID)
		if err != nil {
			return err
		}
		if t.Epoch != r.Epoch || t.Rollback != provisioning.RollbackNone || t.Tenant.Status != tenant.StatusProvisioning {
			return pgdb.ErrFenced
		}
		err = tx.QueryRow(ctx, `SELECT id, username, expires_at FROM tenant_credentials
			WHERE tenant_id = $1 AND webhook_id = $2 AND closed_at IS NULL AND expires_at > now()`, t.Tenant.ID, step.WebhookID).Scan(&l.ID, &l.Username, &l.ExpiresAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return s.open(ctx, tx, t.Tenant, &l, ttl)
		}
		if err != nil {
			return err
		}
		s.locate(tx, t.Tenant, &l.Credential)
		// The secret that the password is made of may have changed.
		return setPassword(ctx, tx, l)
	})
	if err != nil {
		return credentials.Credential{}, err
	}
	return l.Credential, nil
}

func setPassword(ctx context.Context, tx pgx.Tx, l login) error {
	exists, err := dbroles.Exists(ctx, tx, l.Username)
	if err != nil {
		return err
	}
	if !exists {
		return errs.Errorf(errs.KindPermanent, "open login", "the role %s of the step's login was dropped by hand; retry the tenant", l.Username)
	}
	verifier, err := literal(tx, l.verifier)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `ALTER ROLE `+pgx.Identifier{l.Username}.Sanitize()+` PASSWORD `+verifier)
	return err
}

// CloseStepLogins ends all logins of a tenant's own steps, and their sessions.
func (s *Logins) CloseStepLogins(ctx context.Context, tenantID uuid.UUID) error {
	const op = "close logins"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	rows, err := pool.Query(ctx, `SELECT id FROM tenant_credentials WHERE tenant_id = $1 AND webhook_id IS NOT NULL`, tenantID)
	if err != nil {
		return pgdb.Classify(err, op)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return pgdb.Classify(err, op)
	}
	for _, id := range ids {
		if err := s.CloseCredential(ctx, tenantID, id); err != nil {
			return err
		}
	}
	return nil
}
