package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
)

// pools exports the connection pools of this process. Its values are in memory: no scrape waits.
type pools struct {
	read                                                       func() []monitoring.Pool
	connections, limit, acquires, waits, waitSeconds, canceled *prometheus.Desc
}

func newPools(read func() []monitoring.Pool) *pools {
	return &pools{
		read:        read,
		connections: desc("healthcare_pool_connections", "Connections of a pool.", "pool", "state"),
		limit:       desc("healthcare_pool_max_connections", "Size of a pool.", "pool"),
		acquires:    desc("healthcare_pool_acquires_total", "Times that a connection was taken from a pool.", "pool"),
		waits:       desc("healthcare_pool_waits_total", "Times that no connection of a pool was idle.", "pool"),
		waitSeconds: desc("healthcare_pool_wait_seconds_total", "Time spent waiting for a connection of a pool, connecting included.", "pool"),
		canceled:    desc("healthcare_pool_canceled_acquires_total", "Times that the caller went away before it got a connection of a pool.", "pool"),
	}
}

// Describe implements prometheus.Collector.
func (p *pools) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.connections, p.limit, p.acquires, p.waits, p.waitSeconds, p.canceled} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (p *pools) Collect(out chan<- prometheus.Metric) {
	to := sink{out}
	for _, pool := range p.read() {
		to.gauge(p.connections, float64(pool.Acquired), pool.Name, "acquired")
		to.gauge(p.connections, float64(pool.Idle), pool.Name, "idle")
		to.gauge(p.connections, float64(pool.Opening), pool.Name, "opening")
		to.gauge(p.limit, float64(pool.Max), pool.Name)
		to.count(p.acquires, float64(pool.Acquires), pool.Name)
		to.count(p.waits, float64(pool.Waits), pool.Name)
		to.count(p.waitSeconds, pool.Waited.Seconds(), pool.Name)
		to.count(p.canceled, float64(pool.Canceled), pool.Name)
	}
}
