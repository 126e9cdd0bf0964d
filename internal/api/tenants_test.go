package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestServer_CreateTenant(t *testing.T) {
	t.Parallel()
	t.Run("QueuesAndReturns202", func(t *testing.T) {
		b := setupWith(t, serverOptions{worker: true})
		got := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted)
		id := got.str("tenantId")
		if got.str("status") != "queued" || got.str("message") != "Tenant provisioning for Clinic has been queued" ||
			got.header.Get("Location") != "/admin/tenants/"+id || len(got.json) != 4 || got.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%s, %v", got.text, got.header)
		}
		b.waitFor("the tenant is live", func() bool {
			return b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK).str("status") == "ACTIVE"
		})
		job := b.do(http.MethodGet, "/jobs/"+got.str("jobId"), nil).want(http.StatusOK)
		if job.str("state") != "completed" || job.str("tenantId") != id || job.json["error"] != nil || job.str("id") != got.str("jobId") {
			t.Errorf("%s", job.text)
		}
	})
	t.Run("StoresEveryFieldAndCaller", func(t *testing.T) {
		b := setup(t)
		body := clinic()
		body["name"], body["externalId"], body["managedBy"], body["metadata"] = " Clínica  ", "crm-1", "terraform", map[string]string{"region": "eu", "": ""}
		body["locale"] = "de-AT"
		delete(as[map[string]string](body["metadata"]), "")
		id := b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted).str("tenantId")
		got := b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK)
		if got.str("name") != "Clínica" || got.str("externalId") != "crm-1" || got.str("managedBy") != "terraform" || got.str("locale") != "de-AT" || as[map[string]any](got.json["metadata"])["region"] != "eu" {
			t.Errorf("%s", got.text)
		}
		events, err := b.db.Events(t.Context(), uuid.MustParse(id), 0, 10)
		if err != nil || len(events) == 0 || events[0].Caller.Kind != audit.CallerAPIKey || events[0].Caller.Name != "admin" ||
			events[0].Caller.Address != "127.0.0.1" || events[0].Caller.RequestID == "" || !strings.HasPrefix(b.key, "hck_"+events[0].Caller.ID) {
			t.Errorf("%+v, %v", events, err)
		}
	})
	t.Run("AcceptsNullForOptionalFields", func(t *testing.T) {
		b := setup(t)
		body := clinic()
		body["externalId"], body["managedBy"], body["metadata"], body["locale"] = nil, nil, nil, nil
		id := b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted).str("tenantId")
		got := b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK)
		if got.json["externalId"] != nil || got.json["managedBy"] != nil || got.json["locale"] != nil || len(as[map[string]any](got.json["metadata"])) != 0 {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("RejectsDuplicateNameAndExternalID", func(t *testing.T) {
		b := setup(t)
		body := clinic()
		body["externalId"] = "crm-1"
		b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted)
		got := b.do(http.MethodPost, "/admin/tenants", clinicNamed("CLINIC")).want(http.StatusConflict)
		if e := as[[]any](got.json["errors"]); len(e) != 1 || as[map[string]any](e[0])["field"] != "name" {
			t.Errorf("%s", got.text)
		}
		body["name"] = "Hospital"
		got = b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusConflict)
		if e := as[[]any](got.json["errors"]); len(e) != 1 || as[map[string]any](e[0])["field"] != "externalId" {
			t.Errorf("%s", got.text)
		}
	})
}

