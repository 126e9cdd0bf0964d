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
	for _, path := range []string{"/admin/tenants/" + as[string](made["id"]) + "/contract", "/admin/channels", "/admin/contracts"} {
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

func TestListContracts(t *testing.T) {
	b := setup(t)
	var ids []string
	for _, name := range []string{"Clinic", "Hospice", "Practice"} {
		ids = append(ids, as[string](b.createActive(clinicNamed(name))["id"]))
	}
	ctx := t.Context()
	if n, err := b.db.RegisterContracts(ctx); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	record := func(id string, state contracts.State, lastError string) {
		t.Helper()
		if err := b.db.RecordContracts(ctx, []contracts.Record{{
			Snapshot: contracts.Snapshot{TenantID: uuid.MustParse(id), Ledger: 7, State: state, LiveUntil: 9}, LastError: lastError, CheckedAt: time.Now(), DueAt: time.Now(),
		}}); err != nil {
			t.Fatal(err)
		}
	}
	record(ids[0], contracts.StateLive, "")
	record(ids[1], contracts.StateExpired, "")
	record(ids[2], contracts.StateLive, "no answer")
	list := func(query string) (names string, next string) {
		t.Helper()
		got := b.do(http.MethodGet, "/admin/contracts"+query, nil).want(http.StatusOK)
		for _, c := range as[[]any](got.json["contracts"]) {
			names += as[string](as[map[string]any](c)["tenantName"])
		}
		return names, as[string](got.json["nextCursor"])
	}
	for query, want := range map[string]string{
		"": "ClinicHospicePractice", "?failed=true": "Practice", "?state=EXPIRED": "Hospice", "?state=LIVE": "ClinicPractice", "?state=LIVE&failed=true": "Practice", "?state=MISSING": "",
	} {
		if names, next := list(query); names != want || next != "" {
			t.Errorf("%q: %q, %q; want %q", query, names, next, want)
		}
	}
	names, next := list("?limit=2")
	if names != "ClinicHospice" || next == "" {
		t.Fatalf("%q, %q", names, next)
	}
	if names, next := list("?limit=2&cursor=" + next); names != "Practice" || next != "" {
		t.Errorf("%q, %q", names, next)
	}
	b.do(http.MethodGet, "/admin/contracts?state=LIVE&cursor="+next, nil).wantFieldErrors("cursor")
	for query, field := range map[string]string{"state=DEAD": "state", "failed=yes": "failed", "limit=0": "limit", "limit=101": "limit", "cursor=x": "cursor", "what=1": "what"} {
		b.do(http.MethodGet, "/admin/contracts?"+query, nil).wantFieldErrors(field)
	}
	got := b.do(http.MethodGet, "/admin/contracts?failed=true", nil).want(http.StatusOK)
	one := as[map[string]any](as[[]any](got.json["contracts"])[0])
	if one["tenantId"] != ids[2] || one["lastError"] != "no answer" || one["registry"] != false || one["state"] != "LIVE" || one["ledger"] != 7.0 {
		t.Errorf("%s", got.text)
	}
}
