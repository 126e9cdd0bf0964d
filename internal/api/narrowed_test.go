package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// narrowedServer has a tenant that a narrowed key sees, and one that it does not see.
type narrowedServer struct {
	*testServer
	seen, hidden       map[string]any
	seenJob, hiddenJob string
	admin, narrowed    string
}

func setupNarrowed(t *testing.T) *narrowedServer {
	t.Helper()
	b := &narrowedServer{testServer: setupWith(t, serverOptions{worker: true})}
	create := func(name, region string) (map[string]any, string) {
		body := clinicNamed(name)
		body["metadata"], body["externalId"] = map[string]string{"region": region, "tier": "1"}, "crm-"+region
		queued := b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted)
		b.waitForJob(queued, "completed")
		return b.do(http.MethodGet, "/admin/tenants/"+queued.str("tenantId"), nil).want(http.StatusOK).json, queued.str("jobId")
	}
	b.seen, b.seenJob = create("Seen clinic", "eu")
	b.hidden, b.hiddenJob = create("Hidden clinic", "us")
	b.admin = b.key
	b.narrowed = b.createKeyOf(access.KeyRequest{Name: "narrowed", Scopes: []access.Scope{access.ScopeAdmin}, OnlyMetadata: tenant.MetadataFilter{"region": "eu"}})
	b.key = b.narrowed
	return b
}

func (b *narrowedServer) inRegion(name, region string) map[string]any {
	body := clinicNamed(name)
	body["metadata"] = map[string]string{"region": region}
	return body
}

// wantNothingOf fails the test if an answer has anything of the hidden tenant.
func (b *narrowedServer) wantNothingOf(got response) {
	b.t.Helper()
	for _, secret := range []string{"Hidden", as[string](b.hidden["id"]), as[string](b.hidden["schemaName"]), "crm-us"} {
		if strings.Contains(got.text, secret) {
			b.t.Errorf("the answer has %q: %s", secret, got.text)
		}
	}
}

// narrowedOperations are the operations that are neither about one tenant nor refused, with their
// status in TestNarrowedKey_EachOperation.
var narrowedOperations = map[string]int{
	"create-tenant": http.StatusBadRequest, "check-tenant": http.StatusBadRequest, "provision-tenant": http.StatusBadRequest, // Other metadata.
	"list-tenants": http.StatusOK, "list-tenants-health": http.StatusOK,
	"get-job": http.StatusNotFound, "get-registry": http.StatusOK,
}

// TestNarrowedKey_EachOperation walks the operations of the document: each one that needs a key
// refuses a narrowed one, or answers as if there were no other tenants.
func TestNarrowedKey_EachOperation(t *testing.T) {
	b := setupNarrowed(t)
	b.client.Transport = http.DefaultTransport // Bodies are the document's examples, which do not fit every operation.
	walked := map[string]bool{}
	for path, item := range as[map[string]any](loadSpec().document["paths"]) {
		for method, operation := range as[map[string]any](item) {
			id := as[string](child(operation, "operationId"))
			if child(operation, "security", "0", "bearer") == nil {
				continue
			}
			walked[id] = true
			call := func(tenantID, job string) response {
				address := strings.NewReplacer("{id}", tenantID, "{jobId}", job, "{name}", "clinic", "{credentialId}", uuid.NewString()).Replace(path)
				if id == "list-tenants-health" {
					address += "?tenantId=" + tenantID
				}
				body, contentType := exampleBody(t, operation)
				return b.send(b.request(strings.ToUpper(method), address, body, "Content-Type", contentType))
			}
			hiddenID, unknownID := as[string](b.hidden["id"]), uuid.NewString()
			got, unknown := call(hiddenID, b.hiddenJob), call(unknownID, "4711")
			want, isFiltered := narrowedOperations[id]
			switch {
			case isFiltered:
			case strings.Contains(path, "/tenants/{id}"):
				want = http.StatusNotFound
			default:
				want = http.StatusForbidden
			}
			if got.status != want {
				t.Errorf("%s: status %d, want %d: %s", id, got.status, want, got.text)
			}
			// A tenant that is hidden and one that does not exist look the same.
			if a, b := anonymous(got, hiddenID, b.hiddenJob), anonymous(unknown, unknownID, "4711"); got.status != unknown.status || a != b {
				t.Errorf("%s: a hidden tenant: %s\nan unknown one: %s", id, a, b)
			}
			if strings.Contains(strings.ReplaceAll(got.text, hiddenID, ""), "Hidden") {
				t.Errorf("%s: %s", id, got.text)
			}
		}
	}
	for id := range narrowedOperations {
		if !walked[id] {
			t.Errorf("there is no operation %s", id)
		}
	}
	if len(walked) < 29 {
		t.Errorf("only %d operations were walked", len(walked))
	}
	b.key = b.admin
	after := b.do(http.MethodGet, "/admin/tenants/"+as[string](b.hidden["id"]), nil).want(http.StatusOK)
	if after.str("status") != "ACTIVE" || after.json["version"] != b.hidden["version"] {
		t.Errorf("the hidden tenant was changed: %s", after.text)
	}
}

