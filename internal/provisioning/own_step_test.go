package provisioning_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

var quickRetry = retry.Policy{Attempts: 3, Base: time.Microsecond, Cap: time.Microsecond}

// stepLog is the newest attempt's log: each step with its status.
func (w *world) stepLog(t tenant.Tenant) string {
	w.t.Helper()
	log, err := w.db.Log(w.t.Context(), t.ID, false)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range log {
		all = append(all, fmt.Sprintf("%s:%s", e.Step, e.Status))
	}
	return strings.Join(all, " ")
}

const allCompleted = "CREATE_TENANT_RECORD:COMPLETED CREATE_SCHEMA:COMPLETED RUN_MIGRATIONS:COMPLETED SEED_ROLES_AND_USER:COMPLETED BEFORE:COMPLETED " +
	"DEPLOY_SOROBAN_CONTRACT:COMPLETED STORE_CONTRACT_ADDRESS:COMPLETED AFTER:COMPLETED SEND_WELCOME_EMAIL:COMPLETED"

// TestOwnSteps_Completed: what receivers get, what they may do meanwhile, and what stays.
func TestOwnSteps_Completed(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	var login string
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if e.Data.Step == "AFTER" {
			return 201, "", `{"outputs": {"after_id": "a 2"}, "more": 1}`
		}
		db := e.Data.Database
		u := url.URL{Scheme: "postgres", User: url.UserPassword(db.Username, db.Password), Host: fmt.Sprintf("%s:%d", db.Host, db.Port), Path: db.Name}
		login = u.String()
		conn, err := pgx.Connect(t.Context(), login)
		if err != nil {
			t.Error(err)
			return 500, "", ""
		}
		defer func() { _ = conn.Close(t.Context()) }()
		if _, err := conn.Exec(t.Context(), `INSERT INTO cards VALUES (7)`); err != nil {
			t.Error(err)
		}
		return 200, "", `{"outputs": {"before_id": "b1"}}`
	})
	in := withSteps()
	in.ExternalID, in.Metadata, in.Variables = "ext", map[string]string{"a": "b"}, map[string]string{"region": "us"}
	out, err := w.stepProcess(d).service().Provision(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.db.Get(t.Context(), out.Tenant.ID)
	if err != nil || got.Status != tenant.StatusActive || !maps.Equal(got.Outputs, tenant.Outputs{"before_id": "b1", "after_id": "a 2"}) {
		t.Errorf("%+v, outputs %q, %v", got, map[string]string(got.Outputs), err)
	}
	if got := w.stepLog(got); got != allCompleted {
		t.Error(got)
	}
	if d.log() != "BEFORE AFTER" || w.count(`SELECT count(*) FROM `+pgx.Identifier{got.SchemaName, "cards"}.Sanitize()) != 1 {
		t.Error(d.log())
	}
	if conn, err := pgx.Connect(t.Context(), login); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the login of the step can still connect")
	}
	events, err := w.db.Events(t.Context(), got.ID, 0, 100)
	opened := slices.DeleteFunc(events, func(e audit.Event) bool { return e.Action != audit.ActionOpenCredential })
	if err != nil || len(opened) != 1 || opened[0].Detail["step"] != "BEFORE" || opened[0].Detail["reason"] != nil {
		t.Errorf("the audit log does not name the step that the login is for: %+v, %v", opened, err)
	}
	first, second := d.events[0], d.events[1]
	if first.Type != "healthcare.tenant.step" || first.Source != "/blueprints/clinic/steps/BEFORE" || first.Subject != got.ID.String() || first.ID == second.ID || first.Data.Attempt != 1 ||
		second.Data.Database != nil || second.Data.Outputs["before_id"] != "b1" || second.Data.Tenant["contractId"] != got.ContractID {
		t.Errorf("%+v\n%+v", first, second)
	}
	for key, want := range map[string]any{"id": got.ID.String(), "name": "Clinic", "externalId": "ext", "schemaName": got.SchemaName, "blueprint": "clinic", "revision": 1.0, "schemaVersion": 1.0} {
		if first.Data.Tenant[key] != want {
			t.Errorf("%s is %v, not %v", key, first.Data.Tenant[key], want)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", got, got, got.Outputs); strings.Contains(s, "a 2") {
		t.Error("outputs are printed")
	}
}

