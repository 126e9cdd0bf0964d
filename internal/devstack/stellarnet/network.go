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
	// DefaultPassphrase is that of stellar-core's standalone networks.
	DefaultPassphrase = "Standalone Network ; February 2017"
	// DefaultLedgerClose is the time from one ledger to the next.
	DefaultLedgerClose = time.Second
	// DefaultRetention is how many ledgers the RPC remembers: a day of the public
	// network, and what stellar-rpc itself keeps.
	DefaultRetention = 17280
	// DefaultAddr is a free port on loopback.
	DefaultAddr = "127.0.0.1:0"
)

// Options say what network to start. The zero value works.
type Options struct {
	// Passphrase names the network and goes into every signature. Default:
	// DefaultPassphrase.
	Passphrase string
	// LedgerClose is the time from one ledger to the next. Default:
	// DefaultLedgerClose; negative is refused.
	LedgerClose time.Duration
	// Manual turns the timer off: ledgers close by CloseLedger, Fund and the
	// friendbot alone. LedgerClose then only says what the network promises.
	Manual bool
	// Host runs contracts. It stays the caller's to close. Default: one that is
	// started and closed with the network, which costs a second or so.
	Host host.Host
	// Retention is the number of ledgers that getTransaction and the like know.
	// Default: DefaultRetention.
	Retention uint32
	// Snapshot is what Save wrote of an earlier network of the same Passphrase, to
	// go on from. Start reads it to its end. Default: a new ledger.
	Snapshot io.Reader
	// Addr is where to listen. Default: DefaultAddr.
	Addr string
	// Now is the clock for close times. Default: time.Now.
	Now func() time.Time
	// Logger gets what is worth telling. Default: nothing is logged.
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

// Start starts a network. It is ready when Start returns, and one ledger has
// closed: the second, or the next after those of a snapshot. ctx bounds the start
// alone.
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

// loadFirstLedger puts the first ledger into memory, new or as it was saved.
func (n *Network) loadFirstLedger() error {
	if n.opts.Snapshot == nil {
		return n.genesis(host.DefaultConfigSettings())
	}
	if err := n.load(n.opts.Snapshot); err != nil {
		return fmt.Errorf("load the snapshot: %w", err)
	}
	return nil
}

// RPCURL is where the JSON-RPC of stellar-rpc is spoken.
func (n *Network) RPCURL() string { return "http://" + n.server.addr }

// FriendbotURL is where accounts are funded, with ?addr=G... added.
func (n *Network) FriendbotURL() string { return n.RPCURL() + friendbotPath }

// Passphrase is the network's name, which signatures commit to.
func (n *Network) Passphrase() string { return n.opts.Passphrase }

// Faults makes the network misbehave.
func (n *Network) Faults() *Faults { return n.faults }

// Close stops the network and frees its port. It may be called more than once.
func (n *Network) Close() error {
	n.closeOnce.Do(func() {
		n.stop()
		err := n.server.close()
		n.background.Wait()
		n.closeMu.Lock() // A CloseLedger under way still needs the host.
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

// now is the network's time: the clock's, plus what a fault has added.
func (n *Network) now() time.Time { return n.opts.Now().Add(time.Duration(n.clockOffset.Load())) }