// exampleBody returns the example of an operation's body.
func exampleBody(t *testing.T, operation any) (body any, contentType string) {
	t.Helper()
	for contentType, media := range as[map[string]any](child(operation, "requestBody", "content")) {
		example := child(media, "example")
		if example == nil {
			return "no tar", contentType
		}
		text, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		// The example's metadata is that of the narrowed key.
		return strings.Replace(string(text), `"region":"eu"`, `"region":"us"`, 1), contentType
	}
	return nil, ""
}

// anonymous is an answer without what differs from request to request.
func anonymous(got response, tenantID, job string) string {
	delete(got.json, "requestId")
	delete(got.json, "instance")
	text, _ := json.Marshal(got.json)
	return strings.NewReplacer(tenantID, "ID", `\"`+job+`\"`, "JOB").Replace(string(text))
}

// TestNarrowedKey_Sees: its own tenants, in every answer.
func TestNarrowedKey_Sees(t *testing.T) {
	b := setupNarrowed(t)
	seen, hidden := as[string](b.seen["id"]), as[string](b.hidden["id"])
	for _, query := range []string{"", "?view=full", "?q=clinic", "?status=ACTIVE", "?limit=1", "?blueprint=standard"} {
		got := b.do(http.MethodGet, "/admin/tenants"+query, nil).want(http.StatusOK)
		if got.json["total"] != 1.0 || len(as[[]any](got.json["tenants"])) != 1 || got.json["nextCursor"] != nil || !strings.Contains(got.text, seen) {
			t.Errorf("%q: %s", query, got.text)
		}
		b.wantNothingOf(got)
	}
	for _, query := range []string{"?name=Hidden%20clinic", "?externalId=crm-us", "?q=hidden"} {
		if got := b.do(http.MethodGet, "/admin/tenants"+query, nil).want(http.StatusOK); got.json["total"] != 0.0 {
			t.Errorf("%q: %s", query, got.text)
		}
	}
	if got := b.do(http.MethodGet, "/admin/tenants?externalId=crm-eu", nil).want(http.StatusOK); got.json["total"] != 1.0 {
		t.Errorf("%s", got.text)
	}
	health := b.do(http.MethodGet, "/admin/tenants/health?tenantId="+seen+","+hidden, nil).want(http.StatusOK)
	if len(as[[]any](health.json["tenants"])) != 1 || !strings.Contains(health.text, seen) {
		t.Errorf("%s", health.text)
	}
	b.wantNothingOf(health)
	b.do(http.MethodGet, "/jobs/"+b.seenJob, nil).want(http.StatusOK)
	for _, path := range []string{"", "/provisioning-status", "/events", "/audit"} {
		b.do(http.MethodGet, "/admin/tenants/"+seen+path, nil).want(http.StatusOK)
	}
	b.do(http.MethodDelete, "/admin/tenants/"+seen, nil).want(http.StatusOK)
	b.do(http.MethodPost, "/admin/tenants/"+seen+"/unarchive", nil).want(http.StatusOK)
}

