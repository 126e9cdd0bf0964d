package postgres_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func (b bundle) figures() provisioning.StellarFigures {
	b.t.Helper()
	f, err := b.StellarFigures(b.t.Context(), netID, owner)
	b.must(err)
	return f
}

func TestDB_StellarFigures(t *testing.T) {
	t.Parallel()

	t.Run("OfNothing", func(t *testing.T) {
		b := setup(t)
		f := b.figures()
		if f.Deployer != 0 || len(f.Channels)+len(f.Transactions)+len(f.Contracts) != 0 || f.Undone != 0 || f.Spend.Tenants != 0 || len(f.Spend.Below) != len(f.Spend.Bounds) {
			t.Errorf("%+v", f)
		}
	})

	t.Run("CountsWhatWasApplied", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		tenant := b.begin(inputs("Clinic")).Tenant.ID
		l := b.lease(b.Upkeep(), 1)
		b.pay(l, "aa", provisioning.PurposeCreate, tenant, applied(1000))
		b.pay(l, "bb", provisioning.PurposeCreate, tenant, provisioning.TransactionOutcome{State: provisioning.TransactionFailed, Ledger: 11, FeeCharged: 300})
		b.pay(l, "cc", provisioning.PurposeCreate, tenant, provisioning.TransactionOutcome{State: provisioning.TransactionRejected, Detail: "txBAD_SEQ"})
		b.pay(l, "dd", provisioning.PurposeStatus, tenant, provisioning.TransactionOutcome{State: provisioning.TransactionExpired})
		b.pay(l, "ee", provisioning.PurposeExtend, uuid.Nil, applied(70))
		f := b.figures()
		if len(f.Transactions) != 2 || f.Transactions[provisioning.PurposeCreate] != 2 || f.Stroops[provisioning.PurposeCreate] != 1300 ||
			f.Transactions[provisioning.PurposeExtend] != 1 || f.Stroops[provisioning.PurposeExtend] != 70 {
			t.Errorf("%v, %v", f.Transactions, f.Stroops)
		}
		if c := f.Channels[0]; c.Balance != 50_000_000-1370 || c.Carried != 3 || c.Open != 0 {
			t.Errorf("%+v", c)
		}
		if stroops, n, err := b.Spent(t.Context(), tenant); stroops != 1300 || n != 2 || err != nil { // What is nobody's is not the tenant's.
			t.Errorf("%d stroops in %d transactions, %v", stroops, n, err)
		}
		if stroops, n, err := b.Spent(t.Context(), uuid.New()); stroops != 0 || n != 0 || err != nil {
			t.Errorf("%d stroops in %d transactions, %v", stroops, n, err)
		}
	})

	// The first tenant of a network does not pay for what all of them use.
	t.Run("WhatARunDoesForAllIsNobodys", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		l := b.account(b.Journal(run), owner)
		upload := signed(l, "aa", 1, provisioning.PurposeUpload)
		upload.ContractID = ""
		b.must(l.Store(t.Context(), upload))
		b.must(l.Resolve(t.Context(), "aa", applied(300_000_000)))
		b.must(l.Store(t.Context(), signed(l, "bb", 2, provisioning.PurposeCreate))) // The run's own contract.
		b.must(l.Resolve(t.Context(), "bb", applied(700)))
		if stroops, n, err := b.Spent(t.Context(), run.Tenant.ID); stroops != 700 || n != 1 || err != nil {
			t.Errorf("%d stroops in %d transactions, %v", stroops, n, err)
		}
		if f := b.figures(); f.Stroops[provisioning.PurposeUpload] != 300_000_000 || f.Spend.Stroops != 700 {
			t.Errorf("%+v", f)
		}
	})

	// Whoever finds out first counts it, and nobody after.
	t.Run("CountsOnce", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		l := b.lease(b.Upkeep(), 1)
		b.must(l.Store(t.Context(), signed(l, "aa", 1001, provisioning.PurposeAnchor)))
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				resolve := l.Resolve
				if i%2 == 0 {
					resolve = b.Upkeep().Resolve
				}
				if err := resolve(t.Context(), "aa", applied(500)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		f := b.figures()
		if f.Transactions[provisioning.PurposeAnchor] != 1 || f.Stroops[provisioning.PurposeAnchor] != 500 || f.Channels[0].Balance != 50_000_000-500 || f.Channels[0].Carried != 1 {
			t.Errorf("%+v", f)
		}
	})

	t.Run("TheDeployersBalance", func(t *testing.T) {
		b := setup(t)
		b.must(b.RecordDeployer(t.Context(), netID, owner, 5_000_000_000))
		l := b.account(b.Upkeep(), owner)
		b.pay(l, "aa", provisioning.PurposeUpload, uuid.Nil, applied(300_000_000))
		if got := b.figures().Deployer; got != 4_700_000_000 {
			t.Errorf("%d stroops after a fee", got)
		}
		b.must(b.RecordDeployer(t.Context(), netID, owner, 9_000_000_000))
		if got := b.figures().Deployer; got != 9_000_000_000 {
			t.Errorf("%d stroops", got)
		}
		if n := value[int](b, `SELECT count(*) FROM stellar_accounts WHERE holder IS NOT NULL`); n != 1 {
			t.Error("the lease is gone")
		}
		other, err := b.StellarFigures(t.Context(), "cd", owner)
		b.must(err)
		if other.Deployer != 0 {
			t.Errorf("another network: %+v", other)
		}
	})

	t.Run("ContractsAsTheyWereFound", func(t *testing.T) {
		b := setup(t)
		all := b.book(5)
		duties := b.take(provisioning.ContractQuery{})
		for i, life := range []provisioning.ContractLife{provisioning.ContractLive, provisioning.ContractLive, provisioning.ContractArchived, provisioning.ContractForeign} {
			r := looked(duties[i])
			if r.Life = life; life == provisioning.ContractForeign {
				r.Problem = "another deployer's"
			}
			b.record(r)
		}
		f := b.figures()
		if len(f.Contracts) != 3 || f.Contracts[provisioning.ContractLive] != 2 || f.Contracts[provisioning.ContractArchived] != 1 || f.Undone != 1 {
			t.Errorf("%v, %d undone", f.Contracts, f.Undone)
		}
		_, err := b.Archive(t.Context(), all[3])
		b.must(err)
		_, err = b.Purge(t.Context(), all[3], 0)
		b.must(err)
		if f := b.figures(); f.Contracts[provisioning.ContractForeign] != 0 || f.Undone != 0 {
			t.Errorf("a purged tenant counts: %v, %d undone", f.Contracts, f.Undone)
		}
	})

	t.Run("TenantsByWhatTheyCost", func(t *testing.T) {
		b := setup(t)
		l := b.account(b.Upkeep(), owner)
		// The bounds are 1e5, 5e5, 1e6, ...; a tenant's transactions are added up.
		for i, fees := range [][]int64{{100_000}, {100_001}, {400_000, 100_000}, {999_999}, {2_000_000_000}, {0}} {
			tenant := uuid.New()
			for j, fee := range fees {
				b.pay(l, fmt.Sprintf("%d-%d", i, j), provisioning.PurposeCreate, tenant, applied(fee))
			}
		}
		b.pay(l, "nobody", provisioning.PurposeExtend, uuid.Nil, applied(10))
		s := b.figures().Spend
		want := []uint64{1, 3, 4}
		for len(want) < len(s.Bounds) {
			want = append(want, 4)
		}
		if !slices.Equal(s.Below, want) || s.Tenants != 5 || s.Stroops != 100_000+100_001+500_000+999_999+2_000_000_000 {
			t.Errorf("%+v, want %v below", s, want)
		}
	})
}
