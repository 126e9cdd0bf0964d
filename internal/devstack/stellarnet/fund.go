package stellarnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// errAlreadyFunded is friendbot's error for an account that exists.
var errAlreadyFunded = errors.New("account already funded to starting balance")

var errInvalidAddress = errors.New("not a valid account id")

// Fund pays that many stroops to an account, and creates it if needed. The root account
// pays, in a separate ledger that is closed before Fund returns.
func (n *Network) Fund(address string, stroops int64) error {
	if _, err := n.fund(context.Background(), address, stroops, false); err != nil {
		return fmt.Errorf("fund %q: %w", address, err)
	}
	return nil
}

func (n *Network) fund(ctx context.Context, address string, stroops int64, onlyNew bool) (*appliedTx, error) {
	if !strkey.IsValidEd25519PublicKey(address) {
		return nil, errInvalidAddress
	}
	n.fundMu.Lock() // One payment of the root account at a time, because of its sequence number.
	defer n.fundMu.Unlock()
	state := n.ledger.viewAt(n.ledger.latest().seq())
	target := xdr.MustAddress(address)
	exists := loadAccount(state, target) != nil
	if exists && onlyNew {
		return nil, errAlreadyFunded
	}
	tx, err := n.buildFundingTx(state, target, stroops, exists)
	if err != nil {
		return nil, err
	}
	done, err := n.closeWithTransaction(ctx, tx)
	if err != nil {
		return nil, err
	}
	if !done.successful() {
		return nil, fmt.Errorf("the payment failed: %s", done.result.Result.Code)
	}
	return done, nil
}

// buildFundingTx builds and signs the root account's payment.
func (n *Network) buildFundingTx(state stateReader, target xdr.AccountId, stroops int64, exists bool) (*transaction, error) {
	op := xdr.Operation{Body: xdr.OperationBody{
		Type:            xdr.OperationTypeCreateAccount,
		CreateAccountOp: &xdr.CreateAccountOp{Destination: target, StartingBalance: xdr.Int64(stroops)},
	}}
	if exists {
		op.Body = xdr.OperationBody{
			Type: xdr.OperationTypePayment,
			PaymentOp: &xdr.PaymentOp{
				Destination: target.ToMuxedAccount(), Asset: xdr.MustNewNativeAsset(), Amount: xdr.Int64(stroops),
			},
		}
	}
	root := xdr.MustAddress(n.root.Address())
	tx := xdr.Transaction{
		SourceAccount: root.ToMuxedAccount(),
		Fee:           baseFee,
		SeqNum:        loadAccount(state, root).SeqNum + 1,
		Operations:    []xdr.Operation{op},
	}
	hash, err := network.HashTransaction(tx, n.opts.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("hash transaction: %w", err)
	}
	signature, err := n.root.SignDecorated(hash[:])
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	return newTransaction(xdr.TransactionEnvelope{
		Type: xdr.EnvelopeTypeEnvelopeTypeTx,
		V1:   &xdr.TransactionV1Envelope{Tx: tx, Signatures: []xdr.DecoratedSignature{signature}},
	}, n.opts.Passphrase)
}
