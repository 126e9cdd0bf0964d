package api_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// names joins the names of events.
func names(events []event) string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = e.name
	}
	return strings.Join(all, " ")
}

func (b *bundle) statusOf(id string) string {
	b.t.Helper()
	return b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK).str("status")
}

// whose tells in whose context a tenant is provisioned.
type whose struct {
	api.Service
	caller chan context.Context
}

func (w whose) Provision(ctx context.Context, in provisioning.Inputs) (provisioning.Outcome, error) {
	w.caller <- ctx
	return w.Service.Provision(ctx, in)
}

func TestServer_Run(t *testing.T) {
	t.Parallel()
	t.Run("TellsEachStepAndThenTheOutcome", func(t *testing.T) {
		b := setup(t)
		events := b.run("/admin/tenants", clinic())
		if got := names(events); !strings.HasPrefix(got, "tenant step ") || !strings.HasSuffix(got, "step outcome") || strings.Count(got, "tenant") != 1 || strings.Count(got, "outcome") != 1 {
			t.Errorf("%s", got)
		}
		completed := map[string]bool{}
		for _, e := range events {
			if e.name == "step" && e.json["status"] == "COMPLETED" {
				completed[as[string](e.json["step"])] = true
			}
		}
		if len(completed) != 7 {
			t.Errorf("%v", completed)
		}
		last := events[len(events)-1].json
		tenant := as[map[string]any](last["tenant"])
		if tenant["status"] != "ACTIVE" || tenant["id"] != events[0].json["id"] || last["continued"] != false || last["adopted"] != false || len(as[[]any](last["warnings"])) != 0 {
			t.Errorf("%v", last)
		}
		if got := b.statusOf(as[string](tenant["id"])); got != "ACTIVE" || len(b.mail.Messages()) != 1 {
			t.Errorf("%s, %d mails", got, len(b.mail.Messages()))
		}
	})
	t.Run("RefusesBeforeTheStreamWhatIsNotWellAsked", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodPost, "/admin/tenants", map[string]any{"name": "x"}, "Accept", "text/event-stream").wantFaults("name", "adminEmail", "adminFirstName", "adminLastName")
		b.do(http.MethodPost, "/admin/tenants", clinic(), "Accept", "text/event-stream", "Authorization", "").want(http.StatusUnauthorized)
	})
	t.Run("EndsWithAProblemAndTheTenantThatIsLeft", func(t *testing.T) {
		b := setup(t)
		b.chain.set(func(context.Context, provisioning.Tenant) error {
			return provisioning.Errorf(provisioning.KindPermanent, "deploy", "the balance is too low; fund the account")
		})
		events := b.run("/admin/tenants", clinic())
		last := events[len(events)-1]
		if last.name != "problem" || last.json["kind"] != "permanent" || last.json["status"] != 500.0 || !strings.Contains(as[string](last.json["detail"]), "fund the account") ||
			as[map[string]any](last.json["tenant"])["status"] != "FAILED" || last.json["standing"] != nil || last.json["requestId"] == "" {
			t.Errorf("%s", last.data)
		}
		if !strings.Contains(last.data, `"title":"Internal Server Error"`) || !strings.Contains(names(events), "step step") {
			t.Errorf("%s", names(events))
		}
	})
	t.Run("NamesTheTenantThatStandsInTheWay", func(t *testing.T) {
		b := setup(t)
		id := b.live(clinic())["id"]
		events := b.run("/admin/tenants", clinic())
		last := events[len(events)-1]
		if len(events) != 1 || last.name != "problem" || last.json["kind"] != "conflict" || last.json["status"] != 409.0 || as[map[string]any](last.json["standing"])["id"] != id || last.json["tenant"] != nil ||
			as[map[string]any](as[[]any](last.json["errors"])[0])["field"] != "name" {
			t.Errorf("%s: %s", names(events), last.data)
		}
		if got := b.refusals(uuid.Nil); len(got) != 1 || got[0].Detail["status"] != 409.0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("AdoptsWhatIsTheCallersOwn", func(t *testing.T) {
		b := setup(t)
		body := clinic()
		body["managedBy"] = "terraform"
		id := b.live(body)["id"]
		events := b.run("/admin/tenants", body)
		if last := events[len(events)-1]; last.name != "outcome" || last.json["adopted"] != true || as[map[string]any](last.json["tenant"])["id"] != id {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("WarnsOfAMailThatFailed", func(t *testing.T) {
		b := setup(t)
		b.mail.Refuse(554, "5.7.1 no", -1)
		events := b.run("/admin/tenants", clinic())
		if last := events[len(events)-1]; last.name != "outcome" || len(as[[]any](last.json["warnings"])) != 1 || as[map[string]any](last.json["tenant"])["welcomeEmailStatus"] != "FAILED" {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("GivesTheTenantBackWhenTheCallerGoes", func(t *testing.T) {
		caller := make(chan context.Context, 2)
		b := setupWith(t, settings{wrap: func(s api.Service) api.Service { return whose{s, caller} }})
		deploying := make(chan struct{})
		b.chain.set(func(context.Context, provisioning.Tenant) error {
			close(deploying)
			<-(<-caller).Done()
			return nil
		})
		ctx, leave := context.WithCancel(t.Context())
		stream := b.open(b.request(http.MethodPost, "/admin/tenants", clinic(), "Accept", "text/event-stream").WithContext(ctx))
		id := as[string](stream.next().json["id"])
		<-deploying
		leave()
		b.until("the run has ended", func() bool { return b.server.Runs() == 0 })
		if got := b.statusOf(id); got != "PROVISIONING" {
			t.Errorf("status %s", got)
		}
		if n := b.count(`SELECT count(*) FROM tenants WHERE run_expires_at > now()`); n != 0 {
			t.Error("the lease is still held")
		}
		b.chain.set(nil)
		events := b.run("/admin/tenants", clinic())
		if last := events[len(events)-1]; last.name != "outcome" || last.json["continued"] != true || as[map[string]any](last.json["tenant"])["id"] != id {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("ResumesAFailedTenant", func(t *testing.T) {
		b := setup(t)
		b.chain.set(func(context.Context, provisioning.Tenant) error {
			return provisioning.Errorf(provisioning.KindPermanent, "deploy", "no")
		})
		failed := b.run("/admin/tenants", clinic())
		id := as[string](as[map[string]any](failed[len(failed)-1].json["tenant"])["id"])
		b.chain.set(nil)
		events := b.run("/admin/tenants/"+id+"/retry", nil)
		last := events[len(events)-1]
		if tenant, _ := last.json["tenant"].(map[string]any); last.name != "outcome" || tenant["status"] != "ACTIVE" || tenant["id"] != id || tenant["attempt"] != 2.0 {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("GivesSignsOfLife", func(t *testing.T) {
		b := setupWith(t, settings{pace: api.Pace{Sign: 5 * time.Millisecond}})
		seen := make(chan struct{})
		b.chain.set(func(context.Context, provisioning.Tenant) error { <-seen; return nil })
		stream := b.open(b.request(http.MethodPost, "/admin/tenants", clinic(), "Accept", "text/event-stream"))
		for {
			line, err := stream.lines.ReadString('\n')
			if err != nil {
				t.Fatal("the stream ended without one")
			}
			if line == ": alive\n" {
				break
			}
		}
		close(seen)
		if rest := stream.rest(); rest[len(rest)-1].name != "outcome" {
			t.Errorf("%s", names(rest))
		}
	})
	t.Run("StopsForACallerWhoDoesNotRead", func(t *testing.T) {
		caller := make(chan context.Context, 1)
		b := setupWith(t, settings{
			pace: api.Pace{Sign: time.Microsecond, Write: 20 * time.Millisecond},
			wrap: func(s api.Service) api.Service { return whose{s, caller} },
		})
		b.chain.set(func(context.Context, provisioning.Tenant) error { <-(<-caller).Done(); return nil })
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := as[*net.TCPConn](conn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		body := `{"name":"Clinic","adminEmail":"ada@clinic.example","adminFirstName":"Ada","adminLastName":"Lovelace"}`
		if _, err := fmt.Fprintf(conn, "POST /admin/tenants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nAccept: text/event-stream\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", b.key, len(body), body); err != nil {
			t.Fatal(err)
		}
		b.until("it runs", func() bool { return b.server.Runs() == 1 })
		b.until("it is given up", func() bool { return b.server.Runs() == 0 })
		if n := b.count(`SELECT count(*) FROM tenants WHERE status = 'PROVISIONING' AND run_expires_at IS NULL`); n != 1 {
			t.Error("the tenant was not given back")
		}
	})
	t.Run("IsOneOfAFew", func(t *testing.T) {
		b := setupWith(t, settings{Options: api.Options{MaxRuns: 1}})
		deploying, finish := make(chan struct{}), make(chan struct{})
		b.chain.set(func(context.Context, provisioning.Tenant) error { close(deploying); <-finish; return nil })
		stream := b.open(b.request(http.MethodPost, "/admin/tenants", clinic(), "Accept", "text/event-stream"))
		<-deploying
		got := b.do(http.MethodPost, "/admin/tenants", named("Hospital"), "Accept", "text/event-stream").want(http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%v", got.header)
		}
		b.do(http.MethodPost, "/admin/tenants", named("Queued")).want(http.StatusAccepted)
		b.chain.set(nil)
		close(finish)
		stream.rest()
		b.until("there is a place again", func() bool { return b.server.Runs() == 0 })
		b.live(named("Hospital"))
	})
	t.Run("StopsWhenTheServerDrains", func(t *testing.T) {
		b := setup(t)
		b.chain.set(func(context.Context, provisioning.Tenant) error { b.server.Drain(); return nil })
		stream := b.open(b.request(http.MethodPost, "/admin/tenants", clinic(), "Accept", "text/event-stream"))
		events := stream.rest()
		last := events[len(events)-1]
		if last.name != "problem" || last.json["kind"] != "cancelled" || last.json["status"] != 503.0 || as[map[string]any](last.json["tenant"])["status"] != "PROVISIONING" {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("APanicEndsItAndSaysNothing", func(t *testing.T) {
		b := setup(t)
		b.chain.set(func(context.Context, provisioning.Tenant) error { panic("the chain broke at 127.0.0.1") })
		events := b.run("/admin/tenants", clinic())
		last := events[len(events)-1]
		if last.name != "problem" || last.json["status"] != 500.0 || strings.Contains(last.data, "broke") || strings.Contains(last.data, "goroutine") {
			t.Errorf("%s", last.data)
		}
		if !strings.Contains(b.log.String(), "the chain broke") {
			t.Error("the log does not say what it was")
		}
		b.do(http.MethodGet, "/health", nil).want(http.StatusOK)
	})
	t.Run("TakesAcceptAsItIsMeant", func(t *testing.T) {
		b := setup(t)
		for i, c := range []struct {
			accept string
			stream bool
		}{
			{"", false}, {"*/*", false}, {"application/json", false}, {"text/*", false}, {"text/event-stream;q=0", false}, {"text/event-stream; q=0.0, */*", false}, {";,a", false}, {"a;", false}, {";q,;", false},
			{",", false}, {"application/json;q", false}, {"application/json;q=x,a", false}, {"text/event-streams", false}, {"text/event-stream", true}, {"Text/Event-Stream;q=0.5", true}, {"text/event-stream, */*;q=0.1", true},
		} {
			got := b.do(http.MethodPost, "/admin/tenants", named("Clinic "+string(rune('a'+i))), "Accept", c.accept)
			if want := map[bool]int{false: http.StatusAccepted, true: http.StatusOK}[c.stream]; got.status != want {
				t.Errorf("%q: %d %s", c.accept, got.status, got.text)
			}
			b.do(http.MethodGet, "/admin/tenants?limit=1", nil, "Accept", c.accept).want(http.StatusOK)
		}
		got := b.do(http.MethodGet, "/admin/tenants", nil, "Accept", "text/event-stream").want(http.StatusOK)
		if got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%v", got.header)
		}
	})
}

func TestObserve(t *testing.T) {
	t.Parallel()
	t.Run("IsNothingWithoutAStream", func(t *testing.T) {
		t.Parallel()
		api.Observe(t.Context(), provisioning.Event{})
	})
	t.Run("WaitsForNobody", func(t *testing.T) {
		t.Parallel()
		ctx, room := api.WithFeed(t.Context())
		for range room + 100 {
			api.Observe(ctx, provisioning.Event{})
		}
	})
}
