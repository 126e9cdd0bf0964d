package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"
)

// checkSoroban compares the declared resources with the network's limits, and the
// declared fee with their price.
func (c *checker) checkSoroban() bool {
	if !c.isSoroban() {
		return true
	}
	data := c.soroban()
	declared := int64(data.ResourceFee)
	required := c.resourceFee.NonRefundable + c.resourceFee.Refundable
	switch {
	case !c.checkResources(data), !c.checkFootprint(data):
	case !c.feeBumped && declared > c.fullFee():
		c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecExceededLimit,
			"transaction `sorobanData.resourceFee` is higher than the full transaction fee",
			uint64(declared), uint64(c.fullFee()))
	case declared < required:
		c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecExceededLimit,
			"transaction `sorobanData.resourceFee` is lower than the actual Soroban resource fee",
			uint64(declared), uint64(required))
	case hasDuplicates(data.Resources.Footprint):
		c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
			"Found duplicate key in the Soroban footprint; every key across read-only and "+
				"read-write footprints has to be unique.")
	default:
		return true
	}
	return c.reject(xdr.TransactionResultCodeTxSorobanInvalid)
}

func (c *checker) checkResources(data *xdr.SorobanTransactionData) bool {
	r := data.Resources
	footprint := len(r.Footprint.ReadOnly) + len(r.Footprint.ReadWrite)
	for _, limit := range []struct {
		what      string
		area      xdr.ScErrorType
		used, max uint64
	}{
		{"transaction instructions resources exceed network config limit", xdr.ScErrorTypeSceBudget,
			uint64(r.Instructions), c.limits.txInstructions},
		{"transaction byte-read resources exceed network config limit", xdr.ScErrorTypeSceStorage,
			uint64(r.DiskReadBytes), c.limits.txDiskReadBytes},
		{"transaction byte-write resources exceed network config limit", xdr.ScErrorTypeSceStorage,
			uint64(r.WriteBytes), c.limits.txWriteBytes},
		{"the number of entries in transaction footprint exceeds the network config limit", xdr.ScErrorTypeSceStorage,
			uint64(footprint), c.limits.txFootprintEntries},
		{"transaction entry-disk-read resources exceed network config limit", xdr.ScErrorTypeSceStorage,
			uint64(diskReads(c.transaction)), c.limits.txDiskReadEntries},
		{"transaction entry-write resources exceed network config limit", xdr.ScErrorTypeSceStorage,
			uint64(len(r.Footprint.ReadWrite)), c.limits.txWriteEntries},
		{"total transaction size exceeds network config limit", xdr.ScErrorTypeSceBudget,
			uint64(c.size), c.limits.txSize},
	} {
		if limit.used > limit.max {
			return c.addDiagnostic(limit.area, xdr.ScErrorCodeScecExceededLimit, limit.what, limit.used, limit.max)
		}
	}
	return true
}

// diskReads counts the entries that are read from disk: classic and archived ones. Live
// contract entries are in memory.
func diskReads(t *transaction) int {
	data := t.soroban()
	footprint := data.Resources.Footprint
	if t.operations()[0].Body.Type == xdr.OperationTypeRestoreFootprint {
		return len(footprint.ReadWrite)
	}
	count := len(archivedIndices(data))
	for _, keys := range [][]xdr.LedgerKey{footprint.ReadOnly, footprint.ReadWrite} {
		for _, key := range keys {
			if !hasTTL(key) {
				count++
			}
		}
	}
	return count
}

func (c *checker) checkFootprint(data *xdr.SorobanTransactionData) bool {
	footprint := data.Resources.Footprint
	for _, keys := range [][]xdr.LedgerKey{footprint.ReadOnly, footprint.ReadWrite} {
		for _, key := range keys {
			if !c.checkFootprintKey(key) {
				return false
			}
		}
	}
	last := int64(-1)
	for _, index := range archivedIndices(data) {
		switch {
		case int64(index) <= last:
			return c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
				"archivedSorobanEntries must be sorted in ascending order")
		case int(index) >= len(footprint.ReadWrite):
			return c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
				"archivedSorobanEntries index is out of bounds", uint64(index), uint64(len(footprint.ReadWrite)))
		case !isPersistent(footprint.ReadWrite[index]):
			return c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
				"archivedSorobanEntries index points to a non-persistent entry", uint64(index))
		}
		last = int64(index)
	}
	return true
}

