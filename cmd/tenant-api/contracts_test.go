//go:build unix

package main_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// createTenants provisions tenants of these names and returns their ids. No worker runs
// afterwards.
func (w *testEnv) createTenants(names ...string) (ids []string) {
	w.t.Helper()
	p := w.start(w.createKey("admin"), "serve")
	before := w.registry.Count(tenant.StatusActive)
	for _, name := range names {
		ids = append(ids, p.call(http.MethodPost, "/admin/tenants", clinic(name)).want(w.t, http.StatusAccepted).str("tenantId"))
	}
	w.waitFor("the tenants", w.hasActive(before+len(names)))
	if code := p.terminate(); code != 0 {
		w.t.Errorf("exit code %d", code)
	}
	return ids
}

func (w *testEnv) advanceLedgers(ledgers uint32) {
	w.t.Helper()
	if _, err := w.net.CloseLedgers(context.WithoutCancel(w.t.Context()), ledgers); err != nil {
		w.t.Fatal(err)
	}
}

func TestContracts(t *testing.T) {
	w := setup(t)
	w.mustRun("contracts").want(t, 0, "list", "show", "reconcile", "anchor", "upgrade")
	w.mustRun("contracts", "list").want(t, 0, "TENANT", "0 contracts")
	w.mustRun("contracts", "reconcile").want(t, 0, "No contracts to reconcile.")
	w.mustRun("contracts", "anchor", "--all").want(t, 0, "No contracts to reconcile.")
	w.mustRun("contracts", "upgrade").want(t, 0, "There is nothing to upgrade")
	w.run("contracts", "show", "name:Nobody").want(t, 1, "there is no tenant named Nobody")

	id := w.createTenants("St. Mary", "General")[0]
	w.mustRun("contracts", "list").want(t, 0, id, "St. Mary", "General", "2 contracts")
	w.mustRun("contracts", "reconcile").want(t, 0, "2 contracts checked, 0 failed, 0 XLM paid in fees.")
	w.mustRun("contracts", "list").want(t, 0, "STATE", "LIVE UNTIL", "ANCHORED EVENT", "LAST CHECKED", "ERROR", "LIVE", " UTC")
	w.mustRun("contracts", "list", "--failed").want(t, 0, "0 contracts")
	w.mustRun("contracts", "upgrade").want(t, 0, "There is nothing to upgrade: every contract runs this release's code, ")
	show := w.mustRun("contracts", "show", "name:st. mary")
	show.want(t, 0, id, "LIVE", "ledgers from now", ", of this release", "ACTIVE", "Cost so far", "in 1 transaction")
	if strings.Contains(show.out, "Anchor") {
		t.Errorf("an anchor that was never made: %s", show.out)
	}

	t.Run("Unknown", func(t *testing.T) {
		w.mustRun("contracts", "unknown").want(t, 0, "has all contracts")
		w.mustRun("contracts", "unknown", "--json").want(t, 0, "[]")
	})

	t.Run("Reconcile", func(t *testing.T) {
		w.advanceLedgers(100 * 17_280)
		w.mustRun("contracts", "show", id).want(t, 0, "EXPIRING")
		w.mustRun("contracts", "reconcile", id).want(t, 0, id, "extended", "1 contract checked")
		w.mustRun("contracts", "reconcile").want(t, 0, "extended", "2 contracts checked")
		w.advanceLedgers(130 * 17_280)
		w.mustRun("contracts", "show", id).want(t, 0, string(contracts.StateExpired))
		w.run("tenants", "verify", id).want(t, 3, "contract: the code of the contract", "has to be restored")
		w.mustRun("contracts", "reconcile", "name:General", id).want(t, 0, "restored", "2 contracts checked")
		w.mustRun("contracts", "list").want(t, 0, "2 contracts")
		w.mustRun("tenants", "verify").want(t, 0, "2 tenants checked, 0 findings")
	})

	t.Run("ReportsFailedContracts", func(t *testing.T) {
		w.advanceLedgers(100 * 17_280)
		w.env["SOROBAN_MAX_FEE"], w.env["SOROBAN_MAX_UPLOAD_FEE"] = "100", "100"
		w.run("contracts", "reconcile").want(t, 1, "FAILED: ", "raise SOROBAN_MAX_", "2 contracts checked, 2 failed", "contracts list --failed")
		w.mustRun("contracts", "list", "--failed").want(t, 0, "EXPIRING", "raise SOROBAN_MAX_", "2 contracts")
		delete(w.env, "SOROBAN_MAX_FEE")
		delete(w.env, "SOROBAN_MAX_UPLOAD_FEE")
		w.mustRun("contracts", "reconcile").want(t, 0, "extended")
		w.mustRun("contracts", "list", "--failed").want(t, 0, "0 contracts")
	})

	t.Run("NetworkDown", func(t *testing.T) {
		w.env["SOROBAN_RPC_URL"] = "http://127.0.0.1:1"
		defer func() { w.env["SOROBAN_RPC_URL"] = w.net.RPCURL() }()
		w.run("contracts", "reconcile").want(t, 1, "the Stellar RPC server does not answer; check SOROBAN_RPC_URL")
		w.run("contracts", "show", id).want(t, 1, "does not answer")
		w.mustRun("contracts", "list").want(t, 0, "2 contracts")
		w.run("tenants", "verify", "--onchain").want(t, 1, "could not be checked: the Stellar RPC server does not answer")
	})

	t.Run("RejectsTenantsWithoutContract", func(t *testing.T) {
		w.registry.Fail(id)
		w.registry.RemoveContract(id)
		w.run("contracts", "reconcile", id).want(t, 1, "tenant St. Mary has no contract to reconcile: it is FAILED and was never live")
		w.registry.Archive(0, "General")
		w.registry.MarkPurged("General")
		w.run("contracts", "anchor", "name:General").want(t, 1, "tenant General is purged; its contract is no longer managed")
	})
}

