package soroban

import (
	"context"
	"time"
)

// lagPatience is how long a server may be behind what is known already.
const lagPatience = 30 * time.Second

// untilFresh looks again and again, until what a look shows is not older than what
// is known already. The servers behind one address need not be equally far. False
// is a server that has stayed behind for longer than lagPatience; what that means is
// for the caller to say.
func (d *Deployer) untilFresh(ctx context.Context, look func() (fresh bool, err error)) (bool, error) {
	began := d.opts.Clock.Now()
	for {
		fresh, err := look()
		if err != nil || fresh {
			return fresh, err
		}
		if d.opts.Clock.Now().Sub(began) > lagPatience {
			return false, nil
		}
		if err := d.rpc.rest.pause(ctx); err != nil {
			return false, err
		}
	}
}
