package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

func newMetrics(r prometheus.Registerer, lostRejections func() int64) (*telemetry.API, error) {
	if r == nil {
		return &telemetry.API{}, nil
	}
	return telemetry.NewAPI(r, lostRejections)
}

// measure counts a request that ended, unless it was a stream.
func (s *Server) measure(c *requestContext, took time.Duration) {
	switch {
	case c.console: // A stream, which says so to proxies, is not measured.
		if c.response.Header().Get("X-Accel-Buffering") == "" {
			s.metrics.ObserveRequest("console", c.response.Status(), took)
		}
	case c.endpoint == nil:
		s.metrics.ObserveRequest("none", c.response.Status(), took)
	case !c.endpoint.streaming:
		s.metrics.ObserveRequest(c.endpoint.id, c.response.Status(), took)
	}
}
