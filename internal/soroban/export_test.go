package soroban

import (
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
)

// ChannelKey returns the key of a channel, for tests that change the account.
func (d *Deployer) ChannelKey(t *testing.T, index int) *keypair.Full {
	t.Helper()
	key, err := d.channelKey(index)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
