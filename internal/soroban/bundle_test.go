package soroban_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/clients/rpcclient"
	"github.com/stellar/go-stellar-sdk/keypair"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const (
	xlm     = 10_000_000
	funding = 1000 * xlm
)

// networkTimeAhead is how far the network's time may be ahead of the database's: tests let it
// go on.
const networkTimeAhead = 1000 * time.Hour

// leaseTTL outlasts every test: no test renews leases.
const leaseTTL = 10 * time.Minute

// The methods in which tests inject faults and which they count.
const (
	send     = protocol.SendTransactionMethodName
	ask      = protocol.GetTransactionMethodName
	simulate = protocol.SimulateTransactionMethodName
	entries  = protocol.GetLedgerEntriesMethodName
	feeStats = protocol.GetFeeStatsMethodName
	network  = protocol.GetNetworkMethodName
)

// testBundle is a network, a registry and a funded deployer.
type testBundle struct {
	t      *testing.T
	net    *stellarnet.Network
	db     *postgres.DB
	key    *keypair.Full
	client *rpcclient.Client
	first  int64 // The deployer's sequence number before anything was deployed.
	names  *atomic.Int64
	url    string // Of the registry.

	registry *registrytest.Registry
}

func setup(t *testing.T, change ...func(*stellarnet.Options)) *testBundle {
	t.Helper()
	b := setupUnfunded(t, change...)
	b.must(b.net.Fund(b.key.Address(), funding))
	b.first = int64(b.account().SeqNum)
	return b
}

func setupUnfunded(t *testing.T, change ...func(*stellarnet.Options)) *testBundle {
	t.Helper()
	t.Parallel()
	b := &testBundle{t: t, key: keypair.MustRandom(), names: new(atomic.Int64)}
	b.start(change...)
	b.openRegistry(testenv.Database(t))
	return b
}

// openRegistry opens the registry in a database.
func (b *testBundle) openRegistry(url string) {
	b.t.Helper()
	var err error
	b.url = url
	b.db, err = postgres.Open(b.t.Context(), pgdb.Options{URL: url})
	b.must(err)
	b.t.Cleanup(b.db.Close)
	b.db.MaxValidity = networkTimeAhead
	b.registry = registrytest.Open(b.t, url)
}

func (b *testBundle) start(change ...func(*stellarnet.Options)) {
	b.t.Helper()
	o := stellarnet.Options{LedgerClose: 50 * time.Millisecond, Host: testenv.SorobanHost(b.t)}
	for _, c := range change {
		c(&o)
	}
	net, err := stellarnet.Start(b.t.Context(), o)
	b.must(err)
	b.t.Cleanup(func() { _ = net.Close() })
	client := rpcclient.NewClient(net.RPCURL(), &http.Client{Transport: &http.Transport{}})
	b.t.Cleanup(func() { _ = client.Close() })
	b.net, b.client = net, client
}

// reset restarts the network from genesis under its old name, some time later.
func (b *testBundle) reset() {
	b.t.Helper()
	b.must(b.net.Close())
	b.start()
	b.must(b.net.Fund(b.key.Address(), funding))
	b.expire()
	b.first = int64(b.account().SeqNum)
}

func (b *testBundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *testBundle) options() soroban.Options {
	return soroban.Options{
		Passphrase: b.net.Passphrase(), RPCURL: b.net.RPCURL(), DeployerSecret: b.key.Seed(),
		PollInterval: 5 * time.Millisecond,
	}
}

// deployer is the deployer of a new process.
func (b *testBundle) deployer(change ...func(*soroban.Options)) *soroban.Deployer {
	b.t.Helper()
	o := b.options()
	for _, c := range change {
		c(&o)
	}
	d, err := soroban.New(o)
	b.must(err)
	return d
}

// begin creates a tenant and claims it.
func (b *testBundle) begin() provisioning.Run {
	b.t.Helper()
	draft, err := tenant.NewDraft(tenant.Inputs{
		Name: fmt.Sprintf("Clinic %d", b.names.Add(1)), AdminEmail: "ada@clinic.example",
		AdminFirstName: "Ada", AdminLastName: "Lovelace",
	}, time.Now())
	b.must(err)
	c, err := b.db.Create(b.t.Context(), draft, provisioning.LeaseRequest{Owner: "test", TTL: leaseTTL})
	b.must(err)
	return *c.Run
}

// restart claims the tenant as the next process after the last one was killed.
func (b *testBundle) restart(run provisioning.Run) provisioning.Run {
	b.t.Helper()
	b.registry.ExpireRun(run.Tenant.ID.String())
	next, err := b.db.Claim(b.t.Context(), run.Tenant.ID, provisioning.ClaimResume, provisioning.LeaseRequest{Owner: "next", TTL: leaseTTL})
	b.must(err)
	return next
}

// deploy deploys for a run and expects success.
func (b *testBundle) deploy(d *soroban.Deployer, run provisioning.Run) contracts.Contract {
	b.t.Helper()
	c, err := d.Deploy(b.t.Context(), run.Tenant, b.db.TransactionLog(run))
	b.must(err)
	b.wantContract(run, c)
	return c
}