func TestContracts_JSON(t *testing.T) {
	w := setup(t)
	id := w.createTenants("St. Mary")[0]
	w.mustRun("contracts", "anchor", id).want(t, 0, id, "audit chain anchored", "1 contract checked")
	var list []map[string]any
	if text := w.mustRun("contracts", "list", "--json").out; json.Unmarshal([]byte(text), &list) != nil || len(list) != 1 {
		t.Fatal(text)
	}
	var one map[string]any
	if text := w.mustRun("contracts", "show", id, "--json").out; json.Unmarshal([]byte(text), &one) != nil {
		t.Fatal(text)
	}
	for _, view := range []map[string]any{list[0], one} {
		anchor, _ := view["anchor"].(map[string]any)
		root, _ := anchor["root"].(string)
		if view["tenantId"] != id || view["state"] != "LIVE" || view["contractStatus"] != "ACTIVE" || anchor["seq"] != 2.0 || len(root) != 64 || view["liveUntilLedger"] == 0.0 {
			t.Errorf("%v", view)
		}
	}
	cost, _ := one["costStroops"].(float64)
	if want := w.registry.TransactionLog(id).Fees(); cost != float64(want) || one["transactions"] != 2.0 {
		t.Errorf("cost %v in %v transactions, want %d in 2", cost, one["transactions"], want)
	}
}

// TestTenantsVerify_Anchors: only the anchor reveals a chain that was rewritten
// consistently.
func TestTenantsVerify_Anchors(t *testing.T) {
	w := setup(t)
	ids := w.createTenants("St. Mary", "General")
	w.run("tenants", "verify", "--onchain", "--offline").want(t, 2, "give --onchain or --offline, not both")
	w.mustRun("tenants", "verify", "--onchain").want(t, 0, "2 tenants checked, 0 findings", "0 audit chains compared with their anchors on the ledger")
	w.mustRun("contracts", "anchor", "name:St. Mary").want(t, 0, ids[0], "audit chain anchored")
	w.mustRun("contracts", "anchor", "name:St. Mary").want(t, 0, "1 contract checked, 0 failed, 0 XLM paid") // Already anchored.
	w.mustRun("contracts", "show", ids[0]).want(t, 0, "Anchor", "event 2, ")
	for name := range w.env {
		if strings.HasPrefix(name, "MAIL_") || name == "APP_URL" { // A check sends no mail.
			delete(w.env, name)
		}
	}
	w.mustRun("tenants", "verify").want(t, 0, "2 tenants checked, 0 findings", "1 audit chains compared with their anchors on the ledger")
	w.mustRun("tenants", "verify", ids[1], "--onchain").want(t, 0, "0 audit chains compared")

	for _, id := range ids {
		w.registry.RewriteChain(id)
	}
	w.mustRun("tenants", "verify", "--offline").want(t, 0, "2 tenants checked, 0 findings", "the ledger was not read")
	r := w.run("tenants", "verify", "--onchain")
	r.want(t, 3, "tenant "+ids[0]+": audit events: row 2 has another hash than the contract anchored in ledger", "1 findings", "1 audit chains compared")
	if strings.Contains(r.out, ids[1]) {
		t.Errorf("a finding about a chain without an anchor: %s", r.out)
	}
	// A rewritten chain is not anchored again: that would hide the rewrite.
	w.run("contracts", "anchor", "--all").want(t, 1, ids[1], "3 contracts checked, 1 failed", "registry", "deployed",
		"the audit chain differs from what the contract anchored: event 2 or an earlier one was changed")
	w.mustRun("contracts", "list").want(t, 0, "registry ", "3 contracts")
	w.registry.RewriteChain(uuid.Nil.String()) // The events of keys and refused callers.
	w.run("tenants", "verify").want(t, 3, "registry: audit events: row 1 has another hash than the contract anchored", "2 findings", "3 audit chains compared")
	w.run("tenants", "verify", ids[0]).want(t, 3, "row 2 has another hash")
}

