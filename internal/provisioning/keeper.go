package provisioning

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// KeeperOptions are the settings of a Keeper. Zero values give the defaults.
type KeeperOptions struct {
	// AnchorEvery is how often the head of a tenant's audit chain is anchored in its
	// contract, if it has changed. Negative: on demand alone. Default: a day.
	AnchorEvery time.Duration
	// LookEvery is how often a contract is looked at where nothing is due. Default: a day.
	LookEvery time.Duration
	// TendEvery is how often one process looks after the channels. Default: a minute.
	TendEvery time.Duration
	// AdoptEvery is how often one process looks for contracts that are new. Default: an hour.
	AdoptEvery time.Duration
	// Batch is the most contracts that are taken on at once. Default 190: they are
	// read with their code in one call.
	Batch int
	// ChangesAtOnce is the most changes under way at once. Each takes an account for a
	// ledger, so it should leave some for tenants that wait. Default 1.
	ChangesAtOnce int
	// Clock is for the pauses between looks. Default: SystemClock.
	Clock Clock
}

func (o KeeperOptions) withDefaults() KeeperOptions {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.AnchorEvery, 24*time.Hour)
	set(&o.LookEvery, 24*time.Hour)
	set(&o.TendEvery, time.Minute)
	set(&o.AdoptEvery, time.Hour)
	if o.Batch == 0 {
		o.Batch = 190
	}
	if o.ChangesAtOnce < 1 {
		o.ChangesAtOnce = 1
	}
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	return o
}

// How long a contract is put off.
const (
	keepPutOff = 10 * time.Minute // While somebody is at it.
	keepAgain  = 30 * time.Second // After something was left undone, doubling,
	keepMost   = 6 * time.Hour    // to that.
)

// Keeper looks after contracts that exist: it keeps them alive, has them say
// whether their tenant is served, anchors audit chains, and upgrades code. What
// it cannot do now it does later; it holds up nobody. It keeps nothing in memory
// that matters, and any number of keepers may work side by side.
type Keeper struct {
	book  ContractBook
	chain ContractKeeper
	opts  KeeperOptions

	mu              sync.Mutex
	tendAt, adoptAt time.Time // Guarded by mu.
}

// NewKeeper wires a keeper; both parts are needed.
func NewKeeper(book ContractBook, chain ContractKeeper, o KeeperOptions) (*Keeper, error) {
	if book == nil || chain == nil {
		return nil, Errorf(KindInvalid, "set up keeper", "ContractBook or ContractKeeper is missing")
	}
	return &Keeper{book: book, chain: chain, opts: o.withDefaults()}, nil
}

// KeeperReport is what a keeper did.
type KeeperReport struct {
	Adopted                       int         // Contracts that were new to the book.
	Looked                        int         // Contracts that were looked at.
	Restored, Extended            []uuid.UUID // Tenants whose contract lives longer.
	StatusSet, Anchored, Upgraded []uuid.UUID
	Redeployed                    []uuid.UUID          // Their contracts were missing: the network was begun anew.
	Undone                        map[uuid.UUID]string // What was left undone, and why, for people.
	Channels                      ChannelCare
	FeeCharged                    int64 // Stroops, for all of it.
}

// Empty reports whether nothing was done, or should have been.
func (r KeeperReport) Empty() bool {
	return r.Adopted+len(r.Restored)+len(r.Extended)+len(r.StatusSet)+len(r.Anchored)+len(r.Upgraded)+len(r.Redeployed)+len(r.Undone)+
		r.Channels.Made+r.Channels.ToppedUp == 0
}

// Pass does everything that is due once, as far as a batch goes. The report says
// what was done also when there is an error.
func (k *Keeper) Pass(ctx context.Context) (KeeperReport, error) {
	report := KeeperReport{Undone: map[uuid.UUID]string{}}
	errs := []error{k.tend(ctx, &report), k.adopt(ctx, &report)}
	duties, err := k.book.TakeContracts(ctx, ContractQuery{PutOff: keepPutOff, Limit: k.opts.Batch})
	if err == nil {
		err = k.attend(ctx, duties, &report, wish{scheduled: true})
	}
	return report, errors.Join(append(errs, err)...)
}

// Attend looks at some tenants' contracts now, and does for them what is due.
func (k *Keeper) Attend(ctx context.Context, tenants ...uuid.UUID) (KeeperReport, error) {
	return k.forced(ctx, tenants, wish{scheduled: true, named: true})
}

