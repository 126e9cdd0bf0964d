package txsubmit

import (
	"cmp"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/xdr"
	"golang.org/x/sync/semaphore"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
)

const (
	// MaxChannels is the maximum number of channel accounts per deployer. A ledger of
	// the public network has fewer contract transactions.
	MaxChannels = 1000
	// MinFee is the lowest fee that the network accepts, in stroops.
	MinFee = 100
)

// Settings are the settings of a Submitter: network and limits.
type Settings struct {
	Passphrase string
	Account    string   // The deployer's account (G...), if its key is another one than its address has. Default: the signer's own.
	MaxFee     int64    // The ceiling of a transaction that funds channels, stroops.
	Channels   int      // How many channel accounts there are.
	Code       xdr.Hash // The code whose upload or restoring is recognized on the ledger.
}

// Submitter sends the transactions of one deployer account. It may be used concurrently.
type Submitter struct {
	settings  Settings
	client    *rpc.Client
	reader    *ledger.Reader
	clock     clock.Clock // Only for pauses and ages; the network's time decides what has expired.
	signer    *keypair.Full
	account   xdr.AccountId
	address   string // Of account.
	networkID string
	channels  channelAccounts
	unreached unreached
}

// New creates a Submitter. It makes no call.
func New(settings Settings, signer *keypair.Full, client *rpc.Client, reader *ledger.Reader, clock clock.Clock) (*Submitter, error) {
	address := cmp.Or(settings.Account, signer.Address())
	account, err := accountOf(address)
	if err != nil {
		return nil, err
	}
	return &Submitter{
		settings: settings, client: client, reader: reader, clock: clock,
		signer: signer, account: account, address: address, networkID: NetworkID(settings.Passphrase),
		channels: channelAccounts{
			seed: signer.Seed(), reconciling: semaphore.NewWeighted(1), keys: map[uuid.UUID][]*keypair.Full{},
		},
	}, nil
}

// accountOf returns the account with an address that was checked.
func accountOf(address string) (id xdr.AccountId, err error) {
	if err = id.SetAddress(address); err != nil {
		err = errs.Wrap(err, errs.KindPermanent, "derive account", "the account of an address cannot be derived")
	}
	return id, err
}

// Format prints only the account, for every verb: the other fields hold the seed.
func (s *Submitter) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("txsubmit.Submitter(" + s.Address() + ")"))
}

// NetworkID is the SHA-256 of a network's passphrase in hex.
func NetworkID(passphrase string) string {
	id := network.ID(passphrase)
	return hex.EncodeToString(id[:])
}

// Account is the deployer's account.
func (s *Submitter) Account() xdr.AccountId { return s.account }

// Address is the deployer's account (G...).
func (s *Submitter) Address() string { return s.address }

// Signer is the address (G...) of the key that signs for the account. The channels are derived
// from this key, and the transaction log has them under this address.
func (s *Submitter) Signer() string { return s.signer.Address() }

// NetworkID is the network's id, as in the transaction log.
func (s *Submitter) NetworkID() string { return s.networkID }
