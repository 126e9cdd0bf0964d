package ledger

import (
	"encoding/base64"
	"testing"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// FuzzDecode: an entry of any bytes is read, and stays what it is when it is written and
// read again, or it is an error of the data.
func FuzzDecode(f *testing.F) {
	account := xdr.MustAddress("GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H")
	entry := xdr.LedgerEntryData{Type: xdr.LedgerEntryTypeAccount, Account: &xdr.AccountEntry{AccountId: account, Balance: 1}}
	valid, err := entry.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{nil, valid, valid[:8], {0, 0, 0, 6, 0xff, 0xff, 0xff, 0xff}, make([]byte, 400)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		data, err := decode(protocol.LedgerEntryResult{DataXDR: base64.StdEncoding.EncodeToString(raw)})
		if err != nil {
			if errs.SafeMessage(err) == "" {
				t.Errorf("%x: %v", raw, err)
			}
			return
		}
		// The decoder checks neither padding nor what follows, so the bytes may differ.
		written, err := data.MarshalBinary()
		if err != nil {
			t.Fatalf("%x: %v", raw, err)
		}
		again, err := decode(protocol.LedgerEntryResult{DataXDR: base64.StdEncoding.EncodeToString(written)})
		if err != nil || len(written) > len(raw) {
			t.Errorf("%x is written as %x, %v", raw, written, err)
		}
		if rewritten, err := again.MarshalBinary(); err != nil || string(rewritten) != string(written) {
			t.Errorf("%x is written as %x, and that as %x, %v", raw, written, rewritten, err)
		}
	})
}
