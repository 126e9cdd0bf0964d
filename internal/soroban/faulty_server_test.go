package soroban_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stellarstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// changed returns a response whose result was changed.
func changed(t *testing.T, answer []byte, change func(result map[string]any)) []byte {
	t.Helper()
	var r map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(answer)))
	decoder.UseNumber()
	if err := decoder.Decode(&r); err != nil {
		t.Error(err)
		return answer
	}
	if result, ok := r["result"].(map[string]any); ok {
		change(result)
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Error(err)
	}
	return out
}

// through is a deployer whose responses are changed while lying.
func (b *testBundle) through(lying *atomic.Bool, after func(method string, answer []byte) []byte, change ...func(*soroban.Options)) *soroban.Deployer {
	w := &wire{after: func(method string, answer []byte) []byte {
		if !lying.Load() {
			return nil
		}
		return after(method, answer)
	}}
	return b.deployer(append(change, func(o *soroban.Options) { o.HTTPClient = w.client() })...)
}

// TestDeployer_FaultyServer: whatever a server returns, nothing is signed for long or for
// something else, the cause is said, and once the server is honest the contract is deployed.
func TestDeployer_FaultyServer(t *testing.T) {
	t.Parallel()
	transfer := func(b *testBundle) string {
		entry := xdr.SorobanAuthorizationEntry{
			Credentials: xdr.SorobanCredentials{Type: xdr.SorobanCredentialsTypeSorobanCredentialsSourceAccount},
			RootInvocation: xdr.SorobanAuthorizedInvocation{Function: xdr.SorobanAuthorizedFunction{
				Type:       xdr.SorobanAuthorizedFunctionTypeSorobanAuthorizedFunctionTypeContractFn,
				ContractFn: &xdr.InvokeContractArgs{ContractAddress: xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &xdr.ContractId{1}}, FunctionName: "transfer"},
			}},
		}
		encoded, err := xdr.MarshalBase64(entry)
		b.must(err)
		return encoded
	}
	for name, c := range map[string]struct {
		words []string
		lie   func(b *testBundle) func(method string, answer []byte) []byte
	}{
		"CloseTimeOf2096": {[]string{"more than 5m0s after the database's clock", "nothing was sent"}, func(b *testBundle) func(string, []byte) []byte {
			return func(method string, answer []byte) []byte {
				return changed(b.t, answer, func(result map[string]any) {
					if _, ok := result["latestLedgerCloseTime"]; ok {
						result["latestLedgerCloseTime"] = "3976214400"
					}
				})
			}
		}},
		"AdditionalAuthorization": {[]string{"is faulty", "an authorization that the operation does not need", "nothing was signed"}, func(b *testBundle) func(string, []byte) []byte {
			return func(method string, answer []byte) []byte {
				return changed(b.t, answer, func(result map[string]any) {
					if results, ok := result["results"].([]any); ok && method == simulate && len(results) > 0 {
						one, _ := results[0].(map[string]any)
						auth, _ := one["auth"].([]any)
						one["auth"] = append(auth, transfer(b))
					}
				})
			}
		}},
		"OtherAuthorization": {[]string{"is faulty", "an authorization that the operation does not need"}, func(b *testBundle) func(string, []byte) []byte {
			return func(method string, answer []byte) []byte {
				return changed(b.t, answer, func(result map[string]any) {
					if results, ok := result["results"].([]any); ok && method == simulate && len(results) > 0 {
						one, _ := results[0].(map[string]any)
						one["auth"] = []any{transfer(b)}
					}
				})
			}
		}},
		"EmptyResult": {[]string{"not from a Stellar RPC server"}, func(*testBundle) func(string, []byte) []byte {
			return func(string, []byte) []byte { return []byte(`{"jsonrpc":"2.0","id":1,"result":{}}`) }
		}},
		"NullResult": {[]string{"not from a Stellar RPC server"}, func(*testBundle) func(string, []byte) []byte {
			return func(string, []byte) []byte { return []byte(`{"jsonrpc":"2.0","id":1,"result":null}`) }
		}},
		"GarbageEntries": {[]string{"cannot be decoded", "install a newer release"}, func(b *testBundle) func(string, []byte) []byte {
			return func(_ string, answer []byte) []byte {
				return changed(b.t, answer, func(result map[string]any) {
					found, _ := result["entries"].([]any)
					for _, entry := range found {
						one, _ := entry.(map[string]any)
						one["xdr"] = "AAAAfwAA"
					}
				})
			}
		}},
		"GarbageSimulation": {[]string{"cannot be decoded"}, func(b *testBundle) func(string, []byte) []byte {
			return func(method string, answer []byte) []byte {
				return changed(b.t, answer, func(result map[string]any) {
					if method == simulate {
						result["transactionData"] = "AAAA"
					}
				})
			}
		}},
		"LedgerAboveTheLatest": {nil, func(b *testBundle) func(string, []byte) []byte {
			return func(method string, answer []byte) []byte {
				return changed(b.t, answer, func(result map[string]any) {
					if result["status"] == "SUCCESS" && method == ask {
						result["ledger"] = 4294967295
					}
				})
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.db.MaxValidity = stellarstore.DefaultMaxValidity
			var lying atomic.Bool
			lying.Store(true)
			d := b.through(&lying, c.lie(b))
			run := b.begin()
			_, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
			wantKind(t, err, errs.KindTransient)
			wantWords(t, errs.SafeMessage(err), c.words...)
			for _, x := range b.registry.TransactionLog() {
				if ahead := time.Until(x.ValidUntil); ahead > 5*time.Minute {
					t.Errorf("a transaction is valid for %v", ahead)
				}
			}
			lying.Store(false)
			run = b.restart(run)
			// What the server said last is believed for two seconds.
			for limit := time.Now().Add(time.Minute); time.Now().Before(limit); {
				if _, err = d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run)); errs.KindOf(err) != errs.KindTransient {
					break
				}
			}
			b.must(err)
			b.wantEachCreatedOnce(1)
		})
	}
}

