package provisioning

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
)

// wish says what is to be done beside what is out of order.
type wish struct {
	scheduled bool // Anchor what the schedule says.
	anchor    bool // Anchor all.
	named     bool // Somebody asked for these very tenants.
}

// othersFor is how long contracts of another deployer, or another network, are left
// to whoever looks after those.
const othersFor = time.Minute

// own gives back what is not this keeper's to look after, as it was.
func (k *Keeper) own(ctx context.Context, duties []ContractDuty) (own []ContractDuty, err error) {
	var others []uuid.UUID
	for _, d := range duties {
		address, err := k.chain.ContractID(d.Tenant.ID)
		if err != nil {
			return nil, err
		}
		if address == d.Tenant.ContractID {
			own = append(own, d)
		} else {
			others = append(others, d.Tenant.ID)
		}
	}
	if len(others) == 0 {
		return own, nil
	}
	return own, k.book.PutBack(ctx, others, k.opts.Clock.Now().Add(othersFor))
}

// attendance is one look at some contracts and what follows from it.
type attendance struct {
	*Keeper
	wish
	duties []ContractDuty
	states []ContractState
	undone []error              // By duty: why something was left undone.
	anew   []bool               // By duty: deployed anew, and to be looked at again.
	broken map[uuid.UUID]string // Tenants whose audit chain is not what was anchored, and why.

	mu     sync.Mutex
	report *KeeperReport // Guarded by mu while changes are under way.
}

// attend does for contracts what they need: first those that ended live again,
// then each says and runs what it should. What is left undone is recorded, with
// the time of the next try, and is no error; an error means that nothing is known.
func (k *Keeper) attend(ctx context.Context, duties []ContractDuty, report *KeeperReport, w wish) error {
	if !w.named {
		var err error
		if duties, err = k.own(ctx, duties); err != nil {
			return err
		}
	}
	if len(duties) == 0 {
		return nil
	}
	a := &attendance{Keeper: k, wish: w, duties: duties, undone: make([]error, len(duties)), anew: make([]bool, len(duties)), report: report}
	if err := a.read(ctx); err != nil {
		a.putOff(ctx, err)
		return err
	}
	report.Looked += len(duties)
	a.renew(ctx)
	changed := a.change(ctx)
	if changed { // What the book keeps is what the ledger shows: if not now, then after the next look.
		_ = a.read(ctx)
	}
	return a.record(ctx)
}

// read looks at the contracts. When it cannot, what was read before stands, the
// broken chains too: on one of them nothing may be anchored.
func (a *attendance) read(ctx context.Context) error {
	tenants := make([]Tenant, len(a.duties))
	for i, d := range a.duties {
		tenants[i] = d.Tenant
	}
	states, err := a.chain.ReadContracts(ctx, tenants)
	if err != nil {
		return err
	}
	broken, err := a.book.BrokenChains(ctx, states)
	if err != nil {
		return err
	}
	a.states, a.broken = states, broken
	return nil
}

// renew brings back what is archived and extends what ends soon.
func (a *attendance) renew(ctx context.Context) {
	var wanting []ContractState
	for _, s := range a.states {
		if s.Life == ContractArchived || s.Life == ContractExpiring {
			wanting = append(wanting, s)
		}
	}
	if len(wanting) == 0 {
		return
	}
	done, err := a.chain.RenewContracts(ctx, a.book.Upkeep(), wanting)
	a.report.Restored = append(a.report.Restored, done.Restored...)
	a.report.Extended = append(a.report.Extended, done.Extended...)
	a.report.FeeCharged += done.FeeCharged
	// Those that were not reached say so in the next look.
	if again := a.read(ctx); again != nil {
		err = errors.Join(err, again)
	}
	for i, s := range a.states {
		if err != nil && (s.Life == ContractArchived || s.Life == ContractExpiring) {
			a.undone[i] = err
		}
	}
}

// change has contracts say and run what they should, and reports whether any did.
func (a *attendance) change(ctx context.Context) (changed bool) {
	var (
		all    sync.WaitGroup
		places = make(chan struct{}, a.opts.ChangesAtOnce)
	)
	for i := range a.duties {
		changes := a.wanted(i)
		if len(changes) == 0 {
			continue
		}
		changed = true
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			for _, c := range changes { // One after the other: a contract has one transaction at a time.
				if err := a.make(ctx, i, c); err != nil {
					a.undone[i] = err
					return
				}
			}
		})
	}
	all.Wait()
	return changed
}

