package stellarnet

import (
	"crypto/ed25519"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// signatureCheck sums the weight of a transaction's signatures per account, and records
// which signatures were used.
type signatureCheck struct {
	hash       xdr.Hash
	signatures []xdr.DecoratedSignature
	used       []bool
}

func newSignatureCheck(t *transaction) *signatureCheck {
	sigs := t.envelope.Signatures()
	return &signatureCheck{hash: t.hash, signatures: sigs, used: make([]bool, len(sigs))}
}

// newBumpSignatureCheck is for the fee source of a fee bump.
func newBumpSignatureCheck(t *transaction) *signatureCheck {
	sigs := t.envelope.FeeBumpSignatures()
	return &signatureCheck{hash: t.hash, signatures: sigs, used: make([]bool, len(sigs))}
}

// reachesThreshold reports whether an account's signers reach the threshold. A threshold
// of 0 still needs one valid signature.
func (c *signatureCheck) reachesThreshold(acc *xdr.AccountEntry, threshold byte) bool {
	signers := make([]xdr.Signer, 0, len(acc.Signers)+1)
	if weight := acc.MasterKeyWeight(); weight > 0 {
		signers = append(signers, masterSigner(acc.AccountId, weight))
	}
	return c.reachesWeight(append(signers, acc.Signers...), int(threshold))
}

// signedByFutureAccount checks an operation of an account that an earlier operation of
// the same transaction creates: the account's key must have signed.
func (c *signatureCheck) signedByFutureAccount(id xdr.AccountId) bool {
	return c.reachesWeight([]xdr.Signer{masterSigner(id, 1)}, 0)
}

// hasExtraSigners checks that all signers in the preconditions have signed.
func (c *signatureCheck) hasExtraSigners(keys []xdr.SignerKey) bool {
	if len(keys) == 0 {
		return true
	}
	signers := make([]xdr.Signer, len(keys))
	for i, key := range keys {
		signers[i] = xdr.Signer{Key: key, Weight: 1}
	}
	return c.reachesWeight(signers, len(keys))
}

func (c *signatureCheck) allUsed() bool {
	for _, used := range c.used {
		if !used {
			return false
		}
	}
	return true
}

func (c *signatureCheck) reachesWeight(signers []xdr.Signer, required int) bool {
	weight := 0
	counted := make([]bool, len(signers))
	for i, sig := range c.signatures {
		for j, signer := range signers {
			if counted[j] || !c.verify(sig, signer.Key) {
				continue
			}
			c.used[i], counted[j] = true, true
			if weight += min(int(signer.Weight), 255); weight >= required {
				return true
			}
			break
		}
	}
	return false
}

// verify supports only Ed25519 signers; see the package comment.
func (c *signatureCheck) verify(sig xdr.DecoratedSignature, key xdr.SignerKey) bool {
	if key.Type != xdr.SignerKeyTypeSignerKeyTypeEd25519 || len(sig.Signature) != ed25519.SignatureSize {
		return false
	}
	publicKey := key.Ed25519[:]
	if [4]byte(sig.Hint) != [4]byte(publicKey[28:]) {
		return false
	}
	return ed25519.Verify(ed25519.PublicKey(publicKey), c.hash[:], sig.Signature)
}

func masterSigner(id xdr.AccountId, weight byte) xdr.Signer {
	return xdr.Signer{
		Key:    xdr.SignerKey{Type: xdr.SignerKeyTypeSignerKeyTypeEd25519, Ed25519: id.Ed25519},
		Weight: xdr.Uint32(weight),
	}
}
