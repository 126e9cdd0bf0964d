package host_test

import (
	"context"
	"crypto/sha256"
	"encoding"
	"sync"
	"testing"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

const startSequence = 1000

var networkID = sha256.Sum256([]byte("host test network"))

// testLedger is a ledger in memory that can run contracts.
type testLedger struct {
	host         host.Host
	admin        xdr.AccountId
	otherAccount xdr.AccountId

	mu       sync.Mutex
	sequence uint32
	entries  map[string]storedEntry
}

type storedEntry struct {
	entry     []byte
	liveUntil *uint32
}

func newLedger(t testing.TB) *testLedger {
	t.Helper()
	return newLedgerOn(t, sharedHost(t), xdr.MustAddress("GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H"))
}

func newLedgerOn(t testing.TB, h host.Host, admin xdr.AccountId) *testLedger {
	t.Helper()
	l := &testLedger{
		host:         h,
		admin:        admin,
		otherAccount: xdr.MustAddress("GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7"),
		sequence:     startSequence,
		entries:      map[string]storedEntry{},
	}
	for _, b := range host.DefaultConfigSettings() {
		var entry xdr.LedgerEntry
		decode(t, b, &entry)
		l.put(t, entry)
	}
	for _, id := range []xdr.AccountId{l.admin, l.otherAccount} {
		l.put(t, xdr.LedgerEntry{Data: xdr.LedgerEntryData{
			Type:    xdr.LedgerEntryTypeAccount,
			Account: &xdr.AccountEntry{AccountId: id, Balance: 100_000_000_000, Thresholds: xdr.Thresholds{1, 0, 0, 0}},
		}})
	}
	return l
}

func (l *testLedger) put(t testing.TB, entry xdr.LedgerEntry) {
	t.Helper()
	key, err := entry.LedgerKey()
	if err != nil {
		t.Fatal(err)
	}
	l.entries[string(encode(t, key))] = storedEntry{entry: encode(t, entry)}
}

func (l *testLedger) lookup(key []byte) ([]byte, *uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.entries[string(key)]
	return s.entry, s.liveUntil, nil
}

func (l *testLedger) now() host.Ledger {
	return host.Ledger{
		ProtocolVersion: 28,
		Sequence:        l.sequence,
		Timestamp:       1_800_000_000,
		NetworkID:       networkID,
		BaseReserve:     5_000_000,
	}
}

func (l *testLedger) simulate(t testing.TB, fn xdr.HostFunction, source xdr.AccountId) host.SimulateResult {
	t.Helper()
	r, err := l.host.Simulate(t.Context(), l.lookup, host.SimulateRequest{
		Ledger: l.now(), HostFunction: encode(t, fn), Source: encode(t, source),
	})
	if err != nil {
		t.Fatalf("simulate: %v", err)
	}
	return r
}

// request turns a simulation into the invocation that it predicts.
func (l *testLedger) request(t testing.TB, fn xdr.HostFunction, source xdr.AccountId, sim host.SimulateResult) host.InvokeRequest {
	t.Helper()
	if sim.Error != "" {
		t.Fatalf("simulation failed: %s", sim.Error)
	}
	data := transactionData(t, sim.TransactionData)
	r := host.InvokeRequest{
		Ledger: l.now(), HostFunction: encode(t, fn), Resources: encode(t, data.Resources),
		Source: encode(t, source), Auth: sim.Auth,
	}
	if data.Ext.ResourceExt != nil {
		for _, i := range data.Ext.ResourceExt.ArchivedSorobanEntries {
			r.RestoredRWIndices = append(r.RestoredRWIndices, uint32(i))
		}
	}
	for _, key := range footprintOf(data) {
		k := encode(t, key)
		entry, liveUntil, _ := l.lookup(k)
		r.Entries = append(r.Entries, host.EntryWithTTL{Key: k, Entry: entry, LiveUntil: liveUntil})
	}
	return r
}

// invoke runs and, when it succeeds, applies what has changed.
func (l *testLedger) invoke(t testing.TB, r host.InvokeRequest) host.InvokeResult {
	t.Helper()
	res, err := l.host.Invoke(t.Context(), l.lookup, r)
	if err != nil {
		t.Fatalf("invoke: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, change := range res.Entries {
		s := l.entries[string(change.Key)]
		if change.Deleted {
			delete(l.entries, string(change.Key))
			continue
		}
		if change.New != nil {
			s.entry = change.New
		}
		if change.NewLiveUntil != 0 {
			s.liveUntil = &change.NewLiveUntil
		}
		if s.entry != nil {
			l.entries[string(change.Key)] = s
		}
	}
	return res
}

// run simulates and invokes, and expects both to succeed.
func (l *testLedger) run(t testing.TB, fn xdr.HostFunction, source xdr.AccountId) host.InvokeResult {
	t.Helper()
	res := l.invoke(t, l.request(t, fn, source, l.simulate(t, fn, source)))
	if res.Error != "" {
		t.Fatalf("invocation failed: %s", res.Error)
	}
	return res
}

// deployed is a ledger with a tenant's contract on it.
type deployed struct {
	*testLedger
	contract xdr.ContractId
	tenant   xdr.ScBytes
	created  host.InvokeResult
}

func deploy(t testing.TB) deployed {
	t.Helper()
	return deployContract(t, newLedger(t))
}

func deployContract(t testing.TB, l *testLedger) deployed {
	t.Helper()
	code := contract.Wasm()
	l.run(t, xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeUploadContractWasm, Wasm: &code}, l.admin)

	d := deployed{testLedger: l, tenant: make(xdr.ScBytes, 32)}
	d.tenant[0] = 7
	fn := d.creation()
	d.created = l.run(t, fn, l.admin)

	d.contract = contractID(t, fn.CreateContractV2.ContractIdPreimage)
	return d
}

func contractID(t testing.TB, from xdr.ContractIdPreimage) xdr.ContractId {
	t.Helper()
	return sha256.Sum256(encode(t, xdr.HashIdPreimage{
		Type:       xdr.EnvelopeTypeEnvelopeTypeContractId,
		ContractId: &xdr.HashIdPreimageContractId{NetworkId: networkID, ContractIdPreimage: from},
	}))
}

func (d deployed) creation() xdr.HostFunction {
	hash := xdr.Hash(contract.Hash())
	return xdr.HostFunction{
		Type: xdr.HostFunctionTypeHostFunctionTypeCreateContractV2,
		CreateContractV2: &xdr.CreateContractArgsV2{
			ContractIdPreimage: xdr.ContractIdPreimage{
				Type: xdr.ContractIdPreimageTypeContractIdPreimageFromAddress,
				FromAddress: &xdr.ContractIdPreimageFromAddress{
					Address: accountAddress(d.admin), Salt: xdr.Uint256{1},
				},
			},
			Executable:      xdr.ContractExecutable{Type: xdr.ContractExecutableTypeContractExecutableWasm, WasmHash: &hash},
			ConstructorArgs: []xdr.ScVal{addressVal(d.admin), bytesVal(d.tenant)},
		},
	}
}

func (d deployed) call(name string, args ...xdr.ScVal) xdr.HostFunction {
	return xdr.HostFunction{
		Type: xdr.HostFunctionTypeHostFunctionTypeInvokeContract,
		InvokeContract: &xdr.InvokeContractArgs{
			ContractAddress: contractAddress(d.contract), FunctionName: xdr.ScSymbol(name), Args: args,
		},
	}
}

// keys are those of the contract's instance and of its code.
func (d deployed) keys(t testing.TB) [][]byte {
	t.Helper()
	return [][]byte{
		encode(t, xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractData, ContractData: &xdr.LedgerKeyContractData{
			Contract:   contractAddress(d.contract),
			Key:        xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance},
			Durability: xdr.ContractDataDurabilityPersistent,
		}}),
		encode(t, xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractCode, ContractCode: &xdr.LedgerKeyContractCode{
			Hash: contract.Hash(),
		}}),
	}
}

