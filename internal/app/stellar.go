package app

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
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

// Contract is a tenant's contract on the ledger.
type Contract struct {
	contracts.Snapshot

	Stroops, Transactions int64 // Fees of the transactions for this tenant alone, and how many were applied.
}

// ReadContract reads a tenant's contract from the ledger, and what it has cost. KindTransient when
// the network does not answer.
func (s *Stellar) ReadContract(ctx context.Context, t tenant.Tenant) (Contract, error) {
	found, err := s.deployer.ReadContracts(ctx, []tenant.Tenant{t})
	if err != nil {
		return Contract{}, err
	}
	c := Contract{Snapshot: found[0]}
	c.Stroops, c.Transactions, err = s.db.TenantSpend(ctx, t.ID)
	return c, err
}

// View returns the contract as JSON has it.
func (c Contract) View(t tenant.Tenant) dto.ContractNow {
	return dto.NewContractNow(t, c.Snapshot, c.Stroops, c.Transactions)
}

// FindContracts returns a page of the contracts as the registry last recorded them.
func (s *Stellar) FindContracts(ctx context.Context, q contracts.ListQuery) ([]contracts.WorkItem, error) {
	return s.db.FindContracts(ctx, q)
}

// Channels returns the accounts of the deployer as the registry knows them.
func (s *Stellar) Channels(ctx context.Context) (dto.ChannelList, error) {
	network := s.deployer.NetworkID()
	list := dto.ChannelList{Deployer: s.deployer.Address(), Configured: s.settings.Channels}
	all, err := s.db.SystemLog().Channels(ctx, network, s.deployer.Signer())
	if err != nil {
		return list, err
	}
	open, err := s.db.OpenTransactions(ctx, network)
	if err != nil {
		return list, err
	}
	list.Channels, list.OpenTransactions = make([]dto.Channel, len(all)), make([]dto.OpenTransaction, len(open))
	for i, c := range all {
		list.Channels[i] = dto.NewChannel(c, s.settings.Channels)
	}
	for i, x := range open {
		list.OpenTransactions[i] = dto.NewOpenTransaction(x)
	}
	var at time.Time
	list.BalanceStroops, at, err = s.db.DeployerBalance(ctx, network, list.Deployer)
	list.BalanceAt = dto.Time(at)
	return list, err
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
