package provisioning

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// DefaultRetention is the minimum time between archiving a tenant and purging it.
const DefaultRetention = 30 * 24 * time.Hour

// PurgeCertificate records that the data of a tenant were deleted, and how much data
// there was. The registry keeps it.
type PurgeCertificate struct {
	TenantID   uuid.UUID        `json:"tenantId"`
	Name       string           `json:"name"`
	SchemaName string           `json:"schemaName"`
	ContractID string           `json:"sorobanContractId,omitempty"`
	ArchivedAt time.Time        `json:"archivedAt"`
	PurgedAt   time.Time        `json:"purgedAt"`
	Rows       map[string]int64 `json:"rows"`                // Rows deleted, by table; empty when there was no schema.
	AuditHead  string           `json:"auditHead,omitempty"` // Last hash of the tenant's own audit_logs, hex.
	By         audit.Caller     `json:"by"`
}
