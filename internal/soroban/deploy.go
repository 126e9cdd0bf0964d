package soroban

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Deploy makes sure that the tenant's contract exists and is correct: it reads the
// ledger, does what is missing, and verifies. Its errors are KindPermanent when an
// operator must act (fund the account, raise a ceiling, correct the network),
// KindTransient when the network or the server fails, KindCancelled when ctx ended, and
// the transaction log's errors, mainly KindFenced.
func (d *Deployer) Deploy(ctx context.Context, t tenant.Tenant, txLog txlog.Log) (contracts.Contract, error) {
	to, err := d.target(t.ID)
	if err != nil {
		return contracts.Contract{}, err
	}
	r := d.newTask(txLog, to)
	if err := r.begin(ctx); err != nil {
		return contracts.Contract{}, err
	}
	if err := r.ensure(ctx, r.planContract); err != nil {
		return contracts.Contract{}, err
	}
	totals := r.Totals()
	return contracts.Contract{
		ID: to.address, WasmHash: d.CurrentCode(), Network: d.opts.Passphrase,
		TransactionHash: totals.CreatedBy, Ledger: totals.CreateLedger, FeeCharged: totals.FeeCharged,
	}, nil
}

// contractTask changes one contract with the transactions of one session.
type contractTask struct {
	*Deployer
	*txsubmit.Session
	to target
}

// planner returns the next step for what the ledger shows; nil when nothing is missing.
type planner func(v ledger.View) (*txsubmit.Spec, error)

func (d *Deployer) newTask(txLog txlog.Log, to target) *contractTask {
	return &contractTask{Deployer: d, Session: d.submitter.NewSession(txLog, to.address), to: to}
}

// begin prepares a task. The last run may have died after sending and before knowing the
// result. Its signed transactions are resolved first, whichever account was their source.
func (r *contractTask) begin(ctx context.Context) error {
	if err := r.client.CheckNetwork(ctx); err != nil {
		return err
	}
	return r.ResolveOpen(ctx)
}

// ensure repeats until the plan has no next step: it reads the ledger, takes the next
// missing step, and checks the result.
func (r *contractTask) ensure(ctx context.Context, plan planner) error {
	for range txsubmit.MaxRounds {
		v, next, err := r.nextStep(ctx, plan)
		switch {
		case next == nil || err != nil:
			return err
		case v.Account == nil:
			return r.submitter.AccountMissing()
		case next.Shared || r.opts.Channels == 0:
			err = r.ensureWithOwnAccount(ctx, plan)
		default:
			err = r.Attempt(ctx, next)
		}
		if err != nil {
			return err
		}
	}
	return r.NotDone()
}

// nextStep reads the ledger and returns what is missing.
func (r *contractTask) nextStep(ctx context.Context, plan planner) (v ledger.View, next *txsubmit.Spec, err error) {
	if err = r.ResolveCompeting(ctx); err != nil {
		return v, nil, err
	}
	if v, err = r.View(ctx, r.to.id, 0); err != nil {
		return v, nil, err
	}
	next, err = plan(v)
	return v, next, err
}

// ensureWithOwnAccount does the steps that only one caller at a time may do, with the
// deployer's account; without channels it does the other steps too. It reads the ledger
// again first: the previous holder of the account may have done them.
func (r *contractTask) ensureWithOwnAccount(ctx context.Context, plan planner) error {
	src, err := r.LeaseOwnAccount(ctx)
	if err != nil {
		return err
	}
	defer src.Release(ctx)
	for range txsubmit.MaxRounds {
		v, err := r.View(ctx, r.to.id, src.MinSequence())
		if err != nil {
			return err
		}
		src.ForgetSequence(v.Sequence())
		next, err := plan(v)
		if next == nil || err != nil || r.ContractBusy() || !next.Shared && r.opts.Channels > 0 {
			return err
		}
		if v.Account == nil {
			return r.submitter.AccountMissing()
		}
		if err := r.AttemptFrom(ctx, src, v.Account, next); err != nil {
			return err
		}
	}
	return r.NotDone()
}
