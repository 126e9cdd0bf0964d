package txsubmit

import (
	"encoding/base64"
	"testing"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// FuzzDecodeResult: the result of a transaction can be any bytes.
func FuzzDecodeResult(f *testing.F) {
	for _, result := range []xdr.TransactionResult{
		{FeeCharged: 100, Result: xdr.TransactionResultResult{Code: xdr.TransactionResultCodeTxBadSeq}},
		{Result: xdr.TransactionResultResult{Code: xdr.TransactionResultCodeTxFailed, Results: &[]xdr.OperationResult{{Code: xdr.OperationResultCodeOpBadAuth}}}},
	} {
		raw, err := result.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)-2])
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if result, err := decodeResult(base64.StdEncoding.EncodeToString(raw)); err == nil && (result.Detail == "" || len(result.Detail) > 200) {
			t.Errorf("%x: detail %q", raw, result.Detail)
		}
	})
}
