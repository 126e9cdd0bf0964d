//go:build unix

package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// Options configure a stack. The zero value works.
type Options struct {
	// LedgerClose is the time between two ledgers. Default:
	// stellarnet.DefaultLedgerClose.
	LedgerClose time.Duration
	// Host runs contracts. The caller closes it. Default: one that the stack starts and
	// closes.
	Host host.Host
	// DataDir stores PostgreSQL's data, the ledger and the deployer's key. Default: a
	// temporary directory, and a new ledger.
	DataDir string
	// Parts are the parts that are started. Default: all.
	Parts []Part
	// AllInterfaces lets other machines connect. Default: only this one. The settings of
	// Env name this one all the same.
	AllInterfaces bool
	// The ports. Default: free ones.
	PostgresPort, StellarPort, SMTPPort, MailPort int
	// MailTLSHost makes the mail catcher require STARTTLS, with a certificate for this name.
	// It is stored in DataDir, which is needed then. Default: no TLS.
	MailTLSHost string
	// OnStarted is called for each started component, with the duration of its
	// start. It may be called from several goroutines at once.
	OnStarted func(Component)
	// Progress gets messages about slow steps, such as a download. Default: os.Stderr.
	Progress io.Writer
}

// Component is one started part of the stack.
type Component struct {
	Name, Address string
	Duration      time.Duration
}

// Part names a part of the stack.
type Part string

// The parts.
const (
	Postgres Part = "postgres"
	Stellar  Part = "stellar"
	Mail     Part = "mail"
)

// AllParts returns the names of all parts.
func AllParts() []Part { return []Part{Postgres, Stellar, Mail} }

// Stack is a running stack. A part that was not started is nil.
type Stack struct {
	Postgres    *pgserver.Server
	Stellar     *stellarnet.Network
	MailCatcher *mailcatcher.Catcher
	// Deployer is the account that owns tenant contracts. Its initial balance is
	// DeployerFunds.
	Deployer *keypair.Full

	mailTLS *mailTLS       // Nil without TLS.
	saver   *snapshotSaver // Nil without a DataDir or a network.
	lock    *os.File       // On the DataDir, if PostgreSQL does not hold it.
}

const (
	// Database is the registry database, which exists and is empty.
	Database = "healthcare"
	// DeployerFunds is the deployer's initial balance in stroops: 100,000 XLM. Uploading
	// the contract's code costs about 30 of them.
	DeployerFunds = 100_000 * 10_000_000
)

// Start starts the parts in parallel; all are ready when it returns. ctx limits only the
// start.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.LedgerClose < 0 {
		return nil, fmt.Errorf("start development stack: LedgerClose: %v is negative", o.LedgerClose)
	}
	if o.MailTLSHost != "" && o.DataDir == "" {
		return nil, errors.New("start development stack: MailTLSHost needs a DataDir for its certificate")
	}
	if len(o.Parts) == 0 {
		o.Parts = AllParts()
	}
	s := &Stack{}
	if err := s.lockDataDir(o); err != nil {
		return nil, fmt.Errorf("start development stack: %w", err)
	}
	parts, partsCtx := errgroup.WithContext(ctx)
	all := map[Part]func(context.Context, Options) (Component, error){Postgres: s.startPostgres, Stellar: s.startStellar, Mail: s.startMail}
	for _, name := range o.Parts {
		parts.Go(func() error {
			start, ok := all[name]
			if !ok {
				return fmt.Errorf("%q is not a part of the stack; choose from %v", name, AllParts())
			}
			started := time.Now()
			part, err := start(partsCtx, o)
			if err == nil && o.OnStarted != nil {
				part.Duration = time.Since(started)
				o.OnStarted(part)
			}
			return err
		})
	}
	err := parts.Wait()
	// Only now is the directory known to be used by no other process.
	if err == nil && o.DataDir != "" && s.Stellar != nil {
		s.saver, err = startSnapshotSaver(ctx, o.DataDir, s, o.Progress)
	}
	if err != nil {
		return nil, fmt.Errorf("start development stack: %w", errors.Join(err, s.Close())) //nolint:contextcheck // cleanup ignores the context
	}
	return s, nil
}

