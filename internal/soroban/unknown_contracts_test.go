//go:build unix

package soroban_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestContractReconciler_LaggingStandby: after the promotion of a standby that lagged behind,
// the contracts of the lost tenants are reported, and those of another registry are not.
func TestContractReconciler_LaggingStandby(t *testing.T) {
	t.Parallel()
	primary, standby := testenv.PrimaryAndStandby(t)
	b := &testBundle{t: t, key: keypair.MustRandom(), names: new(atomic.Int64)}
	b.start()
	b.must(b.net.Fund(b.key.Address(), funding))
	b.openRegistry(primary.URL("postgres"))
	d := b.deployer(channels(3))
	other := b.inAnotherRegistry()
	b.live(d, 2)
	b.waitForReplication()
	if report := b.pass(d, contracts.ReconcilerOptions{}); !report.UnknownRead || len(report.Unknown) != 0 {
		t.Errorf("%+v", report)
	}
	b.waitForReplication()
	b.must(standby.Crash())

	var lost []string
	for _, id := range b.live(d, 2) {
		address, err := d.ContractID(id)
		b.must(err)
		lost = append(lost, address)
	}
	other.live(other.deployer(channels(1)), 1)
	b.must(primary.Crash())
	b.must(standby.Resume(t.Context()))
	_, err := testenv.Connect(t, standby.URL("postgres")).Exec(t.Context(), `SELECT pg_promote()`)
	b.must(err)

	b.openRegistry(standby.URL("postgres"))
	after := b.deployer(channels(3))
	reconciler := b.reconciler(after, contracts.ReconcilerOptions{})
	report, err := reconciler.Pass(t.Context())
	b.must(err)
	var found []string
	for _, c := range report.Unknown {
		found = append(found, c.ContractID)
		if c.Ledger == 0 || time.Since(c.ClosedAt) > time.Hour || len(c.TransactionHash) != 64 {
			t.Errorf("%+v", c)
		}
	}
	if !slices.Equal(found, lost) || report.Empty() {
		t.Errorf("found %v, lost %v", found, lost)
	}
	// The platform goes on: the channels' sequence numbers in the registry are too low.
	b.live(after, 4)
	if again, err := reconciler.FindUnknown(t.Context()); err != nil || len(again) != 2 {
		t.Errorf("%v, %v", again, err)
	}
	if soon, err := reconciler.Pass(t.Context()); err != nil || soon.UnknownRead {
		t.Errorf("the network was read again at once: %+v, %v", soon, err)
	}
}

// TestContractReconciler_EventsUnavailable: a server without events does not stop the rest.
func TestContractReconciler_EventsUnavailable(t *testing.T) {
	b := setup(t)
	d := b.deployer(channels(1))
	b.live(d, 1)
	w := &wire{after: func(method string, _ []byte) []byte {
		if method != "getEvents" {
			return nil
		}
		return []byte(`{"jsonrpc":"2.0","id":1,"result":{"events":[],"latestLedger":3,"cursor":"0000000004294967296-0000000001"}}`)
	}}
	d = b.deployer(channels(1), func(o *soroban.Options) { o.HTTPClient = w.client() })
	report, err := b.reconciler(d, contracts.ReconcilerOptions{}).Pass(t.Context())
	wantWords(t, errs.SafeMessage(err), "cursor", "does not lead to the next page")
	if report.Checked != 1 || report.UnknownRead {
		t.Errorf("%+v", report)
	}
}

// waitForReplication waits until the standby has what the primary has.
func (b *testBundle) waitForReplication() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	conn := testenv.Connect(b.t, b.url)
	for done := false; !done; {
		b.must(conn.QueryRow(ctx, `SELECT coalesce(bool_and(replay_lsn >= pg_current_wal_lsn()), false) FROM pg_stat_replication`).Scan(&done))
	}
}
