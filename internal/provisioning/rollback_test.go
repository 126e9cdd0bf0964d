package provisioning_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

var errNoFunds = errs.Errorf(errs.KindPermanent, "deploy", "no funds")

// TestPipeline_FailureMail: each rollback that ends in FAILED sends one mail, from
// the process that finished it.
func TestPipeline_FailureMail(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(ctx context.Context, p *provisioning.Pipeline, s *provisioning.Service, id uuid.UUID) error{
		"Worker": func(ctx context.Context, p *provisioning.Pipeline, _ *provisioning.Service, id uuid.UUID) error {
			_, err := p.Run(ctx, id, provisioning.RunOptions{Retryable: true})
			return err
		},
		"FailTenant": func(ctx context.Context, p *provisioning.Pipeline, _ *provisioning.Service, id uuid.UUID) error {
			_, err := p.FailTenant(ctx, id, "the run was interrupted")
			return err
		},
		"NextRun": func(ctx context.Context, _ *provisioning.Pipeline, s *provisioning.Service, id uuid.UUID) error {
			_, err := s.Retry(ctx, id) // The tenant goes live in the attempt after the rollback.
			return err
		},
	} {
		t.Run("IsSentBy"+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.leftAt("BeginRollback", errNoFunds)
			if w.failures != 0 {
				t.Fatalf("%d failure mails before the rollback", w.failures)
			}
			p := w.process()
			pipeline, err := provisioning.NewPipeline(p, p, p, provisioning.PipelineOptions{})
			if err != nil {
				t.Fatal(err)
			}
			service, err := provisioning.NewService(p, pipeline)
			if err != nil {
				t.Fatal(err)
			}
			if err := finish(t.Context(), pipeline, service, id); err != nil {
				t.Fatal(err)
			}
			if w.failures != 1 || w.only().Status == tenant.StatusProvisioning {
				t.Errorf("%d failure mails, the tenant is %s", w.failures, w.only().Status)
			}
		})
	}

}

func TestPipeline_FailureMail_Once(t *testing.T) {
	t.Parallel()

	t.Run("IsSentOnceAfterLostResponse", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.deployErr = func(int) error { return errNoFunds }
		p.after = losing("RollBack")
		if _, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic()); errs.KindOf(err) != errs.KindPermanent {
			t.Fatal(err)
		}
		if w.failures != 1 {
			t.Errorf("%d failure mails", w.failures)
		}
	})

	t.Run("IsNotSentForAbort", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.leftAt("PrepareSchema", nil)
		if _, err := w.db.Abort(t.Context(), id, provisioning.LeaseRequest{Owner: "aborter"}); err != nil {
			t.Fatal(err)
		}
		p := w.process()
		pipeline, err := provisioning.NewPipeline(p, p, p, provisioning.PipelineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pipeline.FailTenant(t.Context(), id, "the run was interrupted"); err != nil {
			t.Fatal(err)
		}
		if w.failures != 0 || w.only().Status != tenant.StatusArchived {
			t.Errorf("%d failure mails, the tenant is %s", w.failures, w.only().Status)
		}
	})
}