func (s *Stack) startPostgres(ctx context.Context, o Options) (Component, error) {
	server, err := pgserver.Start(ctx, pgserver.Options{Dir: o.DataDir, Durable: o.DataDir != "", AllInterfaces: o.AllInterfaces, Port: o.PostgresPort, Progress: o.Progress})
	if err != nil {
		return Component{}, err
	}
	s.Postgres = server
	if err := server.CreateDatabase(ctx, Database); err != nil {
		return Component{}, fmt.Errorf("create database %q: %w", Database, err)
	}
	return Component{Name: "PostgreSQL", Address: fmt.Sprintf("127.0.0.1:%d", server.Port())}, nil
}

func (s *Stack) startStellar(ctx context.Context, o Options) (Component, error) {
	options := stellarnet.Options{LedgerClose: o.LedgerClose, Host: o.Host, Addr: o.listenAddress(o.StellarPort)}
	var snapshot []byte
	var err error
	if o.DataDir == "" {
		s.Deployer, err = keypair.Random()
	} else {
		snapshot, s.Deployer, err = readLedger(o.DataDir)
	}
	if err != nil {
		return Component{}, fmt.Errorf("prepare the ledger: %w", err)
	}
	if snapshot != nil {
		options.Snapshot = bytes.NewReader(snapshot)
	}
	network, err := stellarnet.Start(ctx, options)
	if err != nil && snapshot != nil {
		return Component{}, fmt.Errorf("%w (from %s; removing that file starts a new ledger, without the registry's contracts)",
			err, filepath.Join(o.DataDir, snapshotFile))
	}
	if err != nil {
		return Component{}, err
	}
	s.Stellar = network
	if snapshot == nil {
		if err := network.Fund(s.Deployer.Address(), DeployerFunds); err != nil { //nolint:contextcheck // it takes none
			return Component{}, err
		}
	}
	return Component{Name: "Stellar network", Address: network.RPCURL()}, nil
}

func (s *Stack) startMail(ctx context.Context, o Options) (Component, error) {
	options := mailcatcher.Options{SMTPAddr: o.listenAddress(o.SMTPPort), HTTPAddr: o.listenAddress(o.MailPort)}
	if o.MailTLSHost != "" {
		var err error
		if s.mailTLS, err = openMailTLS(o.DataDir, o.MailTLSHost); err != nil {
			return Component{}, fmt.Errorf("certificate of the mail catcher: %w", err)
		}
		options.TLS, options.Certificate = mailcatcher.TLSStart, &s.mailTLS.certificate
	}
	catcher, err := mailcatcher.Start(ctx, options)
	if err != nil {
		return Component{}, err
	}
	s.MailCatcher = catcher
	return Component{Name: "Mail catcher", Address: catcher.URL()}, nil
}

// listenAddress is the address of a part with this port, 0 for a free one.
func (o Options) listenAddress(port int) string {
	host := "127.0.0.1"
	if o.AllInterfaces {
		host = "0.0.0.0"
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// Close stops all parts, and removes their data except in a DataDir.
func (s *Stack) Close() error {
	var parts errgroup.Group
	var errs [3]error
	if s.Postgres != nil {
		parts.Go(func() error { errs[0] = s.Postgres.Stop(); return nil })
	}
	if s.Stellar != nil {
		parts.Go(func() error {
			errs[1] = s.Stellar.Close()
			if s.saver != nil {
				errs[1] = errors.Join(errs[1], s.saver.close())
			}
			return nil
		})
	}
	if s.MailCatcher != nil {
		parts.Go(func() error { errs[2] = s.MailCatcher.Close(); return nil })
	}
	_ = parts.Wait()
	if s.lock != nil {
		_ = s.lock.Close() // Nothing was written.
	}
	return errors.Join(errs[:]...)
}
