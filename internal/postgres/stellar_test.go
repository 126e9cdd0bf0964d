package postgres_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The network and the deployer of these tests; what they name plays no part here.
const (
	netID = "ab"
	owner = "GDEPLOYER"
)

// pair is one database as two processes have it.
func pair(t *testing.T) (one, two bundle) {
	t.Helper()
	t.Parallel()
	url := pgtest.Database(t)
	open := func() bundle {
		db, err := postgres.Open(t.Context(), postgres.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return bundle{db, t}
	}
	return open(), open()
}

// warm opens connections, so that what comes then at once is at once.
func (b bundle) warm(connections int) {
	b.t.Helper()
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			if _, err := b.Pool().Exec(b.t.Context(), `SELECT pg_sleep(0.1)`); err != nil {
				b.t.Error(err)
			}
		})
	}
	all.Wait()
}

func (b bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// channel gives a channel as the ledger shows it.
func channel(index int) provisioning.Channel {
	return provisioning.Channel{Index: index, Address: fmt.Sprintf("GCHANNEL%d", index), Sequence: 1000, Balance: 50_000_000}
}

// haveChannels makes n channels known.
func (b bundle) haveChannels(n int) {
	b.t.Helper()
	all := make([]provisioning.Channel, n)
	for i := range all {
		all[i] = channel(i)
	}
	b.putChannels(all...)
}

func (b bundle) putChannels(all ...provisioning.Channel) {
	b.t.Helper()
	b.must(b.Upkeep().PutChannels(b.t.Context(), netID, owner, all))
}

func (b bundle) channels() []provisioning.Channel {
	b.t.Helper()
	all, err := b.Upkeep().Channels(b.t.Context(), netID, owner)
	b.must(err)
	return all
}

// lease leases a channel and gives it back at the end, if the test did not.
func (b bundle) lease(journal provisioning.Journal, count int) provisioning.AccountLease {
	b.t.Helper()
	l, err := journal.Channel(b.t.Context(), netID, owner, count, 0)
	b.must(err)
	b.t.Cleanup(func() { b.release(l, provisioning.AccountRest{Sequence: l.Sequence()}) })
	return l
}

func (b bundle) account(journal provisioning.Journal, address string) provisioning.AccountLease {
	b.t.Helper()
	l, err := journal.Account(b.t.Context(), netID, address)
	b.must(err)
	b.t.Cleanup(func() { b.release(l, provisioning.AccountRest{Sequence: l.Sequence()}) })
	return l
}

func (b bundle) release(l provisioning.AccountLease, r provisioning.AccountRest) {
	b.t.Helper()
	if err := l.Release(b.t.Context(), r); err != nil {
		b.t.Error(err)
	}
}

// signed is a transaction that an account is about to send.
func signed(l provisioning.AccountLease, hash string, seq int64, purpose provisioning.TransactionPurpose) provisioning.StellarTransaction {
	return provisioning.StellarTransaction{
		Hash: hash, Envelope: "AAAA", Source: l.Address(), Sequence: seq, Purpose: purpose, ContractID: "C" + hash, NetworkID: netID,
		ValidUntil: time.Now().Add(time.Minute), SubmittedLedger: 9, MaxFee: 1000,
	}
}

// applied is the outcome of a transaction that cost so much.
func applied(fee int64) provisioning.TransactionOutcome {
	return provisioning.TransactionOutcome{State: provisioning.TransactionSucceeded, Ledger: 10, FeeCharged: fee}
}

// pay stores a transaction for a tenant and resolves it.
func (b bundle) pay(l provisioning.AccountLease, hash string, purpose provisioning.TransactionPurpose, tenant uuid.UUID, o provisioning.TransactionOutcome) {
	b.t.Helper()
	tx := signed(l, hash, 1, purpose)
	tx.TenantID = tenant
	b.must(l.Store(b.t.Context(), tx))
	b.must(l.Resolve(b.t.Context(), hash, o))
}