// expireEntry advances the ledger until all entries are archived.
func (l *testLedger) expireEntry() { l.sequence += 3_110_400 }

func accountAddress(id xdr.AccountId) xdr.ScAddress {
	return xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeAccount, AccountId: &id}
}

func contractAddress(id xdr.ContractId) xdr.ScAddress {
	return xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &id}
}

func addressVal(id xdr.AccountId) xdr.ScVal {
	a := accountAddress(id)
	return xdr.ScVal{Type: xdr.ScValTypeScvAddress, Address: &a}
}

func bytesVal(b xdr.ScBytes) xdr.ScVal { return xdr.ScVal{Type: xdr.ScValTypeScvBytes, Bytes: &b} }

func u32Val(v uint32) xdr.ScVal {
	u := xdr.Uint32(v)
	return xdr.ScVal{Type: xdr.ScValTypeScvU32, U32: &u}
}

func transactionData(t testing.TB, b []byte) xdr.SorobanTransactionData {
	t.Helper()
	var data xdr.SorobanTransactionData
	decode(t, b, &data)
	return data
}

func footprintOf(data xdr.SorobanTransactionData) []xdr.LedgerKey {
	f := data.Resources.Footprint
	return append(append([]xdr.LedgerKey(nil), f.ReadOnly...), f.ReadWrite...)
}

func encode(t testing.TB, v encoding.BinaryMarshaler) []byte {
	t.Helper()
	b, err := v.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t testing.TB, b []byte, v encoding.BinaryUnmarshaler) {
	t.Helper()
	if err := v.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
}

// sharedHost is one host for all tests, which also tests that calls do not affect each
// other.
func sharedHost(t testing.TB) host.Host {
	t.Helper()
	h, err := startHost()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var startHost = sync.OnceValues(func() (host.Host, error) {
	return host.New(context.Background(), host.Options{PoolSize: 2})
})
