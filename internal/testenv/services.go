//go:build unix

package testenv

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// deployerBalance is what a new deployer gets, in stroops: 100,000 XLM.
const deployerBalance = 100_000 * 10_000_000

var sorobanHost = once[host.Host]{make: func() (host.Host, error) {
	h, err := host.New(context.Background(), host.Options{})
	if err == nil {
		addCleanup(func() error { return h.Close(context.Background()) })
	}
	return h, err
}}

// SorobanHost is the real Soroban host, compiled once for all networks.
func SorobanHost(t testing.TB) host.Host {
	t.Helper()
	return sorobanHost.get(t)
}

// Network starts a Stellar network that closes a ledger every 20 ms.
func Network(t testing.TB) *stellarnet.Network {
	t.Helper()
	return NetworkWith(t, stellarnet.Options{LedgerClose: 20 * time.Millisecond})
}

// NetworkWith starts a Stellar network with other options, on the shared host.
func NetworkWith(t testing.TB, o stellarnet.Options) *stellarnet.Network {
	t.Helper()
	if o.Host == nil {
		o.Host = SorobanHost(t)
	}
	if o.Addr == "" { // Not a port that the system gives to connections: a test may close it for a while.
		o.Addr = net.JoinHostPort("127.0.0.1", FreePort(t))
	}
	network, err := stellarnet.Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = network.Close() })
	return network
}

// Deployer is a new account of the network with 100,000 XLM.
func Deployer(t testing.TB, network *stellarnet.Network) *keypair.Full {
	t.Helper()
	deployer, err := keypair.Random()
	if err == nil {
		err = network.Fund(deployer.Address(), deployerBalance)
	}
	if err != nil {
		t.Fatal(err)
	}
	return deployer
}

// Mail starts a mail server that keeps what it gets.
func Mail(t testing.TB) *mailcatcher.Catcher {
	t.Helper()
	catcher, err := mailcatcher.Start(context.WithoutCancel(t.Context()), mailcatcher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = catcher.Close() })
	return catcher
}

// Settings are the environment variables with which the provider and tenant-api use these
// services.
func Settings(database string, network *stellarnet.Network, deployer *keypair.Full, mail *mailcatcher.Catcher) map[string]string {
	return map[string]string{
		config.DatabaseURL:           database,
		config.SorobanNetwork:        "local",
		config.SorobanRPCURL:         network.RPCURL(),
		config.SorobanPassphrase:     network.Passphrase(),
		config.SorobanDeployerSecret: deployer.Seed(),
		config.MailHost:              mail.SMTPHost(),
		config.MailPort:              strconv.Itoa(mail.SMTPPort()),
		config.MailTLS:               config.TLSNone,
		config.MailFrom:              "Platform <no-reply@platform.example>",
		config.AppURL:                "https://app.platform.example",
	}
}
