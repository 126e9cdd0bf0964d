package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the server's metrics. The zero value counts nothing.
type metrics struct {
	requestDuration *prometheus.HistogramVec
	openStreams     *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer, lostRejections func() int64) (*metrics, error) {
	if r == nil {
		return &metrics{}, nil
	}
	m := &metrics{
		requestDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tenant_api_request_duration_seconds", Help: "Duration of requests, without streams, by operation and status class.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation", "status"}),
		openStreams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tenant_api_streams", Help: "Open streams by kind.",
		}, []string{"kind"}),
	}
	lost := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tenant_api_rejections_lost_total", Help: "Rejected requests that the audit log does not have, because the database did not answer or was too slow.",
	}, func() float64 { return float64(lostRejections()) })
	return m, errors.Join(r.Register(m.requestDuration), r.Register(m.openStreams), r.Register(lost))
}

// observe counts a completed request.
func (m *metrics) observe(c *requestContext, duration time.Duration) {
	if m.requestDuration == nil || c.endpoint != nil && c.endpoint.streaming {
		return
	}
	operation := "none"
	if c.endpoint != nil {
		operation = c.endpoint.id
	}
	m.requestDuration.WithLabelValues(operation, strconv.Itoa(c.response.Status()/100)+"xx").Observe(duration.Seconds())
}

// trackStream counts an open stream until the returned function is called.
func (m *metrics) trackStream(kind string) (done func()) {
	if m.openStreams == nil {
		return func() {}
	}
	gauge := m.openStreams.WithLabelValues(kind)
	gauge.Inc()
	return gauge.Dec
}
