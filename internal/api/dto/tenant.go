package dto

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TenantSummary is a tenant in a list.
type TenantSummary struct {
	ID         uuid.UUID `json:"id" format:"uuid" doc:"Identifies the tenant permanently."`
	Name       string    `json:"name" example:"St. Mary's Clinic"`
	Status     string    `json:"status" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	AdminEmail string    `json:"adminEmail" example:"ada@st-marys.example"`
	CreatedAt  time.Time `json:"createdAt"`
}

// NewTenantSummary converts a tenant to its summary.
func NewTenantSummary(t tenant.Tenant) TenantSummary {
	return TenantSummary{ID: t.ID, Name: t.Name, Status: string(t.Status), AdminEmail: t.AdminEmail, CreatedAt: t.CreatedAt.UTC()}
}

// Tenant is a tenant.
type Tenant struct {
	ID                  uuid.UUID         `json:"id" format:"uuid" doc:"Identifies the tenant permanently."`
	Name                string            `json:"name" example:"St. Mary's Clinic"`
	SchemaName          string            `json:"schemaName" doc:"The PostgreSQL schema with the tenant's data." example:"st_mary_s_clinic_1767225600000"`
	DatabaseRole        string            `json:"databaseRole" doc:"The PostgreSQL role that can access only this schema."`
	Status              string            `json:"status" enum:"PENDING,PROVISIONING,ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	AdminEmail          string            `json:"adminEmail" example:"ada@st-marys.example"`
	AdminFirstName      string            `json:"adminFirstName" example:"Ada"`
	AdminLastName       string            `json:"adminLastName" example:"Lovelace"`
	SorobanContractID   *string           `json:"sorobanContractId" doc:"The tenant's contract on the Stellar network; null until it is deployed and verified."`
	ProvisioningError   *string           `json:"provisioningError" doc:"Why the last attempt failed; for display."`
	ExternalID          *string           `json:"externalId" doc:"The caller's own key."`
	ManagedBy           *string           `json:"managedBy" doc:"Who manages the tenant."`
	Metadata            map[string]string `json:"metadata" nullable:"false"`
	AllowConfusableName bool              `json:"allowConfusableName" doc:"Its name may look like that of another tenant, through letters of another script."`
	Locale              *string           `json:"locale" doc:"Language of the mails to the administrator, a BCP 47 tag. Null: the blueprint's."`
	Blueprint           string            `json:"blueprint" doc:"What the tenant is made from." example:"standard"`
	BlueprintRevision   *int              `json:"blueprintRevision" doc:"The revision that the tenant's schema was last brought to. Null: the blueprint standard, or no schema yet."`
	SchemaVersion       *int              `json:"schemaVersion" doc:"The number of the blueprint's last migration in the tenant's schema. Null: no schema yet."`
	Variables           map[string]string `json:"variables" nullable:"false" doc:"The blueprint's variables as they were given."`
	Outputs             map[string]string `json:"outputs,omitempty" doc:"What the blueprint's own steps answered; can be secrets. Only for callers with the scope tenants:write, and not in lists. Absent without outputs."`
	WelcomeEmailStatus  string            `json:"welcomeEmailStatus" enum:"PENDING,SENT,FAILED,SKIPPED"`
	Invitation          Invitation        `json:"invitation" doc:"The newest invitation of the administrator."`
	Attempt             int               `json:"attempt" minimum:"1" doc:"Provisioning attempts so far."`
	Version             int64             `json:"version" minimum:"1" doc:"Increases with each change; the ETag."`
	CreatedAt           time.Time         `json:"createdAt"`
	UpdatedAt           time.Time         `json:"updatedAt"`
	ActivatedAt         *time.Time        `json:"activatedAt" doc:"When the tenant first became ACTIVE."`
	SuspendedAt         *time.Time        `json:"suspendedAt" doc:"Since when the tenant is suspended. An archived tenant keeps it, and is SUSPENDED again when it is unarchived."`
	ArchivedAt          *time.Time        `json:"archivedAt"`
	PurgedAt            *time.Time        `json:"purgedAt" doc:"When the tenant's schema and role were dropped."`
	DeletionProtection  bool              `json:"deletionProtection" doc:"The tenant is neither archived, while it is live, nor purged."`
	LegalHold           *LegalHold        `json:"legalHold" doc:"Nothing deletes the tenant's data while there is one. Null: none."`
	Queued              bool              `json:"queued" doc:"A job for the tenant is queued or running."`
}

// SuspendedTenant is the answer of a suspension.
type SuspendedTenant struct {
	Tenant
	Warnings []string `json:"warnings" nullable:"false" doc:"Sessions and roles that others have to end; for display."`
}

// LegalHold is a legal hold of a tenant.
type LegalHold struct {
	Reason string    `json:"reason"`
	By     string    `json:"by" doc:"Who set it."`
	Since  time.Time `json:"since"`
}

// newLegalHold returns nil without a hold.
func newLegalHold(h tenant.Hold) *LegalHold {
	if !h.Active() {
		return nil
	}
	return &LegalHold{h.Reason, h.By, h.Since.UTC()}
}