// expireEntries makes the lifetimes of all ledger entries of an answer end.
func expireEntries(result map[string]any) {
	found, _ := result["entries"].([]any)
	for _, entry := range found {
		if e, _ := entry.(map[string]any); e["liveUntilLedgerSeq"] != nil {
			e["liveUntilLedgerSeq"] = 1
		}
	}
}

// TestDeployer_EntriesAlwaysExpired: a server that says that everything has expired is paid for
// no restore: its simulation has nothing to restore.
func TestDeployer_EntriesAlwaysExpired(t *testing.T) {
	b := setup(t)
	var lying atomic.Bool
	d := b.through(&lying, func(_ string, answer []byte) []byte {
		return changed(t, answer, expireEntries)
	})
	ids := b.live(d, 2)
	lying.Store(true)
	run := b.begin()
	_, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
	wantKind(t, err, errs.KindTransient)
	wantWords(t, errs.SafeMessage(err), "is faulty", "changes nothing", "nothing was signed")
	r := b.reconciler(d, contracts.ReconcilerOptions{})
	for range 5 {
		if _, err := r.Pass(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := len(b.registry.TransactionLog().Of(txlog.PurposeRestore)); n > 0 {
		t.Errorf("%d restores", n)
	}
	for _, item := range b.records() {
		if slices.Contains(ids, item.Tenant.ID) && (item.Record.ConsecutiveFailures != 1 || item.Record.LastError == "") {
			t.Errorf("%+v", item.Record)
		}
	}
}

// TestDeployer_EntriesAlwaysExpired_SimulationToo: the simulation lies as well, and the network
// takes the fee of a restore that changes nothing. Two are paid, and no other one.
func TestDeployer_EntriesAlwaysExpired_SimulationToo(t *testing.T) {
	b := setup(t)
	var lying atomic.Bool
	d := b.through(&lying, func(method string, answer []byte) []byte {
		return changed(t, answer, func(result map[string]any) {
			expireEntries(result)
			text, ok := result["transactionData"].(string)
			if method != simulate || !ok {
				return
			}
			var data xdr.SorobanTransactionData
			b.must(xdr.SafeUnmarshalBase64(text, &data))
			data.Resources = xdr.SorobanResources{Footprint: xdr.LedgerFootprint{ReadWrite: []xdr.LedgerKey{codeKey()}}, DiskReadBytes: 20_000, WriteBytes: 20_000}
			data.ResourceFee = 5_000_000
			encoded, err := xdr.MarshalBase64(data)
			b.must(err)
			result["transactionData"] = encoded
		})
	})
	b.live(d, 1)
	lying.Store(true)
	run := b.begin()
	_, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
	wantKind(t, err, errs.KindTransient)
	wantWords(t, errs.SafeMessage(err), "is faulty", "2 transactions for", "does not show their effect; no other one is paid")
	if n := len(b.registry.TransactionLog().Of(txlog.PurposeRestore).In(txlog.StateSucceeded)); n != 2 {
		t.Errorf("%d restores; %v", n, b.count())
	}
}

// TestDeployer_OtherFootprint: an extension changes the entries that were requested, whatever
// the simulation says.
func TestDeployer_OtherFootprint(t *testing.T) {
	b := setup(t)
	var lying atomic.Bool
	d := b.through(&lying, func(method string, answer []byte) []byte {
		return changed(t, answer, func(result map[string]any) {
			text, ok := result["transactionData"].(string)
			if method != simulate || !ok {
				return
			}
			var data xdr.SorobanTransactionData
			b.must(xdr.SafeUnmarshalBase64(text, &data))
			data.Resources.Footprint.ReadOnly = append(data.Resources.Footprint.ReadOnly, codeKey())
			data.Resources.Footprint.ReadWrite = append(data.Resources.Footprint.ReadWrite, instanceKey(t, "CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA"))
			encoded, err := xdr.MarshalBase64(data)
			b.must(err)
			result["transactionData"] = encoded
		})
	})
	b.live(d, 1)
	b.travel(100 * day)
	lying.Store(true)
	report, err := b.reconciler(d, contracts.ReconcilerOptions{}).ReconcileAll(t.Context(), nil)
	b.must(err)
	if len(report.Extended) != 0 || len(report.Failed) != 1 || len(b.registry.TransactionLog().Of(txlog.PurposeExtend)) != 0 {
		t.Errorf("%+v", report)
	}
	for _, reason := range report.Failed {
		wantWords(t, reason, "changes entries that were not requested; nothing was signed")
	}
	lying.Store(false)
	report, err = b.reconciler(d, contracts.ReconcilerOptions{}).ReconcileAll(t.Context(), nil)
	if b.must(err); len(report.Extended) != 1 {
		t.Errorf("%+v", report)
	}
}

// TestDeployer_Redirect: a redirect is not followed: the other host would get transactions, and
// the URL with its key.
func TestDeployer_Redirect(t *testing.T) {
	b := setup(t)
	var asked atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer elsewhere.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	d := b.deployer(func(o *soroban.Options) { o.RPCURL = redirecting.URL + "/key" })
	b.refused(d, b.begin(), errs.KindPermanent, "redirects to another one (HTTP status 307)", "SOROBAN_RPC_URL")
	if asked.Load() != 0 {
		t.Error("the redirect was followed")
	}
}