// TestServe_ContractLifecycle: a worker sets the status of contracts, logs warnings and
// exports metrics.
func TestServe_ContractLifecycle(t *testing.T) {
	w := setup(t)
	w.env["METRICS_ADDR"], w.env["SOROBAN_CHANNELS"], w.env["SOROBAN_LOW_BALANCE"] = "127.0.0.1:0", "2", "10000000000000"
	p := w.start(w.createKey("admin"), "serve")
	id := p.call(http.MethodPost, "/admin/tenants", clinic("St. Mary")).want(t, http.StatusAccepted).str("tenantId")
	w.waitFor("the tenant", w.hasActive(1))
	for _, status := range []string{"ARCHIVED", "ACTIVE"} {
		method, path := http.MethodDelete, "/admin/tenants/"+id
		if status == "ACTIVE" {
			method, path = http.MethodPost, path+"/unarchive"
		}
		p.call(method, path, nil).want(t, http.StatusOK)
		w.waitFor("a contract with status "+status, func() bool {
			return regexp.MustCompile(`Status on chain +` + status).MatchString(w.mustRun("contracts", "show", id).out)
		})
	}
	w.waitFor("two transactions that set the status", func() bool {
		return len(w.registry.TransactionLog(id).Of(txlog.PurposeStatus).In(txlog.StateSucceeded)) == 2
	})
	w.waitFor("a warning", func() bool { return strings.Contains(p.log.String(), "the balance of the deployer account is low") })
	if log := p.log.String(); strings.Count(log, "the balance of the deployer account is low") != 1 || !strings.Contains(log, "low_balance_stroops=10000000000000") ||
		!strings.Contains(log, "account="+w.deployer) || !strings.Contains(log, "contracts reconciled") {
		t.Error("the log lacks a message, or repeats the warning")
	}

	metrics := w.metrics(p)
	for _, line := range []string{
		`healthcare_stellar_transactions_total{purpose="CREATE"} 1`, `healthcare_stellar_fee_stroops_total{purpose="CREATE"} `,
		`healthcare_stellar_deployer_balance_stroops 9.9`, `healthcare_stellar_deployer_low_balance_stroops 1e+13`,
		`healthcare_stellar_channels{state="disabled"} 0`, `healthcare_stellar_channel_lowest_balance_stroops 4.`,
		`healthcare_contracts_reconcile_errors 0`, `healthcare_tenant_fee_stroops_count 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("missing %q in the metrics", line)
		}
	}
	if t.Failed() {
		t.Log(metrics)
	}
}

// metrics reads the metrics of a server.
func (w *testEnv) metrics(p *process) string {
	w.t.Helper()
	_, address, _ := strings.Cut(p.log.String(), `msg="serving metrics" url=`)
	answer, err := http.Get(strings.Fields(address)[0])
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func TestCommands_ReconcileUpdatesContracts(t *testing.T) {
	w := setup(t)
	w.env["SOROBAN_CHANNELS"] = "2"
	id := w.createTenants("St. Mary")[0]
	w.registry.SetStatus(id, tenant.StatusArchived)
	w.mustRun("tenants", "reconcile").want(t, 0, id, "status set", "1 contract checked")
	w.mustRun("contracts", "show", id).want(t, 0, "ARCHIVED")
	w.mustRun("tenants", "reconcile").want(t, 0, "Nothing was due.")
	var listed []struct{ State contracts.State }
	if text := w.mustRun("contracts", "list", "--json").out; json.Unmarshal([]byte(text), &listed) != nil || len(listed) != 1 || listed[0].State != contracts.StateLive {
		t.Errorf("the registry has the contract as %s", text)
	}
}
