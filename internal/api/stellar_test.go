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
	for _, path := range []string{"/admin/tenants/" + as[string](made["id"]) + "/contract"} {
		if got := b.do(http.MethodGet, path, nil).want(http.StatusNotImplemented); !strings.Contains(got.str("detail"), "without the Stellar network") {
			t.Errorf("%s", got.text)
		}
	}
}
