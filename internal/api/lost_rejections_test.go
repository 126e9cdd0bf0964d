package api_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// TestServer_LostRejections: rejections that could not be recorded are a metric, and an event of
// the registry chain.
func TestServer_LostRejections(t *testing.T) {
	var (
		deaf    atomic.Bool
		records atomic.Int64
	)
	metrics := prometheus.NewRegistry()
	b := setupWith(t, serverOptions{
		Options: api.Options{Metrics: metrics},
		wrapService: func(s api.Service) api.Service {
			return &recordingService{Service: s, records: &records, failure: func() error {
				if deaf.Load() {
					return errs.Errorf(errs.KindTransient, "write audit log", "the database does not answer")
				}
				return nil
			}}
		},
	})
	deaf.Store(true)
	for range 2 {
		b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "").want(http.StatusUnauthorized)
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	value := -1.0
	for _, f := range families {
		if f.GetName() == "tenant_api_rejections_lost_total" {
			value = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	if value != 2 {
		t.Errorf("the metric is %v", value)
	}
	deaf.Store(false)
	b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "").want(http.StatusUnauthorized)
	events, err := b.db.Events(t.Context(), uuid.Nil, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var lost []audit.Event
	for _, e := range events {
		if e.Action == audit.ActionLoseRejections {
			lost = append(lost, e)
		}
	}
	if len(lost) != 1 || lost[0].Detail["rejections"] != 2.0 || events[len(events)-1].Action != "request.list-tenants" {
		t.Errorf("%+v", events)
	}
}
