// Package runs stores the runs of tenants: claims, leases, progress and rollback.
package runs

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/welcome"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Runs claims tenants for runs, and writes their progress and their rollback. Every
// write is fenced by the run's epoch.
type Runs struct {
	db        *pgdb.DB
	uncertain *UncertainLeases
}

// New returns the runs of a database. A renewal of a run's lease renews its entry in
// uncertain too.
func New(db *pgdb.DB, uncertain *UncertainLeases) *Runs { return &Runs{db, uncertain} }

// ownedByRunPredicate is the fence: it matches the tenant only while the run with the epoch
// in parameter 2 is its newest.
const ownedByRunPredicate = `id = $1 AND run_epoch = $2`

// ownedByRunNamed is the same with named parameters.
const ownedByRunNamed = `id = @id AND run_epoch = @epoch`

// Renew extends the lease of a run and of the Stellar accounts it holds. Losing
// a renewal in a crash of the server is harmless, so it does not wait for disk.
func (s *Runs) Renew(ctx context.Context, r provisioning.Run, ttl time.Duration) error {
	s.uncertain.renew(r.Tenant.ID, r.Epoch)
	return s.db.InTx(ctx, "renew lease", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `WITH run AS (
				UPDATE tenants SET run_expires_at = clock_timestamp() + $3::interval
				WHERE `+ownedByRunPredicate+` AND run_expires_at IS NOT NULL RETURNING id
			), accounts AS (
				UPDATE stellar_accounts SET expires_at = clock_timestamp() + $3::interval
				WHERE lease_tenant = $1 AND lease_epoch = $2 AND expires_at IS NOT NULL
			) SELECT id FROM run`, r.Tenant.ID, r.Epoch, ttl)
		return pgdb.FencedUnlessUpdated(tag.RowsAffected(), err)
	})
}

// Release ends the lease of an unfinished tenant, and logs why.
func (s *Runs) Release(ctx context.Context, r provisioning.Run, records ...tenant.StepRecord) error {
	const op = "release tenant"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	args := pgx.StrictNamedArgs{"id": r.Tenant.ID, "epoch": r.Epoch}
	tenantrow.AddStepArgs(args, records)
	tag, err := pool.Exec(ctx, `WITH moved AS (
			UPDATE tenants SET run_owner = NULL, run_expires_at = NULL WHERE `+ownedByRunNamed+` RETURNING id, attempt, traceparent
		), logged AS (`+tenantrow.LogUpsertSQL+`
			FROM moved, `+tenantrow.StepsFrom+` ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO UPDATE SET `+tenantrow.LogMergeSetItems+`
		) SELECT id FROM moved`, args)
	return pgdb.Classify(pgdb.FencedUnlessUpdated(tag.RowsAffected(), err), op)
}

// AddInvitation adds an invitation for the tenant's admin.
func (s *Runs) AddInvitation(ctx context.Context, r provisioning.Run, inv invitation.Invitation) error {
	const op = "store invitation"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, `INSERT INTO tenant_invitations (token_hash, tenant_id, user_id, expires_at)
		SELECT $3, id, admin_user_id, $4 FROM tenants WHERE `+ownedByRunPredicate+` AND rollback_target IS NULL
		ON CONFLICT (token_hash) DO UPDATE SET expires_at = excluded.expires_at`,
		r.Tenant.ID, r.Epoch, inv.Hash[:], inv.ExpiresAt)
	return pgdb.Classify(pgdb.FencedUnlessUpdated(tag.RowsAffected(), err), op)
}