// hold converts back to the domain type.
func (h *LegalHold) hold() tenant.Hold {
	if h == nil {
		return tenant.Hold{}
	}
	return tenant.Hold{Reason: h.Reason, By: h.By, Since: h.Since.UTC()}
}

// Invitation is the newest invitation of a tenant's administrator.
type Invitation struct {
	Status     string     `json:"status" enum:"NONE,PENDING,ACCEPTED,EXPIRED,REVOKED" doc:"NONE: nobody was invited: the tenant was never live, was adopted without a mail, or has no users. REVOKED: it cannot be used any more; invite again."`
	SentAt     *time.Time `json:"sentAt" doc:"When the mail server took its mail."`
	ExpiresAt  *time.Time `json:"expiresAt" doc:"Until when it can be accepted."`
	AcceptedAt *time.Time `json:"acceptedAt" doc:"When the administrator chose a password."`
}

// NewTenant converts a tenant to JSON.
func NewTenant(t tenant.Tenant) Tenant {
	v := Tenant{
		ID: t.ID, Name: t.Name, SchemaName: t.SchemaName, DatabaseRole: t.DatabaseRole, Status: string(t.Status),
		AdminEmail: t.AdminEmail, AdminFirstName: t.AdminFirstName, AdminLastName: t.AdminLastName,
		SorobanContractID: Text(t.ContractID), ProvisioningError: Text(t.ProvisioningError),
		ExternalID: Text(t.ExternalID), ManagedBy: Text(t.ManagedBy), Metadata: t.Metadata,
		WelcomeEmailStatus: string(t.WelcomeEmail),
		Invitation:         Invitation{string(t.Invitation.Status), Time(t.Invitation.SentAt), Time(t.Invitation.ExpiresAt), Time(t.Invitation.AcceptedAt)},
		Attempt:            t.Attempt, Version: t.Version,
		CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
		SuspendedAt: Time(t.SuspendedAt), DeletionProtection: t.DeletionProtection, LegalHold: newLegalHold(t.Hold),
		ActivatedAt: Time(t.ActivatedAt), ArchivedAt: Time(t.ArchivedAt), PurgedAt: Time(t.PurgedAt),
		Queued: t.Queued, Locale: Text(t.Locale), AllowConfusableName: t.AllowConfusableName, Blueprint: t.Blueprint, BlueprintRevision: number(t.BlueprintRevision), SchemaVersion: number(t.SchemaVersion), Variables: t.Variables, Outputs: t.Outputs,
	}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	if v.Variables == nil {
		v.Variables = map[string]string{}
	}
	return v
}

// WithoutOutputs is the tenant for callers that may not see its outputs.
func (v Tenant) WithoutOutputs() Tenant {
	v.Outputs = nil
	return v
}

// Tenant converts back to the domain type.
func (v Tenant) Tenant() tenant.Tenant {
	t := tenant.Tenant{
		ID: v.ID, Name: v.Name, SchemaName: v.SchemaName, DatabaseRole: v.DatabaseRole, Status: tenant.Status(v.Status),
		AdminEmail: v.AdminEmail, AdminFirstName: v.AdminFirstName, AdminLastName: v.AdminLastName,
		ContractID: value(v.SorobanContractID), ProvisioningError: value(v.ProvisioningError),
		ExternalID: value(v.ExternalID), ManagedBy: value(v.ManagedBy),
		WelcomeEmail: tenant.WelcomeEmailStatus(v.WelcomeEmailStatus),
		Invitation:   tenant.Invitation{Status: invitation.Status(v.Invitation.Status), SentAt: utc(v.Invitation.SentAt), ExpiresAt: utc(v.Invitation.ExpiresAt), AcceptedAt: utc(v.Invitation.AcceptedAt)},
		Attempt:      v.Attempt, Version: v.Version,
		CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
		SuspendedAt: utc(v.SuspendedAt), DeletionProtection: v.DeletionProtection, Hold: v.LegalHold.hold(),
		ActivatedAt: utc(v.ActivatedAt), ArchivedAt: utc(v.ArchivedAt), PurgedAt: utc(v.PurgedAt),
		Queued: v.Queued, Locale: value(v.Locale), AllowConfusableName: v.AllowConfusableName, Blueprint: v.Blueprint, BlueprintRevision: value(v.BlueprintRevision), SchemaVersion: value(v.SchemaVersion),
	}
	if len(v.Metadata) > 0 {
		t.Metadata = v.Metadata
	}
	if len(v.Variables) > 0 {
		t.Variables = v.Variables
	}
	if len(v.Outputs) > 0 {
		t.Outputs = v.Outputs
	}
	return t
}

// TenantPage is a page of a list in the full view.
type TenantPage struct {
	Total      int64    `json:"total"` // Tenants on all pages.
	Tenants    []Tenant `json:"tenants"`
	NextCursor string   `json:"nextCursor,omitempty"` // Absent on the last page.
}
