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
	// On the ledger. Null unless the tenant is ACTIVE and the network has answered.
	ContractState     *string `json:"contractState" example:"LIVE" doc:"LIVE, EXPIRING, EXPIRED, MISSING or MISMATCH. Null unless the tenant is ACTIVE and the network has answered."`
	ContractLedger    *int64  `json:"contractLedger" minimum:"0" doc:"The ledger at which contractState was read."`
	ContractLiveUntil *int64  `json:"contractLiveUntil" minimum:"0" doc:"The last ledger of the contract's time to live; 0 if it has expired."`
	ContractDrift     *string `json:"contractDrift" doc:"With MISMATCH: the differences from the deployed contract."`

	ContractCodeArchived *bool   `json:"contractCodeArchived" doc:"With EXPIRED: the code is archived, possibly the contract as well."`
	ContractWasmHash     *string `json:"contractWasmHash" doc:"SHA-256 of the contract's code, hex."`
	ContractOutdated     *bool   `json:"contractOutdated" doc:"The contract has the code of an earlier release."`
	ContractStatus       *string `json:"contractStatus" doc:"The status stored in the contract: ACTIVE, SUSPENDED or ARCHIVED."`
	ContractAnchorSeq    *int64  `json:"contractAnchorSeq" minimum:"1" doc:"The number of the newest audit event that is anchored in the contract; null if none is."`
	ContractAnchorRoot   *string `json:"contractAnchorRoot" pattern:"^[0-9a-f]{64}$" doc:"That event's hash."`
	ContractAnchorLedger *int64  `json:"contractAnchorLedger" minimum:"0" doc:"The ledger in which it was anchored."`
}

// NewTenantHealth converts an inspection to JSON.
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

// Inspection converts back to the domain type.
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

// ledger returns the number of a ledger, 0 for null.
func ledger(n *int64) uint32 {
	if n == nil || *n < 0 || *n > 1<<32-1 {
		return 0
	}
	return uint32(*n)
}
