package telemetry_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

var discard = slog.New(slog.DiscardHandler)

// withoutDuration lists the gathered metrics without those that depend on the time.
func withoutDuration(t *testing.T, r *prometheus.Registry) (names []string) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "healthcare_scrape_duration_seconds" {
			names = append(names, f.GetName())
		}
	}
	return names
}

// sources are statistics of a registry, and count how often each was read.
type sources struct {
	reads map[string]*atomic.Int32
	err   error
	hang  bool
}

func read[T any](s *sources, name string, stats T) func(context.Context) (T, error) {
	s.reads[name] = &atomic.Int32{}
	return func(ctx context.Context) (T, error) {
		s.reads[name].Add(1)
		if s.hang {
			<-ctx.Done()
			return stats, ctx.Err()
		}
		return stats, s.err
	}
}

func (s *sources) registry() telemetry.RegistrySources {
	s.reads = map[string]*atomic.Int32{}
	return telemetry.RegistrySources{
		Registry: read(s, "registry", monitoring.Registry{
			Tenants:            map[tenant.Status]int64{tenant.StatusActive: 6, tenant.StatusFailed: 2},
			InvitationsPending: 3, InvitationsExpired: 1, Stuck: 1, Mails: map[monitoring.MailKind]monitoring.Backlog{monitoring.MailWelcome: {Count: 2, Oldest: time.Minute}},
			LoginsOpen: 4, LoginsOverdue: monitoring.Backlog{Count: 1, Oldest: 3 * time.Second}, Unnumbered: monitoring.Backlog{Count: 9, Oldest: time.Hour}, Restored: true,
		}),
		Queue: read(s, "queue", monitoring.Queue{
			Queues: []monitoring.QueueDepth{
				{Name: "provisioning", Jobs: map[monitoring.JobState]int64{monitoring.JobAvailable: 5, monitoring.JobRetryable: 2, monitoring.JobRunning: 3}, OldestDue: 7 * time.Second},
				{Name: "moves"},
			},
			WorkerAlive: true, WorkerSeen: true, LastSeen: 4 * time.Second,
		}),
		Database: read(s, "database", monitoring.Database{Writable: true, Connections: 12, MaxConnections: 100, OldestTransaction: 2 * time.Second, TransactionIDAge: 5000}),
		Blueprints: read(s, "blueprints", []monitoring.BlueprintTenants{
			{Blueprint: "clinic", Behind: 2}, {Blueprint: "standard"},
		}),
		Pools: func() []monitoring.Pool {
			return []monitoring.Pool{{Name: "registry", Acquired: 2, Idle: 1, Opening: 0, Max: 8, Acquires: 50, Waits: 4, Waited: 1500 * time.Millisecond, Canceled: 1}}
		},
		Logger: discard,
	}
}

func TestRegisterRegistry(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	var s sources
	telemetry.RegisterRegistry(r, s.registry())
	if err := testutil.GatherAndCompare(r, strings.NewReader(readFile(t, "testdata/registry.txt")), withoutDuration(t, r)...); err != nil {
		t.Error(err)
	}
}

// TestRegisterRegistry_Reads: however often it is scraped, each source is read once in its time, and
// a source that cannot be read says so and keeps no other from being exported.
func TestRegisterRegistry_Reads(t *testing.T) {
	t.Parallel()
	t.Run("Cached", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := prometheus.NewRegistry()
			var s sources
			telemetry.RegisterRegistry(r, s.registry())
			for range 60 { // Four servers that scrape, for a minute and a half.
				_ = withoutDuration(t, r)
				_ = withoutDuration(t, r)
				time.Sleep(1500 * time.Millisecond)
			}
			for name, want := range map[string]int32{"registry": 6, "queue": 6, "database": 6, "blueprints": 1} {
				if n := s.reads[name].Load(); n != want {
					t.Errorf("%s was read %d times in 90 seconds, want %d", name, n, want)
				}
			}
		})
	})
	t.Run("Failed", func(t *testing.T) {
		t.Parallel()
		r := prometheus.NewRegistry()
		s := sources{err: errors.New("down")}
		telemetry.RegisterRegistry(r, s.registry())
		names := withoutDuration(t, r)
		if slices.Contains(names, "healthcare_tenants") || !slices.Contains(names, "healthcare_pool_waits_total") {
			t.Errorf("metrics %q", names)
		}
		if err := testutil.GatherAndCompare(r, strings.NewReader(`
# HELP healthcare_scrape_success Whether this source of metrics could be read.
# TYPE healthcare_scrape_success gauge
healthcare_scrape_success{source="blueprints"} 0
healthcare_scrape_success{source="database"} 0
healthcare_scrape_success{source="queue"} 0
healthcare_scrape_success{source="registry"} 0
`), "healthcare_scrape_success"); err != nil {
			t.Error(err)
		}
	})
	t.Run("Bounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := prometheus.NewRegistry()
			s := sources{hang: true}
			telemetry.RegisterRegistry(r, s.registry())
			started := time.Now()
			_ = withoutDuration(t, r)
			if took := time.Since(started); took > 2*time.Second {
				t.Errorf("a scrape took %v while the registry did not answer", took)
			}
		})
	})
}

// TestRegisterRegistry_Blueprints: the number of series is bounded.
func TestRegisterRegistry_Blueprints(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	var s sources
	o := s.registry()
	many := make([]monitoring.BlueprintTenants, 70)
	for i := range many {
		many[i] = monitoring.BlueprintTenants{Blueprint: "b" + strings.Repeat("x", i), Behind: 1}
	}
	o.Blueprints = read(&s, "blueprints", many)
	telemetry.RegisterRegistry(r, o)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "healthcare_tenants_behind" && (len(f.GetMetric()) != 51 || f.GetMetric()[0].GetLabel()[0].GetValue() != "(others)" || f.GetMetric()[0].GetGauge().GetValue() != 20) {
			t.Errorf("%d series, the first is %v", len(f.GetMetric()), f.GetMetric()[0])
		}
	}
}
