package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// personalData are what the tenant of tenantWithPersonalData has of persons, in lower case.
var personalData = []string{"zebedee", "quillfeather", "xanthippe", "0123-patient-line", "198.51.100.77", "key of zebedee"}

// tenantWithPersonalData returns an archived tenant whose names and addresses are in every
// table that can have them.
func (b fixture) tenantWithPersonalData() tenant.Tenant {
	b.T.Helper()
	ctx := audit.WithCaller(b.T.Context(), audit.Caller{Kind: audit.CallerAPIKey, ID: "hck_abc", Name: "key of Zebedee", Address: "198.51.100.77"})
	b.Creations.UseQueue(&numbered{})
	in := tenant.Inputs{
		Name: "Clinic", AdminEmail: "zebedee@clinic.example", AdminFirstName: "Zebedee", AdminLastName: "Quillfeather",
		ExternalID: "erp-1", Metadata: map[string]string{"phone": "0123-patient-line"}, ManagedBy: "team of Zebedee",
	}
	submitted, err := b.Submit(ctx, b.Draft(in), &provisioning.Idempotency{Scope: "key", Key: "first", Hash: [32]byte{1}})
	b.Must(err)
	id := submitted.Tenant.ID
	run, err := b.Claim(ctx, id, provisioning.ClaimResume, postgrestest.LeaseRequest("test", time.Minute))
	b.Must(err)
	failed := tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Error: "the mailbox zebedee@clinic.example does not exist", Result: map[string]any{"to": "zebedee@clinic.example"}}
	b.Must(b.BeginRollback(ctx, run, provisioning.RollbackToFailed, failed))
	run.Rollback = provisioning.RollbackToFailed
	_, err = b.RollBack(ctx, run)
	b.Must(err)
	run, err = b.Claim(ctx, id, provisioning.ClaimRetry, postgrestest.LeaseRequest("test", time.Minute))
	b.Must(err)
	b.Must(b.PrepareSchema(ctx, run, b.Seed()))
	_, err = b.Advance(ctx, run, postgrestest.Activation())
	b.Must(err)
	in.AdminFirstName = "Xanthippe"
	_, err = b.Update(ctx, id, in, 0)
	b.Must(err)
	b.Must(b.Record(ctx, audit.Event{TenantID: id, Action: "request.update-tenant", Outcome: audit.OutcomeRejected,
		Caller: audit.CallerOf(ctx), Detail: map[string]any{"reason": "xanthippe@clinic.example is no address"}}))
	in.ExternalID = ""
	_, err = b.Submit(ctx, b.Draft(in), &provisioning.Idempotency{Scope: "key", Key: "second", Hash: [32]byte{2}}) // A conflict, which is stored.
	if err == nil {
		b.T.Fatal("there are two tenants of one name")
	}
	b.Exec(`INSERT INTO river_job (kind, args, errors, state, finalized_at, max_attempts) VALUES
		('provision_tenant', $1, ARRAY['{"error": "no mailbox of Zebedee"}'::jsonb], 'completed', now(), 25),
		('move_tenant', $2, ARRAY['{"error": "no mailbox of Zebedee"}'::jsonb], 'running', NULL, 25)`,
		`{"tenant_id": "`+id.String()+`", "caller": {"name": "key of Zebedee"}}`, `{"tenant_id": "`+id.String()+`", "move": "purge"}`)
	_, err = b.OpenCredential(ctx, id, credentials.Request{TTL: time.Hour, Reason: "Xanthippe asked for it"})
	b.Must(err)
	archived, err := b.Archive(ctx, id)
	b.Must(err)
	return archived
}

