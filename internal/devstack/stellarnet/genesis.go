package stellarnet

import (
	"fmt"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// genesis creates ledger 1: the network's settings, and the root account with all
// lumens.
func (n *Network) genesis(settings [][]byte) error {
	entries, err := n.installSettings(settings)
	if err != nil {
		return err
	}
	d := newStateDelta(n.ledger.viewAt(0), 1)
	for i := range entries {
		if err := d.put(entries[i], 0); err != nil {
			return fmt.Errorf("store config setting %d: %w", i, err)
		}
	}
	root := newAccount(xdr.MustAddress(n.root.Address()), totalCoins, 0)
	d.putAccount(root)

	header := xdr.LedgerHeader{
		LedgerVersion: protocolVersion,
		LedgerSeq:     1,
		TotalCoins:    totalCoins,
		BaseFee:       baseFee,
		BaseReserve:   baseReserve,
		MaxTxSetSize:  1000,
	}
	header.ScpValue.CloseTime = xdr.TimePoint(n.now().Unix())
	header.BucketListHash = stateHash(xdr.Hash{}, d)
	n.ledger.commit(newClosedLedger(header, nil, minimumPrices), d)
	return nil
}

// installSettings replaces the network's config settings and returns their entries.
func (n *Network) installSettings(settings [][]byte) ([]xdr.LedgerEntry, error) {
	limits, entries, err := readSettings(settings)
	if err != nil {
		return nil, err
	}
	n.limits = limits
	contract, err := xdr.MustNewNativeAsset().ContractID(n.opts.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("derive the native asset's contract: %w", err)
	}
	n.nativeContract = xdr.ContractId(contract)
	return entries, nil
}
