package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestGetContract(t *testing.T) {
	b := setupWith(t, serverOptions{timeouts: api.Timeouts{Work: time.Second}})
	made := b.createActive(clinic())
	path := "/admin/tenants/" + as[string](made["id"]) + "/contract"
	got := b.do(http.MethodGet, path, nil).want(http.StatusOK)
	if got.str("tenantId") != made["id"] || got.str("sorobanContractId") != made["sorobanContractId"] || got.str("state") != "LIVE" || got.str("contractStatus") != "ACTIVE" ||
		got.json["liveUntilLedger"] != 600_000.0 || got.json["anchor"] != nil || got.json["costStroops"] != 0.0 || got.json["outdated"] != false {
		t.Errorf("%s", got.text)
	}
	b.deployer.setRead(func(_ context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error) {
		return []contracts.Snapshot{{ContractID: tenants[0].ContractID, State: contracts.StateMismatch, Mismatch: "another admin", Ledger: 7, Anchor: contracts.Anchor{Seq: 3, Ledger: 6}}}, nil
	})
	got = b.do(http.MethodGet, path, nil).want(http.StatusOK)
	if got.str("contractDrift") != "another admin" || as[map[string]any](got.json["anchor"])["seq"] != 3.0 {
		t.Errorf("%s", got.text)
	}
	b.deployer.setRead(func(context.Context, []tenant.Tenant) ([]contracts.Snapshot, error) {
		return nil, errs.Errorf(errs.KindTransient, "read contracts", "the Stellar RPC server does not answer")
	})
	if got := b.do(http.MethodGet, path, nil).want(http.StatusServiceUnavailable); !strings.Contains(got.str("detail"), "does not answer") {
		t.Errorf("%s", got.text)
	}
	b.deployer.setRead(func(ctx context.Context, _ []tenant.Tenant) ([]contracts.Snapshot, error) {
		<-ctx.Done()
		return nil, errs.Wrap(ctx.Err(), errs.KindTransient, "read contracts", "the Stellar RPC server does not answer")
	})
	started := time.Now()
	b.do(http.MethodGet, path, nil).want(http.StatusServiceUnavailable)
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	b.do(http.MethodGet, "/admin/tenants/"+uuid.NewString()+"/contract", nil).want(http.StatusNotFound)
	pending := b.do(http.MethodPost, "/admin/tenants", clinicNamed("Hospice")).want(http.StatusAccepted)
	if got := b.do(http.MethodGet, "/admin/tenants/"+pending.str("tenantId")+"/contract", nil).want(http.StatusNotFound); !strings.Contains(got.str("detail"), "no contract yet") {
		t.Errorf("%s", got.text)
	}
}

// TestWithoutStellar: a server that has no deployer says so.
func TestWithoutStellar(t *testing.T) {
	b := setupWith(t, serverOptions{withoutStellar: true})
	made := b.createActive(clinic())
	for _, path := range []string{"/admin/tenants/" + as[string](made["id"]) + "/contract", "/admin/channels"} {
		if got := b.do(http.MethodGet, path, nil).want(http.StatusNotImplemented); !strings.Contains(got.str("detail"), "without the Stellar network") {
			t.Errorf("%s", got.text)
		}
	}
}

func TestListChannels(t *testing.T) {
	b := setup(t)
	got := b.do(http.MethodGet, "/admin/channels", nil).want(http.StatusOK)
	if got.str("deployer") != deployerAddress || got.json["configured"] != 2.0 || len(as[[]any](got.json["channels"])) != 0 || len(as[[]any](got.json["openTransactions"])) != 0 || got.json["deployerBalanceStroops"] != nil {
		t.Errorf("%s", got.text)
	}
	b.addChannels()
	got = b.do(http.MethodGet, "/admin/channels", nil).want(http.StatusOK)
	if got.json["deployerBalanceStroops"] != 70_000_000.0 || got.json["deployerBalanceAt"] == nil {
		t.Errorf("%s", got.text)
	}
	channels, open := as[[]any](got.json["channels"]), as[[]any](got.json["openTransactions"])
	if len(channels) != 2 || len(open) != 1 {
		t.Fatalf("%s", got.text)
	}
	first, surplus := as[map[string]any](channels[0]), as[map[string]any](channels[1])
	if first["state"] != "in_use" || first["leasedUntil"] == nil || first["sequence"] != "1152921504606846976" || first["openTransactions"] != 1.0 || surplus["surplus"] != true || surplus["state"] != "disabled" || surplus["disabledReason"] != "it does not exist" {
		t.Errorf("%s", got.text)
	}
	if x := as[map[string]any](open[0]); x["hash"] != strings.Repeat("ab", 32) || x["purpose"] != "CREATE" || x["source"] != "G0" || x["maxFeeStroops"] != 100.0 {
		t.Errorf("%s", got.text)
	}
}

// addChannels adds a channel account with an open transaction, and a surplus one.
func (b *testServer) addChannels() {
	b.t.Helper()
	ctx, log := b.t.Context(), b.db.SystemLog()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	must(b.db.RecordDeployerBalance(ctx, "test network", deployerAddress, 70_000_000))
	must(log.StoreChannels(ctx, "test network", deployerAddress, []txlog.Channel{{Index: 0, Address: "G0", Balance: 50_000_000, Sequence: 1 << 60}, {Index: 2, Address: "G2", DisabledReason: "it does not exist"}}))
	lease, err := log.Channel(ctx, "test network", deployerAddress, 1, 0)
	must(err)
	must(lease.Store(ctx, txlog.Transaction{
		Hash: strings.Repeat("ab", 32), Envelope: "AAAA", NetworkID: "test network", Source: "G0", Sequence: 1<<60 + 1, Purpose: txlog.PurposeCreate, ValidUntil: time.Now().Add(time.Minute), SubmittedLedger: 7, MaxFee: 100,
	}))
}