// TestDB_Purge_LeavesNoPersonalData reads every table after a purge. The chain still verifies:
// each link covers the hash of a salt with each value, and the purge deletes salt and value.
func TestDB_Purge_LeavesNoPersonalData(t *testing.T) {
	b := setup(t)
	archived := b.tenantWithPersonalData()
	other := b.tenantWithHistory("Other")
	tables := registrytest.Open(t, b.Pool().Config().ConnString())
	before := strings.ToLower(tables.Text())
	for _, text := range personalData {
		if !strings.Contains(before, text) {
			t.Errorf("no table has %q, so this test proves nothing of it", text)
		}
	}
	events, err := b.Events(t.Context(), archived.ID, 0, 100)
	b.Must(err)

	c, err := b.Purge(t.Context(), archived.ID, 0)
	b.Must(err)
	for line := range strings.Lines(strings.ToLower(tables.Text())) {
		for _, text := range personalData {
			if strings.Contains(line, text) {
				t.Errorf("%q is left: %.300s", text, line)
			}
		}
	}
	if c.RedactedEvents != int64(len(events)) || len(c.Kept) == 0 {
		t.Errorf("certificate %+v", c)
	}
	for _, id := range []uuid.UUID{archived.ID, other.ID, uuid.Nil} {
		if findings := b.verify(id); len(findings) != 0 {
			t.Errorf("findings %+v", findings)
		}
	}
	after := b.VerifiedChain(archived.ID)
	for i, e := range events {
		if a := after[i]; a.Action != e.Action || !a.At.Equal(e.At) || a.Outcome != e.Outcome || string(a.Hash) != string(e.Hash) || a.Caller != (audit.Caller{Kind: audit.CallerRedacted}) || a.Detail != nil {
			t.Errorf("event %+v is now %+v", e, a)
		}
	}
	if last := after[len(after)-1]; last.Action != audit.ActionPurge || last.Caller.Kind != audit.CallerProcess {
		t.Errorf("the last event is %+v", last)
	}
	if n := value[int](b, `SELECT count(*) FROM river_job WHERE state = 'running' AND args->>'move' = 'purge'`); n != 1 {
		t.Error("the job that purges is gone, and could not end")
	}
	again, err := b.Purge(t.Context(), archived.ID, 0)
	if err != nil || again.RedactedEvents != c.RedactedEvents || len(again.Kept) != len(c.Kept) {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestDB_Verify_RedactedEvents: that caller and detail may be missing where a purge followed
// hides no change of others.
func TestDB_Verify_RedactedEvents(t *testing.T) {
	t.Parallel()
	const redact = `UPDATE audit_events SET actor_hash = sha256(uuid_send(salt) || convert_to(actor::text, 'UTF8')),
		detail_hash = sha256(uuid_send(salt) || convert_to(detail::text, 'UTF8')), salt = NULL, actor = NULL, detail = NULL WHERE tenant_id = '{{id}}' AND `
	for name, c := range map[string]struct {
		purged             bool
		statement, message string
	}{
		"OfLiveTenant":        {false, redact + `seq = 2`, "row 2 has no caller and no detail, although no purge followed it"},
		"TheEventOfThePurge":  {true, redact + `action = 'tenant.purge'`, "has no caller and no detail, although no purge followed it"},
		"AnotherSalt":         {false, `UPDATE audit_events SET salt = gen_random_uuid() WHERE tenant_id = '{{id}}' AND seq = 3`, "row 3 was changed"},
		"AnotherHashOfCaller": {true, `UPDATE audit_events SET actor_hash = sha256('x') WHERE tenant_id = '{{id}}' AND seq = 2`, "row 2 was changed"},
		"AnotherHashOfDetail": {true, `UPDATE audit_events SET detail_hash = sha256('x') WHERE tenant_id = '{{id}}' AND seq = 2`, "row 2 was changed"},
		"HashesExchanged":     {true, `UPDATE audit_events SET detail_hash = actor_hash, actor_hash = detail_hash WHERE tenant_id = '{{id}}' AND seq = 2`, "row 2 was changed"},
		"ValueWithoutSalt": {true, `ALTER TABLE audit_events DROP CONSTRAINT audit_events_redacted;
			UPDATE audit_events SET actor = '{"kind": "anonymous"}' WHERE tenant_id = '{{id}}' AND seq = 2`, "row 2 was changed"},
		"SaltWithoutValue": {false, `ALTER TABLE audit_events DROP CONSTRAINT audit_events_redacted;
			UPDATE audit_events SET detail = NULL WHERE tenant_id = '{{id}}' AND seq = 2`, "row 2 was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			target := b.tenantWithHistory("Clinic")
			if c.purged {
				_, err := b.Archive(t.Context(), target.ID)
				b.Must(err)
				_, err = b.Purge(t.Context(), target.ID, 0)
				b.Must(err)
			}
			b.ExecScript(strings.ReplaceAll(c.statement, "{{id}}", target.ID.String()))
			findings := b.verify(target.ID)
			if len(findings) != 1 || findings[0].Subject != verification.SubjectAudit || !strings.Contains(findings[0].Message, c.message) {
				t.Errorf("%+v", findings)
			}
		})
	}
}
