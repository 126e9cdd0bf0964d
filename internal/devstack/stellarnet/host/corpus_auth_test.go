package host_test

import (
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// signatures are requests with valid and invalid signed authorizations.
func (w *scenario) signatures() {
	fn := w.call("set_status", u32Val(contract.StatusArchived))
	w.label("to be signed")
	sim := w.simulateRecording(fn, w.otherAccount)
	recorded := sim.Auth[0]
	for name, auth := range sorted(map[string][]byte{
		"signed":                    w.sign(recorded, w.sequence+10),
		"signed up to this ledger":  w.sign(recorded, w.sequence),
		"signature expired":         w.sign(recorded, w.sequence-1),
		"signature lives too long":  w.sign(recorded, w.sequence+4_000_000),
		"not signed":                recorded,
		"signed for other call":     w.modifyEntries(w.sign(recorded, w.sequence+10), authorizeOtherFunction),
		"signed for other nonce":    w.modifyEntries(w.sign(recorded, w.sequence+10), changeNonce),
		"signature of other form":   w.modifyEntries(recorded, malformedSignature),
		"signed by somebody else":   w.modifyEntries(w.sign(recorded, w.sequence+10), w.asStranger),
		"credentials of the source": w.modifyEntries(recorded, sourceCredentials),
	}) {
		w.label("%s", name)
		r := w.request(w.t, fn, w.otherAccount, sim)
		r.Auth = [][]byte{auth}
		w.invokeWithoutApply(r)
		w.label("%s, simulated with it", name)
		_, _ = w.host.Simulate(w.t.Context(), w.lookup, host.SimulateRequest{
			Ledger: w.now(), HostFunction: encode(w.t, fn), Source: encode(w.t, w.otherAccount), Auth: r.Auth,
		})
	}
	w.replayed(fn)
	w.otherRecordings(fn)
}

// replayed applies a signed call twice: the nonce is used up.
func (w *scenario) replayed(fn xdr.HostFunction) {
	w.label("to be replayed")
	if r, ok := w.simulateForInvoke(fn, w.otherAccount); ok {
		w.invoke(w.t, r)
		w.label("replayed")
		w.refresh(&r)
		w.invokeWithoutApply(r)
	}
}

// otherRecordings records with each option of a request.
func (w *scenario) otherRecordings(fn xdr.HostFunction) {
	for _, nonRoot := range []bool{false, true} {
		for _, v2 := range []bool{false, true} {
			w.label("recorded, non-root %t, version 2 %t", nonRoot, v2)
			sim, err := w.host.Simulate(w.t.Context(), w.lookup, host.SimulateRequest{
				Ledger: w.now(), HostFunction: encode(w.t, fn), Source: encode(w.t, w.otherAccount),
				AllowNonRootAuth: nonRoot, AddressV2: v2, PRNGSeed: w.hash(),
			})
			if err != nil {
				w.t.Fatal(err)
			}
			r := w.request(w.t, fn, w.otherAccount, sim)
			r.Auth[0] = w.sign(r.Auth[0], w.sequence+10)
			w.invokeWithoutApply(r)
		}
	}
}

// modifyEntries decodes an authorization, changes it and encodes it again.
func (w *scenario) modifyEntries(auth []byte, change func(*xdr.SorobanAuthorizationEntry)) []byte {
	var entry xdr.SorobanAuthorizationEntry
	decode(w.t, auth, &entry)
	change(&entry)
	return encode(w.t, entry)
}

func authorizeOtherFunction(e *xdr.SorobanAuthorizationEntry) {
	e.RootInvocation.Function.ContractFn.FunctionName = "set_admin"
}

func changeNonce(e *xdr.SorobanAuthorizationEntry) { e.Credentials.Address.Nonce++ }

func malformedSignature(e *xdr.SorobanAuthorizationEntry) {
	e.Credentials.Address.SignatureExpirationLedger = startSequence + 3_000_000
	e.Credentials.Address.Signature = u32Val(1)
}

func (w *scenario) asStranger(e *xdr.SorobanAuthorizationEntry) {
	e.Credentials.Address.Address = accountAddress(w.otherAccount)
}

func sourceCredentials(e *xdr.SorobanAuthorizationEntry) {
	e.Credentials = xdr.SorobanCredentials{Type: xdr.SorobanCredentialsTypeSorobanCredentialsSourceAccount}
}

// corruptResources changes the declared resources of an invocation, and passes the
// entries of the changed footprint.
func (w *scenario) corruptResources(change func(*xdr.SorobanResources)) func(*host.InvokeRequest) {
	return func(r *host.InvokeRequest) {
		var resources xdr.SorobanResources
		decode(w.t, r.Resources, &resources)
		change(&resources)
		r.Resources = encode(w.t, resources)
		w.refresh(r)
	}
}

// refresh passes the footprint's entries as they are on the ledger now.
func (w *scenario) refresh(r *host.InvokeRequest) {
	var data xdr.SorobanTransactionData
	decode(w.t, r.Resources, &data.Resources)
	r.Ledger, r.Entries = w.now(), nil
	for _, key := range footprintOf(data) {
		k := encode(w.t, key)
		entry, liveUntil, err := w.lookup(k)
		if err != nil {
			w.t.Fatal(err)
		}
		r.Entries = append(r.Entries, host.EntryWithTTL{Key: k, Entry: entry, LiveUntil: liveUntil})
	}
}
