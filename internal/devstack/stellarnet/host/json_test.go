package host_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

func TestHost_XDRToJSON(t *testing.T) {
	t.Parallel()
	u64 := xdr.Uint64(1<<64 - 1)
	// The format is SEP-51: 64-bit numbers as strings, hashes in hexadecimal, addresses
	// as strkeys, unions by the name of the arm.
	tests := map[string]struct {
		typeName string
		value    interface{ MarshalBinary() ([]byte, error) }
		want     string
	}{
		"Void":    {"ScVal", xdr.ScVal{Type: xdr.ScValTypeScvVoid}, `"void"`},
		"U64":     {"ScVal", xdr.ScVal{Type: xdr.ScValTypeScvU64, U64: &u64}, `{"u64":"18446744073709551615"}`},
		"Bytes":   {"ScVal", bytesVal(xdr.ScBytes{0xca, 0xfe}), `{"bytes":"cafe"}`},
		"Account": {"ScVal", addressVal(newLedger(t).admin), `{"address":"GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H"}`},
		"Key": {
			"LedgerKey",
			xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractCode, ContractCode: &xdr.LedgerKeyContractCode{}},
			`{"contract_code":{"hash":"` + strings.Repeat("00", 32) + `"}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := sharedHost(t).XDRToJSON(t.Context(), tt.typeName, encode(t, tt.value))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestHost_XDRToJSON_DecodesSimulationResults(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	sim := d.simulate(t, d.call("set_status", u32Val(contract.StatusArchived)), d.admin)
	for typeName, value := range map[string][]byte{
		"ScVal":                     sim.Result,
		"SorobanTransactionData":    sim.TransactionData,
		"SorobanAuthorizationEntry": sim.Auth[0],
		"ContractEvent":             sim.Events[0],
		"DiagnosticEvent":           sim.DiagnosticEvents[0],
		"LedgerEntry":               sim.Changes[0].After,
	} {
		got, err := d.host.XDRToJSON(t.Context(), typeName, value)
		if err != nil || !json.Valid(got) {
			t.Errorf("%s: %s, %v", typeName, got, err)
		}
	}
	got, err := d.host.XDRToJSON(t.Context(), "ContractEvent", sim.Events[0])
	if err != nil {
		t.Fatal(err)
	}
	var event struct {
		Body struct {
			V0 struct{ Topics, Data json.RawMessage }
		}
	}
	if err := json.Unmarshal(got, &event); err != nil {
		t.Fatal(err)
	}
	if v := event.Body.V0; string(v.Topics) != `[{"symbol":"status_set"}]` ||
		string(v.Data) != `{"map":[{"key":{"symbol":"status"},"val":{"u32":2}}]}` {
		t.Errorf("event %s", got)
	}
}

func TestHost_XDRToJSON_RejectsInvalidInput(t *testing.T) {
	t.Parallel()
	void := encode(t, xdr.ScVal{Type: xdr.ScValTypeScvVoid})
	tests := map[string]struct {
		typeName string
		xdr      []byte
		want     string
	}{
		"UnknownType":   {"Nonsense", void, `"Nonsense" is not the name of an XDR type`},
		"NoType":        {"", void, `"" is not the name of an XDR type`},
		"TypeNotUTF8":   {"\xff", void, "type name"},
		"NoBytes":       {"ScVal", nil, "the bytes are no ScVal"},
		"TooFewBytes":   {"ScVal", void[:3], "the bytes are no ScVal"},
		"TooManyBytes":  {"ScVal", append(void[:4:4], 0, 0, 0, 0), "the bytes are no ScVal"},
		"UnknownMember": {"ScVal", []byte{0xff, 0, 0, 0}, "the bytes are no ScVal"},
		"TooDeep":       {"ScVal", nestedXDR(501), "the bytes are no ScVal"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := sharedHost(t).XDRToJSON(t.Context(), tt.typeName, tt.xdr)
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != nil {
				t.Errorf("%s, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// nestedXDR returns the XDR of nested vectors.
func nestedXDR(depth int) []byte {
	const vecOfOne = "\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00\x01"
	return []byte(strings.Repeat(vecOfOne, depth) + "\x00\x00\x00\x01")
}
