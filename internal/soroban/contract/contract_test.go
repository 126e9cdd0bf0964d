package contract_test

import (
	"bytes"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract/wasmtest"
)

func TestWasm_MatchesSources(t *testing.T) {
	t.Parallel()
	wasmtest.AssertCurrent(t, ".", "tenant_contract.wasm")
}

func TestWasm(t *testing.T) {
	t.Parallel()
	t.Run("IsWebAssembly", func(t *testing.T) {
		t.Parallel()
		if !bytes.HasPrefix(contract.Wasm(), []byte("\x00asm\x01\x00\x00\x00")) {
			t.Error("no WebAssembly header")
		}
	})
	t.Run("ReturnsCopy", func(t *testing.T) {
		t.Parallel()
		before := contract.Hash()
		clear(contract.Wasm())
		if contract.Hash() != before {
			t.Error("Wasm returned the package's slice")
		}
	})
	t.Run("ContainsNoBuildPaths", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/home/", "/root/", ".cargo", "/src/lib.rs"} {
			if bytes.Contains(contract.Wasm(), []byte(path)) {
				t.Errorf("contains %q", path)
			}
		}
	})
}
