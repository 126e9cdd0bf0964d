package dto

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Caller is the caller of an audited operation.
type Caller struct {
	Kind      string  `json:"kind" enum:"apikey,oidc,invited,anonymous,terraform,command,process,redacted"`
	ID        *string `json:"id" doc:"A key's prefix, a token's subject."`
	Name      *string `json:"name"`
	Address   *string `json:"address"`
	RequestID *string `json:"requestId"`
}

// NewCaller converts a caller to JSON.
func NewCaller(c audit.Caller) Caller {
	return Caller{Kind: string(c.Kind), ID: Text(c.ID), Name: Text(c.Name), Address: Text(c.Address), RequestID: Text(c.RequestID)}
}

// Caller converts back to the domain type.
func (v Caller) Caller() audit.Caller {
	return audit.Caller{
		Kind: audit.CallerKind(v.Kind), ID: value(v.ID), Name: value(v.Name), Address: value(v.Address), RequestID: value(v.RequestID),
	}
}

// Certificate is the proof that a tenant's data were deleted.
type Certificate struct {
	TenantID          uuid.UUID        `json:"tenantId" format:"uuid"`
	Name              string           `json:"name"`
	SchemaName        string           `json:"schemaName"`
	SorobanContractID *string          `json:"sorobanContractId"`
	ArchivedAt        time.Time        `json:"archivedAt"`
	PurgedAt          time.Time        `json:"purgedAt"`
	Rows              map[string]int64 `json:"rows" nullable:"false" doc:"Rows deleted, by table that the registry owner could read."`
	OtherObjects      []string         `json:"otherObjects" nullable:"false" doc:"Objects outside of the schema, of the tenant's role and of logins, that were dropped as well."`
	AuditHead         *string          `json:"auditHead" doc:"The last hash of the tenant's audit log, hex."`
	RedactedEvents    int64            `json:"redactedEvents" minimum:"0" doc:"Audit events whose caller and detail were deleted."`
	Kept              []KeptData       `json:"kept" nullable:"false" doc:"What was not deleted, and why."`
	By                Caller           `json:"by" doc:"The caller that purged the tenant."`
}

// KeptData is something that a purge does not delete.
type KeptData struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// NewCertificate converts a certificate to JSON.
func NewCertificate(c provisioning.PurgeCertificate) Certificate {
	v := Certificate{
		TenantID: c.TenantID, Name: c.Name, SchemaName: c.SchemaName, SorobanContractID: Text(c.ContractID),
		ArchivedAt: c.ArchivedAt.UTC(), PurgedAt: c.PurgedAt.UTC(), Rows: c.Rows, AuditHead: Text(c.AuditHead), By: NewCaller(c.By),
		RedactedEvents: c.RedactedEvents, Kept: []KeptData{}, OtherObjects: c.OtherObjects,
	}
	for _, kept := range c.Kept {
		v.Kept = append(v.Kept, KeptData(kept))
	}
	if v.OtherObjects == nil {
		v.OtherObjects = []string{}
	}
	if v.Rows == nil {
		v.Rows = map[string]int64{}
	}
	return v
}

// Certificate converts back to the domain type.
func (v Certificate) Certificate() provisioning.PurgeCertificate {
	c := provisioning.PurgeCertificate{
		TenantID: v.TenantID, Name: v.Name, SchemaName: v.SchemaName, ContractID: value(v.SorobanContractID),
		ArchivedAt: v.ArchivedAt, PurgedAt: v.PurgedAt, Rows: v.Rows, AuditHead: value(v.AuditHead), By: v.By.Caller(),
		RedactedEvents: v.RedactedEvents,
	}
	if len(v.OtherObjects) > 0 {
		c.OtherObjects = v.OtherObjects
	}
	for _, kept := range v.Kept {
		c.Kept = append(c.Kept, provisioning.KeptData(kept))
	}
	return c
}
