package registry

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/runs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Queue adds jobs in a transaction of the registry, so that a tenant and its job
// commit together.
type Queue interface {
	// Enqueue adds a job that provisions the tenant, and returns its id.
	Enqueue(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID) (int64, error)
}

func (s *Creations) enqueue(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID) (string, error) {
	if s.queue == nil {
		return "", errs.Errorf(errs.KindPermanent, "queue tenant", "no job queue is configured")
	}
	job, err := s.queue.Enqueue(ctx, tx, tenantID)
	if err != nil {
		return "", err
	}
	_, err = tx.Exec(ctx, `UPDATE tenants SET job_id = $2, last_job_id = $2 WHERE id = $1`, tenantID, job)
	return strconv.FormatInt(job, 10), err
}

// Submit records a draft and queues it.
func (s *Creations) Submit(ctx context.Context, d tenant.Draft, idem *provisioning.Idempotency) (provisioning.Submission, error) {
	var (
		submission provisioning.Submission
		conflict   error // Stored with the idempotency key, like a success.
	)
	hash, err := s.hash(ctx, d.AdminPassword)
	if err != nil {
		return submission, err
	}
	err = s.db.InTx(ctx, "record tenant", func(tx pgx.Tx) error {
		submission, conflict = provisioning.Submission{}, nil
		if idem != nil {
			stored, err := reserveIdempotencyKey(ctx, tx, *idem)
			if err != nil {
				return err
			}
			if stored != nil {
				submission, conflict = stored.submission, stored.storedError()
				return nil
			}
		}
		var err error
		submission, err = s.submit(ctx, tx, d, hash)
		if errs.KindOf(err) == errs.KindConflict {
			conflict, err = err, nil
		}
		if err == nil && idem != nil {
			err = saveIdempotencyRecord(ctx, tx, *idem, submission, conflict)
		}
		return err
	})
	if err == nil {
		err = conflict
	}
	if err == nil && submission.Replayed {
		submission.Tenant, err = tenantrow.Get(ctx, s.db, submission.Tenant.ID)
	}
	return submission, err
}

// Submitted returns the answer that a request with an idempotency key got before, as Submit
// would; ok is false when there was none.
func (s *Creations) Submitted(ctx context.Context, idem provisioning.Idempotency) (submission provisioning.Submission, ok bool, err error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return submission, false, err
	}
	stored, err := readSubmission(ctx, pool, idem)
	if err != nil || stored == nil {
		return submission, false, pgdb.Classify(err, "look up idempotency key")
	}
	submission = stored.submission
	if err := stored.storedError(); err != nil {
		return submission, true, err
	}
	submission.Tenant, err = tenantrow.Get(ctx, s.db, submission.Tenant.ID)
	return submission, true, err
}

func (s *Creations) submit(ctx context.Context, tx pgx.Tx, d tenant.Draft, hash string) (provisioning.Submission, error) {
	for attempt := 1; attempt <= maxCreateAttempts; attempt++ {
		created, isNew, err := insertTenant(ctx, tx, d, hash, nil)
		if err != nil {
			return provisioning.Submission{}, err
		}
		if isNew {
			job, err := s.enqueue(ctx, tx, created.Tenant.ID)
			created.Tenant.Queued = true
			return provisioning.Submission{Tenant: created.Tenant, JobID: job}, err
		}
		existing, exists, err := findExisting(ctx, tx, d)
		if err != nil {
			return provisioning.Submission{}, err
		}
		if exists {
			return s.submitExisting(ctx, tx, d, hash, existing)
		}
		regenerateSchemaName(&d, attempt)
	}
	return provisioning.Submission{}, errNameContention
}

// submitExisting handles a draft that conflicts with a tenant. The same inputs under the
// same external id return that tenant; a tenant that ended without being live is queued
// again; any other one is a conflict.
func (s *Creations) submitExisting(ctx context.Context, tx pgx.Tx, d tenant.Draft, hash string, existing tenantrow.Row) (provisioning.Submission, error) {
	t := existing.Tenant
	switch {
	case existing.IsLeased && existing.Rollback != provisioning.RollbackNone:
		return provisioning.Submission{}, existing.LeasedError("record tenant")
	case d.ExternalID != "" && d.Equal(t.Inputs()) && existing.LastJobID != 0 && (t.Status.OccupiesName() || t.Queued):
		return provisioning.Submission{Tenant: t, JobID: strconv.FormatInt(existing.LastJobID, 10), Replayed: true}, nil
	case t.WasLive() || t.Status.OccupiesName():
		return provisioning.Submission{}, provisioning.ErrTenantExists(t, d.Inputs)
	case d.Blueprint != t.Blueprint: // Before anything is written: Submit commits conflicts.
		return provisioning.Submission{}, provisioning.ErrOtherBlueprint(t, d.Blueprint)
	}
	return s.requeueAttempt(ctx, tx, existing, &d.Inputs, hash)
}

