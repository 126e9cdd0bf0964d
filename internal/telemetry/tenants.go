package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// scrapeTimeout is how long a scrape waits for the registry.
const scrapeTimeout = 2 * time.Second

// Tenants counts tenants by status at each scrape:
//
//	healthcare_tenants{status}
//
// When the registry does not answer, the metric is omitted.
type Tenants struct {
	list  func(context.Context, tenant.ListQuery) (tenant.Page, error)
	count *prometheus.Desc
}

// NewTenants creates the metric and registers it. list is TenantStore.List.
func NewTenants(r prometheus.Registerer, list func(context.Context, tenant.ListQuery) (tenant.Page, error)) *Tenants {
	t := &Tenants{list: list, count: prometheus.NewDesc("healthcare_tenants", "Tenants in the registry.", []string{"status"}, nil)}
	r.MustRegister(t)
	return t
}

// Describe implements prometheus.Collector.
func (t *Tenants) Describe(out chan<- *prometheus.Desc) { out <- t.count }

// Collect implements prometheus.Collector.
func (t *Tenants) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	for _, status := range tenant.Statuses() {
		page, err := t.list(ctx, tenant.ListQuery{Status: status, Limit: 1})
		if err != nil {
			return
		}
		out <- prometheus.MustNewConstMetric(t.count, prometheus.GaugeValue, float64(page.Total), string(status))
	}
}