// TestNarrowedKey_Writes: it makes and keeps its own tenants alone.
func TestNarrowedKey_Writes(t *testing.T) {
	b := setupNarrowed(t)
	for _, path := range []string{"/admin/tenants", "/admin/tenants/provision"} {
		b.do(http.MethodPost, path, clinicNamed("No region")).wantFieldErrors("metadata.region")
		b.do(http.MethodPost, path, b.inRegion("Other region", "us")).wantFieldErrors("metadata.region")
	}
	b.do(http.MethodPost, "/admin/tenants", b.inRegion("Third clinic", "eu")).want(http.StatusAccepted)
	b.createActive(b.inRegion("Fourth clinic", "eu"))

	path := "/admin/tenants/" + as[string](b.seen["id"])
	for _, metadata := range []any{nil, map[string]string{}, map[string]string{"region": "us"}, map[string]string{"tier": "1"}} {
		b.do(http.MethodPatch, path, map[string]any{"metadata": metadata}).wantFieldErrors("metadata.region")
	}
	b.do(http.MethodPatch, path, map[string]any{"metadata": map[string]string{"region": "eu", "tier": "2"}}).want(http.StatusOK)
	b.do(http.MethodPatch, path, map[string]any{"adminFirstName": "Grace"}).want(http.StatusOK)

	// A name or an external id that a hidden tenant has is taken, and no more is said.
	for _, call := range []func(body map[string]any) response{
		func(body map[string]any) response { return b.do(http.MethodPost, "/admin/tenants", body) },
		func(body map[string]any) response {
			return b.do(http.MethodPost, "/admin/tenants", body, "Idempotency-Key", uuid.NewString())
		},
		func(body map[string]any) response { return b.do(http.MethodPatch, path, body) },
	} {
		name := b.inRegion("Hidden clinic", "eu")
		external := b.inRegion("Fifth clinic", "eu")
		external["externalId"] = "crm-us"
		for _, body := range []map[string]any{name, external} {
			got := call(body).want(http.StatusConflict)
			got.text = strings.ReplaceAll(got.text, "crm-us", "")
			b.wantNothingOf(got)
		}
	}
	if events := b.provision("/admin/tenants/provision", b.inRegion("Hidden clinic", "eu")); len(events) == 0 || strings.Contains(events[len(events)-1].data, as[string](b.hidden["id"])) {
		t.Errorf("%v", events)
	}

	// A tenant that changes its region disappears.
	b.key = b.admin
	b.do(http.MethodPatch, path, map[string]any{"metadata": map[string]string{"region": "us"}}).want(http.StatusOK)
	b.key = b.narrowed
	b.do(http.MethodGet, path, nil).want(http.StatusNotFound)
}

// TestNarrowedKey_DoesNotContinueHiddenTenants: a tenant that failed is continued by a request with
// its name, unless the caller does not see it.
func TestNarrowedKey_DoesNotContinueHiddenTenants(t *testing.T) {
	b := setupNarrowed(t)
	b.key = b.admin
	b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
		return errs.Errorf(errs.KindPermanent, "deploy", "the deployer has no balance")
	})
	failed := b.do(http.MethodPost, "/admin/tenants", b.inRegion("Failed clinic", "us")).want(http.StatusAccepted)
	b.waitForJob(failed, "failed")
	before := b.do(http.MethodGet, "/admin/tenants/"+failed.str("tenantId"), nil).want(http.StatusOK)
	b.key = b.narrowed
	for range 2 {
		got := b.do(http.MethodPost, "/admin/tenants", b.inRegion("Failed clinic", "eu")).want(http.StatusConflict)
		if strings.Contains(got.text, failed.str("tenantId")) || strings.Contains(got.text, "FAILED") {
			t.Errorf("%s", got.text)
		}
	}
	b.key = b.admin
	if after := b.do(http.MethodGet, "/admin/tenants/"+failed.str("tenantId"), nil).want(http.StatusOK); after.text != before.text {
		t.Errorf("the tenant was changed: %s", after.text)
	}
}
