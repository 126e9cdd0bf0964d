package stellarstore_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// TestTransactions_GiveUp: an open transaction that an operator gives up holds its account no
// longer, and the audit chain says who did it and why.
func TestTransactions_GiveUp(t *testing.T) {
	b := setup(t)
	holder := b.leaseAccount(b.SystemLog(), "GA")
	b.Must(holder.Store(t.Context(), signedTx(holder, "aa", 1001, txlog.PurposeExtend)))
	b.release(holder, txlog.AccountRelease{Sequence: 1001})
	open, err := b.OpenTransactions(t.Context(), networkID)
	b.Must(err)
	if len(open) != 1 || open[0].Hash != "aa" || open[0].Sequence != 1001 {
		t.Fatalf("%+v", open)
	}
	postgrestest.WantKind(t, b.GiveUp(t.Context(), networkID, "bb", "x"), errs.KindNotFound)
	postgrestest.WantKind(t, b.GiveUp(t.Context(), "another network", "aa", "x"), errs.KindNotFound)
	b.Must(b.GiveUp(t.Context(), networkID, "aa", "the server lied"))
	postgrestest.WantKind(t, b.GiveUp(t.Context(), networkID, "aa", "x"), errs.KindConflict)
	if open, err = b.OpenTransactions(t.Context(), networkID); err != nil || len(open) != 0 {
		t.Errorf("%+v, %v", open, err)
	}
	if n := value[int](b, `SELECT count(*) FROM stellar_transactions WHERE state = 'EXPIRED' AND detail = 'given up: the server lied' AND resolved_at IS NOT NULL`); n != 1 {
		t.Error("its outcome was not recorded")
	}
	if n := value[int](b, `SELECT count(*) FROM audit_events WHERE action = $1 AND detail->>'hash' = 'aa' AND detail->>'reason' = 'the server lied'`,
		audit.ActionGiveUpTransaction); n != 1 {
		t.Error("the registry chain does not have it")
	}
	next := b.leaseAccount(b.SystemLog(), "GA")
	if len(next.Unresolved()) != 0 || next.Sequence() != 0 {
		t.Errorf("%+v, sequence %d", next.Unresolved(), next.Sequence())
	}
}
