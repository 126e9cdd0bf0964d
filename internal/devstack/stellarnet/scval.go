package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"
)

func symbolVal(s string) xdr.ScVal {
	sym := xdr.ScSymbol(s)
	return xdr.ScVal{Type: xdr.ScValTypeScvSymbol, Sym: &sym}
}

func stringVal(s string) xdr.ScVal {
	str := xdr.ScString(s)
	return xdr.ScVal{Type: xdr.ScValTypeScvString, Str: &str}
}

func u64Val(v uint64) xdr.ScVal {
	u := xdr.Uint64(v)
	return xdr.ScVal{Type: xdr.ScValTypeScvU64, U64: &u}
}

func i128Val(v int64) xdr.ScVal {
	parts := xdr.Int128Parts{Lo: xdr.Uint64(v)}
	if v < 0 {
		parts.Hi = -1
	}
	return xdr.ScVal{Type: xdr.ScValTypeScvI128, I128: &parts}
}

func accountVal(id xdr.AccountId) xdr.ScVal {
	return xdr.ScVal{Type: xdr.ScValTypeScvAddress, Address: &xdr.ScAddress{
		Type: xdr.ScAddressTypeScAddressTypeAccount, AccountId: &id,
	}}
}

func vecVal(items ...xdr.ScVal) xdr.ScVal {
	vec := xdr.ScVec(items)
	ptr := &vec
	return xdr.ScVal{Type: xdr.ScValTypeScvVec, Vec: &ptr}
}

func errorVal(errorType xdr.ScErrorType, code xdr.ScErrorCode) xdr.ScVal {
	return xdr.ScVal{Type: xdr.ScValTypeScvError, Error: &xdr.ScError{Type: errorType, Code: &code}}
}
