//go:build unix

package telemetry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// recordedMinutes is how much of a platform's life record makes: six hours and some minutes before.
const recordedMinutes = 6*60 + 10

// life is what a platform does in a minute: a wave of new tenants in the middle, of which some fail.
type life struct {
	minute int
	steps  *telemetry.Steps
	runs   *telemetry.Runs
	api    *telemetry.API
	active int64
	failed int64
}

func (l *life) wave() float64 { return 1 + math.Max(0, 9*math.Sin(float64(l.minute-120)/120*math.Pi)) }

func (l *life) live(ctx context.Context) {
	l.minute++
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	for i := range int(l.wave()) {
		failed := l.minute > 240 && l.minute < 260 && i == 0
		for n, step := range tenant.Steps() {
			took := []float64{.001, .004, .006, .012, 5.5, .004, .2}[n] * (1 + float64(i)/8)
			e := provisioning.Event{Step: step, Status: tenant.StepCompleted, Duration: seconds(took)}
			if failed && step == tenant.StepDeploySorobanContract {
				l.steps.Observe(ctx, provisioning.Event{Step: step, Status: tenant.StepInProgress, Cause: context.DeadlineExceeded})
				e.Status = tenant.StepFailed
			}
			l.steps.Observe(ctx, e)
		}
		outcome, job := provisioning.RunActivated, monitoring.JobCompleted
		if failed {
			outcome, job = provisioning.RunFailed, monitoring.JobFailed
			l.failed++
		} else {
			l.active++
		}
		l.runs.ObserveRun(provisioning.RunEnd{Outcome: outcome, TookOver: l.minute%97 == 0 && i == 0})
		l.runs.ObserveJob(monitoring.KindProvision, job)
		_ = l.runs.Mailer(mailer{}).SendWelcome(ctx, provisioning.WelcomeMail{}, provisioning.MailWait{})
		_, _ = l.runs.StepSender(sender{}).SendStep(ctx, provisioning.StepRequest{})
	}
	if l.minute%60 == 0 {
		l.runs.ObserveMigration(nil)
		l.runs.ObserveJob("purge", monitoring.JobCompleted)
		_ = l.runs.Mailer(mailer{sent: errs.Errorf(errs.KindTransient, "send", "greylisted")}).SendWelcome(ctx, provisioning.WelcomeMail{}, provisioning.MailWait{})
		_, _ = l.runs.StepSender(sender{}).SendStep(ctx, provisioning.StepRequest{Undo: true})
	}
	for _, operation := range []string{"get-tenant", "list-tenants", "create-tenant"} {
		for i := range int(20 * l.wave()) {
			l.api.ObserveRequest(operation, http.StatusOK, seconds(.002*float64(1+i%40)))
		}
	}
	if l.minute%7 == 0 {
		l.api.ObserveRequest("create-tenant", http.StatusServiceUnavailable, seconds(2))
		l.api.ObserveProblem(http.StatusServiceUnavailable)
		l.api.ObserveProblem(http.StatusTooManyRequests)
	}
}

// sources are the statistics of the registry at this minute.
func (l *life) sources(s *sources) telemetry.RegistrySources {
	o := s.registry()
	wait := func() int64 { return int64(math.Max(0, l.wave()-5) * 6) }
	o.Registry = func(context.Context) (monitoring.Registry, error) {
		return monitoring.Registry{
			Tenants:            map[tenant.Status]int64{tenant.StatusActive: 400 + l.active, tenant.StatusFailed: l.failed, tenant.StatusProvisioning: int64(l.wave()), tenant.StatusSuspended: 3, tenant.StatusArchived: 12},
			InvitationsPending: 40 + l.active/4, InvitationsExpired: 5, LoginsOpen: int64(4 + 2*l.wave()), Unnumbered: monitoring.Backlog{Count: int64(l.minute % 30)},
			Mails: map[monitoring.MailKind]monitoring.Backlog{monitoring.MailWelcome: {Count: int64(l.minute % 4)}},
		}, nil
	}
	o.Queue = func(context.Context) (monitoring.Queue, error) {
		return monitoring.Queue{
			Queues: []monitoring.QueueDepth{
				{Name: "provisioning", Jobs: map[monitoring.JobState]int64{monitoring.JobAvailable: wait(), monitoring.JobRunning: int64(l.wave())}, OldestDue: time.Duration(wait()) * time.Second},
				{Name: "moves"},
			},
			WorkerAlive: true, WorkerSeen: true, LastSeen: 3 * time.Second,
		}, nil
	}
	o.Database = func(context.Context) (monitoring.Database, error) {
		return monitoring.Database{
			Writable: true, Connections: int64(20 + 4*l.wave()), MaxConnections: 100, OldestTransaction: time.Duration(l.minute%20) * time.Second, TransactionIDAge: 48_000_000 + int64(l.minute)*900,
		}, nil
	}
	o.Pools = func() []monitoring.Pool {
		n := int64(l.minute)
		return []monitoring.Pool{
			{Name: "registry", Acquired: min(8, int64(l.wave())), Idle: 2, Max: 8, Acquires: 600 * n, Waits: 20 * n, Waited: time.Duration(n) * time.Second},
			{Name: "queue", Acquired: 1, Idle: 1, Max: 4, Acquires: 1200 * n, Waits: n, Waited: time.Duration(n) * 5 * time.Millisecond},
		}
	}
	return o
}

