package stellarnet

import (
	"fmt"

	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	protocolVersion = 28
	baseFee         = 100       // Stroops per operation.
	baseReserve     = 5_000_000 // Stroops: 0.5 XLM.
	stroopsPerXLM   = 10_000_000
	totalCoins      = 100_000_000_000 * stroopsPerXLM
)

// limits are the sizes and counts in the network's config settings. Prices are used only
// by the host and stay in the settings.
type limits struct {
	txInstructions, txDiskReadBytes, txWriteBytes          uint64
	txFootprintEntries, txDiskReadEntries, txWriteEntries  uint64
	txSize, txEventsSize                                   uint64
	keySize, entrySize, contractSize                       uint64
	ledgerTxs, ledgerInstructions                          uint64
	ledgerDiskReadBytes, ledgerWriteBytes                  uint64
	ledgerDiskReadEntries, ledgerWriteEntries, ledgerBytes uint64
	clusters                                               uint64
	maxTTL, minPersistentTTL                               uint32
	memoryCosts                                            xdr.ContractCostParams
	writeFee1KB                                            int64
}

// readSettings decodes config settings into the limits and their ledger entries.
func readSettings(raw [][]byte) (*limits, []xdr.LedgerEntry, error) {
	l := &limits{clusters: 1}
	entries := make([]xdr.LedgerEntry, len(raw))
	for i := range raw {
		if err := xdr.SafeUnmarshal(raw[i], &entries[i]); err != nil {
			return nil, nil, fmt.Errorf("decode config setting %d: %w", i, err)
		}
		setting, ok := entries[i].Data.GetConfigSetting()
		if !ok {
			return nil, nil, fmt.Errorf("config setting %d is a %s", i, entries[i].Data.Type)
		}
		l.readSetting(setting)
	}
	return l, entries, nil
}

func (l *limits) readSetting(s xdr.ConfigSettingEntry) {
	switch s.ConfigSettingId {
	case xdr.ConfigSettingIdConfigSettingContractMaxSizeBytes:
		l.contractSize = uint64(*s.ContractMaxSizeBytes)
	case xdr.ConfigSettingIdConfigSettingContractDataKeySizeBytes:
		l.keySize = uint64(*s.ContractDataKeySizeBytes)
	case xdr.ConfigSettingIdConfigSettingContractDataEntrySizeBytes:
		l.entrySize = uint64(*s.ContractDataEntrySizeBytes)
	case xdr.ConfigSettingIdConfigSettingContractComputeV0:
		l.txInstructions = uint64(s.ContractCompute.TxMaxInstructions)
		l.ledgerInstructions = uint64(s.ContractCompute.LedgerMaxInstructions)
	case xdr.ConfigSettingIdConfigSettingContractParallelComputeV0:
		l.clusters = uint64(s.ContractParallelCompute.LedgerMaxDependentTxClusters)
	case xdr.ConfigSettingIdConfigSettingContractExecutionLanes:
		l.ledgerTxs = uint64(s.ContractExecutionLanes.LedgerMaxTxCount)
	case xdr.ConfigSettingIdConfigSettingContractBandwidthV0:
		l.txSize = uint64(s.ContractBandwidth.TxMaxSizeBytes)
		l.ledgerBytes = uint64(s.ContractBandwidth.LedgerMaxTxsSizeBytes)
	case xdr.ConfigSettingIdConfigSettingContractEventsV0:
		l.txEventsSize = uint64(s.ContractEvents.TxMaxContractEventsSizeBytes)
	case xdr.ConfigSettingIdConfigSettingStateArchival:
		l.maxTTL = uint32(s.StateArchivalSettings.MaxEntryTtl)
		l.minPersistentTTL = uint32(s.StateArchivalSettings.MinPersistentTtl)
	case xdr.ConfigSettingIdConfigSettingContractLedgerCostExtV0:
		l.txFootprintEntries = uint64(s.ContractLedgerCostExt.TxMaxFootprintEntries)
		l.writeFee1KB = int64(s.ContractLedgerCostExt.FeeWrite1Kb)
	case xdr.ConfigSettingIdConfigSettingContractCostParamsMemoryBytes:
		l.memoryCosts = *s.ContractCostParamsMemBytes
	case xdr.ConfigSettingIdConfigSettingContractLedgerCostV0:
		l.readLedgerCost(s.ContractLedgerCost)
	}
}

func (l *limits) readLedgerCost(c *xdr.ConfigSettingContractLedgerCostV0) {
	l.txDiskReadBytes = uint64(c.TxMaxDiskReadBytes)
	l.txDiskReadEntries = uint64(c.TxMaxDiskReadEntries)
	l.txWriteBytes = uint64(c.TxMaxWriteBytes)
	l.txWriteEntries = uint64(c.TxMaxWriteLedgerEntries)
	l.ledgerDiskReadBytes = uint64(c.LedgerMaxDiskReadBytes)
	l.ledgerDiskReadEntries = uint64(c.LedgerMaxDiskReadEntries)
	l.ledgerWriteBytes = uint64(c.LedgerMaxWriteBytes)
	l.ledgerWriteEntries = uint64(c.LedgerMaxWriteLedgerEntries)
}

// allowsSize reports whether a contract entry of this size may exist.
func (l *limits) allowsSize(key xdr.LedgerKey, size int) bool {
	switch key.Type {
	case xdr.LedgerEntryTypeContractCode:
		return uint64(size) <= l.contractSize
	case xdr.LedgerEntryTypeContractData:
		return uint64(size) <= l.entrySize
	default:
		return true
	}
}
