package stellarnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

const (
	// DefaultPassphrase is the passphrase of stellar-core's standalone networks.
	DefaultPassphrase = "Standalone Network ; February 2017"
	// DefaultLedgerClose is the time between two ledgers.
	DefaultLedgerClose = time.Second
	// DefaultRetention is how many ledgers the RPC keeps: a day of the public network,
	// the default of stellar-rpc.
	DefaultRetention = 17280
	// DefaultAddr is a free port on loopback.
	DefaultAddr = "127.0.0.1:0"
)

// Options configure a network. The zero value works.
type Options struct {
	// Passphrase identifies the network and is part of every signature. Default:
	// DefaultPassphrase.
	Passphrase string
	// LedgerClose is the time between two ledgers. Default: DefaultLedgerClose; negative
	// is refused.
	LedgerClose time.Duration
	// Manual turns the timer off: only CloseLedger, Fund and the friendbot close
	// ledgers. LedgerClose is then only what the network reports.
	Manual bool
	// Host runs contracts. The caller closes it. Default: one that is started and closed
	// with the network, which takes about a second.
	Host host.Host
	// Retention is the number of ledgers that getTransaction and similar methods read.
	// Default: DefaultRetention.
	Retention uint32
	// Snapshot is the output of Save of an earlier network with the same Passphrase,
	// which this network continues. Start reads it to its end. Default: a new ledger.
	Snapshot io.Reader
	// Addr is the listen address. Default: DefaultAddr.
	Addr string
	// Now is the clock for close times. Default: time.Now.
	Now func() time.Time
	// Logger gets warnings and errors. Default: nothing is logged.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.LedgerClose < 0 {
		return o, fmt.Errorf("LedgerClose: %s is negative", o.LedgerClose)
	}
	if o.Passphrase == "" {
		o.Passphrase = DefaultPassphrase
	}
	if o.LedgerClose == 0 {
		o.LedgerClose = DefaultLedgerClose
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Network is a running network. Its methods may be called concurrently.
type Network struct {
	opts           Options
	log            *slog.Logger
	networkID      [32]byte
	nativeContract xdr.ContractId
	root           *keypair.Full
	limits         *limits
	host           host.Host
	ownsHost       bool

	ledger      *ledgerStore
	queue       *txQueue
	closeMu     sync.Mutex // Held while a ledger closes.
	fundMu      sync.Mutex // Held while the root account pays.
	clockOffset atomic.Int64
	faults      *Faults
	server      *server

	stop       context.CancelFunc
	background sync.WaitGroup
	closeOnce  sync.Once
	closeErr   error
}

// Start starts a network. When Start returns it is ready and one ledger has closed: the
// second, or the next after those of a snapshot. ctx limits only the start.
func Start(ctx context.Context, opts Options) (*Network, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start stellar network: %w", err)
	}
	n := &Network{
		opts:      opts,
		log:       opts.Logger,
		networkID: network.ID(opts.Passphrase),
		root:      keypair.Root(opts.Passphrase),
		host:      opts.Host,
		ledger:    newLedgerStore(opts.Retention),
	}
	n.faults = newFaults(n)
	n.queue = newTxQueue(n.ledgerCapacity)
	if err := n.start(ctx); err != nil {
		return nil, fmt.Errorf("start stellar network: %w", errors.Join(err, n.closeHost()))
	}
	return n, nil
}

func (n *Network) start(ctx context.Context) error {
	if n.host == nil {
		h, err := host.New(ctx, host.Options{})
		if err != nil {
			return fmt.Errorf("start the Soroban host: %w", err)
		}
		n.host, n.ownsHost = h, true
	}
	if err := n.loadFirstLedger(); err != nil {
		return err
	}
	if _, err := n.CloseLedger(ctx); err != nil {
		return fmt.Errorf("close the first ledger: %w", err)
	}
	n.server = newServer(n)
	if err := n.server.open(n.opts.Addr); err != nil {
		return errors.Join(err, n.server.close())
	}
	background, stop := context.WithCancel(context.Background())
	n.stop = stop
	if !n.opts.Manual {
		n.background.Go(func() { n.closePeriodically(background, n.opts.LedgerClose) })
	}
	return nil
}

// loadFirstLedger loads the first ledger into memory, a new or a saved one.
func (n *Network) loadFirstLedger() error {
	if n.opts.Snapshot == nil {
		return n.genesis(host.DefaultConfigSettings())
	}
	if err := n.load(n.opts.Snapshot); err != nil {
		return fmt.Errorf("load the snapshot: %w", err)
	}
	return nil
}

// RPCURL is the URL of the JSON-RPC.
func (n *Network) RPCURL() string { return "http://" + n.server.addr }

// FriendbotURL is the URL that funds accounts, with ?addr=G... added.
func (n *Network) FriendbotURL() string { return n.RPCURL() + friendbotPath }

// Passphrase is the network's passphrase, which signatures depend on.
func (n *Network) Passphrase() string { return n.opts.Passphrase }

// Faults returns the fault injection of the network.
func (n *Network) Faults() *Faults { return n.faults }

// Close stops the network and frees its port. It may be called more than once.
func (n *Network) Close() error {
	n.closeOnce.Do(func() {
		n.stop()
		err := n.server.close()
		n.background.Wait()
		n.closeMu.Lock() // A running CloseLedger still needs the host.
		defer n.closeMu.Unlock()
		n.closeErr = errors.Join(err, n.closeHost())
	})
	return n.closeErr
}

func (n *Network) closeHost() error {
	if !n.ownsHost {
		return nil
	}
	return n.host.Close(context.Background())
}

// now is the network's time: the clock's, plus what AdvanceClock added.
func (n *Network) now() time.Time { return n.opts.Now().Add(time.Duration(n.clockOffset.Load())) }
