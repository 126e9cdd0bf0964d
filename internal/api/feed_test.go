package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
)

// TestServer_Feed: all events in one order, page by page and as a stream, without personal data.
func TestServer_Feed(t *testing.T) {
	b := setupWith(t, serverOptions{worker: true, timeouts: api.Timeouts{PollInterval: 10 * time.Millisecond}})
	id := as[string](b.createActive(clinic())["id"])
	b.do(http.MethodPost, "/admin/tenants/"+id+"/retry", nil).want(http.StatusConflict) // A refusal is an event, too.
	b.waitFor("the refusal is recorded", func() bool {
		return strings.Contains(b.do(http.MethodGet, "/admin/events?limit=1000", nil).want(http.StatusOK).text, `"request.retry-tenant"`)
	})
	var types []string
	cursor := ""
	for {
		page := b.do(http.MethodGet, "/admin/events?limit=2"+cursor, nil).want(http.StatusOK)
		cursor = "&cursor=" + page.str("nextCursor")
		events := as[[]any](page.json["events"])
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			event := as[map[string]any](e)
			types = append(types, as[string](event["type"])+" "+as[string](event["outcome"]))
			if as[float64](event["position"]) != float64(len(types)) {
				t.Errorf("%v after %d events", event, len(types))
			}
		}
	}
	all := strings.Join(types, ", ")
	for _, want := range []string{"tenant.create DONE", "tenant.activate DONE", "request.retry-tenant REJECTED"} {
		if !strings.Contains(all, want) {
			t.Errorf("the feed has no %s: %s", want, all)
		}
	}
	stream := b.openStream(b.request(http.MethodGet, "/admin/events/stream", nil, "Last-Event-ID", strconv.Itoa(len(types)-1)))
	if last := stream.next(); last.name != "event" || last.id != strconv.Itoa(len(types)) {
		t.Errorf("%+v", last)
	}
	b.do(http.MethodPost, "/admin/tenants/"+id+"/archive", nil).want(http.StatusOK)
	if next := stream.next(); next.json["type"] != "tenant.archive" || next.json["tenantId"] != id || next.id != strconv.Itoa(len(types)+1) {
		t.Errorf("%+v", next)
	}
	if rest := b.do(http.MethodGet, "/admin/events?limit=1000"+cursor, nil); !strings.Contains(rest.text, `"tenant.archive"`) || strings.Contains(rest.text, "Ada") || strings.Contains(rest.text, "@") {
		t.Errorf("%s", rest.text)
	}
	b.do(http.MethodGet, "/admin/events?cursor=nonsense", nil).want(http.StatusBadRequest)
	b.key = b.createKey("purger", access.ScopePurge)
	b.do(http.MethodGet, "/admin/events", nil).want(http.StatusForbidden)
}
