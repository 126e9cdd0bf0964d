package soroban

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// maxRounds bounds one deployment as a whole; the longest way that makes sense
// has half as many.
const maxRounds = 16

// lagPatience is how long a server may be behind what is known already.
const lagPatience = 30 * time.Second

// Deploy makes sure that the tenant's contract exists and is the right one: look,
// do what is missing, verify. Its errors are KindPermanent when somebody has to
// act (fund the account, raise a ceiling, correct the network), KindTransient
// when the network or the server is at fault, KindCancelled when ctx ended, and the
// journal's own, KindFenced above all.
func (d *Deployer) Deploy(ctx context.Context, t provisioning.Tenant, journal provisioning.Journal) (provisioning.Contract, error) {
	to, err := d.target(t.ID)
	if err != nil {
		return provisioning.Contract{}, err
	}
	if err := d.checkNetwork(ctx); err != nil {
		return provisioning.Contract{}, err
	}
	if err := d.possible(ctx, to); err != nil {
		return provisioning.Contract{}, err
	}
	// Also a contract that exists already takes the lease: the run before may have
	// died between sending and knowing, and then its transaction is to be settled.
	lease, err := journal.Account(ctx, d.networkID, d.Address())
	if err != nil {
		return provisioning.Contract{}, err
	}
	r := &deployment{Deployer: d, to: to, lease: lease, last: lease.Sequence(), contract: d.described(to)}
	// A failure to give the account back must not hide what became of the
	// contract; the lease ends with the run's own at the latest.
	defer func() { _ = lease.Release(ctx, r.last) }()
	if err := r.settle(ctx); err != nil {
		return provisioning.Contract{}, err
	}
	if err := r.complete(ctx); err != nil {
		return provisioning.Contract{}, err
	}
	return r.contract, nil
}

// possible looks without the account's lease, so that what cannot work is told
// at once and not after everybody who waits for the account.
func (d *Deployer) possible(ctx context.Context, to target) error {
	v, err := d.look(ctx, to.id)
	if err != nil {
		return err
	}
	next, err := d.plan(to, v)
	if next != nil && v.account == nil {
		return d.noAccount()
	}
	return err
}

// described is what is known of a contract that exists already.
func (d *Deployer) described(t target) provisioning.Contract {
	hash := contract.Hash()
	return provisioning.Contract{ID: t.address, WasmHash: hex.EncodeToString(hash[:]), Network: d.opts.Passphrase}
}

// deployment is one Deploy, from when it holds the lease of the account.
type deployment struct {
	*Deployer
	to       target
	lease    provisioning.AccountLease
	contract provisioning.Contract

	last     int64  // The sequence number used last as far as is known, 0: ask.
	seen     uint32 // A ledger in which something was applied; older views are stale.
	floor    int64  // The least inclusion fee, once the network asked for more.
	tries    int    // Transactions that came to nothing and cost nothing.
	failures int    // Transactions that came to nothing and cost their fee.
	puzzles  int    // Simulations that failed.
}

// complete goes round until the ledger shows the contract, alive and verified.
func (r *deployment) complete(ctx context.Context) error {
	for range maxRounds {
		v, err := r.current(ctx)
		if err != nil {
			return err
		}
		next, err := r.plan(r.to, v)
		if next == nil || err != nil {
			return err
		}
		if err := r.step(ctx, next, v); err != nil {
			return err
		}
	}
	return provisioning.Errorf(provisioning.KindTransient, "deploy contract",
		"the ledger kept changing while the contract was deployed")
}

// current is a look that is not older than what is known already. The servers
// behind one address need not be equally far, and on an old view the contract
// would be missing that was created just now.
func (r *deployment) current(ctx context.Context) (view, error) {
	began := r.opts.Clock.Now()
	for {
		v, err := r.look(ctx, r.to.id)
		if err != nil || v.ledger >= r.seen && v.sequence() >= r.last {
			return v, err
		}
		if r.opts.Clock.Now().Sub(began) > lagPatience {
			if v.ledger < r.seen {
				return v, provisioning.Errorf(provisioning.KindTransient, "read ledger entries",
					"the Stellar RPC server is behind the network: it knows ledger %d, a transaction was applied in %d", v.ledger, r.seen)
			}
			// Numbers never go back, except where a test network was begun anew.
			r.last = 0
			return v, nil
		}
		if err := r.rpc.rest.pause(ctx); err != nil {
			return v, err
		}
	}
}

// step does one act. Success and what is worth another round both return nil:
// the next look tells them apart.
func (r *deployment) step(ctx context.Context, a *act, v view) error {
	if v.account == nil {
		return r.noAccount()
	}
	built, err := r.assemble(ctx, a, max(r.last, v.sequence())+1)
	if err != nil {
		var fault *simulationError
		if errors.As(err, &fault) {
			return r.puzzled(ctx, a, fault)
		}
		return err
	}
	inclusion, err := r.bid(ctx, built, r.floor)
	if provisioning.KindOf(err) == provisioning.KindPermanent && built.restores() {
		// The code went to the archive after the look. To bring it back has a ceiling
		// of its own; the next look will show it.
		return r.puzzled(ctx, a, &simulationError{text: "something has to be restored first", err: err})
	}
	if err != nil {
		return err
	}
	tx, err := r.sign(built, inclusion, r.subject(a))
	if err != nil {
		return err
	}
	if err := r.lease.Store(ctx, tx); err != nil {
		return err
	}
	end, err := r.pursue(tx).run(ctx)
	if err != nil {
		return err
	}
	if err := r.resolve(ctx, tx, end); err != nil {
		return err
	}
	return r.react(ctx, attempt{act: a, tx: tx, resource: built.resource, view: v}, end)
}

// subject is the contract that an act is about; the code belongs to none.
func (r *deployment) subject(a *act) string {
	if a.purpose == provisioning.PurposeUpload || len(a.restore) > 0 && a.restore[0].ContractCode != nil {
		return ""
	}
	return r.to.address
}

// resolve records what became of a transaction, of this call or an earlier one.
func (r *deployment) resolve(ctx context.Context, tx provisioning.StellarTransaction, end ending) error {
	if err := r.lease.Resolve(ctx, tx.Hash, end.TransactionOutcome); err != nil {
		return err
	}
	if end.State != provisioning.TransactionSucceeded && end.State != provisioning.TransactionFailed {
		return nil
	}
	r.seen = max(r.seen, end.Ledger)
	if end.code != xdr.TransactionResultCodeTxBadSeq { // The one failure that leaves the number unused.
		r.last = max(r.last, tx.Sequence)
	}
	return nil
}

// claim puts a transaction of this tenant into the account of this deployment.
func (r *deployment) claim(tx provisioning.StellarTransaction, end ending) {
	r.contract.FeeCharged += end.FeeCharged
	if tx.Purpose == provisioning.PurposeCreate && end.State == provisioning.TransactionSucceeded {
		r.contract.TransactionHash, r.contract.Ledger = tx.Hash, end.Ledger
	}
}
