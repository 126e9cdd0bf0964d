package dto

import (
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Anchor is an event of an audit chain, as stored in a contract.
type Anchor struct {
	Seq    int64  `json:"seq" minimum:"1" doc:"The event's number in its tenant's log."`
	Root   string `json:"root" pattern:"^[0-9a-f]{64}$" doc:"Its hash."`
	Ledger int64  `json:"ledger" minimum:"0" doc:"The ledger of the anchor's transaction."`
}

// NewAnchor converts an anchor to JSON, null for none.
func NewAnchor(a contracts.Anchor) *Anchor {
	if a.Seq == 0 {
		return nil
	}
	return &Anchor{Seq: a.Seq, Root: hex.EncodeToString(a.Root[:]), Ledger: int64(a.Ledger)}
}

// Anchor returns the domain value.
func (v Anchor) Anchor() (a contracts.Anchor) {
	a.Seq, a.Ledger = v.Seq, ledger(&v.Ledger)
	if root, err := hex.DecodeString(v.Root); err == nil {
		copy(a.Root[:], root)
	}
	return a
}

// ContractFacts has the state of a tenant's contract; null: unknown.
type ContractFacts struct {
	TenantID          uuid.UUID `json:"tenantId" format:"uuid"`
	TenantName        string    `json:"tenantName"`
	SorobanContractID *string   `json:"sorobanContractId" doc:"Its address, C..."`
	State             *string   `json:"state" example:"LIVE" doc:"LIVE, EXPIRING, EXPIRED, MISSING or MISMATCH; null: it was not read yet."`
	LiveUntilLedger   *int64    `json:"liveUntilLedger" minimum:"0" doc:"The last ledger of its time to live; 0 if it has expired."`
	Ledger            *int64    `json:"ledger" minimum:"0" doc:"The ledger at which it was read."`
	WasmHash          *string   `json:"wasmHash" doc:"SHA-256 of its code, hex."`
	ContractStatus    *string   `json:"contractStatus" doc:"The status that it stores: ACTIVE, SUSPENDED or ARCHIVED."`
	Anchor            *Anchor   `json:"anchor" doc:"The newest audit event that is anchored in it; null: none."`
}

func newContractFacts(t tenant.Tenant, s contracts.Snapshot) ContractFacts {
	v := ContractFacts{TenantID: t.ID, TenantName: t.Name, SorobanContractID: Text(t.ContractID), WasmHash: Text(s.WasmHash), Anchor: NewAnchor(s.Anchor)}
	if s.State != "" {
		ledger, until := int64(s.Ledger), int64(s.LiveUntil)
		v.State, v.Ledger, v.LiveUntilLedger, v.ContractStatus = Text(s.State), &ledger, &until, Text(s.Status)
	}
	return v
}

// Contract is a contract as recorded in the registry.
type Contract struct {
	ContractFacts
	Registry  bool       `json:"registry" doc:"It anchors the registry chain: tenantId is the registry's id."`
	CheckedAt *time.Time `json:"checkedAt" doc:"When the ledger was read last."`
	NextCheck *time.Time `json:"nextCheckAt"`
	LastError *string    `json:"lastError" doc:"Why the last reconciliation failed; null: it did not."`
	Failures  int        `json:"failures" minimum:"0" doc:"Failed reconciliations in a row."`
	UpgradeTo *string    `json:"upgradeTo" doc:"SHA-256 of the code that it is to be upgraded to; null: none."`
}

// NewContract converts a contract to JSON.
func NewContract(d contracts.WorkItem) Contract {
	k := d.Record
	return Contract{
		ContractFacts: newContractFacts(d.Tenant, k.Snapshot), Registry: d.Registry, CheckedAt: Time(k.CheckedAt), NextCheck: Time(k.DueAt),
		LastError: Text(k.LastError), Failures: k.ConsecutiveFailures, UpgradeTo: Text(k.UpgradeTo),
	}
}

// ContractNow is a contract on the ledger, and its cost.
type ContractNow struct {
	ContractFacts
	Drift        *string `json:"contractDrift" doc:"With MISMATCH: what differs."`
	Outdated     bool    `json:"outdated" doc:"It has the code of an earlier release."`
	CostStroops  int64   `json:"costStroops" minimum:"0" doc:"Fees of the transactions for this tenant alone."`
	Transactions int64   `json:"transactions" minimum:"0" doc:"How many of them were applied."`
}

// NewContractNow converts a contract that was just read to JSON.
func NewContractNow(t tenant.Tenant, s contracts.Snapshot, stroops, transactions int64) ContractNow {
	return ContractNow{ContractFacts: newContractFacts(t, s), Drift: Text(s.Mismatch), Outdated: s.Outdated, CostStroops: stroops, Transactions: transactions}
}

// UnknownContract is a contract that the registry created and does not have any more.
type UnknownContract struct {
	ContractID      string     `json:"contractId"`
	CreatedAt       *time.Time `json:"createdAt"`
	Ledger          uint32     `json:"ledger"`
	TransactionHash string     `json:"transactionHash"`
}

// NewUnknownContract converts the creation of an unknown contract to JSON.
func NewUnknownContract(c contracts.Creation) UnknownContract {
	return UnknownContract{ContractID: c.ContractID, CreatedAt: Time(c.ClosedAt), Ledger: c.Ledger, TransactionHash: c.TransactionHash}
}

// OpenTransaction is a Stellar transaction whose outcome is not known yet.
type OpenTransaction struct {
	Hash       string    `json:"hash"`
	Purpose    string    `json:"purpose"`
	Source     string    `json:"source"`
	Sequence   int64     `json:"sequence"`
	TenantID   string    `json:"tenantId,omitempty"`
	ContractID string    `json:"contractId,omitempty"`
	ValidUntil time.Time `json:"validUntil"`
	MaxFee     int64     `json:"maxFeeStroops"`
}

// NewOpenTransaction returns the view of a transaction.
func NewOpenTransaction(x txlog.Transaction) OpenTransaction {
	view := OpenTransaction{
		Hash: x.Hash, Purpose: string(x.Purpose), Source: x.Source, Sequence: x.Sequence, ContractID: x.ContractID, ValidUntil: x.ValidUntil.UTC(), MaxFee: x.MaxFee,
	}
	if x.TenantID != uuid.Nil {
		view.TenantID = x.TenantID.String()
	}
	return view
}
