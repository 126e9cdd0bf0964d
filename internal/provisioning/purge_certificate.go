package provisioning

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// DefaultRetention is how long an archived tenant's data are kept at least.
const DefaultRetention = 30 * 24 * time.Hour

// PurgeCertificate is what stays of a purged tenant's data: the proof that they
// were deleted, and of what they were.
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
