package apiclient

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantResponse is a tenant as the API shows it.
type tenantResponse struct {
	ID                 uuid.UUID         `json:"id"`
	Name               string            `json:"name"`
	SchemaName         string            `json:"schemaName"`
	DatabaseRole       string            `json:"databaseRole"`
	Status             string            `json:"status"`
	AdminEmail         string            `json:"adminEmail"`
	AdminFirstName     string            `json:"adminFirstName"`
	AdminLastName      string            `json:"adminLastName"`
	SorobanContractID  *string           `json:"sorobanContractId"`
	ProvisioningError  *string           `json:"provisioningError"`
	ExternalID         *string           `json:"externalId"`
	ManagedBy          *string           `json:"managedBy"`
	Metadata           map[string]string `json:"metadata"`
	WelcomeEmailStatus string            `json:"welcomeEmailStatus"`
	Attempt            int               `json:"attempt"`
	CreatedAt          time.Time         `json:"createdAt"`
	UpdatedAt          time.Time         `json:"updatedAt"`
	ActivatedAt        *time.Time        `json:"activatedAt"`
	ArchivedAt         *time.Time        `json:"archivedAt"`
	PurgedAt           *time.Time        `json:"purgedAt"`
}

func (v tenantResponse) tenant() tenant.Tenant {
	t := tenant.Tenant{
		ID: v.ID, Name: v.Name, SchemaName: v.SchemaName, DatabaseRole: v.DatabaseRole, Status: tenant.Status(v.Status),
		AdminEmail: v.AdminEmail, AdminFirstName: v.AdminFirstName, AdminLastName: v.AdminLastName,
		ContractID: deref(v.SorobanContractID), ProvisioningError: deref(v.ProvisioningError),
		ExternalID: deref(v.ExternalID), ManagedBy: deref(v.ManagedBy),
		WelcomeEmail: tenant.WelcomeEmailStatus(v.WelcomeEmailStatus), Attempt: v.Attempt,
		CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
		ActivatedAt: deref(v.ActivatedAt), ArchivedAt: deref(v.ArchivedAt), PurgedAt: deref(v.PurgedAt),
	}
	if len(v.Metadata) > 0 {
		t.Metadata = v.Metadata
	}
	return t
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// createRequest is what a caller says about a tenant, as the API reads it.
type createRequest struct {
	Name           string            `json:"name"`
	AdminEmail     string            `json:"adminEmail"`
	AdminFirstName string            `json:"adminFirstName"`
	AdminLastName  string            `json:"adminLastName"`
	AdminPassword  string            `json:"adminPassword,omitempty"`
	ExternalID     string            `json:"externalId,omitempty"`
	ManagedBy      string            `json:"managedBy,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
}

func newCreateRequest(in tenant.Inputs) createRequest {
	return createRequest{
		Name: in.Name, AdminEmail: in.AdminEmail, AdminFirstName: in.AdminFirstName, AdminLastName: in.AdminLastName,
		AdminPassword: in.AdminPassword.Reveal(), ExternalID: in.ExternalID, ManagedBy: in.ManagedBy, Metadata: in.Metadata,
	}
}

// updateRequest is an update of everything that can be changed.
type updateRequest struct {
	Name           string            `json:"name"`
	AdminEmail     string            `json:"adminEmail"`
	AdminFirstName string            `json:"adminFirstName"`
	AdminLastName  string            `json:"adminLastName"`
	AdminPassword  string            `json:"adminPassword,omitempty"`
	ManagedBy      string            `json:"managedBy"`
	Metadata       map[string]string `json:"metadata"` // Never null: an empty one empties it.
}

func newUpdateRequest(in tenant.Inputs) updateRequest {
	c := updateRequest{
		Name: in.Name, AdminEmail: in.AdminEmail, AdminFirstName: in.AdminFirstName, AdminLastName: in.AdminLastName,
		AdminPassword: in.AdminPassword.Reveal(), ManagedBy: in.ManagedBy, Metadata: in.Metadata,
	}
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	return c
}
