package rpc

import (
	"context"
	"sync/atomic"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// networkCheck remembers that the server serves the configured network.
type networkCheck struct {
	passphrase string
	call       sharedCall[struct{}]
	passed     atomic.Bool
}

// CheckNetwork refuses a server of another network: signatures would be invalid there,
// and every read would return other contracts. It calls the server until it succeeds
// once.
func (c *Client) CheckNetwork(ctx context.Context) error {
	if c.network.passed.Load() {
		return nil
	}
	_, err := c.network.call.do(ctx, "check network")
	return err
}

func (c *Client) fetchNetwork(ctx context.Context) (struct{}, error) {
	got, err := read[protocol.GetNetworkResponse](ctx, c, protocol.GetNetworkMethodName, nil)
	if err != nil {
		return struct{}{}, err
	}
	if got.Passphrase != c.network.passphrase {
		return struct{}{}, errs.Errorf(errs.KindPermanent, "check network",
			"the Stellar RPC server serves the network %q, but %q is configured; check SOROBAN_NETWORK, SOROBAN_NETWORK_PASSPHRASE and SOROBAN_RPC_URL",
			got.Passphrase, c.network.passphrase)
	}
	c.network.passed.Store(true)
	return struct{}{}, nil
}