// wantContract reads the contract back without the package under test.
func (b *testBundle) wantContract(run provisioning.Run, c contracts.Contract) {
	b.t.Helper()
	if want, err := soroban.ContractID(b.net.Passphrase(), b.key.Address(), run.Tenant.ID); err != nil || c.ID != want {
		b.t.Fatalf("contract %q, want %q (%v)", c.ID, want, err)
	}
	found := b.ledger(instanceKey(b.t, c.ID))
	if len(found) != 1 || *found[0].LiveUntilLedgerSeq == 0 {
		b.t.Fatalf("the ledger has %+v", found)
	}
	var data xdr.LedgerEntryData
	b.must(xdr.SafeUnmarshalBase64(found[0].DataXDR, &data))
	if hash := data.ContractData.Val.Instance.Executable.WasmHash; *hash != contract.Hash() {
		b.t.Errorf("the contract runs %x", *hash)
	}
	if hash := contract.Hash(); c.WasmHash != fmt.Sprintf("%x", hash) || c.Network != b.net.Passphrase() {
		b.t.Errorf("%+v", c)
	}
}

func (b *testBundle) ledger(keys ...xdr.LedgerKey) []protocol.LedgerEntryResult {
	b.t.Helper()
	var q protocol.GetLedgerEntriesRequest
	for _, key := range keys {
		encoded, err := xdr.MarshalBase64(key)
		b.must(err)
		q.Keys = append(q.Keys, encoded)
	}
	got, err := b.client.GetLedgerEntries(context.Background(), q)
	b.must(err)
	return got.Entries
}

func (b *testBundle) account() xdr.AccountEntry {
	b.t.Helper()
	return b.accountOf(b.key.Address())
}

func (b *testBundle) accountOf(address string) xdr.AccountEntry {
	b.t.Helper()
	id := xdr.MustAddress(address)
	key, err := id.LedgerKey()
	b.must(err)
	found := b.ledger(key)
	if len(found) != 1 {
		b.t.Fatalf("the ledger has %d accounts %s", len(found), address)
	}
	var data xdr.LedgerEntryData
	b.must(xdr.SafeUnmarshalBase64(found[0].DataXDR, &data))
	return *data.Account
}

// count returns how many transactions are in each state, by keys such as "CREATE
// SUCCEEDED".
func (b *testBundle) count() map[string]int {
	b.t.Helper()
	counts := map[string]int{}
	for _, x := range b.registry.TransactionLog() {
		counts[fmt.Sprint(x.Purpose, " ", x.State)]++
	}
	return counts
}

func (b *testBundle) wantCount(want map[string]int) {
	b.t.Helper()
	if got := b.count(); fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("transactions: %v, want %v", got, want)
	}
}

// wantEachCreatedOnce checks the transaction log, and returns it: each tenant's contract was
// created once, the code was uploaded once, and every outcome is known.
func (b *testBundle) wantEachCreatedOnce(tenants int) registrytest.Transactions {
	b.t.Helper()
	log := b.registry.TransactionLog()
	created, uploads := log.Of(txlog.PurposeCreate).In(txlog.StateSucceeded), log.Of(txlog.PurposeUpload).In(txlog.StateSucceeded)
	contracts, open := created.Contracts(), log.In(txlog.StateSigned)
	if len(created) != tenants || len(contracts) != tenants || len(uploads) != 1 || len(open) != 0 {
		b.t.Errorf("%d tenants: %d creations of %d contracts, %d uploads, %d transactions unresolved; %v",
			tenants, len(created), len(contracts), len(uploads), len(open), b.count())
	}
	return log
}

// wantBooksToMatch compares the transaction log with the ledger: each contract was created once,
// the code uploaded once, and every stroop and sequence number that the deployer used is
// in the transaction log. foreign are other transactions with its key: their number and cost.
func (b *testBundle) wantBooksToMatch(tenants, foreign int, cost int64) {
	b.t.Helper()
	log := b.wantEachCreatedOnce(tenants)
	numbers, fees := len(log.In(txlog.StateSucceeded, txlog.StateFailed)), log.Fees()
	account := b.account()
	if used := int64(account.SeqNum) - b.first; used != int64(numbers+foreign) {
		b.t.Errorf("%d sequence numbers were used, %d are in the transaction log, %d are foreign", used, numbers, foreign)
	}
	if paid := funding - int64(account.Balance); paid != fees+cost {
		b.t.Errorf("the deployer paid %d stroops, %d are in the transaction log, %d are foreign", paid, fees, cost)
	}
}

func instanceKey(t *testing.T, id string) xdr.LedgerKey {
	t.Helper()
	raw, err := strkey.Decode(strkey.VersionByteContract, id)
	if err != nil {
		t.Fatal(err)
	}
	contractID := xdr.ContractId(raw)
	return xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractData, ContractData: &xdr.LedgerKeyContractData{
		Contract:   xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &contractID},
		Key:        xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance},
		Durability: xdr.ContractDataDurabilityPersistent,
	}}
}

func codeKey() xdr.LedgerKey {
	return xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractCode, ContractCode: &xdr.LedgerKeyContractCode{Hash: contract.Hash()}}
}

func wantKind(t *testing.T, err error, kind errs.Kind) {
	t.Helper()
	if errs.KindOf(err) != kind {
		t.Errorf("error of kind %q, want %q: %v", errs.KindOf(err), kind, err)
	}
}

// channelKey derives a channel's key as every release has to: existing channels could not
// be found otherwise.
func (b *testBundle) channelKey(index int) *keypair.Full {
	b.t.Helper()
	mac := hmac.New(sha256.New, []byte(b.key.Seed()))
	mac.Write([]byte("healthcare-platform/channel-account/v1"))
	registry, err := b.db.SystemLog().RegistryID(b.t.Context())
	b.must(err)
	mac.Write(registry[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(index)))
	key, err := keypair.FromRawSeed([32]byte(mac.Sum(nil)))
	b.must(err)
	return key
}