// TestOwnSteps_KilledAtEachPoint: the process that continues repeats the request with the same
// id, and completes each step once.
func TestOwnSteps_KilledAtEachPoint(t *testing.T) {
	t.Parallel()
	for point := 1; ; point++ {
		w, d := newWorld(t), newDirectory(t)
		d.publish(w)
		p := w.stepProcess(d)
		p.dieAt = point
		_, err := p.service().Provision(t.Context(), withSteps())
		if err == nil {
			if point < 20 {
				t.Errorf("only %d points", point)
			}
			return
		}
		w.expireLeases()
		out, err := w.stepProcess(d).service().Provision(t.Context(), withSteps())
		if out.ConflictingTenant != nil && out.ConflictingTenant.Status == tenant.StatusActive { // Killed after its last commit.
			out.Tenant, err = *out.ConflictingTenant, nil
		}
		if err != nil {
			t.Fatalf("point %d: %v", point, err)
		}
		if got := w.stepLog(out.Tenant); got != allCompleted {
			t.Errorf("point %d: %s", point, got)
		}
		ids := map[string]string{}
		for _, e := range d.events {
			if before, ok := ids[e.Data.Step]; ok && before != e.ID {
				t.Errorf("point %d: another webhook-id for a delivery of %s", point, e.Data.Step)
			}
			ids[e.Data.Step] = e.ID
		}
		if len(d.events) > 3 || d.entryCount() != 2 || w.count(`SELECT count(*) FROM pg_roles WHERE rolname LIKE 'healthcare\_login\_%' AND rolcanlogin`+
			` AND pg_has_role(rolname, `+"'"+out.Tenant.DatabaseRole+"'"+`, 'MEMBER')`) != 0 {
			t.Errorf("point %d: %s, %d entries", point, d.log(), d.entryCount())
		}
	}
}

// TestOwnSteps_Refused: a step that fails ends the attempt; what was sent is undone, the newest
// first, also when the process is killed at any point of that.
func TestOwnSteps_Refused(t *testing.T) {
	t.Parallel()
	for point := 0; ; point++ {
		w, d := newWorld(t), newDirectory(t)
		d.publish(w)
		d.setAnswer(func(e stepEvent) (int, string, string) {
			if e.Type == "healthcare.tenant.step" && e.Data.Step == "AFTER" {
				return 409, "", `{"outputs": {"x": "y"}}`
			}
			return 200, "", `{"outputs": {"before_id": "b1"}}`
		})
		p := w.stepProcess(d)
		p.dieAt = point
		out, err := p.service().Provision(t.Context(), withSteps())
		if w.registry.Count() == 0 { // Killed before the tenant was recorded.
			continue
		}
		id := w.only().ID
		if errs.KindOf(err) != errs.KindPermanent { // Killed: a worker's run finishes it.
			w.expireLeases()
			pipeline, _ := w.stepProcess(d).build()
			out, err = pipeline.Run(t.Context(), id, provisioning.RunOptions{})
		} else if point > 0 {
			if point < 20 {
				t.Errorf("only %d points", point)
			}
			return
		}
		if point == 0 && (err == nil || !strings.Contains(err.Error(), "step AFTER failed: the answer was Conflict (409)") || d.log() != "BEFORE AFTER !AFTER !BEFORE") {
			t.Errorf("%s: %v", d.log(), err)
		}
		got, _ := w.db.Get(t.Context(), id)
		if got.Status != tenant.StatusFailed || d.entryCount() != 0 || len(got.Outputs) != 0 || got.ProvisioningError != "step AFTER failed: the answer was Conflict (409)" {
			t.Errorf("point %d: %s, %s, %q, %v; run %+v", point, got.Status, d.log(), got.ProvisioningError, err, out.Tenant.Status)
		}
		if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, got.SchemaName); n != 0 {
			t.Errorf("point %d: its schema still exists", point)
		}
		if log := w.stepLog(got); strings.Contains(log, "SEND_WELCOME_EMAIL") || strings.Contains(log, "IN_PROGRESS") {
			t.Errorf("point %d: %s", point, log)
		}
		// The next attempt has other ids, and begins from nothing.
		d.setAnswer(nil)
		if out, err = w.stepProcess(d).service().Retry(t.Context(), id); err != nil || out.Tenant.Status != tenant.StatusActive || d.entryCount() != 2 {
			t.Errorf("point %d: %+v, %v", point, out.Tenant.Status, err)
		}
		if a, b := d.events[0], d.events[len(d.events)-2]; a.ID == b.ID || b.Data.Attempt != 2 || a.Data.Step != b.Data.Step {
			t.Errorf("point %d: %+v, then %+v", point, a, b)
		}
	}
}

