package soroban

import (
	"context"
	"fmt"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
)

// Ready is the result of a check before the first deployment.
type Ready struct {
	Network             error  // KindPermanent: the server is of another network.
	Account             error  // KindPermanent: the deployer's account does not exist, or has another key.
	NewerProtocol       string // A sentence when the network's protocol is newer than this program; else empty.
	InsufficientBalance string // A sentence when the balance is too low for one tenant; else empty.
}

// leastForTenant is about what a tenant's contract costs, in stroops.
const leastForTenant = 1_000_000

// CheckReady reads network and account, in two calls, and pays nothing. It returns an
// error when the network does not answer.
func (d *Deployer) CheckReady(ctx context.Context) (Ready, error) {
	if err := d.client.CheckNetwork(ctx); err != nil {
		if errs.KindOf(err) == errs.KindPermanent {
			return Ready{Network: err}, nil
		}
		return Ready{}, err
	}
	account, err := d.reader.Account(ctx, d.submitter.Account())
	switch {
	case err != nil:
		return Ready{}, err
	case account == nil:
		return Ready{Account: d.submitter.AccountMissing()}, nil
	}
	ready := Ready{Account: d.submitter.CheckSigner(account), InsufficientBalance: d.submitter.Shortage(account, leastForTenant)}
	if p := d.Protocol(); p.Newer() {
		ready.NewerProtocol = fmt.Sprintf("The Stellar network has protocol %d, and this release knows protocol %d: install a newer release before deployments fail", p.Network, p.Known)
	}
	return ready, nil
}

// Protocol compares the network's protocol, as last read, with that of this program.
func (d *Deployer) Protocol() contracts.Protocol {
	return contracts.Protocol{Network: d.client.Protocol(), Known: rpc.KnownProtocol}
}

// LastLedger returns the newest ledger that this process has seen, and asks nobody; 0: none yet.
func (d *Deployer) LastLedger() (sequence uint32, closedAt time.Time) {
	l := d.client.LastLedger()
	if l.Sequence == 0 {
		return 0, time.Time{}
	}
	return l.Sequence, time.Unix(l.CloseTime, 0)
}

// maxLedgerAge is how old the newest ledger may be: a network closes one every five seconds, and
// clocks differ.
const maxLedgerAge = 5 * time.Minute

// CheckRPC checks that the RPC server answers, is of the right network, and follows it.
// KindTransient when it does not.
func (d *Deployer) CheckRPC(ctx context.Context) error {
	if err := d.client.CheckNetwork(ctx); err != nil {
		return err
	}
	latest, err := d.client.LatestLedger(ctx)
	if err != nil {
		return err
	}
	if closed := time.Unix(latest.CloseTime, 0); time.Since(closed) > maxLedgerAge {
		return errs.Errorf(errs.KindTransient, "check RPC server", "its newest ledger, %d, was closed at %s: it does not follow the network, or the network has stopped", latest.Sequence, closed.UTC().Format(time.RFC3339))
	}
	return nil
}
