package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the server counts. The zero value counts nothing.
type metrics struct {
	took    *prometheus.HistogramVec
	streams *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	if r == nil {
		return &metrics{}, nil
	}
	m := &metrics{
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tenant_api_request_duration_seconds", Help: "How long requests took, streams apart, by call and class of status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation", "status"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tenant_api_streams", Help: "Streams that are open, by what they carry.",
		}, []string{"kind"}),
	}
	return m, errors.Join(r.Register(m.took), r.Register(m.streams))
}

// observe counts a request that has been answered.
func (m *metrics) observe(c *call, took time.Duration) {
	if m.took == nil || c.streams {
		return
	}
	operation := "none"
	if c.endpoint != nil {
		operation = c.endpoint.id
	}
	m.took.WithLabelValues(operation, strconv.Itoa(c.out.status/100)+"xx").Observe(took.Seconds())
}

// stream counts a stream until the function that it gives is called.
func (m *metrics) stream(kind string) (ended func()) {
	if m.streams == nil {
		return func() {}
	}
	gauge := m.streams.WithLabelValues(kind)
	gauge.Inc()
	return gauge.Dec
}