// TestOwnSteps_UndoFails: what is left over is named, no attempt begins before it is undone or
// skipped, and skipping needs a reason.
func TestOwnSteps_UndoFails(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	refuse := func(e stepEvent) (int, string, string) {
		if e.Type == "healthcare.tenant.step.undo" || e.Data.Step == "AFTER" {
			return 403, "", ""
		}
		return 200, "", ""
	}
	d.setAnswer(refuse)
	service := w.stepProcess(d).service()
	out, err := service.Provision(t.Context(), withSteps())
	id := out.Tenant.ID
	const left = "Left over: the step BEFORE, whose undo failed: the answer was Forbidden (403)"
	if err == nil || out.Tenant.Status != tenant.StatusFailed || !strings.Contains(out.Tenant.ProvisioningError, left) || !strings.Contains(out.Tenant.ProvisioningError, "step AFTER, whose undo") || w.failures != 1 {
		t.Fatalf("%+v, %v", out.Tenant, err)
	}
	if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, out.Tenant.SchemaName); n != 0 {
		t.Error("its schema still exists")
	}
	out, err = service.Retry(t.Context(), id)
	if err == nil || !strings.Contains(err.Error(), "--skip-undo AFTER --reason TEXT") || out.Tenant.Status != tenant.StatusFailed {
		t.Fatalf("%+v, %v", out.Tenant, err)
	}
	for _, c := range []struct {
		steps        []string
		reason, want string
	}{
		{[]string{"AFTER"}, " ", "reason"},
		{[]string{"AFTER"}, strings.Repeat("x", tenant.MaxReason+1), "reason"},
		{[]string{"AFTER"}, "deleted\x14by hand", "reason"},
		{[]string{"OTHER"}, "gone", "steps has OTHER, of which nothing is left over; give one of AFTER, BEFORE"},
	} {
		if err := service.SkipUndo(t.Context(), id, c.steps, c.reason); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if err := service.SkipUndo(t.Context(), id, []string{"AFTER"}, "deleted by hand"); err != nil {
		t.Fatal(err)
	}
	d.setAnswer(nil) // BEFORE can be undone now.
	out, err = service.Retry(t.Context(), id)
	if err != nil || out.Tenant.Status != tenant.StatusActive || !strings.HasSuffix(d.log(), "!BEFORE BEFORE AFTER") {
		t.Errorf("%+v, %s, %v", out.Tenant.Status, d.log(), err)
	}
	if got := w.registry.SkipReasons(); len(got) != 1 || got[0] != "deleted by hand" {
		t.Errorf("reasons %q", got)
	}
}

// TestOwnSteps_WithoutContract: a platform with its own users and without contracts has steps, too.
func TestOwnSteps_WithoutContract(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	postgrestest.PublishBlueprint(t, w.db, fstest.MapFS{"blueprint.yaml": {Data: fmt.Appendf(nil, `apiVersion: healthcare-platform/v1
kind: Blueprint
name: clinic
extends: none
contract: none
steps:
  - name: LATE
    after: STORE_CONTRACT_ADDRESS
    webhook: {url: "%[1]s/late", secret: BLUEPRINT_SECRET_DIRECTORY}
  - name: EARLY
    after: SEED_ROLES_AND_USER
    webhook: {url: "%[1]s/early", secret: BLUEPRINT_SECRET_DIRECTORY}
`, d.server.URL)}, "migrations/0001_cards.sql": {Data: []byte("-- +goose Up\nCREATE TABLE cards (id int PRIMARY KEY);\n")}})
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if got := w.stepLog(w.only()); !strings.Contains(got, e.Data.Step+":IN_PROGRESS") {
			t.Error(got)
		}
		return 200, "", ""
	})
	out, err := w.stepProcess(d).service().Provision(t.Context(), withSteps())
	if err != nil || d.log() != "EARLY LATE" {
		t.Fatalf("%s: %v", d.log(), err)
	}
	if got := w.stepLog(out.Tenant); got != "CREATE_TENANT_RECORD:COMPLETED CREATE_SCHEMA:COMPLETED RUN_MIGRATIONS:COMPLETED SEED_ROLES_AND_USER:SKIPPED EARLY:COMPLETED "+
		"DEPLOY_SOROBAN_CONTRACT:SKIPPED STORE_CONTRACT_ADDRESS:SKIPPED LATE:COMPLETED SEND_WELCOME_EMAIL:COMPLETED" {
		t.Error(got)
	}
	// Steps without an undo do not stop a purge.
	service := w.stepProcess(d).service()
	if _, err := service.Archive(t.Context(), out.Tenant.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := service.Purge(t.Context(), out.Tenant.ID, "Clinic", 0); err != nil || d.log() != "EARLY LATE" {
		t.Errorf("%s: %v", d.log(), err)
	}
}

// TestOwnSteps_OutputsRefused: a name that an earlier step gave is refused, and so is more than
// can be kept.
func TestOwnSteps_OutputsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after, want string }{
		{`{"outputs": {"id": "1"}}`, `{"outputs": {"id": "2"}}`, `the answer has the output "id", which an earlier step gave`},
		{`{"outputs": {"a": "` + strings.Repeat("x", 10000) + `"}}`, `{"outputs": {"b": "` + strings.Repeat("x", 10000) + `"}}`, "the outputs of all steps together have 20002 bytes; at most 16384 are kept"},
	} {
		w, d := newWorld(t), newDirectory(t)
		d.publish(w)
		d.setAnswer(func(e stepEvent) (int, string, string) {
			if e.Data.Step == "BEFORE" {
				return 200, "", c.before
			}
			return 200, "", c.after
		})
		out, err := w.stepProcess(d).service().Provision(t.Context(), withSteps())
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Tenant.Status != tenant.StatusFailed || d.entryCount() != 0 {
			t.Errorf("%s, %d entries: %v", out.Tenant.Status, d.entryCount(), err)
		}
	}
}
