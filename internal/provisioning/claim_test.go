package provisioning_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
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
	for _, epoch := range []int{2, 2} { // The second time it is stopped before.
		_, err = pipeline.Run(ctx, id, provisioning.RunOptions{})
		if provisioning.KindOf(err) != provisioning.KindCancelled {
			t.Errorf("%v", err)
		}
		if n := w.count(`SELECT count(*) FROM tenants WHERE run_expires_at IS NULL AND run_epoch = $1`, epoch); n != 1 {
			t.Error("the tenant was not given back, or not claimed once")
		}
	}
	if _, err = w.process().service(provisioning.PipelineOptions{}).Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.invariants("stopped while claiming", id)
}
