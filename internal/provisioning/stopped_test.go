package provisioning_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// stoppedQueues is a registry that stops its caller between the commit of a claim
// of work items and the response.
type stoppedQueues struct {
	*postgres.DB
	stop context.CancelFunc
}

func (s stoppedQueues) ClaimDueWelcomeMails(ctx context.Context, claimTimeout time.Duration, limit int) ([]provisioning.DueMail, error) {
	due, err := s.DB.ClaimDueWelcomeMails(ctx, claimTimeout, limit)
	s.stop()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return due, err
}

func (s stoppedQueues) ClaimDueContracts(ctx context.Context, q contracts.ClaimQuery) ([]contracts.WorkItem, error) {
	items, err := s.DB.ClaimDueContracts(ctx, q)
	s.stop()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return items, err
}

// stoppable is a network that must not be called after a stop.
type stoppable struct{ watched }

func (*stoppable) ReconcileChannels(context.Context, txlog.Log) (contracts.ChannelReport, error) {
	return contracts.ChannelReport{}, nil
}

func (*stoppable) CreatedContracts(context.Context, func([]contracts.Creation) error) error {
	return nil
}

func (*stoppable) ContractID(id uuid.UUID) (string, error) { return (*process)(nil).ContractID(id) }

func (s *stoppable) ReadContracts(ctx context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return s.watched.ReadContracts(ctx, tenants)
}

// TestReconciler_StoppedMail: mails that a stopped process claimed and did not send
// are due for other processes immediately.
func TestReconciler_StoppedMail(t *testing.T) {
	t.Parallel()
	for name, stopAt := range map[string]string{"WhileClaiming": "claim", "WhileSending": "send"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.process()
			busy := errs.Errorf(errs.KindTransient, "send", "the mail server is busy")
			p.mailErr = func(int) error { return busy }
			for i := range 3 {
				in := clinic()
				in.Name = fmt.Sprintf("Clinic %d", i)
				if _, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
			w.registry.MakeMailDue()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			sender := w.process()
			left := provisioning.OrphanStore(w.db)
			sent := 0
			if stopAt == "claim" {
				left = stoppedQueues{w.db, stop}
			} else {
				sender.mailErr = func(int) error { sent++; stop(); return nil }
			}
			r, err := provisioning.NewReconciler(left, sender.service(provisioning.PipelineOptions{}), provisioning.ReconcilerOptions{MaxConcurrentMails: 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Pass(ctx); errs.KindOf(err) != errs.KindCancelled {
				t.Errorf("%v", err)
			}
			if n := w.registry.DueMail(); n != 3-sent || sent == 3 {
				t.Errorf("%d of %d mails are due", n, 3-sent)
			}
		})
	}
}

// TestContractReconciler_StoppedWhileClaiming: contracts that a stopped process claimed
// are due for other processes immediately.
func TestContractReconciler_StoppedWhileClaiming(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic()); err != nil {
		t.Fatal(err)
	}
	id := w.only().ID
	for name, take := range map[string]func(context.Context, *contracts.Reconciler) error{
		"Pass": func(ctx context.Context, k *contracts.Reconciler) error { _, err := k.Pass(ctx); return err },
		"Attend": func(ctx context.Context, k *contracts.Reconciler) error {
			_, err := k.ReconcileTenants(ctx, id)
			return err
		},
		"All": func(ctx context.Context, k *contracts.Reconciler) error {
			_, err := k.ReconcileAll(ctx, nil)
			return err
		},
	} {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		k, err := contracts.NewReconciler(stoppedQueues{w.db, stop}, &stoppable{}, contracts.ReconcilerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := take(ctx, k); errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%s: %v", name, err)
		}
		if n := w.registry.DueContracts(time.Minute); n != 1 {
			t.Errorf("%s: the contract is delayed", name)
		}
	}
}
