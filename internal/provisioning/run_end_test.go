package provisioning_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// TestPipeline_RunObserver: the end of each run is reported once, with its outcome.
func TestPipeline_RunObserver(t *testing.T) {
	t.Parallel()
	fail := func(kind errs.Kind) func(*process) {
		return func(p *process) {
			p.deployErr = func(int) error { return errs.Errorf(kind, "deploy", "it failed") }
		}
	}
	for name, c := range map[string]struct {
		prepare   func(*process)
		retryable bool
		stop      bool
		want      []provisioning.RunOutcome // Of this run and, where there is one, of the next.
		tookOver  bool                      // The next one.
	}{
		"Activated": {want: []provisioning.RunOutcome{provisioning.RunActivated}},
		"Failed":    {prepare: fail(errs.KindPermanent), want: []provisioning.RunOutcome{provisioning.RunFailed}},
		"Retried":   {prepare: fail(errs.KindTransient), retryable: true, want: []provisioning.RunOutcome{provisioning.RunRetried, provisioning.RunActivated}},
		"Stopped":   {stop: true, want: []provisioning.RunOutcome{provisioning.RunStopped, provisioning.RunActivated}},
		"Died":      {prepare: func(p *process) { p.dieAt = 5 }, want: []provisioning.RunOutcome{provisioning.RunSuperseded, provisioning.RunActivated}, tookOver: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.unclaimed().Tenant.ID
			var ends []provisioning.RunEnd
			run := func(ctx context.Context, p *process) {
				pipeline, err := provisioning.NewPipeline(p, p, p, provisioning.PipelineOptions{
					Retry: retry.Policy{Attempts: 2, Base: time.Microsecond, Cap: time.Microsecond}, RunObserver: func(e provisioning.RunEnd) { ends = append(ends, e) },
				})
				if err != nil {
					t.Fatal(err)
				}
				_, _ = pipeline.Run(ctx, id, provisioning.RunOptions{Retryable: c.retryable}) // The ends are compared.
			}
			p := w.process()
			if c.prepare != nil {
				c.prepare(p)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if c.stop {
				p.onDeploy = func(context.Context) { stop() }
			}
			run(ctx, p)
			if len(c.want) > 1 {
				w.registry.EndLeases()
				run(t.Context(), w.process())
			}
			if len(ends) != len(c.want) {
				t.Fatalf("%+v", ends)
			}
			for i, e := range ends {
				if e.Outcome != c.want[i] || e.Took <= 0 || e.TookOver != (c.tookOver && i == 1) {
					t.Errorf("run %d: %+v, want %s", i, e, c.want[i])
				}
			}
		})
	}
}

// TestPipeline_RunObserver_Abort: an abort ends the run that it supersedes, and is a run of its own.
func TestPipeline_RunObserver_Abort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.unclaimed().Tenant.ID
	var ends []provisioning.RunEnd
	service := w.process().service(provisioning.PipelineOptions{RunObserver: func(e provisioning.RunEnd) { ends = append(ends, e) }})
	if _, err := service.Archive(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if len(ends) != 1 || ends[0].Outcome != provisioning.RunAborted || ends[0].TookOver {
		t.Errorf("%+v", ends)
	}
}
