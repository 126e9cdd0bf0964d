package dto

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
)

// TenantHealth is a tenant with the state of its schema and of its contract.
type TenantHealth struct {
	Tenant        Tenant   `json:"tenant"`
	DatabaseState *string  `json:"databaseState" example:"IN_SYNC" doc:"IN_SYNC, DRIFTED or MISSING. Null unless the tenant is ACTIVE."`
	DatabaseDrift []string `json:"databaseDrift" nullable:"false" doc:"Differences between the tenant's schema and role and what was provisioned."`
	// On the ledger. Null unless the tenant is ACTIVE and the network has told.
	ContractState     *string `json:"contractState" example:"LIVE" doc:"LIVE, EXPIRING, EXPIRED, MISSING or MISMATCH. Null unless the tenant is ACTIVE and the network has told."`
	ContractLedger    *int64  `json:"contractLedger" minimum:"0" doc:"The ledger at which contractState was read."`
	ContractLiveUntil *int64  `json:"contractLiveUntil" minimum:"0" doc:"The last ledger of the contract's time to live; 0 when that is over."`
	ContractDrift     *string `json:"contractDrift" doc:"With MISMATCH: what differs from the contract that was deployed."`

	ContractCodeArchived *bool   `json:"contractCodeArchived" doc:"With EXPIRED: the code is archived, and perhaps the contract."`
	ContractWasmHash     *string `json:"contractWasmHash" doc:"SHA-256 of its code, hex."`
	ContractOutdated     *bool   `json:"contractOutdated" doc:"Its code is an earlier release's."`
	ContractStatus       *string `json:"contractStatus" doc:"The status that the contract has: ACTIVE, SUSPENDED or ARCHIVED."`
	ContractAnchorSeq    *int64  `json:"contractAnchorSeq" minimum:"1" doc:"The number of the newest event of the tenant's audit log that it keeps; null if there is none."`
	ContractAnchorRoot   *string `json:"contractAnchorRoot" pattern:"^[0-9a-f]{64}$" doc:"That event's hash."`
	ContractAnchorLedger *int64  `json:"contractAnchorLedger" minimum:"0" doc:"The ledger in which it was anchored."`
}

// NewTenantHealth is the JSON form of an inspection.
func NewTenantHealth(i inspection.Inspection) TenantHealth {
	v := TenantHealth{Tenant: NewTenant(i.Tenant), DatabaseState: Text(i.Database), DatabaseDrift: List(i.DatabaseDrift)}
	if c := i.Contract; c.State != "" {
		ledger, until := int64(c.Ledger), int64(c.LiveUntil)
		v.ContractState, v.ContractLedger, v.ContractLiveUntil, v.ContractDrift = Text(c.State), &ledger, &until, Text(c.Mismatch)
		v.ContractCodeArchived, v.ContractWasmHash, v.ContractOutdated = &c.CodeArchived, Text(c.WasmHash), &c.Outdated
		v.ContractStatus = Text(c.Status)
		if anchor := NewAnchor(c.Anchor); anchor != nil {
			v.ContractAnchorSeq, v.ContractAnchorRoot, v.ContractAnchorLedger = &anchor.Seq, &anchor.Root, &anchor.Ledger
		}
	}
	return v
}

// Inspection is the inspection that v was made from.
func (v TenantHealth) Inspection() inspection.Inspection {
	i := inspection.Inspection{Tenant: v.Tenant.Tenant(), Database: inspection.DatabaseState(value(v.DatabaseState))}
	if len(v.DatabaseDrift) > 0 {
		i.DatabaseDrift = v.DatabaseDrift
	}
	if life := value(v.ContractState); life != "" {
		i.Contract = contracts.Snapshot{
			TenantID: i.Tenant.ID, ContractID: i.Tenant.ContractID, State: contracts.State(life),
			Ledger: ledger(v.ContractLedger), LiveUntil: ledger(v.ContractLiveUntil), Mismatch: value(v.ContractDrift),
			CodeArchived: value(v.ContractCodeArchived), WasmHash: value(v.ContractWasmHash), Outdated: value(v.ContractOutdated),
			Status: contracts.ContractStatus(value(v.ContractStatus)),
			Anchor: Anchor{Seq: value(v.ContractAnchorSeq), Root: value(v.ContractAnchorRoot), Ledger: value(v.ContractAnchorLedger)}.Anchor(),
		}
	}
	return i
}

// ledger is the number of a ledger, 0 for what is none.
func ledger(n *int64) uint32 {
	if n == nil || *n < 0 || *n > 1<<32-1 {
		return 0
	}
	return uint32(*n)
}
