package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Queue adds jobs in a transaction of the registry, so that a tenant and the job
// that is to provision it are there together or not at all.
type Queue interface {
	// Enqueue adds a job that provisions the tenant, and gives its id.
	Enqueue(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) (int64, error)
}

// UseQueue makes Submit and Requeue possible. It comes before the first of them.
func (db *DB) UseQueue(q Queue) { db.queue = q }

func (db *DB) enqueue(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) (string, error) {
	if db.queue == nil {
		return "", provisioning.Errorf(provisioning.KindPermanent, "queue tenant", "this program has no queue; it was wired wrongly")
	}
	job, err := db.queue.Enqueue(ctx, tx, tenant)
	if err != nil {
		return "", err
	}
	_, err = tx.Exec(ctx, `UPDATE tenants SET job_id = $2, last_job_id = $2 WHERE id = $1`, tenant, job)
	return strconv.FormatInt(job, 10), err
}

// Submit records a draft and queues it.
func (db *DB) Submit(ctx context.Context, d provisioning.Draft, idem *provisioning.Idempotency) (provisioning.Submission, error) {
	var (
		out     provisioning.Submission
		refused error // An answer like any other: it commits, with the key.
	)
	hash, err := hashed(ctx, d.AdminPassword)
	if err != nil {
		return out, err
	}
	err = db.inTx(ctx, "record tenant", func(tx pgx.Tx) error {
		out, refused = provisioning.Submission{}, nil
		if idem != nil {
			before, err := reserve(ctx, tx, *idem)
			if err != nil {
				return err
			}
			if before != nil {
				out, refused = before.submission, before.refusal()
				return nil
			}
		}
		var err error
		out, err = db.submit(ctx, tx, d, hash)
		if provisioning.KindOf(err) == provisioning.KindConflict {
			refused, err = err, nil
		}
		if err == nil && idem != nil {
			err = remember(ctx, tx, *idem, out, refused)
		}
		return err
	})
	if err == nil {
		err = refused
	}
	if err == nil && out.Replayed {
		out.Tenant, err = db.Get(ctx, out.Tenant.ID)
	}
	return out, err
}

func (db *DB) submit(ctx context.Context, tx pgx.Tx, d provisioning.Draft, hash string) (provisioning.Submission, error) {
	for try := 1; try <= createTries; try++ {
		made, fresh, err := insert(ctx, tx, d, hash, nil)
		if err != nil {
			return provisioning.Submission{}, err
		}
		if fresh {
			job, err := db.enqueue(ctx, tx, made.Tenant.ID)
			made.Tenant.Queued = true
			return provisioning.Submission{Tenant: made.Tenant, JobID: job}, err
		}
		found, there, err := standingTenant(ctx, tx, d)
		if err != nil {
			return provisioning.Submission{}, err
		}
		if there {
			return db.submitStanding(ctx, tx, d, hash, found)
		}
		renumber(&d, try)
	}
	return provisioning.Submission{}, errCrowded
}

// submitStanding answers for a tenant that stands where the draft would go: the
// same wish under the same external id gives the tenant that it made before; a
// tenant that ended without being live begins again; every other one is in the way.
func (db *DB) submitStanding(ctx context.Context, tx pgx.Tx, d provisioning.Draft, hash string, found row) (provisioning.Submission, error) {
	t := found.Tenant
	switch {
	case found.leased && found.Undo != provisioning.UndoNone:
		return provisioning.Submission{}, found.busy("record tenant")
	case d.ExternalID != "" && d.Equal(t.Inputs()) && found.lastJob != 0 && (t.Status.Live() || t.Queued):
		return provisioning.Submission{Tenant: t, JobID: strconv.FormatInt(found.lastJob, 10), Replayed: true}, nil
	case t.WasLive() || t.Status.Live():
		return provisioning.Submission{}, provisioning.Exists(t, d.ExternalID)
	}
	return db.beginAgain(ctx, tx, found, &d.Inputs, hash)
}

// beginAgain queues a locked tenant that ended without being live. Without inputs it
// is to be as it was, with the password that it had.
func (db *DB) beginAgain(ctx context.Context, tx pgx.Tx, found row, in *provisioning.Inputs, hash string) (provisioning.Submission, error) {
	rows, _ := tx.Query(ctx, `WITH again AS (
			UPDATE tenants SET `+newAttempt+` status = 'PROVISIONING', provisioning_error = NULL, updated_at = now(), version = version + 1
			WHERE id = $1 RETURNING *
		), logged AS (`+logRecord("again")+`
		) SELECT `+tenantColumns+runColumns+` FROM again`, found.Tenant.ID)
	again, err := pgx.CollectExactlyOneRow(rows, scanRun)
	if err != nil {
		return provisioning.Submission{}, err
	}
	err = audit(ctx, tx, again.Tenant.ID, provisioning.AuditAttempt, map[string]any{"attempt": again.Tenant.Attempt})
	if err == nil && in != nil {
		again.Tenant, err = adopt(ctx, tx, again.Run, *in, hash)
	}
	out := provisioning.Submission{Tenant: again.Tenant, Continued: true}
	if err == nil {
		out.JobID, err = db.enqueue(ctx, tx, again.Tenant.ID)
		out.Tenant.Queued = true
	}
	return out, err
}

