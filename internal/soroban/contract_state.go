package soroban

import (
	"context"
	"encoding/hex"
	"maps"
	"sync"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

var (
	_ contracts.Chain              = (*Deployer)(nil)
	_ verification.ContractChecker = (*Deployer)(nil)
)

// VerifyContract reads the tenant's contract from the ledger, and pays nothing. It
// returns the newest anchor in the contract. KindPermanent: the contract is missing,
// archived, differs from what this program would create, or is not the one in the
// registry. KindTransient: the network does not answer.
func (d *Deployer) VerifyContract(ctx context.Context, t tenant.Tenant) (contracts.Anchor, error) {
	states, err := d.ReadContracts(ctx, []tenant.Tenant{t})
	if err != nil {
		return contracts.Anchor{}, err
	}
	differs := func(format string, args ...any) (contracts.Anchor, error) {
		return contracts.Anchor{}, errs.Errorf(errs.KindPermanent, "verify contract", format, args...)
	}
	switch s := states[0]; {
	case s.State == contracts.StateMismatch:
		return differs("%s", s.Mismatch)
	case s.State == contracts.StateMissing:
		return differs("the ledger has no contract %s", s.ContractID)
	case s.CodeArchived:
		return differs("the code of the contract %s is archived or missing; it has to be restored", s.ContractID)
	case s.State == contracts.StateExpired:
		return differs("the contract %s is archived because its time to live has ended; it has to be restored", s.ContractID)
	default:
		return s.Anchor, nil
	}
}

// ReadContracts returns the state of tenants' contracts, up to 200 per call, plus one
// call for their code.
func (d *Deployer) ReadContracts(ctx context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error) {
	if err := d.checkNetwork(ctx); err != nil {
		return nil, err
	}
	states := make([]contracts.Snapshot, 0, len(tenants))
	for begin := 0; begin < len(tenants); begin += maxKeys {
		batch, err := d.readBatch(ctx, tenants[begin:min(begin+maxKeys, len(tenants))])
		if err != nil {
			return nil, err
		}
		states = append(states, batch...)
	}
	return states, nil
}

func (d *Deployer) readBatch(ctx context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error) {
	keys, targets := make([]xdr.LedgerKey, len(tenants)), make([]target, len(tenants))
	for i, t := range tenants {
		to, err := d.target(t.ID)
		if err != nil {
			return nil, err
		}
		keys[i], targets[i] = instanceKey(to.id), to
	}
	found, ledger, err := d.readEntries(ctx, d.reads, keys...)
	if err != nil {
		return nil, err
	}
	states := make([]contracts.Snapshot, len(tenants))
	codes := map[xdr.Hash]protocol.LedgerEntryResult{}
	for i := range tenants {
		if states[i], err = d.stateOfContract(targets[i], tenants[i], found[i], ledger); err != nil {
			return nil, err
		}
		if hash, ok := codeHashOf(states[i]); ok {
			codes[hash] = protocol.LedgerEntryResult{}
		}
	}
	if err := d.readCodes(ctx, codes, ledger); err != nil {
		return nil, err
	}
	for i := range states {
		if hash, ok := codeHashOf(states[i]); ok {
			limitByCode(&states[i], codes[hash])
		}
	}
	return states, nil
}

// codeHashOf returns the code hash of a contract that is the tenant's.
func codeHashOf(s contracts.Snapshot) (hash xdr.Hash, ok bool) {
	raw, err := hex.DecodeString(s.WasmHash)
	if err != nil || len(raw) != len(hash) || s.State == contracts.StateMissing || s.State == contracts.StateMismatch {
		return hash, false
	}
	copy(hash[:], raw)
	return hash, true
}

// readCodes returns the code entries as of that ledger or a newer one.
func (d *Deployer) readCodes(ctx context.Context, codes map[xdr.Hash]protocol.LedgerEntryResult, ledger uint32) error {
	hashes, keys := []xdr.Hash{}, []xdr.LedgerKey{}
	for hash := range codes {
		if entry, ok := d.codes.get(hash, ledger); ok {
			codes[hash] = entry
			continue
		}
		hashes, keys = append(hashes, hash), append(keys, codeKey(hash))
	}
	if len(keys) == 0 {
		return nil
	}
	found, at, err := d.readEntries(ctx, d.reads, keys...)
	if err != nil {
		return err
	}
	for i, hash := range hashes {
		codes[hash] = found[i]
		d.codes.put(hash, at, found[i])
	}
	return nil
}

// codeCache holds the code entries of the last read. All contracts share a few, and
// these are by far the largest entries: they are read once per ledger. They are not used
// for another ledger, not even an older one, because test networks are reset.
type codeCache struct {
	mu      sync.Mutex
	entries map[xdr.Hash]cachedCode
}

type cachedCode struct {
	ledger uint32
	entry  protocol.LedgerEntryResult
}

// get returns an entry as of a ledger.
func (s *codeCache) get(hash xdr.Hash, ledger uint32) (protocol.LedgerEntryResult, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, ok := s.entries[hash]
	return seen.entry, ok && seen.ledger == ledger
}

func (s *codeCache) put(hash xdr.Hash, ledger uint32, entry protocol.LedgerEntryResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries == nil {
		s.entries = map[xdr.Hash]cachedCode{}
	}
	maps.DeleteFunc(s.entries, func(_ xdr.Hash, c cachedCode) bool { return c.ledger != ledger }) // Entries that are no longer used.
	s.entries[hash] = cachedCode{ledger, entry}
}

// stateOfContract reads a contract's own entry.
func (d *Deployer) stateOfContract(to target, t tenant.Tenant, entry protocol.LedgerEntryResult, ledger uint32) (contracts.Snapshot, error) {
	s := contracts.Snapshot{TenantID: t.ID, ContractID: to.address, Ledger: ledger, State: contracts.StateMissing}
	if t.ContractID != "" && t.ContractID != to.address {
		s.State, s.ContractID = contracts.StateMismatch, t.ContractID
		s.Mismatch = "the registry names the contract " + t.ContractID + ", but this deployer's contract for the tenant is " + to.address +
			"; either the registry was changed, or another deployer or network is configured"
		return s, nil
	}
	if entry.DataXDR == "" {
		return s, nil
	}
	var data xdr.LedgerEntryData
	if err := xdr.SafeUnmarshalBase64(entry.DataXDR, &data); err != nil {
		return s, malformedXDR(err, "read ledger entries")
	}
	var instance *xdr.ScContractInstance
	if data.ContractData != nil {
		instance = data.ContractData.Val.Instance
	}
	if err := d.verifyInstance(to, instance); err != nil {
		s.State, s.Mismatch = contracts.StateMismatch, errs.SafeMessage(err)
		return s, nil
	}
	s.WasmHash = hex.EncodeToString(instance.Executable.WasmHash[:])
	s.Outdated = d.runsPredecessor(instance)
	s.Status = statusOf(instance)
	s.Anchor = anchorOf(instance)
	s.State, s.LiveUntil = lifetimeOf(entry, ledger)
	return s, nil
}

// limitByCode ends a contract's lifetime no later than its code's.
func limitByCode(s *contracts.Snapshot, code protocol.LedgerEntryResult) {
	if code.DataXDR == "" {
		s.State, s.LiveUntil, s.CodeArchived = contracts.StateExpired, 0, true
		return
	}
	life, until := lifetimeOf(code, s.Ledger)
	switch {
	case life == contracts.StateExpired:
		s.State, s.LiveUntil, s.CodeArchived = life, 0, true
	case s.State != contracts.StateExpired && until < s.LiveUntil:
		s.State, s.LiveUntil = life, until
	}
}

// lifetimeOf returns the remaining lifetime of an entry, as of a ledger.
func lifetimeOf(entry protocol.LedgerEntryResult, ledger uint32) (contracts.State, uint32) {
	switch until := entry.LiveUntilLedgerSeq; {
	case entryStateOf(entry, ledger) == archived:
		return contracts.StateExpired, 0
	case until == nil:
		return contracts.StateLive, 0
	case *until < ledger+contracts.RenewAhead:
		return contracts.StateExpiring, *until
	default:
		return contracts.StateLive, *until
	}
}

// anchorOf returns the contract's newest anchor; the zero Anchor when it has none.
func anchorOf(instance *xdr.ScContractInstance) contracts.Anchor {
	var a contracts.Anchor
	fields, ok := storedValue(instance, "Anchor").GetMap()
	if !ok || fields == nil {
		return a
	}
	for _, f := range *fields {
		name, _ := f.Key.GetSym()
		switch name {
		case "seq":
			seq, _ := f.Val.GetU64()
			a.Seq = int64(seq) //nolint:gosec // the registry's sequence numbers
		case "root":
			root, _ := f.Val.GetBytes()
			copy(a.Root[:], root)
		case "ledger":
			ledger, _ := f.Val.GetU32()
			a.Ledger = uint32(ledger)
		}
	}
	return a
}
