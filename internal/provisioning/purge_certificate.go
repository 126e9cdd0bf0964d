package provisioning

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// DefaultRetention is the minimum time between archiving a tenant and purging it.
const DefaultRetention = 30 * 24 * time.Hour

// PurgeCertificate records that the data of a tenant were deleted, how much data there was,
// and what was kept. The registry keeps it.
type PurgeCertificate struct {
	TenantID       uuid.UUID        `json:"tenantId"`
	Name           string           `json:"name"`
	SchemaName     string           `json:"schemaName"`
	ContractID     string           `json:"sorobanContractId,omitempty"`
	ArchivedAt     time.Time        `json:"archivedAt"`
	PurgedAt       time.Time        `json:"purgedAt"`
	Rows           map[string]int64 `json:"rows"`                   // Rows deleted, by table that the registry owner could read; empty when there was no schema.
	OtherObjects   []string         `json:"otherObjects,omitempty"` // Objects outside of the schema, of the tenant's role and logins, that were dropped as well.
	AuditHead      string           `json:"auditHead,omitempty"`    // Last hash of the tenant's own audit_logs, hex.
	RedactedEvents int64            `json:"redactedEvents"`         // Audit events whose caller and detail were deleted.
	Kept           []KeptData       `json:"kept"`
	By             audit.Caller     `json:"by"`
}

// KeptData is something that a purge does not delete.
type KeptData struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// KeptAfterPurge is what the registry has of a purged tenant, and why. None of it is about a
// person, unless the organisation's name or the external id is.
func KeptAfterPurge() []KeptData {
	return []KeptData{
		{"id, name, external id and schema name of the tenant", "they say whose data were deleted, and the schema name is not used again"},
		{"number, time, action, outcome and hashes of each audit event", "the chain still shows that no event was changed or removed"},
		{"time, status and duration of each provisioning step", "they show what was done, and what it took"},
		{"address and transactions of the contract", "the ledger is public and permanent; it has hashes, numbers and addresses alone"},
		{"this certificate and the audit event of the purge, with its caller", "they say who deleted the data, and when"},
	}
}
