package provisioning_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestProvision_SlowRegistry: a registry that does not answer for longer than a lease lasts ends
// no run in the foreground, unless another run has the tenant then.
func TestProvision_SlowRegistry(t *testing.T) {
	t.Parallel()
	// unresponsive makes the first run of a process lose its lease while it deploys.
	unresponsive := func(p *process, meanwhile func()) *provisioning.Service {
		var answers atomic.Bool
		p.after = func(call string, err error) error {
			if call == "Reconcile" && !answers.Load() {
				return errLost
			}
			return err
		}
		p.onDeploy = func(ctx context.Context) {
			if !answers.Load() {
				<-ctx.Done()
				meanwhile()
				answers.Store(true)
			}
		}
		p.deployErr = func(try int) error {
			if try == 1 {
				return context.Canceled
			}
			return nil
		}
		return p.service(provisioning.PipelineOptions{LeaseTTL: 3 * time.Second, Heartbeat: time.Second})
	}
	t.Run("Continues", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		out, err := unresponsive(w.process(), func() {}).Provision(t.Context(), clinic())
		if err != nil || out.Tenant.Status != tenant.StatusActive || len(w.mails) != 1 {
			t.Errorf("%s, %d mails, %v", out.Tenant.Status, len(w.mails), err)
		}
		w.invariants("lost lease", out.Tenant.ID)
	})
	t.Run("UnlessAnotherRunHasIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var other provisioning.Outcome
		out, err := unresponsive(w.process(), func() {
			w.expireLeases()
			var otherErr error
			if other, otherErr = w.process().service(provisioning.PipelineOptions{}).Retry(t.Context(), w.only().ID); otherErr != nil {
				t.Error(otherErr)
			}
		}).Provision(t.Context(), clinic())
		if errs.KindOf(err) != errs.KindFenced || other.Tenant.Status != tenant.StatusActive {
			t.Errorf("%v, the other made it %s", err, other.Tenant.Status)
		}
		w.invariants("lost lease", out.Tenant.ID)
	})
}