// wanted are the changes that a contract needs.
func (a *attendance) wanted(i int) (changes []ContractChange) {
	d, s := a.duties[i], a.states[i]
	switch s.Life {
	case ContractForeign:
		a.undone[i] = Errorf(KindPermanent, "look after contract", "%s", s.Fault)
		return nil
	case ContractMissing:
		return []ContractChange{{Purpose: PurposeCreate}}
	case ContractArchived:
		if a.undone[i] == nil {
			a.undone[i] = Errorf(KindTransient, "look after contract", "the contract %s is archived and was not restored", s.ContractID)
		}
		return nil
	case ContractLive, ContractExpiring:
	}
	if d.Known.UpgradeTo == a.chain.CodeHash() && s.Outdated {
		changes = append(changes, ContractChange{Purpose: PurposeUpgrade})
	}
	if archived := d.Tenant.Status == StatusArchived; archived != s.Archived {
		changes = append(changes, ContractChange{Purpose: PurposeStatus, Archived: archived})
	}
	if why, broken := a.broken[s.TenantID]; broken {
		// Another anchor would hide what this one shows.
		a.undone[i] = Errorf(KindPermanent, "look after contract", "%s; tenant-api tenants verify has the findings, and nothing is anchored until the chain fits again", why)
	} else if d.Head.Seq > s.Anchor.Seq && (a.anchor || a.scheduled && a.anchorDue(d, s)) {
		changes = append(changes, ContractChange{Purpose: PurposeAnchor, Anchor: d.Head})
	}
	return changes
}

// anchorDue reports whether the schedule wants an anchor now. The first one comes
// when the tenant has been there for as long as two are apart.
func (a *attendance) anchorDue(d ContractDuty, s ContractState) bool {
	if a.opts.AnchorEvery < 0 {
		return false
	}
	since := d.Tenant.CreatedAt
	if s.Anchor.Seq > 0 && d.Known.Anchor.Seq == s.Anchor.Seq {
		since = d.Known.AnchoredAt
	}
	return a.opts.Clock.Now().Sub(since) >= a.opts.AnchorEvery
}

func (a *attendance) make(ctx context.Context, i int, c ContractChange) error {
	id := a.duties[i].Tenant.ID
	var (
		fee int64
		err error
	)
	if c.Purpose == PurposeCreate {
		var made Contract
		made, err = a.chain.Deploy(ctx, a.duties[i].Tenant, a.book.Upkeep())
		fee, a.anew[i] = made.FeeCharged, true
	} else {
		fee, err = a.chain.ChangeContract(ctx, a.book.Upkeep(), id, c)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.FeeCharged += fee
	if err != nil {
		return err
	}
	list := map[TransactionPurpose]*[]uuid.UUID{
		PurposeStatus: &a.report.StatusSet, PurposeAnchor: &a.report.Anchored, PurposeUpgrade: &a.report.Upgraded,
		PurposeCreate: &a.report.Redeployed,
	}[c.Purpose]
	*list = append(*list, id)
	return nil
}

// record writes what is known now, and when each contract is due.
func (a *attendance) record(ctx context.Context) error {
	now := a.opts.Clock.Now()
	records := make([]ContractRecord, len(a.duties))
	for i, d := range a.duties {
		r := ContractRecord{ContractState: a.states[i], CheckedAt: now, UpgradeTo: d.Known.UpgradeTo, AnchoredAt: d.Known.AnchoredAt}
		if r.Anchor.Seq != d.Known.Anchor.Seq {
			r.AnchoredAt = now
		}
		if a.chain.Supersedes(d.Known.UpgradeTo) {
			r.Dropped = d.Known.UpgradeTo
		}
		switch {
		case KindOf(a.undone[i]) == KindCancelled: // Somebody else goes on where this one was stopped.
			r.Tries, r.Problem, r.DueAt = d.Known.Tries, d.Known.Problem, now
		case a.undone[i] != nil:
			r.Tries, r.Problem = d.Known.Tries+1, SafeMessage(a.undone[i])
			r.DueAt = now.Add(tryAfter(d.Known.Tries))
			if a.states[i].Life == ContractForeign { // Perhaps a newer release's, which others look after.
				r.DueAt = now.Add(othersFor)
			}
			a.report.Undone[d.Tenant.ID] = r.Problem
		default:
			r.DueAt = now.Add(a.next())
			if a.anew[i] {
				r.DueAt = now
			}
		}
		records[i] = r
	}
	// Also after a stop: what was learned and done is not to be done again.
	return a.book.RecordContracts(context.WithoutCancel(ctx), records)
}

// tryAfter is when something left undone is tried again, after so many tries before
// this one.
func tryAfter(tries int) time.Duration { return min(keepAgain<<min(tries, 20), keepMost) }

// next is when a contract is looked at again that is in order.
func (k *Keeper) next() time.Duration {
	if k.opts.AnchorEvery > 0 {
		return min(k.opts.LookEvery, k.opts.AnchorEvery)
	}
	return k.opts.LookEvery
}

// putOff notes that nothing could be learned.
func (a *attendance) putOff(ctx context.Context, cause error) {
	now := a.opts.Clock.Now()
	records := make([]ContractRecord, len(a.duties))
	for i, d := range a.duties {
		records[i] = d.Known
		if KindOf(cause) == KindCancelled {
			records[i].DueAt = now
			continue
		}
		records[i].Tries, records[i].Problem = d.Known.Tries+1, SafeMessage(cause)
		records[i].DueAt = now.Add(tryAfter(d.Known.Tries))
	}
	// Without this they are due again when the time is over for which they were taken.
	_ = a.book.RecordContracts(context.WithoutCancel(ctx), records)
}