// AttendWhole does for one tenant's contract what is due. KindPermanent with the reason
// when something is left undone.
func (k *Keeper) AttendWhole(ctx context.Context, tenant uuid.UUID) error {
	report, err := k.Attend(ctx, tenant)
	if problem, left := report.Undone[tenant]; err == nil && left {
		return Errorf(KindPermanent, "look after contract", "%s", problem)
	}
	return err
}

// Anchor anchors the audit chains of some tenants now.
func (k *Keeper) Anchor(ctx context.Context, tenants ...uuid.UUID) (KeeperReport, error) {
	return k.forced(ctx, tenants, wish{anchor: true, named: true})
}

// All looks at every contract now, and does for them what is due. tell, which may be
// nil, is told after each batch how many were looked at.
func (k *Keeper) All(ctx context.Context, tell func(looked int)) (KeeperReport, error) {
	return k.everyone(ctx, wish{scheduled: true}, tell)
}

// AnchorAll anchors the audit chains of all tenants now. tell as with All.
func (k *Keeper) AnchorAll(ctx context.Context, tell func(looked int)) (KeeperReport, error) {
	return k.everyone(ctx, wish{anchor: true}, tell)
}

func (k *Keeper) everyone(ctx context.Context, w wish, tell func(looked int)) (KeeperReport, error) {
	report := KeeperReport{Undone: map[uuid.UUID]string{}}
	err := k.tend(ctx, &report)
	if err == nil {
		report.Adopted, err = k.book.AdoptContracts(ctx)
	}
	for after := uuid.Nil; err == nil; {
		var duties []ContractDuty
		if duties, err = k.book.ContractsAfter(ctx, after, k.opts.Batch); err != nil || len(duties) == 0 {
			break
		}
		ids := make([]uuid.UUID, len(duties))
		for i, d := range duties {
			ids[i] = d.Tenant.ID
		}
		after = ids[len(ids)-1]
		if duties, err = k.book.TakeContracts(ctx, ContractQuery{Tenants: ids, PutOff: keepPutOff, Limit: len(ids)}); err == nil {
			err = k.attend(ctx, duties, &report, w)
		}
		if tell != nil {
			tell(report.Looked)
		}
	}
	return report, err
}

func (k *Keeper) forced(ctx context.Context, tenants []uuid.UUID, w wish) (KeeperReport, error) {
	report := KeeperReport{Undone: map[uuid.UUID]string{}}
	adopted, err := k.book.AdoptContracts(ctx, tenants...)
	report.Adopted = adopted
	for len(tenants) > 0 && err == nil {
		n := min(len(tenants), k.opts.Batch)
		var duties []ContractDuty
		duties, err = k.book.TakeContracts(ctx, ContractQuery{Tenants: tenants[:n], PutOff: keepPutOff, Limit: n})
		if err == nil {
			err = k.attend(ctx, duties, &report, w)
		}
		tenants = tenants[n:]
	}
	return report, err
}

// tend looks after the channels, now and then.
func (k *Keeper) tend(ctx context.Context, report *KeeperReport) error {
	if !k.turn(&k.tendAt, k.opts.TendEvery) {
		return nil
	}
	care, err := k.chain.TendChannels(ctx, k.book.Upkeep())
	report.Channels, report.FeeCharged = care, report.FeeCharged+care.FeeCharged
	if err != nil {
		err = fmt.Errorf("look after the channels: %w", err)
	}
	if care.Deployer == 0 { // Nobody could say.
		return err
	}
	// A balance is worth the most when it was too little for what was to be done.
	return errors.Join(err, k.book.RecordDeployer(ctx, k.chain.NetworkID(), k.chain.Address(), care.Deployer))
}

// adopt finds contracts that are new, now and then: none of them needs anything for
// days.
func (k *Keeper) adopt(ctx context.Context, report *KeeperReport) (err error) {
	if !k.turn(&k.adoptAt, k.opts.AdoptEvery) {
		return nil
	}
	report.Adopted, err = k.book.AdoptContracts(ctx)
	return err
}

// turn reports whether it is time, and sets the next one.
func (k *Keeper) turn(at *time.Time, every time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.opts.Clock.Now()
	if now.Before(*at) {
		return false
	}
	*at = now.Add(every)
	return true
}