func (c *checker) checkFootprintKey(key xdr.LedgerKey) bool {
	switch key.Type {
	case xdr.LedgerEntryTypeAccount, xdr.LedgerEntryTypeTrustline,
		xdr.LedgerEntryTypeContractData, xdr.LedgerEntryTypeContractCode:
	default:
		return c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecUnexpectedType,
			"transaction footprint contains unsupported ledger key type", uint64(key.Type))
	}
	if size := uint64(len(keyOf(key))); size > c.limits.keySize {
		return c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecExceededLimit,
			"transaction footprint key exceeds network config limit", size, c.limits.keySize)
	}
	return true
}

func hasDuplicates(footprint xdr.LedgerFootprint) bool {
	seen := map[string]bool{}
	for _, keys := range [][]xdr.LedgerKey{footprint.ReadOnly, footprint.ReadWrite} {
		for _, key := range keys {
			name := keyOf(key)
			if seen[name] {
				return true
			}
			seen[name] = true
		}
	}
	return false
}

func (c *checker) checkInvoke(op xdr.Operation) (xdr.OperationResult, bool) {
	fn := op.Body.InvokeHostFunctionOp.HostFunction
	if fn.Type == xdr.HostFunctionTypeHostFunctionTypeUploadContractWasm &&
		uint64(len(*fn.Wasm)) > c.limits.contractSize {
		c.addDiagnostic(xdr.ScErrorTypeSceBudget, xdr.ScErrorCodeScecExceededLimit,
			"uploaded Wasm size exceeds network config maximum contract size",
			uint64(len(*fn.Wasm)), c.limits.contractSize)
		return invokeResult(xdr.InvokeHostFunctionResultCodeInvokeHostFunctionResourceLimitExceeded), true
	}
	return xdr.OperationResult{}, false
}

func (c *checker) checkExtend(op xdr.Operation) (xdr.OperationResult, bool) {
	malformed := extendResult(xdr.ExtendFootprintTtlResultCodeExtendFootprintTtlMalformed)
	footprint := c.soroban().Resources.Footprint
	if len(footprint.ReadWrite) > 0 {
		c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
			"read-write footprint must be empty for ExtendFootprintTTL operation")
		return malformed, true
	}
	for _, key := range footprint.ReadOnly {
		if !hasTTL(key) {
			c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
				"only entries with TTL (contract data or code entries) can have it extended")
			return malformed, true
		}
	}
	extendTo := uint64(op.Body.ExtendFootprintTtlOp.ExtendTo)
	if maxExtendTo := uint64(c.limits.maxTTL) - 1; extendTo > maxExtendTo {
		c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
			"TTL extension is too large: {} > {}", extendTo, maxExtendTo)
		return malformed, true
	}
	return xdr.OperationResult{}, false
}

func (c *checker) checkRestore() (xdr.OperationResult, bool) {
	malformed := restoreResult(xdr.RestoreFootprintResultCodeRestoreFootprintMalformed)
	footprint := c.soroban().Resources.Footprint
	if len(footprint.ReadOnly) > 0 {
		c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
			"read-only footprint must be empty for RestoreFootprint operation")
		return malformed, true
	}
	for _, key := range footprint.ReadWrite {
		if !isPersistent(key) {
			c.addDiagnostic(xdr.ScErrorTypeSceStorage, xdr.ScErrorCodeScecInvalidInput,
				"only persistent Soroban entries can be restored")
			return malformed, true
		}
	}
	return xdr.OperationResult{}, false
}

// addDiagnostic adds a diagnostic event, as stellar-core does for rejected Soroban
// transactions.
func (c *checker) addDiagnostic(errorType xdr.ScErrorType, code xdr.ScErrorCode, message string, args ...uint64) bool {
	values := make([]xdr.ScVal, len(args))
	for i, arg := range args {
		values[i] = u64Val(arg)
	}
	c.outcome.diagnostics = append(c.outcome.diagnostics, diagnosticError(errorType, code, message, values...))
	return false
}