// Advance writes checkpoint, log rows and results of steps. It can be repeated after a
// lost answer: the second call changes nothing.
func (s *Runs) Advance(ctx context.Context, r provisioning.Run, p provisioning.Progress) (tenant.Tenant, tenant.Durations, error) {
	const op = "record progress"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return tenant.Tenant{}, nil, err
	}
	args := pgx.StrictNamedArgs{
		"id": r.Tenant.ID, "epoch": r.Epoch, "checkpoint": p.Checkpoint, "contract_id": p.ContractID,
		"welcome_email": p.WelcomeEmail, "mail_hold": welcome.HoldArg(p.MailHold), "unanswered": p.Unanswered, "activate": p.Activate,
	}
	tenantrow.AddStepArgs(args, p.Records)
	auditlog.AddArgs(ctx, args, audit.ActionActivate, map[string]any{"attempt": r.Tenant.Attempt, "welcomeEmail": p.WelcomeEmail})
	rows, err := pool.Query(ctx, `WITH moved AS (
			UPDATE tenants SET checkpoint = @checkpoint::text,
				soroban_contract_id = coalesce(nullif(@contract_id::text, ''), soroban_contract_id),
				welcome_email = coalesce(nullif(@welcome_email::text, ''), welcome_email),
				status = CASE WHEN @activate::boolean THEN 'ACTIVE' ELSE status END,
				activated_at = CASE WHEN @activate::boolean THEN coalesce(activated_at, clock_timestamp()) ELSE activated_at END,
				invitation_expires_at = CASE WHEN @activate::boolean THEN
					(SELECT max(i.expires_at) FROM tenant_invitations i WHERE i.tenant_id = tenants.id AND i.revoked_at IS NULL) END,
				invitation_sent_at = CASE WHEN @activate::boolean AND @welcome_email::text = 'SENT' AND NOT without_users THEN now() END,
				run_owner = CASE WHEN @activate::boolean THEN NULL ELSE run_owner END,
				run_expires_at = CASE WHEN @activate::boolean THEN NULL ELSE run_expires_at END,
				job_id = CASE WHEN @activate::boolean THEN NULL ELSE job_id END,
				admin_password_hash = CASE WHEN @activate::boolean THEN NULL ELSE admin_password_hash END,
				welcome_email_due_at = CASE WHEN @activate::boolean AND @welcome_email::text = 'PENDING' THEN
					clock_timestamp() + coalesce(@mail_hold::interval, `+welcome.FirstMailBackoff+`) END,
				welcome_email_unanswered = @unanswered::boolean
					OR welcome_email_unanswered AND (@welcome_email::text = '' OR @mail_hold::interval IS NOT NULL),
				audit_seq = audit_seq + @activate::boolean::int,
				audit_head = CASE WHEN @activate::boolean THEN
					audit_hash(audit_head, id, audit_seq + 1, now(), @audit_action::text, 'DONE', @audit_salt::uuid, @audit_actor::jsonb, @audit_detail::jsonb) ELSE audit_head END,
				updated_at = now(), version = version + 1
			WHERE `+ownedByRunNamed+` AND status = 'PROVISIONING' AND rollback_target IS NULL
			RETURNING *
		), audited AS (`+auditlog.InsertSQL("moved WHERE @activate::boolean")+`
		), logged AS (`+tenantrow.LogUpsertSQL+`
			FROM moved, `+tenantrow.StepsFrom+` ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO UPDATE SET `+tenantrow.LogMergeSetItems+`
			RETURNING step, duration_ms
		), took AS (SELECT `+tenantrow.DurationColumns+` FROM logged
		) SELECT `+tenantrow.Columns+`, took.* FROM moved, took`, args)
	if err != nil {
		return tenant.Tenant{}, nil, pgdb.Classify(err, op)
	}
	var (
		t     tenant.Tenant
		steps []string
		took  []time.Duration
	)
	_, err = pgx.CollectExactlyOneRow(rows, func(r pgx.CollectableRow) (_ struct{}, err error) {
		t, err = tenantrow.ScanAnd(r, &steps, &took)
		return struct{}{}, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return s.alreadyAdvanced(ctx, r, p)
	}
	return t, tenantrow.Durations(steps, took), pgdb.Classify(err, op)
}

// alreadyAdvanced distinguishes a superseded run from one whose own last commit
// succeeded although its answer was lost.
func (s *Runs) alreadyAdvanced(ctx context.Context, r provisioning.Run, p provisioning.Progress) (tenant.Tenant, tenant.Durations, error) {
	found, err := Reload(ctx, s.db, r)
	if err != nil {
		return tenant.Tenant{}, nil, err
	}
	if p.Activate && found.Tenant.Status == tenant.StatusActive && found.Checkpoint == p.Checkpoint {
		took, err := Logged(ctx, s.db, r)
		return found.Tenant, took, err
	}
	return tenant.Tenant{}, nil, pgdb.ErrFenced
}

// Reload reads the state of a run. KindFenced when it was superseded.
func Reload(ctx context.Context, db *pgdb.DB, r provisioning.Run) (provisioning.Run, error) {
	const op = "read run"
	pool, err := db.ReadyPool(ctx)
	if err != nil {
		return r, err
	}
	rows, err := pool.Query(ctx, `SELECT `+tenantrow.Columns+tenantrow.RunColumns+` FROM tenants WHERE `+ownedByRunPredicate, r.Tenant.ID, r.Epoch)
	if err != nil {
		return r, pgdb.Classify(err, op)
	}
	found, err := pgx.CollectExactlyOneRow(rows, tenantrow.ScanRun)
	if err != nil {
		return r, pgdb.Classify(pgdb.FencedIfNoRows(err), op)
	}
	found.Owner = r.Owner
	return found.Run, nil
}

// Logged reads the durations of the steps of the run's attempt.
func Logged(ctx context.Context, db *pgdb.DB, r provisioning.Run) (tenant.Durations, error) {
	var (
		steps []string
		took  []time.Duration
	)
	err := db.Pool().QueryRow(ctx, `SELECT `+tenantrow.DurationColumns+` FROM provisioning_logs WHERE tenant_id = $1 AND attempt = $2`,
		r.Tenant.ID, r.Tenant.Attempt).Scan(&steps, &took)
	return tenantrow.Durations(steps, took), pgdb.Classify(err, "read provisioning log")
}
