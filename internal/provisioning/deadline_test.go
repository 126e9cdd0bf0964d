package provisioning_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// steady is a registry that renews leases, and whose releases hang.
type steady struct{ provisioning.Runs }

func (steady) Renew(context.Context, provisioning.Run, time.Duration) error { return nil }

func (steady) TransactionLog(provisioning.Run) txlog.Log { return nil }

func (steady) Release(ctx context.Context, _ provisioning.Run, _ ...tenant.StepRecord) error {
	<-ctx.Done()
	return errs.Wrap(ctx.Err(), errs.KindTransient, "release tenant", "no answer")
}

// TestPipeline_Deadline: a run whose network and registry hang ends at most five seconds after
// its caller's deadline, and half a minute after a request to stop.
func TestPipeline_Deadline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		most time.Duration
	}{
		"Deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 25*time.Second)
		}, 30 * time.Second},
		"Stop": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(25*time.Second, cancel)
			return ctx, cancel
		}, 90 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &process{world: &world{t: t}}
				p.onDeploy = func(work context.Context) { <-work.Done() }
				p.deployErr = func(int) error { return errs.Wrap(context.Canceled, errs.KindCancelled, "deploy", "stopped") }
				pipeline, err := provisioning.NewPipeline(steady{}, p, p, provisioning.PipelineOptions{})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				ctx, cancel := c.end(t.Context())
				defer cancel()
				_, err = pipeline.Continue(ctx, provisioning.Run{Checkpoint: tenant.StepSeedRolesAndUser}, provisioning.RunOptions{})
				if took := time.Since(began); err == nil || took > c.most || took < 25*time.Second {
					t.Errorf("ended after %v with %v", took, err)
				}
			})
		})
	}
}
