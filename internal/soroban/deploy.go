package soroban

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// maxRounds limits one deployment; the longest useful sequence of steps has half as
// many.
const maxRounds = 16

// Deploy makes sure that the tenant's contract exists and is correct: it reads the
// ledger, does what is missing, and verifies. Its errors are KindPermanent when an
// operator must act (fund the account, raise a ceiling, correct the network),
// KindTransient when the network or the server fails, KindCancelled when ctx ended, and
// the journal's errors, mainly KindFenced.
func (d *Deployer) Deploy(ctx context.Context, t tenant.Tenant, journal txlog.Log) (contracts.Contract, error) {
	to, err := d.target(t.ID)
	if err != nil {
		return contracts.Contract{}, err
	}
	if err := d.checkNetwork(ctx); err != nil {
		return contracts.Contract{}, err
	}
	r := d.newDeployTx(journal, to)
	r.contract = contracts.Contract{ID: to.address, WasmHash: d.CurrentCode(), Network: d.opts.Passphrase}
	if err := r.ensureContract(ctx); err != nil {
		return contracts.Contract{}, err
	}
	return r.contract, nil
}

// deployTx sends the transactions of one contract.
type deployTx struct {
	txSession
	to target
}

func (d *Deployer) newDeployTx(journal txlog.Log, to target) *deployTx {
	return &deployTx{txSession: txSession{Deployer: d, journal: journal, contractID: to.address}, to: to}
}

// ensureContract repeats until the ledger shows the contract, live and verified: it
// reads the ledger, takes the next missing step, and checks the result.
func (r *deployTx) ensureContract(ctx context.Context) error {
	// The last run may have died after sending and before knowing the result. Its signed
	// transactions are resolved first, whichever account was their source.
	if err := r.resolveOpenTx(ctx); err != nil {
		return err
	}
	for range maxRounds {
		if err := r.resolveCompetingTx(ctx); err != nil {
			return err
		}
		v, err := r.currentView(ctx, 0)
		if err != nil {
			return err
		}
		next, err := r.plan(r.to, v)
		switch {
		case next == nil || err != nil:
			return err
		case v.account == nil:
			return r.accountMissing()
		case next.shared || r.opts.Channels == 0:
			err = r.deployWithOwnAccount(ctx)
		default:
			var attempt *txAttempt
			if attempt, err = r.attemptOnce(ctx, next); err == nil {
				err = r.handleResult(ctx, attempt)
			}
		}
		if err != nil {
			return err
		}
	}
	return r.notSettled()
}

// deployWithOwnAccount does the steps that only one caller at a time may do, with the
// deployer's account; without channels it does the other steps too. It reads the ledger
// again first: the previous holder of the account may have done them.
func (r *deployTx) deployWithOwnAccount(ctx context.Context) error {
	src, err := r.leaseOwnAccount(ctx)
	if err != nil {
		return err
	}
	defer src.release(ctx)
	for range maxRounds {
		v, err := r.currentView(ctx, src.minSequence())
		if err != nil {
			return err
		}
		src.forgetSequence(v.sequence())
		next, err := r.plan(r.to, v)
		if next == nil || err != nil || r.contractBusy || !next.shared && r.opts.Channels > 0 {
			return err
		}
		if v.account == nil {
			return r.accountMissing()
		}
		src.lastSequence = v.sequence()
		built, err := r.build(ctx, next)
		if err != nil {
			return err
		}
		attempt, err := r.signAndSend(ctx, built, src, v.account)
		if err != nil {
			return err
		}
		if err := r.handleResult(ctx, attempt); err != nil {
			return err
		}
	}
	return r.notSettled()
}

// currentView returns a view that is not older than the known state: a ledger in which
// something was applied, and a sequence number of the deployer. In an older view a
// contract created just now would be missing. It waits for state that only the journal
// has for at most lagTimeout, because test networks are reset.
func (r *deployTx) currentView(ctx context.Context, minSequence int64) (v ledgerView, err error) {
	current, err := r.waitForLedger(ctx, func() (_ bool, err error) {
		v, err = r.readView(ctx, r.to.id, r.account)
		return v.ledger >= max(r.appliedLedger, r.journalLedger) && v.sequence() >= minSequence, err
	})
	switch {
	case err != nil || current:
		return v, err
	case v.ledger < r.appliedLedger:
		return v, r.lagging(v.ledger)
	}
	r.journalLedger = 0
	return v, nil
}
