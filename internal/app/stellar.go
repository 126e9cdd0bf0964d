package app

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Stellar reads what registry and network have of a deployer, its accounts and its contracts. Its
// results are those that tenant-api prints with --json.
type Stellar struct {
	db       *postgres.DB
	deployer StellarDeployer
	settings config.Soroban
}

// StellarDeployer is what Stellar needs of soroban.Deployer.
type StellarDeployer interface {
	NetworkID() string
	Address() string
	Signer() string
	// LastLedger is the newest ledger that this process has seen, without a call; 0: none yet.
	LastLedger() (sequence uint32, closedAt time.Time)
	// ReadContracts reads contracts from the network. KindTransient when it does not answer.
	ReadContracts(ctx context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error)
}

// NewStellar makes a Stellar of a registry and a deployer.
func NewStellar(db *postgres.DB, deployer StellarDeployer, s config.Soroban) *Stellar {
	return &Stellar{db: db, deployer: deployer, settings: s}
}

// Ledger is what registry and process know of the network. It asks the registry alone.
func (s *Stellar) Ledger(ctx context.Context) (monitoring.Ledger, error) {
	l := monitoring.Ledger{Deployer: s.deployer.Address(), LowBalance: s.settings.LowBalance, ChannelsConfigured: s.settings.Channels}
	l.Sequence, l.ClosedAt = s.deployer.LastLedger()
	var err error
	if l.Balance, l.BalanceAt, err = s.db.DeployerBalance(ctx, s.deployer.NetworkID(), l.Deployer); err != nil {
		return l, err
	}
	all, err := s.db.SystemLog().Channels(ctx, s.deployer.NetworkID(), s.deployer.Signer())
	for _, c := range all {
		switch {
		case c.Index >= s.settings.Channels:
		case c.State() == txlog.ChannelDisabled:
			l.ChannelsDisabled++
		default:
			l.ChannelsUsable++
		}
	}
	return l, err
}
