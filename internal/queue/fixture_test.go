package queue_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fixture is the state outside the processes: the database, and the outside effects.
type fixture struct {
	t       testing.TB
	url     string
	db      *postgres.DB
	queue   *queue.Queue // For enqueuing and reading jobs.
	service *provisioning.Service

	registry *registrytest.Registry

	mu            sync.Mutex
	maxExtraMails int               // Each allowed fault can cause one more mail.
	contracts     map[uuid.UUID]int // Number of deployments by tenant.
	mails         map[uuid.UUID]int
}

func setup(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	return newFixture(t, testenv.Database(t))
}

func newFixture(t testing.TB, url string) *fixture {
	t.Helper()
	w := &fixture{t: t, url: url, contracts: map[uuid.UUID]int{}, mails: map[uuid.UUID]int{}}
	var err error
	if w.queue, err = queue.Open(t.Context(), w.options()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.queue.Close)
	w.db = w.openRegistry()
	w.db.UseQueue(w.queue)
	w.registry = registrytest.Open(t, url)
	w.service, err = provisioning.NewService(w.db, w.newProcess().pipeline)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (f *fixture) openRegistry() *postgres.DB {
	f.t.Helper()
	db, err := postgres.Open(f.t.Context(), pgdb.Options{URL: f.url})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(db.Close)
	return db
}

func (f *fixture) options() queue.Options {
	return queue.Options{URL: f.url, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// process is a simulated process: a pipeline whose ports can fail, and that can die.
type process struct {
	*postgres.DB
	*fixture
	pipeline *provisioning.Pipeline
	onDeploy func(ctx context.Context, t tenant.Tenant) error

	refusedRenewals atomic.Int32 // The heartbeat of a run ends with the first one.

	mu       sync.Mutex
	killed   bool
	testDone chan struct{} // Closed at the end of the test.
	endTest  func()        // Closes it.
}

// The lease is long enough for a loaded machine and short enough to wait for.
const leaseTTL = 2 * time.Second

func (f *fixture) newProcess(change ...func(*provisioning.PipelineOptions)) *process {
	f.t.Helper()
	o := provisioning.PipelineOptions{
		LeaseTTL: leaseTTL, Heartbeat: leaseTTL / 10,
		Retry: retry.Policy{Attempts: 2, Base: time.Microsecond, Cap: time.Microsecond},
	}
	for _, c := range change {
		c(&o)
	}
	p := &process{DB: f.db, fixture: f, testDone: make(chan struct{})}
	p.endTest = sync.OnceFunc(func() { close(p.testDone) })
	var err error
	if p.pipeline, err = provisioning.NewPipeline(p, p, p, o); err != nil {
		f.t.Fatal(err)
	}
	return p
}

var errKilled = errs.Errorf(errs.KindFenced, "die", "the process is dead")

// kill stops every effect of the process until it is revived.
func (p *process) kill()   { p.setKilled(true) }
func (p *process) revive() { p.setKilled(false) }

func (p *process) setKilled(killed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = killed
}

func (p *process) isKilled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// Run is the pipeline's Run. In a dead process it neither starts nor returns, so that its
// worker, with all places taken, does nothing either.
func (p *process) Run(ctx context.Context, id uuid.UUID, o provisioning.RunOptions) (out provisioning.Outcome, err error) {
	if !p.isKilled() {
		out, err = p.pipeline.Run(ctx, id, o)
	}
	if p.isKilled() {
		<-p.testDone
		return out, errKilled
	}
	return out, err
}

func (p *process) Renew(ctx context.Context, r provisioning.Run, ttl time.Duration) error {
	if p.isKilled() {
		p.refusedRenewals.Add(1)
		return errKilled
	}
	return p.DB.Renew(ctx, r, ttl)
}

func (p *process) Release(ctx context.Context, r provisioning.Run, records ...tenant.StepRecord) error {
	if p.isKilled() {
		return errKilled
	}
	return p.DB.Release(ctx, r, records...)
}

func (p *process) ContractID(id uuid.UUID) (string, error) {
	return "C" + strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")), nil
}

func (p *process) Deploy(ctx context.Context, t tenant.Tenant, _ txlog.Log) (c contracts.Contract, err error) {
	if p.onDeploy != nil {
		if err := p.onDeploy(ctx, t); err != nil {
			return c, err
		}
	}
	if p.isKilled() {
		return c, errKilled
	}
	w := p.fixture
	w.mu.Lock()
	defer w.mu.Unlock()
	c.ID, _ = p.ContractID(t.ID)
	if w.contracts[t.ID] == 0 {
		w.contracts[t.ID]++
		c.TransactionHash, c.Ledger = "aa", 7
	}
	return c, nil
}

func (p *process) SendWelcome(_ context.Context, m provisioning.WelcomeMail, _ provisioning.MailWait) error {
	p.fixture.mu.Lock()
	defer p.fixture.mu.Unlock()
	p.mails[m.Tenant.ID]++
	return nil
}

func (p *process) SendFailure(context.Context, provisioning.FailureMail, provisioning.MailWait) error {
	return nil
}

// startWorker starts the worker of a process; change changes its queue before.
func (f *fixture) startWorker(p *process, change ...func(*queue.Queue)) *queue.Queue {
	f.t.Helper()
	return f.startQueue(queue.Options{Runner: p}, change...)
}

func (f *fixture) startQueue(o queue.Options, change ...func(*queue.Queue)) *queue.Queue {
	f.t.Helper()
	base := f.options()
	o.URL, o.Logger = base.URL, base.Logger
	q, err := queue.Open(f.t.Context(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, c := range change {
		c(q)
	}
	if err := q.Start(context.WithoutCancel(f.t.Context())); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if p, ok := o.Runner.(*process); ok {
			p.endTest()
		}
		if err := q.Stop(context.Background()); err != nil {
			f.t.Errorf("stop: %v", err)
		}
		q.Close()
	})
	return q
}

// newReconciler returns a reconciler that treats workers as dead after the lease's duration
// without a heartbeat.
func (f *fixture) newReconciler(p *process) *provisioning.Reconciler {
	f.t.Helper()
	service, err := provisioning.NewService(f.db, p.pipeline)
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := provisioning.NewReconciler(f.db, service, provisioning.ReconcilerOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func inputs(name string) tenant.Inputs {
	return tenant.Inputs{Name: name, AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace"}
}

// submit queues a tenant.
func (f *fixture) submit(name string) provisioning.Submission {
	f.t.Helper()
	s, err := f.service.Submit(f.t.Context(), inputs(name), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *fixture) submitMany(n int) []provisioning.Submission {
	f.t.Helper()
	var (
		all = make([]provisioning.Submission, n)
		wg  sync.WaitGroup
	)
	for i := range n {
		wg.Go(func() {
			var err error
			if all[i], err = f.service.Submit(f.t.Context(), inputs("Clinic "+strconv.Itoa(i)), nil); err != nil {
				f.t.Errorf("submission %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if f.t.Failed() {
		f.t.FailNow()
	}
	return all
}

func (f *fixture) get(s provisioning.Submission) tenant.Tenant {
	f.t.Helper()
	t, err := f.db.Get(f.t.Context(), s.Tenant.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return t
}

func (f *fixture) job(id string) provisioning.Job {
	f.t.Helper()
	j, err := f.queue.Job(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return j
}

// waitFor waits for a condition.
func (f *fixture) waitFor(what string, condition func() bool) {
	f.t.Helper()
	deadline, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	for !condition() {
		if err := (clock.System{}).Sleep(deadline, 5*time.Millisecond); err != nil {
			f.t.Errorf("waiting until %s: %v", what, err)
			f.t.Fatal(f.dump())
		}
	}
}

// waitForStatus waits until a tenant has a status and its provisioning has ended.
func (f *fixture) waitForStatus(s provisioning.Submission, want tenant.Status) {
	f.t.Helper()
	f.waitFor(fmt.Sprintf("tenant %s is %s", s.Tenant.ID, want), func() bool { return f.get(s).Status == want })
}

// riverState is the state of a job in River's table.
func (f *fixture) riverState(id string) (state string) {
	f.t.Helper()
	return value[string](f, `SELECT state::text FROM river_job WHERE id = $1::text::bigint`, id)
}

func value[T any](w *fixture, query string, args ...any) (v T) {
	w.t.Helper()
	if err := w.db.Pool().QueryRow(w.t.Context(), query, args...).Scan(&v); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return v
}

func (f *fixture) exec(statement string, args ...any) {
	f.t.Helper()
	if _, err := f.db.Pool().Exec(f.t.Context(), statement, args...); err != nil {
		f.t.Fatalf("%s: %v", statement, err)
	}
}

// dump prints the unfinished runs and jobs for a failed test.
func (f *fixture) dump() string {
	f.t.Helper()
	var jobs string
	err := f.db.Pool().QueryRow(context.Background(), `SELECT coalesce(string_agg(concat_ws(' ', id, state, attempt, scheduled_at, errors), E'\n'), '')
		FROM river_job WHERE state <> 'completed'`).Scan(&jobs)
	if err != nil {
		return err.Error()
	}
	return "runs:\n" + registrytest.Open(f.t, f.url).UnfinishedRuns() + "\njobs:\n" + jobs
}

// total is the number of tenants in a status, or of all for "".
func (f *fixture) total(status tenant.Status) int64 {
	f.t.Helper()
	page, err := f.db.List(f.t.Context(), tenant.ListQuery{Status: status, Limit: 1})
	if err != nil {
		f.t.Fatal(err)
	}
	return page.Total
}

// assertInvariants checks what holds for tenants that ended ACTIVE, whatever happened
// before.
func (f *fixture) assertInvariants(all ...provisioning.Submission) {
	f.t.Helper()
	for _, s := range all {
		t := f.get(s)
		if t.Status != tenant.StatusActive || t.ContractID == "" || t.Queued || t.Attempt != 1 {
			f.t.Errorf("tenant %+v", t)
		}
		if n := value[int](f, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, t.SchemaName); n != 1 {
			f.t.Errorf("tenant %s has %d schemas", t.ID, n)
		}
		f.mu.Lock()
		if f.contracts[t.ID] != 1 || f.mails[t.ID] < 1 || f.mails[t.ID] > 1+f.maxExtraMails {
			f.t.Errorf("tenant %s has %d contracts and %d mails", t.ID, f.contracts[t.ID], f.mails[t.ID])
		}
		f.mu.Unlock()
		if j := f.job(s.JobID); j.State != provisioning.JobCompleted || j.FinishedAt.IsZero() || j.TenantID != t.ID {
			f.t.Errorf("job %+v", j)
		}
	}
	if n := f.total(""); n != int64(len(all)) {
		f.t.Errorf("%d tenants, want %d", n, len(all))
	}
}
