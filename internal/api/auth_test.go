package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// countingStore counts the queries to a store.
type countingStore struct {
	access.Store
	finds, lists, touches atomic.Int64
}

func (c *countingStore) List(ctx context.Context) ([]access.Key, error) {
	c.lists.Add(1)
	return c.Store.List(ctx)
}

func (c *countingStore) FindByPrefix(ctx context.Context, prefix string) (access.Key, error) {
	c.finds.Add(1)
	return c.Store.FindByPrefix(ctx, prefix)
}

func (c *countingStore) RecordUse(ctx context.Context, id uuid.UUID) error {
	c.touches.Add(1)
	return c.Store.RecordUse(ctx, id)
}

// authenticatedCalls has one request for each operation that needs a key, and its scope.
func authenticatedCalls() map[string]access.Scope {
	id := uuid.NewString()
	return map[string]access.Scope{
		"POST /admin/tenants": access.ScopeWrite, "GET /admin/tenants": access.ScopeRead, "GET /admin/tenants/" + id: access.ScopeRead,
		"PATCH /admin/tenants/" + id: access.ScopeWrite, "DELETE /admin/tenants/" + id: access.ScopeWrite, "POST /admin/tenants/" + id + "/archive": access.ScopeWrite,
		"GET /admin/tenants/" + id + "/provisioning-status": access.ScopeRead, "GET /admin/tenants/" + id + "/events": access.ScopeRead,
		"GET /admin/tenants/" + id + "/audit": access.ScopeRead, "POST /admin/tenants/" + id + "/retry": access.ScopeWrite, "POST /admin/tenants/provision": access.ScopeWrite, "POST /admin/tenants/" + id + "/provision": access.ScopeWrite,
		"POST /admin/tenants/" + id + "/unarchive": access.ScopeWrite, "POST /admin/tenants/" + id + "/invite": access.ScopeWrite,
		"POST /admin/tenants/" + id + "/purge": access.ScopePurge, "POST /admin/tenants/" + id + "/purge/check": access.ScopePurge, "GET /jobs/1": access.ScopeRead, "POST /admin/tenants/" + id + "/skip-undo": access.ScopeWrite,
		"GET /admin/tenants/health": access.ScopeRead, "POST /admin/tenants/" + id + "/repair": access.ScopeWrite,
		"POST /admin/tenants/" + id + "/contract/reconcile":                    access.ScopeWrite,
		"POST /admin/tenants/" + id + "/database-credentials":                  access.ScopeCredentials,
		"POST /admin/tenants/" + id + "/database-credentials/" + id + "/renew": access.ScopeCredentials,
		"DELETE /admin/tenants/" + id + "/database-credentials/" + id:          access.ScopeCredentials,
		"POST /admin/blueprints":                                               access.ScopeBlueprints, "POST /admin/blueprints/validate": access.ScopeBlueprints,
		"GET /admin/audit": access.ScopeAdmin, "GET /admin/blueprints": access.ScopeRead, "GET /admin/blueprints/clinic": access.ScopeRead,
		"POST /admin/tenants/" + id + "/suspend": access.ScopeWrite, "POST /admin/tenants/" + id + "/resume": access.ScopeWrite,
		"PUT /admin/tenants/" + id + "/hold": access.ScopeWrite, "POST /admin/tenants/" + id + "/hold/clear": access.ScopeHold,
		"GET /admin/tenants/" + id + "/verify": access.ScopeRead, "GET /admin/registry/verify": access.ScopeAdmin, "GET /admin/platform/check": access.ScopeAdmin,
		"POST /admin/tenants/" + id + "/migrate": access.ScopeAdmin, "POST /admin/tenants/adopt": access.ScopeAdmin,
		"GET /admin/registry": access.ScopeRead, "GET /admin/events": access.ScopeRead,
		"GET /admin/overview": access.ScopeRead, "GET /admin/channels": access.ScopeRead, "GET /admin/contracts": access.ScopeRead,
		"GET /admin/tenants/" + id + "/contract": access.ScopeRead, "GET /admin/tenants/" + id + "/database-credentials": access.ScopeRead,
		"GET /admin/api-keys": access.ScopeAdmin, "POST /admin/api-keys": access.ScopeAdmin, "DELETE /admin/api-keys/" + id: access.ScopeAdmin,
		"GET /admin/events/stream?unknown=1":     access.ScopeRead, // Refused: a stream does not end.
		"POST /admin/blueprints/clinic/activate": access.ScopeBlueprints, "DELETE /admin/blueprints/clinic": access.ScopeBlueprints,
	}
}

