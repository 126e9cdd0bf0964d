package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
)

// readinessView is what GET /readyz answers.
type readinessView struct {
	Status string
	Checks []struct {
		Name, Status     string
		CheckedAt, Since time.Time
		DurationMs       float64
	}
}

func (b *testServer) readiness(status int) (view readinessView, checks string) {
	b.t.Helper()
	got := b.do(http.MethodGet, "/readyz", nil).want(status)
	if err := json.Unmarshal([]byte(got.text), &view); err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, c := range view.Checks {
		all = append(all, c.Name+" "+c.Status)
		if c.CheckedAt.IsZero() || c.Since.IsZero() || c.Since.After(c.CheckedAt) || c.DurationMs < 0 {
			b.t.Errorf("%+v", c)
		}
	}
	return view, strings.Join(all, ", ")
}

func TestServer_Health(t *testing.T) {
	t.Parallel()
	t.Run("ReadyWhenAllChecksPass", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{Checks: []api.Check{{Name: "database", Run: func(context.Context) error { return nil }}}}})
		for _, path := range []string{"/health", "/livez"} {
			if got := b.do(http.MethodGet, path, nil).want(http.StatusOK); got.text != "{\"status\":\"ok\"}\n" {
				t.Errorf("%s: %s", path, got.text)
			}
		}
		if view, checks := b.readiness(http.StatusOK); view.Status != "ok" || checks != "server ok, database ok" {
			t.Errorf("%+v", view)
		}
		b.do(http.MethodGet, "/health?x=1", nil).wantFieldErrors("x")
	})
	t.Run("NamesFailedCheckOnly", func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		b := setupWith(t, serverOptions{Options: api.Options{Checks: []api.Check{
			{Name: "database", Run: func(context.Context) error {
				if down.Load() {
					return errors.New("password=x refused by 127.0.0.1")
				}
				return nil
			}},
			{Name: "chain", Run: func(context.Context) error {
				if down.Load() {
					panic("at 127.0.0.1")
				}
				return nil
			}},
		}}})
		first, checks := b.readiness(http.StatusServiceUnavailable)
		if first.Status != "unavailable" || checks != "server ok, database unavailable, chain unavailable" {
			t.Errorf("%+v", first)
		}
		if got := b.do(http.MethodGet, "/readyz", nil); strings.Contains(got.text, "127.0.0.1") || strings.Contains(got.text, "password") {
			t.Errorf("%s", got.text)
		}
		again, _ := b.readiness(http.StatusServiceUnavailable)
		if !again.Checks[1].Since.Equal(first.Checks[1].Since) || !again.Checks[1].CheckedAt.After(first.Checks[1].Since) && !again.Checks[1].CheckedAt.Equal(first.Checks[1].Since) {
			t.Errorf("%+v after %+v", again, first)
		}
		b.do(http.MethodGet, "/livez", nil).want(http.StatusOK)
		down.Store(false)
		if view, _ := b.readiness(http.StatusOK); view.Checks[1].Since.Before(first.Checks[1].Since) {
			t.Errorf("%+v after %+v", view, first)
		}
	})
	t.Run("DegradedInBackground", func(t *testing.T) {
		started := time.Now()
		parts := []monitoring.Check{
			{Name: "rpc", Status: monitoring.CheckOK, CheckedAt: started, Since: started.Add(-time.Hour), Took: 1250 * time.Microsecond},
			{Name: "mail", Status: monitoring.CheckDegraded, CheckedAt: started, Since: started, Took: 5 * time.Second},
		}
		var down atomic.Bool
		b := setupWith(t, serverOptions{Options: api.Options{
			Checks: []api.Check{{Name: "database", Run: func(context.Context) error {
				if down.Load() {
					return errors.New("down")
				}
				return nil
			}}},
			Background: func() []monitoring.Check { return parts },
		}})
		view, checks := b.readiness(http.StatusOK)
		if view.Status != "degraded" || checks != "server ok, database ok, rpc ok, mail degraded" {
			t.Errorf("%+v", view)
		}
		if rpc := view.Checks[2]; rpc.DurationMs != 1.25 || !rpc.Since.Equal(started.Add(-time.Hour).Truncate(time.Millisecond)) {
			t.Errorf("%+v", rpc)
		}
		down.Store(true)
		if view, checks := b.readiness(http.StatusServiceUnavailable); view.Status != "unavailable" || checks != "server ok, database unavailable, rpc ok, mail degraded" {
			t.Errorf("%+v", view)
		}
	})
	t.Run("TimesOutHangingCheck", func(t *testing.T) {
		hang := make(chan struct{})
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{Check: 20 * time.Millisecond, Work: time.Hour}, Options: api.Options{Checks: []api.Check{{Name: "chain", Run: func(context.Context) error { <-hang; return nil }}}}})
		b.do(http.MethodGet, "/readyz", nil).want(http.StatusServiceUnavailable)
		close(hang)
	})
	t.Run("NotReadyWhileDraining", func(t *testing.T) {
		b := setup(t)
		b.handler.Drain()
		if _, checks := b.readiness(http.StatusServiceUnavailable); checks != "server unavailable" {
			t.Errorf("%s", checks)
		}
		b.do(http.MethodGet, "/livez", nil).want(http.StatusOK)
	})
}