func TestServer_CreateTenant_Idempotency(t *testing.T) {
	t.Parallel()
	create := func(b *testServer, body any, key string) response {
		b.t.Helper()
		return b.do(http.MethodPost, "/admin/tenants", body, "Idempotency-Key", key)
	}
	t.Run("ReplaysResponse", func(t *testing.T) {
		b := setup(t)
		first := create(b, clinic(), "k1").want(http.StatusAccepted)
		spelled := clinic()
		spelled["name"] = "  Clinic "
		again := create(b, spelled, "k1").want(http.StatusAccepted)
		if again.text != first.text || again.header.Get("Location") != first.header.Get("Location") || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s %v, first %s", again.text, again.header, first.text)
		}
		if n := b.registry.Count(); n != 1 {
			t.Errorf("%d tenants", n)
		}
	})
	t.Run("ReplaysConcurrentRequest", func(t *testing.T) {
		b := setup(t)
		var (
			all     sync.WaitGroup
			answers = make([]response, 8)
		)
		for i := range answers {
			all.Go(func() { answers[i] = create(b, clinic(), "k1") })
		}
		all.Wait()
		replayed := 0
		for _, a := range answers {
			if a.status != http.StatusAccepted || a.text != answers[0].text {
				t.Errorf("%d %s", a.status, a.text)
			}
			if a.header.Get("Idempotency-Replayed") == "true" {
				replayed++
			}
		}
		if replayed != len(answers)-1 {
			t.Errorf("%d replays", replayed)
		}
	})
	t.Run("RejectsDifferentRequestWithSameKey", func(t *testing.T) {
		b := setup(t)
		create(b, clinic(), "k1").want(http.StatusAccepted)
		create(b, clinicNamed("Hospital"), "k1").want(http.StatusUnprocessableEntity)
		if got := b.auditRejections(uuid.Nil); len(got) != 1 || got[0].Detail["status"] != 422.0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("ReplaysRejection", func(t *testing.T) {
		b := setup(t)
		create(b, clinic(), "k1").want(http.StatusAccepted)
		create(b, clinic(), "k2").want(http.StatusConflict)
		b.registry.Fail()
		create(b, clinic(), "k2").want(http.StatusConflict)
	})
	t.Run("ScopesKeysByCaller", func(t *testing.T) {
		b := setup(t)
		create(b, clinic(), "k1").want(http.StatusAccepted)
		b.key = b.createKey("other", access.ScopeWrite)
		if got := create(b, clinicNamed("Hospital"), "k1").want(http.StatusAccepted); got.header.Get("Idempotency-Replayed") != "" {
			t.Error("another caller's answer")
		}
	})
	t.Run("RejectsInvalidKey", func(t *testing.T) {
		b := setup(t)
		for _, key := range []string{strings.Repeat("k", 256), "a b", "käse", " "} {
			create(b, clinic(), key).wantFieldErrors("Idempotency-Key")
		}
		create(b, clinic(), strings.Repeat("k", 255)).want(http.StatusAccepted)
		r := b.request(http.MethodPost, "/admin/tenants", clinic())
		r.Header["Idempotency-Key"] = []string{"a", "b"}
		b.send(r).wantFieldErrors("Idempotency-Key")
		if n := b.registry.Count(); n != 1 {
			t.Errorf("%d tenants", n)
		}
	})
}

func TestServer_GetTenant(t *testing.T) {
	t.Parallel()
	t.Run("NullForMissingValues", func(t *testing.T) {
		b := setup(t)
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		got := b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK)
		for _, name := range []string{"sorobanContractId", "provisioningError", "externalId", "managedBy", "archivedAt", "activatedAt", "purgedAt"} {
			if v, there := got.json[name]; !there || v != nil {
				t.Errorf("%s is %v", name, v)
			}
		}
		for _, name := range []string{"id", "name", "schemaName", "databaseRole", "status", "adminEmail", "adminFirstName", "adminLastName", "createdAt", "updatedAt", "welcomeEmailStatus"} {
			if got.str(name) == "" {
				t.Errorf("%s is empty", name)
			}
		}
		if at, err := time.Parse(time.RFC3339, got.str("createdAt")); err != nil || !strings.HasSuffix(got.str("createdAt"), "Z") || time.Since(at) > time.Minute {
			t.Errorf("createdAt %q", got.str("createdAt"))
		}
	})
	t.Run("ShowsActiveTenant", func(t *testing.T) {
		b := setup(t)
		v := b.createActive(clinic())
		got := b.do(http.MethodGet, "/admin/tenants/"+as[string](v["id"]), nil).want(http.StatusOK)
		if got.str("status") != "ACTIVE" || !strings.HasPrefix(got.str("sorobanContractId"), "C") || got.str("activatedAt") == "" || got.str("welcomeEmailStatus") != "SENT" || got.json["attempt"] != 1.0 {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("Returns304WhenNotModified", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		tag := b.do(http.MethodGet, path, nil).header.Get("ETag")
		for _, condition := range []string{tag, "W/" + tag, `"0", ` + tag, "*"} {
			got := b.do(http.MethodGet, path, nil, "If-None-Match", condition).want(http.StatusNotModified)
			if got.text != "" || got.header.Get("ETag") != tag {
				t.Errorf("%q: %s %v", condition, got.text, got.header)
			}
		}
		b.do(http.MethodGet, path, nil, "If-None-Match", `"0"`).want(http.StatusOK)
		b.do(http.MethodPatch, path, clinicNamed("Hospital")).want(http.StatusOK)
		if got := b.do(http.MethodGet, path, nil, "If-None-Match", tag).want(http.StatusOK); got.str("name") != "Hospital" {
			t.Errorf("%s", got.text)
		}
		b.do(http.MethodGet, path, nil, "If-None-Match", "3").wantFieldErrors("If-None-Match")
	})
	t.Run("Returns404ForInvalidID", func(t *testing.T) {
		b := setup(t)
		for _, id := range []string{"nil", uuid.NewString(), strings.ToUpper(uuid.NewString()), "{" + uuid.NewString() + "}", strings.ReplaceAll(uuid.NewString(), "-", ""), "a%2Fb", "%00", strings.Repeat("9", 500)} {
			b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusNotFound)
		}
		b.do(http.MethodGet, "/admin/tenants/%ff", nil).wantFieldErrors("path")
	})
}

func TestServer_UpdateTenant(t *testing.T) {
	t.Parallel()
	t.Run("ChangesGivenFields", func(t *testing.T) {
		b := setup(t)
		body := clinic()
		body["externalId"], body["managedBy"], body["metadata"] = "crm-1", "me", map[string]string{"a": "1"}
		body["locale"] = "de"
		v := b.createActive(body)
		path := "/admin/tenants/" + as[string](v["id"])
		got := b.do(http.MethodPatch, path, map[string]any{"adminEmail": " grace@clinic.example ", "adminLastName": "Hopper", "locale": "de-AT"}).want(http.StatusOK)
		if got.str("adminEmail") != "grace@clinic.example" || got.str("adminLastName") != "Hopper" || got.str("adminFirstName") != "Ada" || got.str("externalId") != "crm-1" || got.str("locale") != "de-AT" ||
			as[map[string]any](got.json["metadata"])["a"] != "1" || got.header.Get("ETag") == "" || as[float64](got.json["version"]) <= as[float64](v["version"]) {
			t.Errorf("%s", got.text)
		}
		got = b.do(http.MethodPatch, path, map[string]any{"externalId": nil, "managedBy": "", "metadata": nil, "locale": nil}, "Content-Type", "application/merge-patch+json").want(http.StatusOK)
		if got.json["externalId"] != nil || got.json["managedBy"] != nil || got.json["locale"] != nil || len(as[map[string]any](got.json["metadata"])) != 0 {
			t.Errorf("%s", got.text)
		}
		same := b.do(http.MethodPatch, path, map[string]any{}).want(http.StatusOK)
		if same.header.Get("ETag") != got.header.Get("ETag") {
			t.Error("an empty change is one")
		}
	})
	t.Run("HonoursIfMatch", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		read := b.do(http.MethodGet, path, nil).header.Get("ETag")
		b.do(http.MethodPatch, path, clinicNamed("Hospital"), "If-Match", read).want(http.StatusOK)
		for _, condition := range []string{read, "W/" + read, `"nobody's"`, `"0"`, read + `, "999999"`} {
			b.do(http.MethodPatch, path, clinicNamed("Stale"), "If-Match", condition).want(http.StatusPreconditionFailed)
		}
		now := b.do(http.MethodGet, path, nil)
		if now.str("name") != "Hospital" {
			t.Errorf("%s", now.text)
		}
		if got := b.do(http.MethodPatch, path, clinicNamed("One"), "If-Match", read+" , "+now.header.Get("ETag")).want(http.StatusOK); got.str("name") != "One" {
			t.Errorf("%s", got.text)
		}
		b.do(http.MethodPatch, path, clinicNamed("Two"), "If-Match", "*").want(http.StatusOK)
		b.do(http.MethodPatch, path, clinicNamed("Three")).want(http.StatusOK)
		for _, condition := range []string{"3", `"3`, `"1" "2"`, `W/3`, `"1",x`, `"a b"`} {
			b.do(http.MethodPatch, path, clinicNamed("Odd"), "If-Match", condition).wantFieldErrors("If-Match")
		}
		r := b.request(http.MethodPatch, path, clinicNamed("Four"))
		r.Header["If-Match"] = []string{`"1"`, b.do(http.MethodGet, path, nil).header.Get("ETag")}
		b.send(r).want(http.StatusOK)
	})
	t.Run("ReportsAllFieldErrors", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		b.do(http.MethodPatch, path, map[string]any{
			"name": "x", "adminEmail": "x", "adminFirstName": "", "adminLastName": "a\nb", "externalId": " x", "managedBy": strings.Repeat("x", 256), "metadata": map[string]string{"": "x"}, "locale": "de_AT",
		}).wantFieldErrors("name", "adminEmail", "adminFirstName", "adminLastName", "externalId", "managedBy", "locale", "metadata")
		b.do(http.MethodPatch, path, map[string]any{"name": nil, "status": "ACTIVE"}).wantFieldErrors("name", "status")
		got := b.do(http.MethodGet, path, nil)
		if got.str("name") != "Clinic" {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("RejectsDuplicateNames", func(t *testing.T) {
		b := setup(t)
		b.createActive(clinicNamed("Hospital"))
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		b.do(http.MethodPatch, path, clinicNamed("hospital")).want(http.StatusConflict)
		b.do(http.MethodPatch, "/admin/tenants/"+uuid.NewString(), clinicNamed("Nobody")).want(http.StatusNotFound)
	})
}

func TestServer_ProvisioningStatus(t *testing.T) {
	t.Parallel()
	steps := "CREATE_TENANT_RECORD CREATE_SCHEMA RUN_MIGRATIONS SEED_ROLES_AND_USER DEPLOY_SOROBAN_CONTRACT STORE_CONTRACT_ADDRESS SEND_WELCOME_EMAIL"
	t.Run("ShowsSevenStepsInOrder", func(t *testing.T) {
		b := setup(t)
		v := b.createActive(clinic())
		got := b.do(http.MethodGet, "/admin/tenants/"+as[string](v["id"])+"/provisioning-status", nil).want(http.StatusOK)
		if got.str("tenantId") != v["id"] || got.str("tenantName") != "Clinic" || got.str("overallStatus") != "ACTIVE" || got.str("completedAt") < got.str("createdAt") {
			t.Errorf("%s", got.text)
		}
		var names []string
		for _, l := range as[[]any](got.json["logs"]) {
			log := as[map[string]any](l)
			names = append(names, as[string](log["step"]))
			if log["status"] != "COMPLETED" || log["durationMs"] == nil || log["error"] != nil || log["attempt"] != 1.0 {
				t.Errorf("%v", log)
			}
		}
		if strings.Join(names, " ") != steps {
			t.Errorf("%v", names)
		}
	})
	t.Run("CompletedAtIsNullWhileRunning", func(t *testing.T) {
		b := setupWith(t, serverOptions{worker: true})
		deploying, finish := make(chan struct{}), make(chan struct{})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { close(deploying); <-finish; return nil })
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		<-deploying
		got := b.do(http.MethodGet, "/admin/tenants/"+id+"/provisioning-status", nil).want(http.StatusOK)
		logs := as[[]any](got.json["logs"])
		last := as[map[string]any](logs[len(logs)-1])
		if got.json["completedAt"] != nil || got.str("overallStatus") != "PROVISIONING" || last["step"] != "DEPLOY_SOROBAN_CONTRACT" || last["durationMs"] != nil || last["status"] != "IN_PROGRESS" {
			t.Errorf("%s", got.text)
		}
		close(finish)
		b.waitFor("it is complete", func() bool {
			return b.do(http.MethodGet, "/admin/tenants/"+id+"/provisioning-status", nil).json["completedAt"] != nil
		})
	})
	t.Run("KeepsFailureTimeAndError", func(t *testing.T) {
		b := setup(t)
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "the balance is too low; fund the account")
		})
		events := b.provision("/admin/tenants/provision", clinic())
		id := as[string](as[map[string]any](events[len(events)-1].json["tenant"])["id"])
		path := "/admin/tenants/" + id
		first := b.do(http.MethodGet, path+"/provisioning-status", nil).want(http.StatusOK)
		if first.str("overallStatus") != "FAILED" || !strings.Contains(first.text, "the balance is too low; fund the account") {
			t.Errorf("%s", first.text)
		}
		b.registry.SetUpdated(time.Hour)
		second := b.do(http.MethodGet, path+"/provisioning-status", nil).want(http.StatusOK)
		if first.str("completedAt") != second.str("completedAt") || second.str("updatedAt") == first.str("updatedAt") {
			t.Errorf("%s, then %s", first.text, second.text)
		}
	})
	t.Run("UnknownTenant", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodGet, "/admin/tenants/"+uuid.NewString()+"/provisioning-status", nil).want(http.StatusNotFound)
	})
}

func TestServer_Job(t *testing.T) {
	b := setup(t)
	got := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted)
	job := b.do(http.MethodGet, "/jobs/"+got.str("jobId"), nil).want(http.StatusOK)
	if job.str("state") != "queued" || job.json["attempt"] != 0.0 || job.json["finishedAt"] != nil || as[float64](job.json["maxAttempts"]) < 1 || job.str("scheduledAt") == "" {
		t.Errorf("%s", job.text)
	}
	for _, id := range []string{"999999", "x", "0", "-1", "%00", fmt.Sprint(uuid.New()), strings.Repeat("1", 300)} {
		b.do(http.MethodGet, "/jobs/"+id, nil).want(http.StatusNotFound)
	}
}
