package stellarstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// The network and the deployer of these tests; neither exists.
const (
	networkID       = "ab"
	deployerAddress = "GDEPLOYER"
)

// twoProcesses opens one database twice, as two processes do.
func twoProcesses(t *testing.T) (one, two fixture) {
	t.Helper()
	first, second := postgrestest.TwoProcesses(t)
	return fixture{first}, fixture{second}
}

// openConnections opens connections in advance, so that later concurrent calls start together.
func (b fixture) openConnections(connections int) {
	b.T.Helper()
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			if _, err := b.Pool().Exec(b.T.Context(), `SELECT pg_sleep(0.1)`); err != nil {
				b.T.Error(err)
			}
		})
	}
	wg.Wait()
}

// notifyChannel returns a channel with its ledger state.
func notifyChannel(index int) txlog.Channel {
	return txlog.Channel{Index: index, Address: fmt.Sprintf("GCHANNEL%d", index), Sequence: 1000, Balance: 50_000_000}
}

// addChannels registers n channels.
func (b fixture) addChannels(n int) {
	b.T.Helper()
	channels := make([]txlog.Channel, n)
	for i := range channels {
		channels[i] = notifyChannel(i)
	}
	b.storeChannels(channels...)
}

func (b fixture) storeChannels(all ...txlog.Channel) {
	b.T.Helper()
	b.Must(b.SystemLog().StoreChannels(b.T.Context(), networkID, deployerAddress, all))
}

func (b fixture) channels() []txlog.Channel {
	b.T.Helper()
	all, err := b.SystemLog().Channels(b.T.Context(), networkID, deployerAddress)
	b.Must(err)
	return all
}

// leaseChannel leases a channel and releases it at the end of the test if needed.
func (b fixture) leaseChannel(log txlog.Log, count int) txlog.AccountLease {
	b.T.Helper()
	l, err := log.Channel(b.T.Context(), networkID, deployerAddress, count, 0)
	b.Must(err)
	b.T.Cleanup(func() { b.release(l, txlog.AccountRelease{Sequence: l.Sequence()}) })
	return l
}

func (b fixture) leaseAccount(log txlog.Log, address string) txlog.AccountLease {
	b.T.Helper()
	l, err := log.Account(b.T.Context(), networkID, address)
	b.Must(err)
	b.T.Cleanup(func() { b.release(l, txlog.AccountRelease{Sequence: l.Sequence()}) })
	return l
}

func (b fixture) release(l txlog.AccountLease, r txlog.AccountRelease) {
	b.T.Helper()
	if err := l.Release(b.T.Context(), r); err != nil {
		b.T.Error(err)
	}
}

// signedTx returns a transaction that an account is about to submit.
func signedTx(l txlog.AccountLease, hash string, seq int64, purpose txlog.Purpose) txlog.Transaction {
	return txlog.Transaction{
		Hash: hash, Envelope: "AAAA", Source: l.Address(), Sequence: seq, Purpose: purpose, ContractID: "C" + hash, NetworkID: networkID,
		ValidUntil: time.Now().Add(time.Minute), SubmittedLedger: 9, MaxFee: 1000,
	}
}

// succeeded returns the result of an applied transaction with the given fee.
func succeeded(fee int64) txlog.Outcome {
	return txlog.Outcome{State: txlog.StateSucceeded, Ledger: 10, FeeCharged: fee}
}

// storeAndResolve stores a transaction for a tenant and resolves it.
func (b fixture) storeAndResolve(l txlog.AccountLease, hash string, purpose txlog.Purpose, tenantID uuid.UUID, o txlog.Outcome) {
	b.T.Helper()
	tx := signedTx(l, hash, 1, purpose)
	tx.TenantID = tenantID
	b.Must(l.Store(b.T.Context(), tx))
	b.Must(l.Resolve(b.T.Context(), hash, o))
}
