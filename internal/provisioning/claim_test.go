package provisioning_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// interrupted is a process that is stopped while it claims a tenant.
type interrupted struct {
	*process
	stop func()
}

func (i interrupted) Claim(ctx context.Context, id uuid.UUID, m provisioning.ClaimMode, l provisioning.LeaseRequest) (provisioning.Run, error) {
	i.stop()
	return i.process.Claim(ctx, id, m, l)
}

func TestPipeline_StopWhileClaiming(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.process()
	dead.dieAt = 3
	_, _ = dead.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
	w.expireLeases()
	ctx, cancel := context.WithCancel(t.Context())
	p := w.process()
	pipeline, err := provisioning.NewPipeline(interrupted{p, cancel}, p, p, provisioning.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	id := w.only().ID
	for _, epoch := range []int{2, 2} { // In the second pass the stop comes earlier.
		_, err = pipeline.Run(ctx, id, provisioning.RunOptions{})
		if errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%v", err)
		}
		if w.registry.Runs() != 0 || w.registry.Epoch() != epoch {
			t.Error("the tenant was not released, or not claimed exactly once")
		}
	}
	if _, err = w.process().service(provisioning.PipelineOptions{}).Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.invariants("stopped while claiming", id)
}

// stoppedStore is a registry that stops its caller between the commit of a claim
// and the response: a caller whose context has ended never gets the response.
type stoppedStore struct {
	*process
	at   int // Number of the claim; 1 is the first.
	stop context.CancelFunc
}

func (s *stoppedStore) answered(ctx context.Context, err error) error {
	if s.at--; s.at == 0 {
		s.stop()
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (s *stoppedStore) Create(ctx context.Context, d tenant.Draft, l provisioning.LeaseRequest) (provisioning.Creation, error) {
	c, err := s.process.Create(ctx, d, l)
	if err := s.answered(ctx, err); err != nil {
		return provisioning.Creation{}, err
	}
	return c, nil
}

func (s *stoppedStore) Claim(ctx context.Context, id uuid.UUID, m provisioning.ClaimMode, l provisioning.LeaseRequest) (provisioning.Run, error) {
	run, err := s.process.Claim(ctx, id, m, l)
	if err := s.answered(ctx, err); err != nil {
		return provisioning.Run{}, err
	}
	return run, nil
}

func (s *stoppedStore) Abort(ctx context.Context, id uuid.UUID, l provisioning.LeaseRequest) (provisioning.Run, error) {
	run, err := s.process.Abort(ctx, id, l)
	if err := s.answered(ctx, err); err != nil {
		return provisioning.Run{}, err
	}
	return run, nil
}

// claims lists every way to claim a tenant, with the tenant's state after the
// caller is stopped between commit and response.
var claims = []struct {
	name     string
	left     string // The call after which the previous process died; empty for none.
	claim    int    // Number of the claim at which the stop comes.
	act      func(ctx context.Context, p *provisioning.Pipeline, s *provisioning.Service, id uuid.UUID) error
	kind     errs.Kind
	status   tenant.Status
	attempts int
}{
	{"Create", "", 1, func(ctx context.Context, _ *provisioning.Pipeline, s *provisioning.Service, _ uuid.UUID) error {
		_, err := s.Provision(ctx, clinic())
		return err
	}, errs.KindCancelled, tenant.StatusProvisioning, 1},
	{"CreateAfterCrash", "PrepareSchema", 1, func(ctx context.Context, _ *provisioning.Pipeline, s *provisioning.Service, _ uuid.UUID) error {
		_, err := s.Provision(ctx, clinic())
		return err
	}, errs.KindCancelled, tenant.StatusProvisioning, 1},
	{"Resume", "PrepareSchema", 1, func(ctx context.Context, _ *provisioning.Pipeline, s *provisioning.Service, id uuid.UUID) error {
		_, err := s.Retry(ctx, id)
		return err
	}, errs.KindCancelled, tenant.StatusProvisioning, 1},
	{"ContinueAfterRollback", "BeginRollback", 2, func(ctx context.Context, p *provisioning.Pipeline, _ *provisioning.Service, id uuid.UUID) error {
		_, err := p.Run(ctx, id, provisioning.RunOptions{Mode: provisioning.ClaimRetry})
		return err
	}, errs.KindCancelled, tenant.StatusProvisioning, 2},
	{"FailTenant", "PrepareSchema", 1, func(ctx context.Context, p *provisioning.Pipeline, _ *provisioning.Service, id uuid.UUID) error {
		_, err := p.FailTenant(ctx, id, "the run was interrupted")
		return err
	}, "", tenant.StatusFailed, 1},
	{"Archive", "PrepareSchema", 1, func(ctx context.Context, _ *provisioning.Pipeline, s *provisioning.Service, id uuid.UUID) error {
		_, err := s.Archive(ctx, id)
		return err
	}, "", tenant.StatusArchived, 1},
}

func TestPipeline_StopBetweenCommitAndResponse(t *testing.T) {
	t.Parallel()
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := uuid.Nil
			if c.left != "" {
				id = w.leftAt(c.left, errNoFunds)
			}
			ctx, stop := context.WithCancel(t.Context())
			p := w.process()
			store := &stoppedStore{process: p, at: c.claim, stop: stop}
			pipeline, err := provisioning.NewPipeline(store, p, p, provisioning.PipelineOptions{})
			if err != nil {
				t.Fatal(err)
			}
			service, err := provisioning.NewService(store, pipeline)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.act(ctx, pipeline, service, id); errs.KindOf(err) != c.kind || ctx.Err() == nil {
				t.Errorf("error of kind %q: %v", errs.KindOf(err), err)
			}
			if n := w.registry.Runs(); n != 0 {
				t.Error("a lease remains")
			}
			if got := w.only(); got.Status != c.status || got.Attempt != c.attempts {
				t.Errorf("the tenant is %s in attempt %d", got.Status, got.Attempt)
			}
		})
	}
}

// leftAt returns the tenant of a process that died after a call committed. Its
// lease has expired.
func (w *world) leftAt(call string, deploy error) uuid.UUID {
	w.t.Helper()
	dead := w.process()
	dead.deployErr = func(int) error { return deploy }
	dead.after = func(name string, err error) error {
		if name == call || dead.dead {
			dead.mu.Lock()
			defer dead.mu.Unlock()
			dead.dead = true
			return errDead
		}
		return err
	}
	if _, err := dead.service(provisioning.PipelineOptions{}).Provision(w.t.Context(), clinic()); err == nil || !dead.dead {
		w.t.Fatalf("the process did not die: %v", err)
	}
	w.expireLeases()
	return w.only().ID
}
