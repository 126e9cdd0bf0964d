package soroban

import (
	"context"
	"time"
)

// lagTimeout is how long a server may be behind what is known already.
const lagTimeout = 30 * time.Second

// waitForLedger repeats a read until what it shows is not older than what is known
// already. The servers behind one address need not be equally far. False is a server
// that has stayed behind for longer than lagTimeout; the caller decides what that means.
func (d *Deployer) waitForLedger(ctx context.Context, read func() (current bool, err error)) (bool, error) {
	began := d.opts.Clock.Now()
	for {
		current, err := read()
		if err != nil || current {
			return current, err
		}
		if d.opts.Clock.Now().Sub(began) > lagTimeout {
			return false, nil
		}
		if err := d.rpc.pacer.waitPoll(ctx); err != nil {
			return false, err
		}
	}
}