func TestServer_Authorize(t *testing.T) {
	t.Parallel()
	t.Run("RequiresKeyAndScopeForEveryOperation", func(t *testing.T) {
		b := setup(t)
		documented := 0
		for path, item := range as[map[string]any](loadSpec().document["paths"]) {
			if strings.HasPrefix(path, "/admin") || strings.HasPrefix(path, "/jobs") {
				documented += len(as[map[string]any](item))
			}
		}
		if documented != len(authenticatedCalls()) {
			t.Errorf("%d calls are documented and %d are tried", documented, len(authenticatedCalls()))
		}
		keys := map[access.Scope]string{}
		for _, s := range access.Scopes() {
			keys[s] = b.createKey("only "+string(s), s)
		}
		for call, scope := range authenticatedCalls() {
			method, path, _ := strings.Cut(call, " ")
			got := b.do(method, path, nil, "Authorization", "").want(http.StatusUnauthorized)
			if got.header.Get("WWW-Authenticate") != `Bearer realm="tenant-api"` {
				t.Errorf("%s: %v", call, got.header)
			}
			for _, s := range access.Scopes() {
				got := b.do(method, path, nil, "Authorization", "Bearer "+keys[s])
				permitted := s == scope || s == access.ScopeAdmin || s == access.ScopeWrite && scope == access.ScopeRead
				if permitted == (got.status == http.StatusForbidden) || got.status == http.StatusUnauthorized {
					t.Errorf("%s with %s: %d", call, s, got.status)
				}
				if !permitted && !strings.Contains(got.header.Get("WWW-Authenticate"), `scope="`+string(scope)+`"`) {
					t.Errorf("%s with %s: %v", call, s, got.header)
				}
			}
		}
	})
	t.Run("QueriesOnlyWellFormedTokensAndRecordsEachRejectionOnce", func(t *testing.T) {
		var store *countingStore
		var records atomic.Int64
		b := setupWith(t, serverOptions{
			wrapKeys:    func(s access.Store) access.Store { store = &countingStore{Store: s}; return store },
			wrapService: func(s api.Service) api.Service { return &recordingService{Service: s, records: &records} },
		})
		read, revoked, expired := b.createKey("read", access.ScopeRead), b.createKey("revoked", access.ScopeRead), b.createKey("expired", access.ScopeAdmin)
		b.registry.RevokeKey("revoked")
		b.registry.ExpireKey("expired")
		wrong := read[:len(read)-1] + map[bool]string{true: "E", false: "A"}[strings.HasSuffix(read, "A")]
		for name, c := range map[string]struct {
			authorization string
			status        int
			reason        string
		}{
			"none": {"", 401, "no key"}, "empty": {"Bearer ", 401, "no key"}, "basic": {"Basic aGk6aGk=", 401, "malformed"}, "malformed": {"Bearer hck_x", 401, "malformed"},
			"unknown": {"Bearer hck_aaaaaaaaaaaa." + strings.Repeat("A", 43), 401, "unknown key"}, "wrong": {"Bearer " + wrong, 401, "wrong secret"},
			"revoked": {"Bearer " + revoked, 401, "revoked"}, "expired": {"Bearer " + expired, 401, "expired"}, "not UTF-8": {"Bearer hck_\xff", 401, "malformed"},
			"unscoped": {"Bearer " + read, 403, ""}, "jwt": {"Bearer e30.e30.e30", 401, "malformed"},
		} {
			store.finds.Store(0)
			store.touches.Store(0)
			records.Store(0)
			before := len(b.auditRejections(uuid.Nil))
			got := b.do(http.MethodPost, "/admin/tenants", clinic(), "Authorization", c.authorization).want(c.status)
			log := b.auditRejections(uuid.Nil)
			finds := int64(1)
			if c.reason == "no key" || c.reason == "malformed" {
				finds = 0
			}
			if store.finds.Load() != finds || records.Load() != 1 || store.touches.Load() != 0 || len(log) != before+1 {
				t.Errorf("%s: %d lookups, %d writes, %d touches", name, store.finds.Load(), records.Load(), store.touches.Load())
				continue
			}
			last := log[len(log)-1]
			if reason, _ := last.Detail["reason"].(string); reason != c.reason || last.Action != "request.create-tenant" || last.Detail["route"] != "/admin/tenants" ||
				last.Detail["method"] != "POST" || last.Detail["status"] != float64(c.status) || last.Detail["title"] != http.StatusText(c.status) || last.Caller.RequestID != got.header.Get("X-Request-Id") {
				t.Errorf("%s: %+v", name, last)
			}
			if known := c.status == 403; known != (last.Caller.Kind == audit.CallerAPIKey) || known != (last.Caller.Name == "read") || last.Caller.Address != "127.0.0.1" {
				t.Errorf("%s: caller %+v", name, last.Caller)
			}
			if name == "wrong" && last.Detail["prefix"] != read[4:16] {
				t.Errorf("prefix %v", last.Detail)
			}
			if strings.Contains(got.text, read[17:]) || strings.Contains(got.text, read[4:16]) {
				t.Errorf("%s: the answer shows the key", name)
			}
		}
		for _, secret := range []string{read[17:], wrong[17:], revoked[17:], b.key[17:], "aGk6aGk="} {
			if strings.Contains(b.log.String(), secret) {
				t.Error("the log shows a secret")
			}
		}
		if n := b.registry.Count(); n != 0 {
			t.Errorf("%d tenants", n)
		}
	})
	t.Run("RecordsKeyUseOncePerMinute", func(t *testing.T) {
		var store *countingStore
		b := setupWith(t, serverOptions{wrapKeys: func(s access.Store) access.Store { store = &countingStore{Store: s}; return store }})
		for range 3 {
			b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		}
		if n := store.touches.Load(); n != 1 || b.registry.KeysUsedWithin(time.Minute) != 1 {
			t.Errorf("%d touches", n)
		}
		b.clock.advance(61 * time.Second)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		if n := store.touches.Load(); n != 2 {
			t.Errorf("%d touches", n)
		}
	})
	t.Run("RejectsRevokedKeyImmediately", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		if _, err := b.db.APIKeys.Revoke(t.Context(), "admin"); err != nil {
			t.Fatal(err)
		}
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusUnauthorized)
	})
	t.Run("ReturnsStoreError", func(t *testing.T) {
		b := setupWith(t, serverOptions{wrapKeys: func(s access.Store) access.Store { return failingStore{s} }})
		got := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" || got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%v", got.header)
		}
	})
	t.Run("AcceptsBearerSchemeInAnyCase", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "bearer   "+b.key).want(http.StatusOK)
		r := b.request(http.MethodGet, "/admin/tenants", nil)
		r.Header["Authorization"] = []string{"Bearer " + b.key, "Bearer " + b.key}
		b.send(r).want(http.StatusUnauthorized)
	})
	t.Run("ServesPublicPathsWithoutKey", func(t *testing.T) {
		b := setup(t)
		for _, path := range []string{"/health", "/livez", "/readyz", "/openapi.json", "/docs"} {
			b.do(http.MethodGet, path, nil, "Authorization", "").want(http.StatusOK)
			b.do(http.MethodGet, path, nil, "Authorization", "Bearer wrong").want(http.StatusOK)
		}
	})
}

