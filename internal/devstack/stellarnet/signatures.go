package stellarnet

import (
	"crypto/ed25519"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// signatureCheck counts the weight of a transaction's signatures for one
// account after the other, and notes which signatures served at all.
type signatureCheck struct {
	hash       xdr.Hash
	signatures []xdr.DecoratedSignature
	used       []bool
}

func newSignatureCheck(t *transaction) *signatureCheck {
	sigs := t.envelope.Signatures()
	return &signatureCheck{hash: t.hash, signatures: sigs, used: make([]bool, len(sigs))}
}

// newBumpSignatureCheck is for those who pay for a fee bump.
func newBumpSignatureCheck(t *transaction) *signatureCheck {
	sigs := t.envelope.FeeBumpSignatures()
	return &signatureCheck{hash: t.hash, signatures: sigs, used: make([]bool, len(sigs))}
}

// account reports whether an account's signers reach the threshold. A threshold
// of 0 still asks for one valid signature.
func (c *signatureCheck) account(acc *xdr.AccountEntry, threshold byte) bool {
	signers := make([]xdr.Signer, 0, len(acc.Signers)+1)
	if weight := acc.MasterKeyWeight(); weight > 0 {
		signers = append(signers, masterSigner(acc.AccountId, weight))
	}
	return c.reach(append(signers, acc.Signers...), int(threshold))
}

// unborn checks an operation of an account that an earlier operation of the
// same transaction is to create: its own key has to have signed.
func (c *signatureCheck) unborn(id xdr.AccountId) bool {
	return c.reach([]xdr.Signer{masterSigner(id, 1)}, 0)
}

// extra checks the signers that the preconditions ask for: all of them.
func (c *signatureCheck) extra(keys []xdr.SignerKey) bool {
	if len(keys) == 0 {
		return true
	}
	signers := make([]xdr.Signer, len(keys))
	for i, key := range keys {
		signers[i] = xdr.Signer{Key: key, Weight: 1}
	}
	return c.reach(signers, len(keys))
}

func (c *signatureCheck) allUsed() bool {
	for _, used := range c.used {
		if !used {
			return false
		}
	}
	return true
}

func (c *signatureCheck) reach(signers []xdr.Signer, needed int) bool {
	total := 0
	counted := make([]bool, len(signers))
	for i, sig := range c.signatures {
		for j, signer := range signers {
			if counted[j] || !c.verify(sig, signer.Key) {
				continue
			}
			c.used[i], counted[j] = true, true
			if total += min(int(signer.Weight), 255); total >= needed {
				return true
			}
			break
		}
	}
	return false
}

// verify knows Ed25519 signers alone; see the package comment.
func (c *signatureCheck) verify(sig xdr.DecoratedSignature, key xdr.SignerKey) bool {
	if key.Type != xdr.SignerKeyTypeSignerKeyTypeEd25519 || len(sig.Signature) != ed25519.SignatureSize {
		return false
	}
	public := key.Ed25519[:]
	if [4]byte(sig.Hint) != [4]byte(public[28:]) {
		return false
	}
	return ed25519.Verify(ed25519.PublicKey(public), c.hash[:], sig.Signature)
}

func masterSigner(id xdr.AccountId, weight byte) xdr.Signer {
	return xdr.Signer{
		Key:    xdr.SignerKey{Type: xdr.SignerKeyTypeSignerKeyTypeEd25519, Ed25519: id.Ed25519},
		Weight: xdr.Uint32(weight),
	}
}
