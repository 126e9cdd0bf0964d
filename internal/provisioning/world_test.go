package provisioning_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// world is the state that outlives a process: the database and the external effects.
type world struct {
	t        *testing.T
	db       *postgres.DB
	registry *registrytest.Registry

	mu        sync.Mutex
	contracts map[string]int // Number of creations by address.
	mails     []string       // Message IDs.
	failures  int            // Failure mails.
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url := testenv.Database(t)
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return &world{t: t, db: db, registry: registrytest.Open(t, url), contracts: map[string]int{}}
}

// process is one process: its ports can fail, and it can die at a given point.
type process struct {
	*postgres.DB
	*world
	dieAt  int // Point (before or after a port call) at which it dies; 0 for never.
	points int
	dead   bool

	deployErr, mailErr func(try int) error
	deploys, sends     int
	failureErr         error // Of each failure mail.
	onDeploy           func(ctx context.Context)

	meanwhileAt int    // Point at which meanwhile is called.
	meanwhile   func() // Called at meanwhileAt.
	after       func(call string, err error) error
}

var errDead = errs.Errorf(errs.KindFenced, "die", "the process is dead")

func (w *world) process() *process { return &process{DB: w.db, world: w} }

// alive counts a point and reports whether the process is still alive after it.
func (p *process) alive() bool {
	p.mu.Lock()
	p.points++
	if p.points == p.dieAt {
		p.dead = true
	}
	dead, now := p.dead, p.points == p.meanwhileAt
	p.mu.Unlock()
	if now {
		p.meanwhile()
	}
	return !dead
}

// answer returns the response of a call, or the error of a lost response.
func (p *process) answer(call string, err error) error {
	if p.after == nil {
		return err
	}
	return p.after(call, err)
}

var errLost = errs.Errorf(errs.KindTransient, "call", "the response was lost")

// losing makes the first response of a call get lost.
func losing(lost string) func(call string, err error) error {
	done := false
	return func(call string, err error) error {
		if call == lost && err == nil && !done {
			done = true
			return errLost
		}
		return err
	}
}

// call wraps every port call: the process can die before and after it.
func (p *process) call(f func() error) error {
	if !p.alive() {
		return errDead
	}
	err := f()
	if !p.alive() {
		return errDead
	}
	return err
}

func (p *process) Create(ctx context.Context, d tenant.Draft, l provisioning.LeaseRequest) (c provisioning.Creation, err error) {
	err = p.call(func() (err error) { c, err = p.DB.Create(ctx, d, l); return err })
	return c, p.answer("Create", err)
}

func (p *process) PrepareSchema(ctx context.Context, r provisioning.Run, s provisioning.Seed) (took tenant.Durations, err error) {
	err = p.call(func() (err error) { took, err = p.DB.PrepareSchema(ctx, r, s); return err })
	return took, p.answer("PrepareSchema", err)
}

func (p *process) AddInvitation(ctx context.Context, r provisioning.Run, inv invitation.Invitation) error {
	return p.answer("Invite", p.call(func() error { return p.DB.AddInvitation(ctx, r, inv) }))
}

func (p *process) Advance(ctx context.Context, r provisioning.Run, pr provisioning.Progress) (t tenant.Tenant, took tenant.Durations, err error) {
	err = p.call(func() (err error) { t, took, err = p.DB.Advance(ctx, r, pr); return err })
	return t, took, p.answer("Advance", err)
}

func (p *process) BeginRollback(ctx context.Context, r provisioning.Run, u provisioning.Rollback, s tenant.StepRecord) error {
	return p.answer("BeginRollback", p.call(func() error { return p.DB.BeginRollback(ctx, r, u, s) }))
}

func (p *process) RollBack(ctx context.Context, r provisioning.Run) (t tenant.Tenant, err error) {
	err = p.call(func() (err error) { t, err = p.DB.RollBack(ctx, r); return err })
	return t, p.answer("RollBack", err)
}

func (p *process) Release(ctx context.Context, r provisioning.Run, records ...tenant.StepRecord) error {
	return p.answer("Release", p.call(func() error { return p.DB.Release(ctx, r, records...) }))
}

func (p *process) Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	t, err := p.DB.Get(ctx, id)
	return t, p.answer("Get", err)
}

func (p *process) Claim(ctx context.Context, id uuid.UUID, m provisioning.ClaimMode, l provisioning.LeaseRequest) (provisioning.Run, error) {
	run, err := p.DB.Claim(ctx, id, m, l)
	return run, p.answer("Claim", err)
}

func (p *process) Renew(ctx context.Context, r provisioning.Run, ttl time.Duration) error {
	return p.answer("Reconcile", p.DB.Renew(ctx, r, ttl))
}