// requeueAttempt queues a locked tenant that ended without being live. Without inputs it
// keeps its inputs and password.
func (s *Creations) requeueAttempt(ctx context.Context, tx pgx.Tx, locked tenantrow.Row, in *tenant.Inputs, hash string) (provisioning.Submission, error) {
	if in != nil {
		if err := replaceName(ctx, tx, locked.Tenant, *in); err != nil {
			return provisioning.Submission{}, err
		}
	}
	rows, _ := tx.Query(ctx, `WITH again AS (
			UPDATE tenants SET `+runs.NewAttemptSetItems+` status = 'PROVISIONING', provisioning_error = NULL, updated_at = now(), version = version + 1
			WHERE id = $1 RETURNING *
		), logged AS (`+tenantrow.LogCreatedSQL("again")+`
		) SELECT `+tenantrow.Columns+tenantrow.RunColumns+` FROM again`, locked.Tenant.ID)
	requeued, err := pgx.CollectExactlyOneRow(rows, tenantrow.ScanRun)
	if err != nil {
		return provisioning.Submission{}, err
	}
	err = auditlog.Append(ctx, tx, requeued.Tenant.ID, audit.ActionRetry, map[string]any{"attempt": requeued.Tenant.Attempt})
	if err == nil && in != nil {
		keepName(&requeued.Tenant, locked.Tenant)
		requeued.Tenant, err = replaceInputs(ctx, tx, requeued.Run, *in, hash)
	}
	submission := provisioning.Submission{Tenant: requeued.Tenant, Continued: true}
	if err == nil {
		submission.JobID, err = s.enqueue(ctx, tx, requeued.Tenant.ID)
		submission.Tenant.Queued = true
	}
	return submission, err
}

// Requeue queues another attempt of a tenant that ended without being live, or the rest
// of an attempt without a run.
func (s *Creations) Requeue(ctx context.Context, id uuid.UUID) (provisioning.Submission, error) {
	const op = "retry tenant"
	var submission provisioning.Submission
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t := locked.Tenant
		switch {
		case locked.IsLeased:
			return locked.LeasedError(op)
		case t.Queued:
			return runs.QueuedError(t, op)
		case locked.Rollback != provisioning.RollbackNone:
			return errs.Errorf(errs.KindConflict, op,
				"the rollback of the previous attempt is not finished yet; retry in a few seconds")
		case !t.PurgedAt.IsZero():
			return t.PurgedError(op)
		case runs.CanStartNewAttempt(t):
			submission, err = s.requeueAttempt(ctx, tx, locked, nil, "")
			return err
		case !t.Status.Terminal():
			submission.Tenant, submission.Continued = t, true
			submission.Tenant.Queued = true
			submission.JobID, err = s.enqueue(ctx, tx, id)
			return err
		}
		return t.TransitionError(op, "provisioning")
	})
	return submission, err
}

// idempotencyRecord is the stored answer of the first request with an idempotency key.
type idempotencyRecord struct {
	TenantID uuid.UUID         `json:"tenantId"`
	JobID    string            `json:"jobId,omitempty"`
	Kind     errs.Kind         `json:"kind,omitempty"` // Of the error, if it was one.
	Message  string            `json:"message,omitempty"`
	Fields   []errs.FieldError `json:"fields,omitempty"`
}

type storedSubmission struct {
	record     idempotencyRecord
	submission provisioning.Submission
}

func (e storedSubmission) storedError() error {
	if e.record.Kind == "" {
		return nil
	}
	return &errs.Error{Kind: e.record.Kind, Op: "record tenant", Message: e.record.Message, Fields: e.record.Fields}
}

// reserveIdempotencyKey reserves an idempotency key for this transaction. It waits for
// another transaction with the key and returns its answer, nil when there is none.
func reserveIdempotencyKey(ctx context.Context, tx pgx.Tx, idem provisioning.Idempotency) (*storedSubmission, error) {
	const op = "reserve idempotency key"
	tag, err := tx.Exec(ctx, `INSERT INTO idempotency_keys AS k (scope, key, request_hash) VALUES ($1, $2, $3)
		ON CONFLICT (scope, key) DO UPDATE SET request_hash = excluded.request_hash, response = NULL, created_at = now()
		WHERE k.created_at < now() - $4::interval`, idem.Scope, idem.Key, idem.Hash[:], provisioning.IdempotencyTTL)
	if err != nil || tag.RowsAffected() == 1 {
		return nil, err
	}
	stored, err := readSubmission(ctx, tx, idem)
	if err == nil && stored == nil { // Deleted between the two statements.
		err = errs.Errorf(errs.KindTransient, op, "the idempotency key has just expired; repeat the request")
	}
	return stored, err
}

// readSubmission returns the answer of a request with an idempotency key, nil when there is none.
func readSubmission(ctx context.Context, q pgdb.RowQuerier, idem provisioning.Idempotency) (*storedSubmission, error) {
	const op = "look up idempotency key"
	var (
		hash   []byte
		text   []byte
		stored storedSubmission
	)
	err := q.QueryRow(ctx, `SELECT request_hash, response FROM idempotency_keys
		WHERE scope = $1 AND key = $2 AND created_at >= now() - $3::interval`, idem.Scope, idem.Key, provisioning.IdempotencyTTL).Scan(&hash, &text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case string(hash) != string(idem.Hash[:]):
		return nil, errs.Errorf(errs.KindReused, op,
			"this idempotency key was used with another request; choose a new key for each new request")
	}
	if err := json.Unmarshal(text, &stored.record); err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "the stored answer cannot be read; the registry was changed by hand")
	}
	stored.submission = provisioning.Submission{Tenant: tenant.Tenant{ID: stored.record.TenantID}, JobID: stored.record.JobID, Replayed: true}
	return &stored, nil
}

// saveIdempotencyRecord stores the answer of a request.
func saveIdempotencyRecord(ctx context.Context, tx pgx.Tx, idem provisioning.Idempotency, s provisioning.Submission, conflict error) error {
	record := idempotencyRecord{TenantID: s.Tenant.ID, JobID: s.JobID}
	if conflict != nil {
		record.Kind, record.Message, record.Fields = errs.KindOf(conflict), errs.SafeMessage(conflict), errs.FieldsOf(conflict)
	}
	_, err := tx.Exec(ctx, `UPDATE idempotency_keys SET response = $3::jsonb WHERE scope = $1 AND key = $2`, idem.Scope, idem.Key, auditlog.ToJSON(record))
	return err
}