// recordingService counts writes to the audit log, and can make them fail.
type recordingService struct {
	api.Service
	records *atomic.Int64

	mu         sync.Mutex
	batchSizes []int
	failure    func() error
}

func (r *recordingService) Record(ctx context.Context, events ...audit.Event) error {
	r.records.Add(1)
	r.mu.Lock()
	r.batchSizes = append(r.batchSizes, len(events))
	failure := r.failure
	r.mu.Unlock()
	if failure != nil {
		if err := failure(); err != nil {
			return err
		}
	}
	return r.Service.Record(ctx, events...)
}

// failingStore is a store that cannot be reached.
type failingStore struct{ access.Store }

func (failingStore) FindByPrefix(context.Context, string) (access.Key, error) {
	return access.Key{}, errs.Errorf(errs.KindTransient, "find", "the database does not answer")
}

func TestServer_RateLimit(t *testing.T) {
	t.Parallel()
	t.Run("Returns429WithRetryAfter", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{RateLimit: 3}})
		for i := 2; i >= 0; i-- {
			got := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
			if got.header.Get("RateLimit-Limit") != "3" || got.header.Get("RateLimit-Remaining") != string(rune('0'+i)) || got.header.Get("RateLimit-Reset") == "" {
				t.Errorf("%v", got.header)
			}
		}
		got := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusTooManyRequests)
		if got.header.Get("Retry-After") != "20" || got.header.Get("RateLimit-Remaining") != "0" || got.header.Get("RateLimit-Reset") != "60" {
			t.Errorf("%v", got.header)
		}
		b.clock.advance(20 * time.Second)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusTooManyRequests)
		b.key = b.createKey("other", access.ScopeRead)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
	})
	t.Run("KeysHaveTheirOwn", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{RateLimit: 2}})
		admin := b.key
		for limit, key := range map[int]string{
			1: b.createKeyOf(access.KeyRequest{Name: "slow", Scopes: []access.Scope{access.ScopeRead}, RateLimit: 1}),
			4: b.createKeyOf(access.KeyRequest{Name: "fast", Scopes: []access.Scope{access.ScopeRead}, RateLimit: 4}),
			2: admin,
		} {
			b.key = key
			for range limit {
				if got := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK); got.header.Get("RateLimit-Limit") != strconv.Itoa(limit) {
					t.Errorf("%v", got.header)
				}
			}
			if got := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusTooManyRequests); got.header.Get("Retry-After") != strconv.Itoa(60/limit) {
				t.Errorf("%d: %v", limit, got.header)
			}
		}
	})
	t.Run("RecordsFirstRejectionPerMinuteAndCountsRest", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{RateLimit: 1}})
		for range 6 {
			b.do(http.MethodGet, "/admin/tenants", nil)
		}
		log := b.auditRejections(uuid.Nil)
		if len(log) != 1 || log[0].Detail["status"] != 429.0 || log[0].Detail["suppressedBefore"] != nil || log[0].Caller.Name != "admin" {
			t.Fatalf("%+v", log)
		}
		b.clock.advance(time.Minute)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusTooManyRequests)
		if log = b.auditRejections(uuid.Nil); len(log) != 2 || log[1].Detail["suppressedBefore"] != 4.0 {
			t.Errorf("%+v", log)
		}
	})
	t.Run("LimitsUnauthenticatedCallersPerAddress", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{AuthFailureLimit: 3}})
		for range 10 {
			b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "")
		}
		got := b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "Bearer hck_x").want(http.StatusTooManyRequests)
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%v", got.header)
		}
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		log := b.auditRejections(uuid.Nil)
		if len(log) != 4 || log[2].Detail["status"] != 401.0 || log[3].Detail["status"] != 429.0 || log[3].Caller.Kind != audit.CallerAnonymous {
			t.Errorf("%+v", log)
		}
	})
}