func (p *process) RecordWelcome(ctx context.Context, id uuid.UUID, o provisioning.WelcomeOutcome) (tenant.Tenant, error) {
	t, err := p.DB.RecordWelcome(ctx, id, o)
	return t, p.answer("RecordWelcome", err)
}

func (p *process) ContractID(id uuid.UUID) (string, error) {
	return "C" + strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")), nil
}

func (p *process) Deploy(ctx context.Context, t tenant.Tenant, _ txlog.Log) (c contracts.Contract, err error) {
	p.deploys++
	if p.onDeploy != nil {
		p.onDeploy(ctx)
	}
	if p.deployErr != nil {
		if err := p.deployErr(p.deploys); err != nil {
			return c, err
		}
	}
	err = p.call(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.ID, _ = p.ContractID(t.ID)
		if p.contracts[c.ID] == 0 {
			p.contracts[c.ID]++
			c.TransactionHash, c.Ledger = "aa", 7
		}
		return nil
	})
	return c, err
}

func (p *process) SendWelcome(_ context.Context, m provisioning.WelcomeMail, _ provisioning.MailWait) error {
	p.sends++
	if p.mailErr != nil {
		if err := p.mailErr(p.sends); err != nil {
			return err
		}
	}
	return p.call(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if (m.Invitation == "") != m.Tenant.WithoutUsers || (m.Tenant.ContractID == "") != m.Tenant.WithoutContract {
			return fmt.Errorf("mail with or without invitation or contract")
		}
		p.mails = append(p.mails, fmt.Sprintf("%s.%d", m.Tenant.ID, m.Serial))
		return nil
	})
}

func (p *process) SendFailure(_ context.Context, _ provisioning.FailureMail, wait provisioning.MailWait) error {
	if p.failureErr != nil {
		return p.failureErr
	}
	if err := wait.BeforeDot(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures++
	return nil
}

func (p *process) service(opts provisioning.PipelineOptions) *provisioning.Service {
	p.t.Helper()
	if opts.Retry.Attempts == 0 {
		opts.Retry = retry.Policy{Attempts: 3, Base: time.Microsecond, Cap: time.Microsecond}
	}
	pipeline, err := provisioning.NewPipeline(p, p, p, opts)
	if err != nil {
		p.t.Fatal(err)
	}
	service, err := provisioning.NewService(p, pipeline)
	if err != nil {
		p.t.Fatal(err)
	}
	return service
}

func clinic() tenant.Inputs {
	return tenant.Inputs{Name: "Clinic", AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace"}
}

// unclaimed records a tenant that waits for its first run.
func (w *world) unclaimed() provisioning.Creation {
	w.t.Helper()
	draft, err := tenant.NewDraft(clinic(), time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := w.db.Create(w.t.Context(), draft, provisioning.LeaseRequest{Owner: "recorder", TTL: time.Minute})
	if err != nil {
		w.t.Fatal(err)
	}
	w.registry.Unclaim()
	return c
}

// expireLeases expires all leases, as time does after a process has died.
func (w *world) expireLeases() {
	w.t.Helper()
	w.registry.ExpireLeases(time.Second)
}

func (w *world) count(query string, args ...any) int {
	w.t.Helper()
	var n int
	if err := w.db.Pool().QueryRow(w.t.Context(), query, args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// invariants checks that a successful scenario created one of each object.
func (w *world) invariants(scenario string, id uuid.UUID) {
	w.t.Helper()
	got, err := w.db.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	if got.Status != tenant.StatusActive || got.ContractID == "" || got.ProvisioningError != "" {
		w.t.Errorf("%s: tenant %+v", scenario, got)
	}
	if n := w.registry.Count(); n != 1 {
		w.t.Errorf("%s: %d tenants", scenario, n)
	}
	if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname ~ '^clinic_[0-9]+$'`); n != 1 {
		w.t.Errorf("%s: %d schemas", scenario, n)
	}
	if n := w.count(`SELECT count(*) FROM ` + pgx.Identifier{got.SchemaName, "users"}.Sanitize()); n != 1 {
		w.t.Errorf("%s: %d admins", scenario, n)
	}
	if len(w.contracts) != 1 || w.contracts[got.ContractID] != 1 {
		w.t.Errorf("%s: contracts %v", scenario, w.contracts)
	}
	if n := len(slices.Compact(slices.Clone(w.mails))); n != 1 || len(w.mails) > 2 || w.mails[0] != id.String()+".1" {
		w.t.Errorf("%s: mails %v", scenario, w.mails)
	}
	log, err := w.db.Log(w.t.Context(), id, false)
	if err != nil || len(log) != 7 {
		w.t.Fatalf("%s: %d log rows, %v", scenario, len(log), err)
	}
	for _, e := range log {
		if e.Status != tenant.StepCompleted {
			w.t.Errorf("%s: %s is %s", scenario, e.Step, e.Status)
		}
	}
}
