package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// scrapeTimeout is how long a scrape waits for the registry.
const scrapeTimeout = 2 * time.Second

// Tenants counts tenants by status, and those with an open invitation, at each scrape:
//
//	healthcare_tenants{status}
//	healthcare_tenant_invitations{status="PENDING"|"EXPIRED"}
//
// When the registry does not answer, a metric is omitted.
type Tenants struct {
	list               func(context.Context, tenant.ListQuery) (tenant.Page, error)
	count, invitations *prometheus.Desc
}

// NewTenants creates the metric and registers it. list is TenantStore.List.
func NewTenants(r prometheus.Registerer, list func(context.Context, tenant.ListQuery) (tenant.Page, error)) *Tenants {
	t := &Tenants{
		list: list, count: prometheus.NewDesc("healthcare_tenants", "Tenants in the registry.", []string{"status"}, nil),
		invitations: prometheus.NewDesc("healthcare_tenant_invitations", "Tenants whose newest invitation is open: PENDING can be accepted, EXPIRED was not accepted in time.", []string{"status"}, nil),
	}
	r.MustRegister(t)
	return t
}

// Describe implements prometheus.Collector.
func (t *Tenants) Describe(out chan<- *prometheus.Desc) { out <- t.count; out <- t.invitations }

// Collect implements prometheus.Collector.
func (t *Tenants) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	send := func(metric *prometheus.Desc, status string, q tenant.ListQuery) bool {
		q.Limit = 1
		page, err := t.list(ctx, q)
		if err == nil {
			out <- prometheus.MustNewConstMetric(metric, prometheus.GaugeValue, float64(page.Total), status)
		}
		return err == nil
	}
	for _, status := range tenant.Statuses() {
		if !send(t.count, string(status), tenant.ListQuery{Status: status}) {
			return
		}
	}
	for _, status := range []invitation.Status{invitation.StatusPending, invitation.StatusExpired} {
		if !send(t.invitations, string(status), tenant.ListQuery{Invitation: status}) {
			return
		}
	}
}
