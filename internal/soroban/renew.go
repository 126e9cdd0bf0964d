package soroban

import (
	"context"
	"errors"
	"fmt"
	"math"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// How many contracts one transaction extends or restores. A restored entry is read
// from disk and written, and the network allows fewer of those.
const (
	extendAtOnce  = 100
	restoreAtOnce = 30
)

// RenewContracts brings back what is archived, then extends what ends within
// contracts.RenewAhead, code before contracts.
func (d *Deployer) RenewContracts(
	ctx context.Context, journal txlog.Log, snapshots []contracts.Snapshot,
) (contracts.Renewal, error) {
	if err := d.checkNetwork(ctx); err != nil {
		return contracts.Renewal{}, err
	}
	r := &renewal{work: work{Deployer: d, journal: journal}}
	err := r.run(ctx, snapshots)
	r.done.FeeCharged = r.contract.FeeCharged
	return r.done, err
}

type renewal struct {
	work
	done contracts.Renewal
}

// subject is a contract of a batch.
type subject struct {
	state contracts.Snapshot
	key   xdr.LedgerKey
	life  contracts.State // Of its own entry, without its code's.
}

func (r *renewal) run(ctx context.Context, snapshots []contracts.Snapshot) error {
	errs := []error{r.codes(ctx, snapshots)}
	for _, pass := range []struct {
		life contracts.State
		size int
		act  func([]subject) *act
	}{
		{contracts.StateExpired, restoreAtOnce, r.restoring},
		{contracts.StateExpiring, extendAtOnce, r.extending},
	} {
		subjects, err := r.look(ctx, snapshots)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		var batch []subject
		for _, s := range subjects {
			if s.life == pass.life {
				batch = append(batch, s)
			}
		}
		for begin := 0; begin < len(batch); begin += pass.size {
			errs = append(errs, r.batch(ctx, batch[begin:min(begin+pass.size, len(batch))], pass.act))
		}
	}
	return errors.Join(errs...)
}

// look reads the contracts' own entries again: what an earlier pass has done shows.
func (r *renewal) look(ctx context.Context, contracts []contracts.Snapshot) ([]subject, error) {
	var all []subject
	for begin := 0; begin < len(contracts); begin += maxKeys {
		some := contracts[begin:min(begin+maxKeys, len(contracts))]
		keys := make([]xdr.LedgerKey, len(some))
		for i, c := range some {
			to, err := r.target(c.TenantID)
			if err != nil {
				return nil, err
			}
			keys[i] = instanceKey(to.id)
		}
		found, ledger, err := r.fresh(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for i, entry := range found {
			if entry.DataXDR == "" {
				continue
			}
			life, _ := lifeSpan(entry, ledger)
			all = append(all, subject{some[i], keys[i], life})
		}
	}
	return all, nil
}

// fresh is a look-up that is not older than what this renewal has done.
func (r *renewal) fresh(ctx context.Context, keys ...xdr.LedgerKey) (found []protocol.LedgerEntryResult, ledger uint32, err error) {
	fresh, err := r.untilFresh(ctx, func() (_ bool, err error) {
		found, ledger, err = r.lookUp(ctx, r.looks, keys...)
		return ledger >= r.seen, err
	})
	if err == nil && !fresh {
		err = r.behind(ledger)
	}
	return found, ledger, err
}

// batch renews contracts in one transaction. When that is refused for good, which
// it may be for its size or for one of them alone, each half is tried.
func (r *renewal) batch(ctx context.Context, batch []subject, actOf func([]subject) *act) error {
	r.tries, r.failures, r.puzzles = 0, 0, 0
	a := actOf(batch)
	err := r.perform(ctx, a)
	switch {
	case err == nil:
		list := &r.done.Extended
		if a.purpose == txlog.PurposeRestore {
			list = &r.done.Restored
		}
		for _, s := range batch {
			*list = append(*list, s.state.TenantID)
		}
		return nil
	case errs.KindOf(err) == errs.KindPermanent && len(batch) > 1:
		half := len(batch) / 2
		return errors.Join(r.batch(ctx, batch[:half], actOf), r.batch(ctx, batch[half:], actOf))
	}
	return err
}

func (r *renewal) restoring(batch []subject) *act {
	a := &act{
		purpose: txlog.PurposeRestore, what: fmt.Sprintf("the restoring of %d contracts", len(batch)),
		body:    xdr.OperationBody{Type: xdr.OperationTypeRestoreFootprint, RestoreFootprintOp: &xdr.RestoreFootprintOp{}},
		ceiling: r.ceilingFor(len(batch)), setting: "SOROBAN_MAX_FEE",
	}
	for _, s := range batch {
		a.restore = append(a.restore, s.key)
	}
	r.single(a, batch)
	return a
}

func (r *renewal) extending(batch []subject) *act {
	a := extension(fmt.Sprintf("the extension of %d contracts' time to live", len(batch)))
	a.ceiling, a.setting = r.ceilingFor(len(batch)), "SOROBAN_MAX_FEE"
	for _, s := range batch {
		a.extend = append(a.extend, s.key)
	}
	r.single(a, batch)
	return a
}

// single books an act of one contract on its tenant.
func (r *renewal) single(a *act, batch []subject) {
	if len(batch) == 1 {
		a.tenant = batch[0].state.TenantID
	}
}

// ceilingFor is for so many contracts what MaxFee is for one.
func (r *renewal) ceilingFor(contracts int) int64 {
	return min(r.opts.MaxFee*int64(contracts), math.MaxUint32)
}

func extension(what string) *act {
	return &act{
		purpose: txlog.PurposeExtend, what: what,
		body: xdr.OperationBody{
			Type: xdr.OperationTypeExtendFootprintTtl, ExtendFootprintTtlOp: &xdr.ExtendFootprintTtlOp{ExtendTo: contracts.ExtendTo},
		},
	}
}

// codes sees to the code that the contracts run. Each has a transaction of its own,
// with the ceiling for code.
func (r *renewal) codes(ctx context.Context, contracts []contracts.Snapshot) error {
	hashes := map[xdr.Hash]bool{}
	for _, c := range contracts {
		if hash, ok := hashOfState(c); ok {
			hashes[hash] = true
		}
	}
	var errs []error
	for hash := range hashes {
		errs = append(errs, r.renewCode(ctx, hash))
	}
	return errors.Join(errs...)
}

func (r *renewal) renewCode(ctx context.Context, hash xdr.Hash) error {
	for range 2 { // Restored first, then extended.
		found, ledger, err := r.fresh(ctx, codeKey(hash))
		if err != nil {
			return err
		}
		if found[0].DataXDR == "" {
			return errs.Errorf(errs.KindPermanent, "renew code", "the ledger has no code %x", hash)
		}
		var a *act
		switch life, _ := lifeSpan(found[0], ledger); life {
		case contracts.StateExpired:
			a = r.restoreCode(hash)
		case contracts.StateExpiring:
			a = extension("the extension of the time to live of the contract's code")
			a.extend, a.shared = []xdr.LedgerKey{codeKey(hash)}, true
			a.ceiling, a.setting = r.opts.MaxUploadFee, "SOROBAN_MAX_UPLOAD_FEE"
		default:
			return nil
		}
		if err := r.perform(ctx, a); err != nil {
			return err
		}
		r.done.Codes++
	}
	return nil
}
