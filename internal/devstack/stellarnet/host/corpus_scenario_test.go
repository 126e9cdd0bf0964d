package host_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// scenario is a deployed contract on a tape, whose admin can sign. All that varies comes
// from the seed, so the same seed always makes the same requests.
type scenario struct {
	deployed
	t        testing.TB
	recorder *host.Recorder
	rng      *rand.Rand
	key      *keypair.Full
}

func newScenario(t testing.TB, recorder *host.Recorder, seed uint64) *scenario {
	t.Helper()
	key, err := keypair.FromRawSeed(sha256.Sum256(fmt.Appendf(nil, "corpus %d", seed)))
	if err != nil {
		t.Fatal(err)
	}
	recorder.Label = fmt.Sprintf("world %d: deploy", seed)
	w := &scenario{
		t: t, recorder: recorder, key: key,
		rng:      rand.New(rand.NewPCG(seed, 0)),
		deployed: deployContract(t, newLedgerOn(t, recorder, xdr.MustAddress(key.Address()))),
	}
	return w
}

// label sets the name of the following calls.
func (w *scenario) label(format string, args ...any) { w.recorder.Label = fmt.Sprintf(format, args...) }

func (w *scenario) hash() (h [32]byte) {
	for i := range h {
		h[i] = byte(w.rng.Uint32())
	}
	return h
}

// advanceLedgers closes some ledgers.
func (w *scenario) advanceLedgers(ledgers uint32) { w.sequence += ledgers }

// simulateRecording simulates with a separate random seed, from which nonces are
// derived.
func (w *scenario) simulateRecording(fn xdr.HostFunction, source xdr.AccountId) host.SimulateResult {
	w.t.Helper()
	sim, err := w.host.Simulate(w.t.Context(), w.lookup, host.SimulateRequest{
		Ledger: w.now(), HostFunction: encode(w.t, fn), Source: encode(w.t, source), PRNGSeed: w.hash(),
	})
	if err != nil {
		sim.Error = err.Error()
	}
	return sim
}

// simulateForInvoke simulates; a rejection is recorded like any case, and ends here.
func (w *scenario) simulateForInvoke(fn xdr.HostFunction, source xdr.AccountId) (host.InvokeRequest, bool) {
	sim := w.simulateRecording(fn, source)
	if sim.Error != "" {
		return host.InvokeRequest{}, false
	}
	r := w.request(w.t, fn, source, sim)
	r.PRNGSeed = w.hash()
	for i, auth := range r.Auth {
		r.Auth[i] = w.sign(auth, w.sequence+100)
	}
	return r, true
}

// simulateAndInvoke simulates and, when that succeeds, applies.
func (w *scenario) simulateAndInvoke(fn xdr.HostFunction, source xdr.AccountId) {
	if r, ok := w.simulateForInvoke(fn, source); ok {
		w.invoke(w.t, r)
	}
}

// invokeWithoutApply invokes and applies nothing. A rejection is recorded like any case.
func (w *scenario) invokeWithoutApply(r host.InvokeRequest) {
	w.t.Helper()
	_, _ = w.host.Invoke(w.t.Context(), w.lookup, r)
}

// sign signs an address's recorded authorization as the admin, valid up to the given
// ledger. Other kinds need no signature.
func (w *scenario) sign(auth []byte, until uint32) []byte {
	var entry xdr.SorobanAuthorizationEntry
	decode(w.t, auth, &entry)
	c := entry.Credentials.Address
	if entry.Credentials.Type == xdr.SorobanCredentialsTypeSorobanCredentialsAddressV2 {
		c = entry.Credentials.AddressV2
	}
	if c == nil {
		return auth
	}
	c.SignatureExpirationLedger = xdr.Uint32(until)
	digest := sha256.Sum256(encode(w.t, signedPayload(entry, c)))
	signature, err := w.key.Sign(digest[:])
	if err != nil {
		w.t.Fatal(err)
	}
	public := w.admin.Ed25519
	c.Signature = vecVal(mapVal(pair("public_key", bytesVal(public[:])), pair("signature", bytesVal(signature))))
	return encode(w.t, entry)
}

func signedPayload(entry xdr.SorobanAuthorizationEntry, c *xdr.SorobanAddressCredentials) xdr.HashIdPreimage {
	if entry.Credentials.Type == xdr.SorobanCredentialsTypeSorobanCredentialsAddress {
		return xdr.HashIdPreimage{
			Type: xdr.EnvelopeTypeEnvelopeTypeSorobanAuthorization,
			SorobanAuthorization: &xdr.HashIdPreimageSorobanAuthorization{
				NetworkId: networkID, Nonce: c.Nonce,
				SignatureExpirationLedger: c.SignatureExpirationLedger, Invocation: entry.RootInvocation,
			},
		}
	}
	return xdr.HashIdPreimage{
		Type: xdr.EnvelopeTypeEnvelopeTypeSorobanAuthorizationWithAddress,
		SorobanAuthorizationWithAddress: &xdr.HashIdPreimageSorobanAuthorizationWithAddress{
			NetworkId: networkID, Nonce: c.Nonce, Address: c.Address,
			SignatureExpirationLedger: c.SignatureExpirationLedger, Invocation: entry.RootInvocation,
		},
	}
}

func vecVal(items ...xdr.ScVal) xdr.ScVal {
	vec := xdr.ScVec(items)
	pointer := &vec
	return xdr.ScVal{Type: xdr.ScValTypeScvVec, Vec: &pointer}
}

func mapVal(pairs ...xdr.ScMapEntry) xdr.ScVal {
	m := xdr.ScMap(pairs)
	pointer := &m
	return xdr.ScVal{Type: xdr.ScValTypeScvMap, Map: &pointer}
}

func pair(key string, v xdr.ScVal) xdr.ScMapEntry { return xdr.ScMapEntry{Key: symbolVal(key), Val: v} }

func symbolVal(s string) xdr.ScVal {
	sym := xdr.ScSymbol(s)
	return xdr.ScVal{Type: xdr.ScValTypeScvSymbol, Sym: &sym}
}

func u64Val(v uint64) xdr.ScVal {
	u := xdr.Uint64(v)
	return xdr.ScVal{Type: xdr.ScValTypeScvU64, U64: &u}
}

func i128Val(v int64) xdr.ScVal {
	parts := xdr.Int128Parts{Hi: xdr.Int64(v >> 63), Lo: xdr.Uint64(v)}
	return xdr.ScVal{Type: xdr.ScValTypeScvI128, I128: &parts}
}

func contractVal(id xdr.ContractId) xdr.ScVal {
	a := contractAddress(id)
	return xdr.ScVal{Type: xdr.ScValTypeScvAddress, Address: &a}
}
