package queue_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, postgrestest.Migrate))
}

// world is what outlives a process: the database, and what was done outside it.
type world struct {
	t       testing.TB
	url     string
	db      *postgres.DB
	queue   *queue.Queue // For enqueuing and looking.
	service *provisioning.Service

	mu        sync.Mutex
	crashes   int               // Each may cost one more mail.
	contracts map[uuid.UUID]int // How often each was created.
	mails     map[uuid.UUID]int
}

func setup(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	return newWorld(t, pgtest.Database(t))
}

func newWorld(t testing.TB, url string) *world {
	t.Helper()
	w := &world{t: t, url: url, contracts: map[uuid.UUID]int{}, mails: map[uuid.UUID]int{}}
	var err error
	if w.queue, err = queue.Open(t.Context(), w.options()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.queue.Close)
	w.db = w.registry()
	w.db.UseQueue(w.queue)
	w.service, err = provisioning.NewService(w.db, w.process().pipeline)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) registry() *postgres.DB {
	w.t.Helper()
	db, err := postgres.Open(w.t.Context(), postgres.Options{URL: w.url})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(db.Close)
	return db
}

func (w *world) options() queue.Options {
	return queue.Options{URL: w.url, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// process is one process: a pipeline whose ports can fail, and that can die.
type process struct {
	*postgres.DB
	*world
	pipeline *provisioning.Pipeline
	onDeploy func(ctx context.Context, t provisioning.Tenant) error

	mu   sync.Mutex
	dead bool
	over chan struct{} // Closed when the test is.
	end  func()        // Closes it.
}

// The lease is long enough for a machine under load and short enough to wait for.
const leaseTTL = 2 * time.Second

func (w *world) process(change ...func(*provisioning.PipelineOptions)) *process {
	w.t.Helper()
	o := provisioning.PipelineOptions{
		LeaseTTL: leaseTTL, Heartbeat: leaseTTL / 10,
		Retry: provisioning.RetryPolicy{Attempts: 2, Base: time.Microsecond, Cap: time.Microsecond},
	}
	for _, c := range change {
		c(&o)
	}
	p := &process{DB: w.db, world: w, over: make(chan struct{})}
	p.end = sync.OnceFunc(func() { close(p.over) })
	var err error
	if p.pipeline, err = provisioning.NewPipeline(p, p, p, o); err != nil {
		w.t.Fatal(err)
	}
	return p
}

var errDead = provisioning.Errorf(provisioning.KindFenced, "die", "the process is dead")

// die lets the process do nothing any more, until it is revived.
func (p *process) die()    { p.setDead(true) }
func (p *process) revive() { p.setDead(false) }

func (p *process) setDead(dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = dead
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// Run is the pipeline's. That of a dead process neither begins nor comes back, so
// that its worker, with one such run in each place, does nothing more either.
func (p *process) Run(ctx context.Context, id uuid.UUID, o provisioning.RunOptions) (out provisioning.Outcome, err error) {
	if !p.isDead() {
		out, err = p.pipeline.Run(ctx, id, o)
	}
	if p.isDead() {
		<-p.over
		return out, errDead
	}
	return out, err
}

func (p *process) Renew(ctx context.Context, r provisioning.Run, ttl time.Duration) error {
	if p.isDead() {
		return errDead
	}
	return p.DB.Renew(ctx, r, ttl)
}

func (p *process) Release(ctx context.Context, r provisioning.Run, records ...provisioning.StepRecord) error {
	if p.isDead() {
		return errDead
	}
	return p.DB.Release(ctx, r, records...)
}

func (p *process) ContractID(id uuid.UUID) (string, error) {
	return "C" + strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")), nil
}

func (p *process) Deploy(ctx context.Context, t provisioning.Tenant, _ provisioning.Journal) (c provisioning.Contract, err error) {
	if p.onDeploy != nil {
		if err := p.onDeploy(ctx, t); err != nil {
			return c, err
		}
	}
	if p.isDead() {
		return c, errDead
	}
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	c.ID, _ = p.ContractID(t.ID)
	if w.contracts[t.ID] == 0 {
		w.contracts[t.ID]++
		c.TransactionHash, c.Ledger = "aa", 7
	}
	return c, nil
}

func (p *process) SendWelcome(_ context.Context, m provisioning.WelcomeMail) error {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.mails[m.Tenant.ID]++
	return nil
}

func (p *process) SendFailure(context.Context, provisioning.FailureMail) error { return nil }

// start begins to work with a process; change alters its queue before that.
func (w *world) start(p *process, change ...func(*queue.Queue)) *queue.Queue {
	w.t.Helper()
	return w.startWith(queue.Options{Runner: p}, change...)
}

func (w *world) startWith(o queue.Options, change ...func(*queue.Queue)) *queue.Queue {
	w.t.Helper()
	base := w.options()
	o.URL, o.Logger = base.URL, base.Logger
	q, err := queue.Open(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range change {
		c(q)
	}
	if err := q.Start(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if p, ok := o.Runner.(*process); ok {
			p.end()
		}
		if err := q.Stop(context.Background()); err != nil {
			w.t.Errorf("stop: %v", err)
		}
		q.Close()
	})
	return q
}

// reconciler is one whose workers are dead after a lease's time of silence.
func (w *world) reconciler(p *process) *provisioning.Reconciler {
	w.t.Helper()
	service, err := provisioning.NewService(w.db, p.pipeline)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := provisioning.NewReconciler(w.db, service, provisioning.ReconcilerOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func inputs(name string) provisioning.Inputs {
	return provisioning.Inputs{Name: name, AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace"}
}

// submit has a tenant queued.
func (w *world) submit(name string) provisioning.Submission {
	w.t.Helper()
	s, err := w.service.Submit(w.t.Context(), inputs(name), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) submitMany(n int) []provisioning.Submission {
	w.t.Helper()
	var (
		all = make([]provisioning.Submission, n)
		wg  sync.WaitGroup
	)
	for i := range n {
		wg.Go(func() {
			var err error
			if all[i], err = w.service.Submit(w.t.Context(), inputs("Clinic "+strconv.Itoa(i)), nil); err != nil {
				w.t.Errorf("submission %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	return all
}

func (w *world) get(s provisioning.Submission) provisioning.Tenant {
	w.t.Helper()
	t, err := w.db.Get(w.t.Context(), s.Tenant.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func (w *world) job(id string) provisioning.Job {
	w.t.Helper()
	j, err := w.queue.Job(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// await waits for a condition.
func (w *world) await(what string, condition func() bool) {
	w.t.Helper()
	deadline, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for !condition() {
		if err := (provisioning.SystemClock{}).Sleep(deadline, 5*time.Millisecond); err != nil {
			w.t.Fatalf("waiting until %s: %v\n%s", what, err, w.dump())
		}
	}
}

// awaitStatus waits for a tenant to come to rest in a status.
func (w *world) awaitStatus(s provisioning.Submission, want provisioning.Status) {
	w.t.Helper()
	w.await(fmt.Sprintf("tenant %s is %s", s.Tenant.ID, want), func() bool { return w.get(s).Status == want })
}

// river is the state that River itself has of a job.
func (w *world) river(id string) (state string) {
	w.t.Helper()
	return value[string](w, `SELECT state::text FROM river_job WHERE id = $1::text::bigint`, id)
}

func value[T any](w *world, query string, args ...any) (v T) {
	w.t.Helper()
	if err := w.db.Pool().QueryRow(w.t.Context(), query, args...).Scan(&v); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return v
}

func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Pool().Exec(w.t.Context(), statement, args...); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

// dump shows tables that tell what happened.
func (w *world) dump() string {
	var text string
	err := w.db.Pool().QueryRow(context.Background(), `SELECT coalesce(string_agg(concat_ws(' ', t.status, t.undo, t.job_id, t.run_epoch, t.run_expires_at, '|',
		j.id, j.state, j.attempt, j.scheduled_at, j.errors), E'\n'), '') FROM tenants t FULL JOIN river_job j ON j.id = t.job_id
		WHERE t.status IS DISTINCT FROM 'ACTIVE'`).Scan(&text)
	if err != nil {
		return err.Error()
	}
	return text
}

// invariants hold for tenants that ended well, whatever happened on the way.
func (w *world) invariants(all ...provisioning.Submission) {
	w.t.Helper()
	for _, s := range all {
		t := w.get(s)
		if t.Status != provisioning.StatusActive || t.ContractID == "" || t.Queued || t.Attempt != 1 {
			w.t.Errorf("tenant %+v", t)
		}
		if n := value[int](w, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, t.SchemaName); n != 1 {
			w.t.Errorf("tenant %s has %d schemas", t.ID, n)
		}
		w.mu.Lock()
		if w.contracts[t.ID] != 1 || w.mails[t.ID] < 1 || w.mails[t.ID] > 1+w.crashes {
			w.t.Errorf("tenant %s has %d contracts and %d mails", t.ID, w.contracts[t.ID], w.mails[t.ID])
		}
		w.mu.Unlock()
		if j := w.job(s.JobID); j.State != provisioning.JobCompleted || j.FinishedAt.IsZero() || j.TenantID != t.ID {
			w.t.Errorf("job %+v", j)
		}
	}
	if n := value[int](w, `SELECT count(*) FROM tenants`); n != len(all) {
		w.t.Errorf("%d tenants, want %d", n, len(all))
	}
}
