package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"
)

// scrapeTimeout is how long a scrape waits for a source.
const scrapeTimeout = 2 * time.Second

// source reads statistics for scrapes, and caches them: however many scrape, it is read once in
// maxAge. Without an answer its metrics are omitted, and
//
//	healthcare_scrape_success{source}           1: the last read succeeded, or was cached; 0: it failed
//	healthcare_scrape_duration_seconds{source}  how long the last read took
//
// say so. A failed read is not cached.
type source[T any] struct {
	name   string
	maxAge time.Duration
	log    *slog.Logger
	read   func(context.Context) (T, error)
	reads  singleflight.Group

	mu       sync.Mutex // Guards the fields below; not held during a read.
	cached   T
	cachedAt time.Time // Zero: nothing is cached.
	took     time.Duration

	success, duration *prometheus.Desc
}

func newSource[T any](name string, maxAge time.Duration, log *slog.Logger, read func(context.Context) (T, error)) *source[T] {
	labels := prometheus.Labels{"source": name}
	return &source[T]{
		name: name, maxAge: maxAge, log: log, read: read,
		success:  prometheus.NewDesc("healthcare_scrape_success", "Whether this source of metrics could be read.", nil, labels),
		duration: prometheus.NewDesc("healthcare_scrape_duration_seconds", "Duration of the last read of this source of metrics.", nil, labels),
	}
}

// get returns the statistics, and reads them again when the cached ones are too old. Concurrent
// scrapes share one read: while the registry does not answer, no scrape waits for more than one.
func (s *source[T]) get() (T, bool) {
	if known, fresh := s.recent(); fresh {
		return known, true
	}
	_, err, _ := s.reads.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		started := time.Now()
		stats, err := s.read(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.took = time.Since(started)
		if err == nil {
			s.cached, s.cachedAt = stats, time.Now()
		} else {
			s.log.WarnContext(ctx, "metrics could not be read", slog.String("source", s.name), slog.Any("error", err))
		}
		return nil, err
	})
	if err != nil {
		var none T
		return none, false
	}
	return s.recent()
}

// recent returns the cached statistics and whether they are fresh.
func (s *source[T]) recent() (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cached, !s.cachedAt.IsZero() && time.Since(s.cachedAt) < s.maxAge
}

// lastDuration is how long the last read took.
func (s *source[T]) lastDuration() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took
}

// metricsOf exports the statistics of a source.
type metricsOf[T any] struct {
	source *source[T]
	descs  []*prometheus.Desc
	emit   func(stats T, to sink)
}

// Describe implements prometheus.Collector.
func (m *metricsOf[T]) Describe(out chan<- *prometheus.Desc) {
	for _, d := range append(m.descs, m.source.success, m.source.duration) {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metricsOf[T]) Collect(out chan<- prometheus.Metric) {
	stats, ok := m.source.get()
	to := sink{out}
	if ok {
		m.emit(stats, to)
	}
	to.flag(m.source.success, ok)
	to.gauge(m.source.duration, m.source.lastDuration().Seconds())
}

// sink takes the values of one scrape.
type sink struct{ out chan<- prometheus.Metric }

func (s sink) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s sink) count(d *prometheus.Desc, value float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

func (s sink) flag(d *prometheus.Desc, set bool, labels ...string) {
	value := 0.0
	if set {
		value = 1
	}
	s.gauge(d, value, labels...)
}
