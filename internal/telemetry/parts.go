package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
)

// parts exports the results of the readiness checks that run in the background.
type parts struct {
	results     func() []monitoring.Check
	up, seconds *prometheus.Desc
}

// RegisterParts registers the results of readiness checks; those without one are omitted:
//
//	healthcare_part_up{part}                      1: ok, 0: degraded; queue, rpc, mail
//	healthcare_part_check_duration_seconds{part}  of the last check
func RegisterParts(r prometheus.Registerer, results func() []monitoring.Check) {
	r.MustRegister(&parts{
		results: results,
		up:      desc("healthcare_part_up", "Whether a part that this process uses works: 0 if it is degraded.", "part"),
		seconds: desc("healthcare_part_check_duration_seconds", "Duration of the last check of a part.", "part"),
	})
}

// Describe implements prometheus.Collector.
func (p *parts) Describe(out chan<- *prometheus.Desc) { out <- p.up; out <- p.seconds }

// Collect implements prometheus.Collector.
func (p *parts) Collect(out chan<- prometheus.Metric) {
	to := sink{out}
	for _, c := range p.results() {
		to.flag(p.up, c.Status == monitoring.CheckOK, c.Name)
		to.gauge(p.seconds, c.Took.Seconds(), c.Name)
	}
}