// Requeue queues another attempt of a tenant that ended without being live, or the
// rest of the attempt of one that nobody works on.
func (db *DB) Requeue(ctx context.Context, id uuid.UUID) (provisioning.Submission, error) {
	const op = "retry tenant"
	var out provisioning.Submission
	err := db.inTx(ctx, op, func(tx pgx.Tx) error {
		found, err := lockTenant(ctx, tx, id)
		if err != nil {
			return err
		}
		t := found.Tenant
		switch {
		case found.leased:
			return found.busy(op)
		case t.Queued:
			return queued(t, op)
		case found.Undo != provisioning.UndoNone:
			return provisioning.Errorf(provisioning.KindConflict, op,
				"the rollback of the attempt before was interrupted and is about to be finished; try again in a moment")
		case !t.PurgedAt.IsZero():
			return purged(t, op)
		case canBeginAgain(t):
			out, err = db.beginAgain(ctx, tx, found, nil, "")
			return err
		case !t.Status.Resting():
			out.Tenant, out.Continued = t, true
			out.Tenant.Queued = true
			out.JobID, err = db.enqueue(ctx, tx, id)
			return err
		}
		return t.Status.Conflict(op, "provisioning")
	})
	return out, err
}

// answer is what is stored of the first request with an idempotency key.
type answer struct {
	TenantID uuid.UUID                 `json:"tenantId"`
	JobID    string                    `json:"jobId,omitempty"`
	Kind     provisioning.Kind         `json:"kind,omitempty"` // Of the refusal, if it was one.
	Message  string                    `json:"message,omitempty"`
	Fields   []provisioning.FieldError `json:"fields,omitempty"`
}

type earlier struct {
	answer     answer
	submission provisioning.Submission
}

func (e earlier) refusal() error {
	if e.answer.Kind == "" {
		return nil
	}
	return &provisioning.Error{Kind: e.answer.Kind, Op: "record tenant", Message: e.answer.Message, Fields: e.answer.Fields}
}

// reserve takes an idempotency key for this transaction, waiting for another one
// that is about to answer under it. It gives that answer, nil when there is none.
func reserve(ctx context.Context, tx pgx.Tx, idem provisioning.Idempotency) (*earlier, error) {
	const op = "look up idempotency key"
	tag, err := tx.Exec(ctx, `INSERT INTO idempotency_keys AS k (scope, key, request_hash) VALUES ($1, $2, $3)
		ON CONFLICT (scope, key) DO UPDATE SET request_hash = excluded.request_hash, answer = NULL, created_at = now()
		WHERE k.created_at < now() - $4::interval`, idem.Scope, idem.Key, idem.Hash[:], provisioning.IdempotencyTTL)
	if err != nil || tag.RowsAffected() == 1 {
		return nil, err
	}
	var (
		hash []byte
		text []byte
		e    earlier
	)
	err = tx.QueryRow(ctx, `SELECT request_hash, answer FROM idempotency_keys WHERE scope = $1 AND key = $2`, idem.Scope, idem.Key).Scan(&hash, &text)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // Cleared away at this very moment.
		return nil, provisioning.Errorf(provisioning.KindTransient, op, "the idempotency key has just expired; repeat the request")
	case err != nil:
		return nil, err
	case string(hash) != string(idem.Hash[:]):
		return nil, provisioning.Errorf(provisioning.KindReused, op,
			"this idempotency key came with another request before; choose a new key for each new request")
	}
	if err := json.Unmarshal(text, &e.answer); err != nil {
		return nil, provisioning.Wrap(err, provisioning.KindPermanent, op, "the stored answer cannot be read; the registry was changed by hand")
	}
	e.submission = provisioning.Submission{Tenant: provisioning.Tenant{ID: e.answer.TenantID}, JobID: e.answer.JobID, Replayed: true}
	return &e, nil
}

// remember stores what a request is answered with.
func remember(ctx context.Context, tx pgx.Tx, idem provisioning.Idempotency, s provisioning.Submission, refused error) error {
	a := answer{TenantID: s.Tenant.ID, JobID: s.JobID}
	if refused != nil {
		a.Kind, a.Message, a.Fields = provisioning.KindOf(refused), provisioning.SafeMessage(refused), provisioning.FieldsOf(refused)
	}
	_, err := tx.Exec(ctx, `UPDATE idempotency_keys SET answer = $3::jsonb WHERE scope = $1 AND key = $2`, idem.Scope, idem.Key, encoded(a))
	return err
}
