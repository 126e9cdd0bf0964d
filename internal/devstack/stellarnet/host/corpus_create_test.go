package host_test

import (
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// uploads are uploads of code that is valid, uploaded already, invalid, or too large.
func (w *scenario) uploads() {
	code := contract.Wasm()
	empty := []byte("\x00asm\x01\x00\x00\x00")
	for name, wasm := range sorted(map[string][]byte{
		"known code":           code,
		"code cut short":       code[:len(code)/2],
		"code of one byte off": append(append([]byte(nil), code[:len(code)-1]...), code[len(code)-1]^1),
		"an empty module":      empty,
		"another version":      []byte("\x00asm\x02\x00\x00\x00"),
		"no bytes":             {},
		"no module":            []byte("\x7fELF and so on"),
		"too many bytes":       append(empty, make([]byte, 140_000)...),
		"code with a custom section": append(append([]byte(nil), code...),
			0, 8, 4, 'n', 'o', 't', 'e', byte(w.rng.Uint32()), byte(w.rng.Uint32()), byte(w.rng.Uint32())),
	}) {
		w.label("upload %s", name)
		w.simulateAndInvoke(xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeUploadContractWasm, Wasm: &wasm}, w.admin)
	}
}

// creations create contracts with a constructor, valid and invalid.
func (w *scenario) creations() {
	hash := xdr.Hash(w.hash())
	for name, change := range sorted(map[string]func(*xdr.CreateContractArgsV2){
		"the same once more":  func(*xdr.CreateContractArgsV2) {},
		"another salt":        func(a *xdr.CreateContractArgsV2) { a.ContractIdPreimage.FromAddress.Salt = w.hash() },
		"no arguments":        func(a *xdr.CreateContractArgsV2) { w.salt(a).ConstructorArgs = nil },
		"an argument missing": func(a *xdr.CreateContractArgsV2) { w.salt(a).ConstructorArgs = a.ConstructorArgs[:1] },
		"an argument more": func(a *xdr.CreateContractArgsV2) {
			w.salt(a).ConstructorArgs = append(a.ConstructorArgs, u32Val(1))
		},
		"a number as admin": func(a *xdr.CreateContractArgsV2) { w.salt(a).ConstructorArgs[0] = u32Val(1) },
		"a short hash":      func(a *xdr.CreateContractArgsV2) { w.salt(a).ConstructorArgs[1] = bytesVal(make(xdr.ScBytes, 31)) },
		"a contract as admin": func(a *xdr.CreateContractArgsV2) {
			w.salt(a).ConstructorArgs[0] = contractVal(w.contract)
		},
		"code that is not there": func(a *xdr.CreateContractArgsV2) { w.salt(a).Executable.WasmHash = &hash },
		"in another's name": func(a *xdr.CreateContractArgsV2) {
			w.salt(a).ContractIdPreimage.FromAddress.Address = accountAddress(w.otherAccount)
		},
		"in a contract's name": func(a *xdr.CreateContractArgsV2) {
			w.salt(a).ContractIdPreimage.FromAddress.Address = contractAddress(w.contract)
		},
	}) {
		fn := w.creation()
		change(fn.CreateContractV2)
		w.label("create: %s", name)
		w.simulateAndInvoke(fn, w.admin)
	}
	v1 := w.creation().CreateContractV2
	w.salt(v1)
	w.label("create without constructor arguments in the first form")
	w.simulateAndInvoke(xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeCreateContract, CreateContract: &xdr.CreateContractArgs{
		ContractIdPreimage: v1.ContractIdPreimage, Executable: v1.Executable,
	}}, w.admin)
}

func (w *scenario) salt(a *xdr.CreateContractArgsV2) *xdr.CreateContractArgsV2 {
	a.ContractIdPreimage.FromAddress.Salt = w.hash()
	return a
}

// assets calls the host's own contract, which moves balances of accounts,
// trustlines and contracts.
func (w *scenario) assets(asset xdr.Asset) {
	preimage := xdr.ContractIdPreimage{Type: xdr.ContractIdPreimageTypeContractIdPreimageFromAsset, FromAsset: &asset}
	token := w.deployed
	token.contract = contractID(w.t, preimage)
	w.label("create the contract of %s", asset.StringCanonical())
	create := xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeCreateContract, CreateContract: &xdr.CreateContractArgs{
		ContractIdPreimage: preimage,
		Executable:         xdr.ContractExecutable{Type: xdr.ContractExecutableTypeContractExecutableStellarAsset},
	}}
	w.simulateAndInvoke(create, w.admin)
	w.simulateAndInvoke(create, w.admin)
	admin, stranger, tenant := addressVal(w.admin), addressVal(w.otherAccount), contractVal(w.contract)
	for _, c := range []struct {
		name string
		args []xdr.ScVal
	}{
		{"name", nil},
		{"symbol", nil},
		{"decimals", nil},
		{"admin", nil},
		{"balance", []xdr.ScVal{admin}},
		{"mint", []xdr.ScVal{stranger, i128Val(5_000_000)}},
		{"mint", []xdr.ScVal{tenant, i128Val(7_000_000)}},
		{"transfer", []xdr.ScVal{admin, stranger, i128Val(1 + w.rng.Int64N(1_000_000))}},
		{"transfer", []xdr.ScVal{admin, tenant, i128Val(1 + w.rng.Int64N(1_000_000))}},
		{"transfer", []xdr.ScVal{admin, stranger, i128Val(1 << 62)}},
		{"transfer", []xdr.ScVal{admin, stranger, i128Val(-1)}},
		{"transfer", []xdr.ScVal{tenant, stranger, i128Val(1)}},
		{"approve", []xdr.ScVal{admin, stranger, i128Val(50), u32Val(w.sequence + 1000)}},
		{"allowance", []xdr.ScVal{admin, stranger}},
		{"balance", []xdr.ScVal{tenant}},
		{"burn", []xdr.ScVal{admin, i128Val(10)}},
		{"clawback", []xdr.ScVal{tenant, i128Val(1)}},
		{"set_admin", []xdr.ScVal{tenant}},
	} {
		w.label("%s of %s", c.name, asset.StringCanonical())
		w.simulateAndInvoke(token.call(c.name, c.args...), w.admin)
	}
}

// trustline creates a trustline for the second account.
func (w *scenario) trustline(asset xdr.Asset) {
	w.put(w.t, xdr.LedgerEntry{Data: xdr.LedgerEntryData{
		Type: xdr.LedgerEntryTypeTrustline,
		TrustLine: &xdr.TrustLineEntry{
			AccountId: w.otherAccount, Asset: asset.ToTrustLineAsset(), Limit: 1 << 60,
			Flags: xdr.Uint32(xdr.TrustLineFlagsAuthorizedFlag),
		},
	}})
}