func TestServer_Audit(t *testing.T) {
	t.Parallel()
	t.Run("RecordsRejectedChangesInTenantChain", func(t *testing.T) {
		b := setup(t)
		v := b.createActive(clinic())
		id := uuid.MustParse(as[string](v["id"]))
		path := "/admin/tenants/" + id.String()
		b.do(http.MethodPatch, path, map[string]any{"name": ""}).want(http.StatusBadRequest)
		b.do(http.MethodPatch, path, clinic(), "If-Match", `"9999"`).want(http.StatusPreconditionFailed)
		b.do(http.MethodPost, path+"/retry", nil).want(http.StatusConflict)
		b.do(http.MethodPost, path+"/purge", "x", "Content-Type", "text/plain").want(http.StatusUnsupportedMediaType)
		b.do(http.MethodPost, path+"/purge", `{"confirm":"`+strings.Repeat("x", 70000)+`"}`).want(http.StatusRequestEntityTooLarge)
		b.do(http.MethodGet, path, nil, "If-None-Match", "odd").want(http.StatusBadRequest) // Not a change.
		b.provision(path+"/provision", nil)
		var statuses []string
		for _, e := range b.auditRejections(id) {
			text, _ := json.Marshal(e.Detail["status"])
			statuses = append(statuses, strings.TrimPrefix(string(e.Action), "request.")+" "+string(text))
			if e.Caller.Name != "admin" || !strings.HasPrefix(as[string](e.Detail["route"]), "/admin/tenants/{id}") {
				t.Errorf("%+v", e)
			}
		}
		want := "update-tenant 400, update-tenant 412, retry-tenant 409, purge-tenant 415, purge-tenant 413, provision-existing-tenant 409"
		if got := strings.Join(statuses, ", "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := b.auditRejections(uuid.Nil); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		b.do(http.MethodPatch, path, clinic(), "Authorization", "").want(http.StatusUnauthorized)
		b.do(http.MethodDelete, "/admin/tenants/"+uuid.NewString(), nil).want(http.StatusNotFound)
		b.do(http.MethodDelete, "/admin/tenants/nobody", nil).want(http.StatusNotFound)
		if got := b.auditRejections(uuid.Nil); len(got) != 3 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("PaginatesAuditEvents", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		b.do(http.MethodPost, path+"/retry", nil).want(http.StatusConflict)
		b.do(http.MethodDelete, path, nil).want(http.StatusOK)
		all := b.do(http.MethodGet, path+"/audit", nil).want(http.StatusOK)
		events := as[[]any](all.json["events"])
		var actions []string
		for i, e := range events {
			event := as[map[string]any](e)
			actions = append(actions, as[string](event["action"])+" "+as[string](event["outcome"]))
			if event["seq"] != float64(i+1) || as[map[string]any](event["caller"])["name"] != "admin" || as[map[string]any](event["caller"])["kind"] != "apikey" {
				t.Errorf("%v", event)
			}
		}
		want := "tenant.create DONE, tenant.activate DONE, request.retry-tenant REJECTED, tenant.archive DONE"
		if got := strings.Join(actions, ", "); got != want || all.json["nextCursor"] != nil {
			t.Errorf("%s, want %s", got, want)
		}
		first := b.do(http.MethodGet, path+"/audit?limit=3", nil).want(http.StatusOK)
		second := b.do(http.MethodGet, path+"/audit?limit=3&cursor="+first.str("nextCursor"), nil).want(http.StatusOK)
		if n := len(as[[]any](first.json["events"])); n != 3 || len(as[[]any](second.json["events"])) != 1 || second.json["nextCursor"] != nil {
			t.Errorf("%s, %s", first.text, second.text)
		}
		exact := b.do(http.MethodGet, path+"/audit?limit=4", nil).want(http.StatusOK)
		if len(as[[]any](exact.json["events"])) != 4 || exact.json["nextCursor"] != nil {
			t.Errorf("%s", exact.text)
		}
		other := "/admin/tenants/" + as[string](b.createActive(clinicNamed("Hospital"))["id"])
		b.do(http.MethodGet, other+"/audit?cursor="+first.str("nextCursor"), nil).wantFieldErrors("cursor")
		b.do(http.MethodGet, path+"/audit?limit=0", nil).wantFieldErrors("limit")
		b.do(http.MethodGet, "/admin/tenants/"+uuid.NewString()+"/audit", nil).want(http.StatusNotFound)
	})
	t.Run("RejectsWhenAuditWriteFails", func(t *testing.T) {
		var service *recordingService
		b := setupWith(t, serverOptions{wrapService: func(s api.Service) api.Service {
			service = &recordingService{Service: s, records: &atomic.Int64{}, failure: func() error { return errs.Errorf(errs.KindTransient, "write", "gone") }}
			return service
		}})
		b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "").want(http.StatusUnauthorized)
		if !strings.Contains(b.log.String(), "rejection not recorded in the audit log") || !strings.Contains(b.log.String(), "request.list-tenants") {
			t.Error("the failed audit write is not logged")
		}
		if n := service.records.Load(); n != 2 {
			t.Errorf("%d tries", n)
		}
	})
	t.Run("RejectsWhenAuditWriteHangs", func(t *testing.T) {
		hang := make(chan struct{})
		b := setupWith(t, serverOptions{Options: api.Options{AuthFailureLimit: 10_000}, wrapService: func(s api.Service) api.Service {
			return &recordingService{Service: s, records: &atomic.Int64{}, failure: func() error { <-hang; return nil }}
		}})
		t.Cleanup(func() { close(hang) })
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "").want(http.StatusUnauthorized) })
		}
		all.Wait()
	})
	t.Run("BatchesConcurrentAuditWrites", func(t *testing.T) {
		var service *recordingService
		entered, leave := make(chan struct{}, 100), make(chan struct{})
		b := setupWith(t, serverOptions{Options: api.Options{AuthFailureLimit: 10_000}, wrapService: func(s api.Service) api.Service {
			service = &recordingService{Service: s, records: &atomic.Int64{}, failure: func() error { entered <- struct{}{}; <-leave; return nil }}
			return service
		}})
		var all sync.WaitGroup
		refuse := func() { b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "").want(http.StatusUnauthorized) }
		all.Go(refuse)
		<-entered
		for range 30 {
			all.Go(refuse)
		}
		b.waitFor("all of them wait", func() bool { return b.handler.QueuedAuditEvents() == 30 })
		close(leave)
		all.Wait()
		service.mu.Lock()
		defer service.mu.Unlock()
		if len(service.batchSizes) != 2 || service.batchSizes[1] != 30 {
			t.Errorf("groups %v", service.batchSizes)
		}
		if got := b.auditRejections(uuid.Nil); len(got) != 31 {
			t.Errorf("%d events", len(got))
		}
	})
}
