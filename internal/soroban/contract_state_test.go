package soroban_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// TestDeployer_ReadContracts_Calls: the code, which all contracts share, is read once
// per ledger, and its changes are seen in the next.
func TestDeployer_ReadContracts_Calls(t *testing.T) {
	b := setupUnfunded(t, func(o *stellarnet.Options) { o.Manual = true })
	b.must(b.net.Fund(b.key.Address(), funding))
	b.first = int64(b.account().SeqNum)
	d := b.deployer(func(o *soroban.Options) { o.PollInterval = 20 * time.Millisecond })
	b.counted(2, 1, []*soroban.Deployer{d})
	var ids []uuid.UUID
	for _, tenant := range b.registry.All() {
		ids = append(ids, uuid.MustParse(tenant.ID))
	}

	looks := func(want int) {
		t.Helper()
		b.net.Faults().Reset()
		b.wantLife(d, ids, contracts.StateLive)
		if n := b.net.Faults().Calls(entries); n != want {
			t.Errorf("%d calls, want %d", n, want)
		}
	}
	looks(2)
	looks(1)
	b.travel(1)
	looks(2)
	looks(1)
	// The contracts live longer, as if another process had extended them.
	b.must(b.net.Faults().ExpireEntry(codeKey()))
	b.travel(1)
	for _, s := range b.states(d, ids) {
		if s.State != contracts.StateExpired || !s.CodeArchived {
			t.Errorf("%+v", s)
		}
	}
}
