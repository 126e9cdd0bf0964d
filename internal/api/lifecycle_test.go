package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestServer_ArchiveTenant(t *testing.T) {
	t.Parallel()
	t.Run("IsIdempotent", func(t *testing.T) {
		b := setup(t)
		id := as[string](b.createActive(clinic())["id"])
		for _, call := range [][2]string{
			{http.MethodDelete, "/admin/tenants/" + id}, {http.MethodDelete, "/admin/tenants/" + id}, {http.MethodPost, "/admin/tenants/" + id + "/archive"},
		} {
			got := b.do(call[0], call[1], nil).want(http.StatusOK)
			if got.str("status") != "archived" || got.str("message") != "Tenant "+id+" has been archived" || len(got.json) != 2 {
				t.Errorf("%s", got.text)
			}
		}
		if got := b.do(http.MethodGet, "/admin/tenants/"+id, nil); got.str("status") != "ARCHIVED" || got.str("archivedAt") == "" {
			t.Errorf("%s", got.text)
		}
		if n := b.registry.Schemas(); n != 1 {
			t.Error("the schema is gone")
		}
		b.do(http.MethodDelete, "/admin/tenants/"+uuid.NewString(), nil).want(http.StatusNotFound)
	})
	t.Run("ArchivesByPost", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		if got := b.do(http.MethodPost, path+"/archive", nil).want(http.StatusOK); got.str("status") != "archived" || len(got.json) != 2 {
			t.Errorf("%s", got.text)
		}
		if got := b.do(http.MethodGet, path, nil); got.str("status") != "ARCHIVED" {
			t.Errorf("%s", got.text)
		}
		b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/archive", nil).want(http.StatusNotFound)
	})
	t.Run("AbortsRunningProvisioning", func(t *testing.T) {
		b := setupWith(t, serverOptions{worker: true})
		deploying, finish := make(chan struct{}), make(chan struct{})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { close(deploying); <-finish; return nil })
		got := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted)
		id := got.str("tenantId")
		<-deploying
		b.do(http.MethodDelete, "/admin/tenants/"+id, nil).want(http.StatusOK)
		close(finish)
		b.waitFor("the job has ended", func() bool {
			return b.do(http.MethodGet, "/jobs/"+got.str("jobId"), nil).want(http.StatusOK).str("state") == "failed"
		})
		if got := b.do(http.MethodGet, "/admin/tenants/"+id, nil); got.str("status") != "ARCHIVED" {
			t.Errorf("%s", got.text)
		}
		if n := b.registry.Schemas(); n != 0 {
			t.Error("the schema is still there")
		}
	})
}

func TestServer_UnarchiveTenant(t *testing.T) {
	b := setup(t)
	path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
	b.do(http.MethodDelete, path, nil).want(http.StatusOK)
	got := b.do(http.MethodPost, path+"/unarchive", nil).want(http.StatusOK)
	if got.str("status") != "ACTIVE" || got.json["archivedAt"] != nil || got.header.Get("ETag") != b.do(http.MethodGet, path, nil).header.Get("ETag") {
		t.Errorf("%s, %v", got.text, got.header)
	}
	b.do(http.MethodDelete, path, nil).want(http.StatusOK)
	b.createActive(clinic())
	b.do(http.MethodPost, path+"/unarchive", nil).want(http.StatusConflict)
	b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/unarchive", nil).want(http.StatusNotFound)
}

func TestServer_RetryTenant(t *testing.T) {
	t.Parallel()
	t.Run("QueuesAnotherAttempt", func(t *testing.T) {
		b := setup(t)
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "no")
		})
		events := b.provision("/admin/tenants/provision", clinic())
		id := as[string](as[map[string]any](events[len(events)-1].json["tenant"])["id"])
		got := b.do(http.MethodPost, "/admin/tenants/"+id+"/retry", nil).want(http.StatusAccepted)
		if got.str("message") != "Another attempt for Clinic has been queued" || got.str("tenantId") != id || got.str("status") != "queued" || got.header.Get("Location") != "/admin/tenants/"+id {
			t.Errorf("%s", got.text)
		}
		b.do(http.MethodGet, "/jobs/"+got.str("jobId"), nil).want(http.StatusOK)
		b.do(http.MethodPost, "/admin/tenants/"+id+"/retry", nil).want(http.StatusConflict)
	})
	t.Run("RejectsActiveAndUnknownTenant", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		got := b.do(http.MethodPost, path+"/retry", nil).want(http.StatusConflict)
		if !strings.Contains(got.str("detail"), "ARCHIVED") {
			t.Errorf("it does not say which moves are possible: %s", got.text)
		}
		b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/retry", nil).want(http.StatusNotFound)
		b.do(http.MethodPost, "/admin/tenants/x/retry", nil).want(http.StatusNotFound)
		b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/provision", nil).want(http.StatusNotFound)
	})
}

