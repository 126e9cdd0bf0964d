package telemetry

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// API are the metrics of the REST API. The zero value counts nothing.
type API struct {
	durations *prometheus.HistogramVec
	streams   *prometheus.GaugeVec
	problems  *prometheus.CounterVec
}

// NewAPI creates the metrics and registers them. It returns the error of a registry that has metrics
// of these names.
//
//	tenant_api_request_duration_seconds{operation, status}  without streams; status is a class such as 2xx
//	tenant_api_streams{kind}                                open ones: events, feed, run
//	tenant_api_problems_total{status}                       problems by HTTP status: 429 for a limit
//	tenant_api_rejections_lost_total                        that the audit log does not have
//
// lostRejections counts the last of these.
func NewAPI(r prometheus.Registerer, lostRejections func() int64) (*API, error) {
	m := &API{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tenant_api_request_duration_seconds", Help: "Duration of requests, without streams, by operation and status class.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation", "status"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tenant_api_streams", Help: "Open streams by kind.",
		}, []string{"kind"}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenant_api_problems_total", Help: "Problems that requests were answered with, by HTTP status.",
		}, []string{"status"}),
	}
	lost := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tenant_api_rejections_lost_total", Help: "Rejected requests that the audit log does not have, because the database did not answer or was too slow.",
	}, func() float64 { return float64(lostRejections()) })
	for _, status := range []int{400, 401, 403, 404, 409, 412, 429, 500, 503} { // The usual ones, so that a rate has a value before the first.
		m.problems.WithLabelValues(strconv.Itoa(status))
	}
	return m, errors.Join(r.Register(m.durations), r.Register(m.streams), r.Register(m.problems), r.Register(lost))
}

// ObserveRequest counts a request that ended. operation is that of the OpenAPI document.
func (m *API) ObserveRequest(operation string, status int, took time.Duration) {
	if m.durations != nil {
		m.durations.WithLabelValues(operation, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
	}
}

// ObserveProblem counts a problem by its HTTP status.
func (m *API) ObserveProblem(status int) {
	if m.problems != nil {
		m.problems.WithLabelValues(strconv.Itoa(status)).Inc()
	}
}

// TrackStream counts an open stream until the returned function is called.
func (m *API) TrackStream(kind string) (done func()) {
	if m.streams == nil {
		return func() {}
	}
	gauge := m.streams.WithLabelValues(kind)
	gauge.Inc()
	return gauge.Dec
}