func (l *life) stellar(context.Context) (contracts.StellarStats, error) {
	spent := l.active * 1_900_000
	return contracts.StellarStats{
		Protocol: contracts.Protocol{Network: 28, Known: 28}, DeployerBalance: 90_000_000_000 - spent,
		Channels:     []txlog.Channel{{Index: 0, Balance: 48_000_000}, {Index: 1, Balance: 37_000_000}, {Index: 2, Balance: 41_000_000}},
		Transactions: map[txlog.Purpose]int64{txlog.PurposeCreate: l.active, txlog.PurposeExtend: l.active / 10},
		Stroops:      map[txlog.Purpose]int64{txlog.PurposeCreate: spent, txlog.PurposeExtend: l.active * 1000},
		Contracts:    map[contracts.State]int64{contracts.StateLive: 400 + l.active, contracts.StateExpiring: 1},
		Spend:        contracts.SpendHistogram{Bounds: []float64{1e6, 2e6, 5e6}, CumulativeCounts: []uint64{uint64(l.active / 4), uint64(l.active), uint64(l.active)}, Tenants: uint64(l.active), Stroops: float64(spent)},
	}, nil
}

// record returns the metrics of a platform's life in the text format, with times up to end.
func record(t *testing.T, end time.Time) []byte {
	t.Helper()
	series := map[string][]byte{}
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		l := &life{steps: telemetry.NewSteps(r), runs: telemetry.NewRuns(r, []string{monitoring.KindProvision, "purge"})}
		var err error
		if l.api, err = telemetry.NewAPI(r, func() int64 { return 0 }); err != nil {
			t.Fatal(err)
		}
		for kind, n := range map[string]int{"events": 6, "feed": 1, "run": 2} {
			for range n {
				l.api.TrackStream(kind)
			}
		}
		var s sources
		telemetry.RegisterRegistry(r, l.sources(&s))
		telemetry.RegisterStellar(r, 1_000_000_000, discard, l.stellar)
		telemetry.RegisterBuildInfo(r, "1.2.3")
		telemetry.RegisterParts(r, func() []monitoring.Check {
			status := monitoring.CheckOK
			if l.minute > 240 && l.minute < 260 {
				status = monitoring.CheckDegraded
			}
			return []monitoring.Check{{Name: "queue", Status: monitoring.CheckOK, Took: 2 * time.Millisecond}, {Name: "rpc", Status: status, Took: 60 * time.Millisecond}, {Name: "mail", Status: monitoring.CheckOK, Took: 20 * time.Millisecond}}
		})
		for minute := range recordedMinutes {
			l.live(t.Context())
			at := end.Add(time.Duration(minute-recordedMinutes) * time.Minute).Unix()
			appendSamples(t, series, r, at)
			time.Sleep(time.Minute)
		}
	})
	var out bytes.Buffer
	names := make([]string, 0, len(series))
	for name := range series {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		out.Write(series[name])
	}
	out.WriteString("# EOF\n")
	return out.Bytes()
}

// appendSamples appends the values of one scrape to the lines of each series.
func appendSamples(t *testing.T, series map[string][]byte, r *prometheus.Registry, at int64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, labels []string, value float64) {
		key := name + "{" + strings.Join(labels, ",") + "}"
		series[key] = fmt.Appendf(series[key], "%s %g %d\n", key, value, at)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := []string{`job="platform"`, `instance="server-1:9464"`}
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			h := m.GetHistogram()
			if h == nil {
				add(f.GetName(), labels, m.GetGauge().GetValue()+m.GetCounter().GetValue())
				continue
			}
			add(f.GetName()+"_count", labels, float64(h.GetSampleCount()))
			add(f.GetName()+"_sum", labels, h.GetSampleSum())
			for _, b := range h.GetBucket() {
				add(f.GetName()+"_bucket", append(slices.Clone(labels), fmt.Sprintf(`le="%g"`, b.GetUpperBound())), float64(b.GetCumulativeCount()))
			}
			add(f.GetName()+"_bucket", append(slices.Clone(labels), `le="+Inf"`), float64(h.GetSampleCount()))
		}
	}
}

// startPrometheus serves recorded metrics until the test ends, and returns its address.
func startPrometheus(t *testing.T, recorded []byte) string {
	t.Helper()
	dir := t.TempDir()
	data, config := filepath.Join(dir, "metrics.txt"), filepath.Join(dir, "prometheus.yml")
	for file, text := range map[string][]byte{data: recorded, config: []byte("global: {}\n")} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := promtool(t, "tsdb", "create-blocks-from", "openmetrics", data, filepath.Join(dir, "data")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil { // Nothing else on this machine is expected to take it now.
		t.Fatal(err)
	}
	var log bytes.Buffer
	server := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill() // It has nothing to keep.
		_ = server.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if answer, err := http.Get("http://" + address + "/-/ready"); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("prometheus does not start")
	return ""
}
