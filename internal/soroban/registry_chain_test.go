package soroban_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// reject records a rejection in the registry chain.
func (b *testBundle) reject() {
	b.t.Helper()
	b.must(b.db.Record(b.t.Context(), audit.Event{Action: "request.x", Outcome: audit.OutcomeRejected, Caller: audit.Caller{Kind: audit.CallerAnonymous}}))
}

// registryFindings are the findings about the registry itself.
func (b *testBundle) registryFindings(d *soroban.Deployer) []verification.Finding {
	b.t.Helper()
	v, err := verification.New(verification.Options{Tenants: b.db, Registry: b.db, Contracts: d, Unknown: b.reconciler(d, contracts.ReconcilerOptions{})})
	b.must(err)
	findings, err := v.Tenant(b.t.Context(), uuid.Nil)
	b.must(err)
	return findings
}

// registrySnapshot is the registry's own contract as the ledger has it.
func (b *testBundle) registrySnapshot(d *soroban.Deployer) contracts.Snapshot {
	b.t.Helper()
	id, err := b.db.SystemLog().RegistryID(b.t.Context())
	b.must(err)
	states, err := d.ReadContracts(b.t.Context(), []tenant.Tenant{{ID: id}})
	b.must(err)
	return states[0]
}

// TestContractReconciler_RegistryChain: the chain of events without a tenant is anchored in a
// contract of the registry's own, so that its owner cannot rewrite it without a trace.
func TestContractReconciler_RegistryChain(t *testing.T) {
	t.Parallel()
	often := contracts.ReconcilerOptions{AnchorInterval: time.Nanosecond}
	t.Run("NothingToAnchor", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		if report := b.pass(d, often); report.RegistryDeployed || len(b.records()) != 0 {
			t.Errorf("%+v", report)
		}
		b.reject()
		for _, o := range []contracts.ReconcilerOptions{{AnchorInterval: -1}, {AnchorInterval: time.Hour}} { // On demand; not due yet.
			if report := b.pass(d, o); report.RegistryDeployed || len(b.records()) != 0 {
				t.Errorf("%+v: %+v", o, report)
			}
		}
		if findings := b.registryFindings(d); len(findings) != 0 {
			t.Errorf("%+v", findings)
		}
	})
	t.Run("AnchorsAndExtends", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.live(d, 1)
		b.reject()
		report := b.pass(d, often)
		if !report.RegistryDeployed || !slices.Contains(report.Anchored, uuid.Nil) || len(report.Failed) != 0 {
			t.Fatalf("%+v", report)
		}
		if s := b.registrySnapshot(d); s.State != contracts.StateLive || s.Anchor.Seq != 1 {
			t.Errorf("%+v", s)
		}
		b.reject()
		if report := b.pass(d, often); report.RegistryDeployed || !slices.Contains(report.Anchored, uuid.Nil) {
			t.Errorf("%+v", report)
		}
		b.must(b.net.Faults().ExpireContract(b.registrySnapshot(d).ContractID))
		b.registry.MakeContractsDue()
		if report := b.pass(d, often); !slices.Contains(report.Restored, uuid.Nil) || len(report.Failed) != 0 {
			t.Errorf("%+v", report)
		}
		if s := b.registrySnapshot(d); s.State != contracts.StateLive || s.Anchor.Seq != 2 {
			t.Errorf("%+v", s)
		}
		items := b.records()
		if i := slices.IndexFunc(items, func(w contracts.WorkItem) bool { return w.Registry }); len(items) != 2 || i < 0 || items[i].Record.Anchor.Seq != 2 {
			t.Errorf("%+v", items)
		}
		if findings := b.registryFindings(d); len(findings) != 0 {
			t.Errorf("%+v", findings)
		}
	})
	t.Run("FindsRewrittenChain", func(t *testing.T) {
		b := setup(t)
		d := b.deployer()
		b.reject()
		b.reject()
		report, err := b.reconciler(d, contracts.ReconcilerOptions{AnchorInterval: -1}).AnchorAll(t.Context(), nil)
		b.must(err)
		if !report.RegistryDeployed || !slices.Contains(report.Anchored, uuid.Nil) {
			t.Fatalf("%+v", report)
		}
		b.registry.RewriteChain(uuid.Nil.String())
		for _, what := range []string{"its record is there", "its record was deleted"} {
			findings := b.registryFindings(d)
			if len(findings) != 1 || findings[0].TenantID != uuid.Nil || !strings.Contains(findings[0].Message, "row 2 has another hash than the contract anchored") {
				t.Errorf("%s: %+v", what, findings)
			}
			if what == "its record is there" {
				b.reject()
				if report := b.pass(d, often); len(report.Anchored) != 0 || !strings.Contains(report.Failed[uuid.Nil], "differs from what the contract anchored") {
					t.Errorf("a new anchor hides the change: %+v", report)
				}
			}
			b.registry.ForgetRegistryContract()
		}
	})
}