func TestServer_InviteAdmin(t *testing.T) {
	t.Parallel()
	t.Run("SendsAnotherMail", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"]) + "/invite"
		got := b.do(http.MethodPost, path, nil).want(http.StatusOK)
		if got.str("status") != "sent" || got.str("welcomeEmailStatus") != "SENT" || !strings.Contains(got.str("message"), "ada@clinic.example") || len(as[[]any](got.json["warnings"])) != 0 {
			t.Errorf("%s", got.text)
		}
		if n := len(b.mail.Messages()); n != 2 {
			t.Errorf("%d mails", n)
		}
	})
	t.Run("ReportsDeliveryFailure", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"]) + "/invite"
		b.mail.RejectRecipients(554, "5.7.1 no", -1)
		got := b.do(http.MethodPost, path, nil).want(http.StatusOK)
		if got.str("status") != "failed" || got.str("welcomeEmailStatus") != "FAILED" || len(as[[]any](got.json["warnings"])) != 1 {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("RejectsUnknownTenant", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/invite", nil).want(http.StatusNotFound)
	})
	t.Run("RejectsInactiveTenant", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		b.do(http.MethodDelete, path, nil).want(http.StatusOK)
		b.do(http.MethodPost, path+"/invite", nil).want(http.StatusConflict)
	})
}

func TestServer_PurgeTenant(t *testing.T) {
	t.Parallel()
	t.Run("ReturnsSameCertificateOnRepeat", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{Retention: api.NoRetention}})
		id := as[string](b.createActive(clinic())["id"])
		path := "/admin/tenants/" + id
		b.do(http.MethodDelete, path, nil).want(http.StatusOK)
		b.key = b.createKey("purger", access.ScopePurge)
		b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Clinic2"}).wantFieldErrors("confirm")
		b.do(http.MethodPost, path+"/purge", `{}`).wantFieldErrors("confirm")
		b.do(http.MethodPost, path+"/purge", `{"confirm":true,"force":true}`).wantFieldErrors("confirm", "force")
		first := b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Clinic"}).want(http.StatusOK)
		by := as[map[string]any](first.json["by"])
		if first.str("tenantId") != id || first.str("name") != "Clinic" || first.str("purgedAt") < first.str("archivedAt") || as[map[string]any](first.json["rows"])["users"] != 1.0 ||
			first.str("sorobanContractId") == "" || by["kind"] != "apikey" || by["name"] != "purger" {
			t.Errorf("%s", first.text)
		}
		if kept := as[[]any](first.json["kept"]); len(kept) == 0 || as[map[string]any](kept[0])["why"] == "" || first.json["redactedEvents"] == 0.0 {
			t.Errorf("%s", first.text)
		}
		if again := b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Clinic"}).want(http.StatusOK); again.text != first.text {
			t.Errorf("%s, first %s", again.text, first.text)
		}
		b.key = b.createKey("reader", access.ScopeRead)
		events := as[[]any](b.do(http.MethodGet, path+"/audit", nil).want(http.StatusOK).json["events"])
		for i, e := range events {
			event := as[map[string]any](e)
			if caller := as[map[string]any](event["caller"]); i < len(events)-1 && (caller["kind"] != "redacted" || caller["name"] != nil || len(as[map[string]any](event["detail"])) != 0) {
				t.Errorf("%v", event)
			}
		}
		if got := b.do(http.MethodGet, path, nil).want(http.StatusOK); got.str("adminEmail") != "" || got.str("name") != "Clinic" {
			t.Errorf("%s", got.text)
		}
		if n := b.registry.Schemas(); n != 0 {
			t.Error("the schema is still there")
		}
	})
	t.Run("ChecksAndChangesNothing", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{Retention: api.NoRetention, AllowEarlyPurge: true}})
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		check := func(status int, body map[string]any) response {
			t.Helper()
			return b.do(http.MethodPost, path+"/purge/check", body).want(status)
		}
		early := map[string]any{"confirm": "Clinic", "skipRetention": true}
		check(http.StatusOK, early)
		check(http.StatusBadRequest, map[string]any{"confirm": "Clinic2"})
		check(http.StatusConflict, map[string]any{"confirm": "Clinic", "retentionMs": 60_000}) // It would be archived only now.
		b.do(http.MethodPut, path+"/hold", map[string]any{"reason": "Case 17"}).want(http.StatusOK)
		if got := check(http.StatusConflict, early); !strings.Contains(got.text, "Case 17") {
			t.Errorf("%s", got.text)
		}
		if events := b.do(http.MethodGet, path+"/audit", nil).want(http.StatusOK); !strings.Contains(events.text, `"tenant.purge","outcome":"REJECTED"`) {
			t.Errorf("the refusal is not recorded: %s", events.text)
		}
		if got := b.do(http.MethodGet, path, nil).want(http.StatusOK); got.str("status") != "ACTIVE" || b.registry.Schemas() != 1 {
			t.Errorf("%s", got.text)
		}
		b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/purge/check", early).want(http.StatusNotFound)
	})
	t.Run("EnforcesRetention", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		b.do(http.MethodPost, path+"/purge/check", map[string]any{"confirm": "Clinic", "skipRetention": true}).want(http.StatusForbidden)
		b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Clinic"}).want(http.StatusConflict)
		b.do(http.MethodDelete, path, nil).want(http.StatusOK)
		b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Clinic"}).want(http.StatusConflict)
		b.registry.Archive(30*24*time.Hour + time.Minute)
		b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Clinic"}).want(http.StatusOK)
		b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/purge", map[string]any{"confirm": "Clinic"}).want(http.StatusNotFound)
	})
}
