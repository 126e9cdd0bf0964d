package postgres_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// setupQueue returns a registry with the real queue and no workers.
func setupQueue(t *testing.T) fixture {
	t.Helper()
	t.Parallel()
	url := testenv.Database(t)
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	q, err := queue.Open(t.Context(), queue.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	db.UseQueue(q)
	return fixture{postgrestest.Fixture{DB: db, T: t}}
}

func idempotencyKey(name, content string) *provisioning.Idempotency {
	return &provisioning.Idempotency{Scope: "apikey:ci", Key: name, Hash: sha256.Sum256([]byte(content))}
}

func (b fixture) submit(in tenant.Inputs, idem *provisioning.Idempotency) (provisioning.Submission, error) {
	b.T.Helper()
	return b.Submit(context.WithoutCancel(b.T.Context()), b.Draft(in), idem)
}

func (b fixture) mustSubmit(in tenant.Inputs, idem *provisioning.Idempotency) provisioning.Submission {
	b.T.Helper()
	s, err := b.submit(in, idem)
	if err != nil {
		b.T.Fatal(err)
	}
	return s
}

func (b fixture) jobCount() int {
	b.T.Helper()
	return value[int](b, `SELECT count(*) FROM river_job`)
}

func TestDB_Submit(t *testing.T) {
	t.Parallel()
	t.Run("CommitsTenantAndJobTogether", func(t *testing.T) {
		b := setupQueue(t)
		s := b.mustSubmit(postgrestest.Inputs("Clinic"), nil)
		if s.Tenant.Status != tenant.StatusPending || !s.Tenant.Queued || s.Continued || s.Replayed {
			t.Errorf("%+v", s)
		}
		if got := value[string](b, `SELECT t.job_id::text FROM tenants t JOIN river_job j ON j.id = t.job_id AND j.args->>'tenant_id' = t.id::text`); got != s.JobID {
			t.Errorf("job %s, want %s", got, s.JobID)
		}
	})
	t.Run("WritesNothingIfQueueFails", func(t *testing.T) {
		b := setupQueue(t)
		b.Exec(`ALTER TABLE river_job RENAME TO river_job_gone`)
		if _, err := b.submit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a")); err == nil {
			t.Fatal("the tenant was submitted without a job")
		}
		if n := value[int](b, `SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM idempotency_keys) + (SELECT count(*) FROM audit_events)`); n != 0 {
			t.Errorf("%d rows remain", n)
		}
	})
	t.Run("RejectsAnotherBlueprint", func(t *testing.T) {
		b := setupQueue(t)
		failed := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.FailTenant(failed)
		before, err := b.Get(t.Context(), failed.Tenant.ID)
		b.Must(err)
		in := postgrestest.Inputs("Clinic")
		in.Blueprint = "clinic"
		for range 2 { // The second answer is the stored one.
			_, err = b.submit(in, idempotencyKey("k", "a"))
			if fields := errs.FieldsOf(err); errs.KindOf(err) != errs.KindConflict || len(fields) != 1 || fields[0].Field != "blueprint" {
				t.Errorf("%v", err)
			}
		}
		if got, err := b.Get(t.Context(), before.ID); err != nil || !reflect.DeepEqual(got, before) || b.jobCount() != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		in.Blueprint, in.Variables = "standard", map[string]string{"region": "us"}
		if s := b.mustSubmit(in, nil); !s.Continued || s.Tenant.ID != before.ID || s.Tenant.Variables["region"] != "us" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("RejectsNameOfLiveTenant", func(t *testing.T) {
		b := setupQueue(t)
		b.mustSubmit(postgrestest.Inputs("Clinic"), nil)
		_, err := b.submit(postgrestest.Inputs("CLINIC"), nil)
		postgrestest.WantKind(t, err, errs.KindConflict)
		if b.jobCount() != 1 || len(errs.FieldsOf(err)) != 1 || !strings.Contains(errs.SafeMessage(err), "exists already") {
			t.Errorf("%d jobs, %v", b.jobCount(), err)
		}
	})
	t.Run("RequeuesFailedTenant", func(t *testing.T) {
		b := setupQueue(t)
		first := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.FailTenant(first)
		in := postgrestest.Inputs("clinic")
		in.AdminEmail = "grace@clinic.example"
		s := b.mustSubmit(in, nil)
		if s.Tenant.ID != first.Tenant.ID || !s.Continued || s.Tenant.Attempt != 2 || s.Tenant.Status != tenant.StatusProvisioning ||
			s.Tenant.AdminEmail != in.AdminEmail || s.Tenant.ProvisioningError != "" || s.Tenant.SchemaName != first.Tenant.SchemaName {
			t.Errorf("%+v", s)
		}
		run, err := b.Claim(t.Context(), s.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("worker", time.Minute))
		if err != nil || run.Checkpoint != tenant.StepCreateTenantRecord {
			t.Errorf("%+v, %v", run, err)
		}
	})
	t.Run("SameExternalIDReturnsFirstTenant", func(t *testing.T) {
		b := setupQueue(t)
		in := postgrestest.Inputs("Clinic")
		in.ExternalID = "crm-1"
		first := b.mustSubmit(in, nil)
		again := b.mustSubmit(in, nil)
		if again.Tenant.ID != first.Tenant.ID || again.JobID != first.JobID || !again.Replayed || b.jobCount() != 1 {
			t.Errorf("%+v, %d jobs", again, b.jobCount())
		}
		in.AdminFirstName = "Grace"
		_, err := b.submit(in, nil)
		postgrestest.WantKind(t, err, errs.KindConflict)
	})
	t.Run("QueuedTenantRejectsOtherCallers", func(t *testing.T) {
		b := setupQueue(t)
		s := b.mustSubmit(postgrestest.Inputs("Clinic"), nil)
		_, err := b.Create(t.Context(), b.Draft(postgrestest.Inputs("Clinic")), postgrestest.LeaseRequest("terraform", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
		if !strings.Contains(errs.SafeMessage(err), "it is queued for a worker") {
			t.Errorf("error %v", err)
		}
		_, err = b.Claim(t.Context(), s.Tenant.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("terraform", time.Minute))
		postgrestest.WantKind(t, err, errs.KindConflict)
		_, err = b.Requeue(t.Context(), s.Tenant.ID)
		postgrestest.WantKind(t, err, errs.KindConflict)
	})
	t.Run("ClearsJobWhenTerminal", func(t *testing.T) { // A tenant in a final state has no job.
		b := setupQueue(t)
		s := b.mustSubmit(postgrestest.Inputs("Clinic"), nil)
		run, err := b.Claim(t.Context(), s.Tenant.ID, provisioning.ClaimResume, postgrestest.LeaseRequest("worker", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		active, err := b.Advance(t.Context(), run, postgrestest.Activation())
		if err != nil || active.Queued {
			t.Errorf("%+v, %v", active, err)
		}
		other := b.mustSubmit(postgrestest.Inputs("Other"), nil)
		aborted, err := b.Abort(t.Context(), other.Tenant.ID, postgrestest.LeaseRequest("admin", time.Minute))
		if err != nil || aborted.Tenant.Queued {
			t.Errorf("%+v, %v", aborted, err)
		}
	})
	t.Run("OneConcurrentSubmitGetsName", func(t *testing.T) {
		b := setupQueue(t)
		var (
			wg        sync.WaitGroup
			mu        sync.Mutex
			submitted int
		)
		for range 12 {
			wg.Go(func() {
				_, err := b.submit(postgrestest.Inputs("Clinic"), nil)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					submitted++
				} else if errs.KindOf(err) != errs.KindConflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if submitted != 1 || b.jobCount() != 1 || value[int](b, `SELECT count(*) FROM tenants`) != 1 {
			t.Errorf("%d submissions, %d jobs", submitted, b.jobCount())
		}
	})
}

func TestDB_Submit_Idempotency(t *testing.T) {
	t.Parallel()
	t.Run("SameRequestGetsSameResponse", func(t *testing.T) {
		b := setupQueue(t)
		first := b.mustSubmit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a"))
		again := b.mustSubmit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a"))
		if again.Tenant.ID != first.Tenant.ID || again.JobID != first.JobID || !again.Replayed || again.Tenant.Name != "Clinic" || b.jobCount() != 1 {
			t.Errorf("%+v", again)
		}
	})
	t.Run("ReplaysConflicts", func(t *testing.T) {
		b := setupQueue(t)
		first := b.mustSubmit(postgrestest.Inputs("Clinic"), nil)
		_, conflict := b.submit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a"))
		postgrestest.WantKind(t, conflict, errs.KindConflict)
		if _, err := b.Abort(t.Context(), first.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute)); err != nil { // The name is free now.
			t.Fatal(err)
		}
		_, again := b.submit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a"))
		postgrestest.WantKind(t, again, errs.KindConflict)
		if errs.SafeMessage(again) != errs.SafeMessage(conflict) || len(errs.FieldsOf(again)) != 1 {
			t.Errorf("%v, first %v", again, conflict)
		}
	})
	t.Run("RejectsOtherRequest", func(t *testing.T) {
		b := setupQueue(t)
		b.mustSubmit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a"))
		_, err := b.submit(postgrestest.Inputs("Other"), idempotencyKey("k", "b"))
		postgrestest.WantKind(t, err, errs.KindReused)
		if value[int](b, `SELECT count(*) FROM tenants`) != 1 {
			t.Error("the request was recorded")
		}
	})
	t.Run("ScopesKeysByCaller", func(t *testing.T) {
		b := setupQueue(t)
		b.mustSubmit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a"))
		other := idempotencyKey("k", "b")
		other.Scope = "apikey:other"
		if s := b.mustSubmit(postgrestest.Inputs("Other"), other); s.Replayed {
			t.Error("the response of another caller was returned")
		}
	})
	t.Run("ExpiresAfterOneDay", func(t *testing.T) {
		b := setupQueue(t)
		b.mustSubmit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a"))
		b.Exec(`UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'`)
		if s := b.mustSubmit(postgrestest.Inputs("Other"), idempotencyKey("k", "b")); s.Replayed {
			t.Error("an expired response was returned")
		}
	})
	t.Run("ConcurrentRequestsShareOneResult", func(t *testing.T) {
		b := setupQueue(t)
		var (
			wg      sync.WaitGroup
			answers = make([]string, 12)
		)
		for i := range answers {
			wg.Go(func() {
				s, err := b.submit(postgrestest.Inputs("Clinic"), idempotencyKey("k", "a"))
				if err != nil {
					t.Error(err)
				}
				answers[i] = s.Tenant.ID.String() + "/" + s.JobID
			})
		}
		wg.Wait()
		for _, a := range answers {
			if a != answers[0] {
				t.Errorf("answers %v", answers)
			}
		}
		if b.jobCount() != 1 {
			t.Errorf("%d jobs", b.jobCount())
		}
	})
}

func TestDB_Requeue(t *testing.T) {
	b := setupQueue(t)
	_, err := b.Requeue(t.Context(), uuid.New())
	postgrestest.WantKind(t, err, errs.KindNotFound)

	active := b.ActiveTenant(postgrestest.Inputs("Live"))
	_, err = b.Requeue(t.Context(), active.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
	if !strings.Contains(errs.SafeMessage(err), "from there it can become SUSPENDED or ARCHIVED") {
		t.Errorf("error %v", err)
	}

	leased := b.ClaimNew(postgrestest.Inputs("Held"))
	_, err = b.Requeue(t.Context(), leased.Tenant.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
	if err := b.Release(t.Context(), leased, tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepInProgress, Error: "no disk"}); err != nil {
		t.Fatal(err)
	}
	if got := value[string](b, `SELECT error FROM provisioning_logs WHERE tenant_id = $1 AND step = 'CREATE_SCHEMA' AND status = 'IN_PROGRESS'`, leased.Tenant.ID); got != "no disk" {
		t.Errorf("error %q", got)
	}
	s, err := b.Requeue(t.Context(), leased.Tenant.ID) // It has no lease now.
	if err != nil || !s.Continued || s.Tenant.Attempt != 1 || !s.Tenant.Queued || s.JobID == "" {
		t.Errorf("%+v, %v", s, err)
	}

	failed := b.ClaimNew(postgrestest.Inputs("Failed"))
	b.FailTenant(failed)
	s, err = b.Requeue(t.Context(), failed.Tenant.ID)
	if err != nil || s.Tenant.Attempt != 2 || s.Tenant.Status != tenant.StatusProvisioning || s.JobID == "" {
		t.Errorf("%+v, %v", s, err)
	}
	if n := value[int](b, `SELECT count(*) FROM audit_events WHERE tenant_id = $1 AND action = 'tenant.retry'`, failed.Tenant.ID); n != 1 {
		t.Errorf("%d events", n)
	}

	nameTaken := b.ClaimNew(postgrestest.Inputs("Taken"))
	b.FailTenant(nameTaken)
	b.ActiveTenant(postgrestest.Inputs("Taken too"))
	b.Exec(`UPDATE tenants SET name_key = 'taken' WHERE name = 'Taken too'`)
	b.Exec(`UPDATE tenants SET name_key = 'taken' WHERE name = 'Taken'`)
	_, err = b.Requeue(t.Context(), nameTaken.Tenant.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
}

func TestDB_Submit_RequiresQueue(t *testing.T) {
	b := setup(t)
	_, err := b.submit(postgrestest.Inputs("Clinic"), nil)
	postgrestest.WantKind(t, err, errs.KindPermanent)
	if n := value[int](b, `SELECT count(*) FROM tenants`); n != 0 {
		t.Errorf("%d tenants: %s", n, fmt.Sprint(err))
	}
}
