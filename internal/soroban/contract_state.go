package soroban

import (
	"context"
	"encoding/hex"
	"slices"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

var (
	_ contracts.Chain              = (*Deployer)(nil)
	_ verification.ContractChecker = (*Deployer)(nil)
)

// VerifyContract reads the tenant's contract from the ledger, and pays nothing. It
// returns the newest anchor in the contract. KindNotFound: there is none, and the registry
// names none. KindPermanent: the contract is missing, archived, differs from what this program
// would create, or is not the one in the registry. KindTransient: the network does not answer.
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
	case s.State == contracts.StateMissing && t.ContractID == "":
		return contracts.Anchor{}, errs.Errorf(errs.KindNotFound, "verify contract", "there is no contract %s", s.ContractID)
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
	if err := d.client.CheckNetwork(ctx); err != nil {
		return nil, err
	}
	states := make([]contracts.Snapshot, 0, len(tenants))
	for chunk := range slices.Chunk(tenants, ledger.MaxKeys) {
		batch, err := d.readBatch(ctx, chunk)
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
		keys[i], targets[i] = ledger.InstanceKey(to.id), to
	}
	found, at, err := d.reader.Entries(ctx, keys...)
	if err != nil {
		return nil, err
	}
	states := make([]contracts.Snapshot, len(tenants))
	codes := map[xdr.Hash]protocol.LedgerEntryResult{}
	for i := range tenants {
		if states[i], err = d.stateOfContract(targets[i], tenants[i], found[i], at); err != nil {
			return nil, err
		}
		if hash, ok := codeHashOf(states[i]); ok {
			codes[hash] = protocol.LedgerEntryResult{}
		}
	}
	if err := d.reader.Codes(ctx, codes, at); err != nil {
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

// stateOfContract reads a contract's own entry.
func (d *Deployer) stateOfContract(to target, t tenant.Tenant, entry protocol.LedgerEntryResult, at uint32) (contracts.Snapshot, error) {
	s := contracts.Snapshot{TenantID: t.ID, ContractID: to.address, Ledger: at, State: contracts.StateMissing}
	if t.ContractID != "" && t.ContractID != to.address {
		s.State, s.ContractID = contracts.StateMismatch, t.ContractID
		s.Mismatch = "the registry names the contract " + t.ContractID + ", but this deployer's contract for the tenant is " + to.address +
			"; either the registry was changed, or another deployer or network is configured"
		return s, nil
	}
	if entry.DataXDR == "" {
		return s, nil
	}
	instance, err := ledger.InstanceOf(entry)
	if err != nil {
		return s, err
	}
	if err := d.verifyInstance(to, instance); err != nil {
		s.State, s.Mismatch = contracts.StateMismatch, errs.SafeMessage(err)
		return s, nil
	}
	s.WasmHash = hex.EncodeToString(instance.Executable.WasmHash[:])
	s.Outdated = d.runsPredecessor(instance)
	s.Status = ledger.StatusOf(instance)
	s.Anchor = ledger.AnchorOf(instance)
	s.State, s.LiveUntil = ledger.LifetimeOf(entry, at)
	return s, nil
}

// limitByCode ends a contract's lifetime no later than its code's.
func limitByCode(s *contracts.Snapshot, code protocol.LedgerEntryResult) {
	if code.DataXDR == "" {
		s.State, s.LiveUntil, s.CodeArchived = contracts.StateExpired, 0, true
		return
	}
	life, until := ledger.LifetimeOf(code, s.Ledger)
	switch {
	case life == contracts.StateExpired:
		s.State, s.LiveUntil, s.CodeArchived = life, 0, true
	case s.State != contracts.StateExpired && until < s.LiveUntil:
		s.State, s.LiveUntil = life, until
	}
}
