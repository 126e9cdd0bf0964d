package apiclient

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// view is a tenant as the API shows it.
type view struct {
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

func (v view) tenant() provisioning.Tenant {
	t := provisioning.Tenant{
		ID: v.ID, Name: v.Name, SchemaName: v.SchemaName, DatabaseRole: v.DatabaseRole, Status: provisioning.Status(v.Status),
		AdminEmail: v.AdminEmail, AdminFirstName: v.AdminFirstName, AdminLastName: v.AdminLastName,
		ContractID: value(v.SorobanContractID), ProvisioningError: value(v.ProvisioningError),
		ExternalID: value(v.ExternalID), ManagedBy: value(v.ManagedBy),
		WelcomeEmail: provisioning.WelcomeEmailStatus(v.WelcomeEmailStatus), Attempt: v.Attempt,
		CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
		ActivatedAt: value(v.ActivatedAt), ArchivedAt: value(v.ArchivedAt), PurgedAt: value(v.PurgedAt),
	}
	if len(v.Metadata) > 0 {
		t.Metadata = v.Metadata
	}
	return t
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// wish is what a caller says about a tenant, as the API reads it.
type wish struct {
	Name           string            `json:"name"`
	AdminEmail     string            `json:"adminEmail"`
	AdminFirstName string            `json:"adminFirstName"`
	AdminLastName  string            `json:"adminLastName"`
	AdminPassword  string            `json:"adminPassword,omitempty"`
	ExternalID     string            `json:"externalId,omitempty"`
	ManagedBy      string            `json:"managedBy,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
}

func newWish(in provisioning.Inputs) wish {
	return wish{
		Name: in.Name, AdminEmail: in.AdminEmail, AdminFirstName: in.AdminFirstName, AdminLastName: in.AdminLastName,
		AdminPassword: in.AdminPassword.Reveal(), ExternalID: in.ExternalID, ManagedBy: in.ManagedBy, Metadata: in.Metadata,
	}
}

// change is an update of everything that can be changed.
type change struct {
	Name           string            `json:"name"`
	AdminEmail     string            `json:"adminEmail"`
	AdminFirstName string            `json:"adminFirstName"`
	AdminLastName  string            `json:"adminLastName"`
	AdminPassword  string            `json:"adminPassword,omitempty"`
	ManagedBy      string            `json:"managedBy"`
	Metadata       map[string]string `json:"metadata"` // Never null: an empty one empties it.
}

func newChange(in provisioning.Inputs) change {
	c := change{
		Name: in.Name, AdminEmail: in.AdminEmail, AdminFirstName: in.AdminFirstName, AdminLastName: in.AdminLastName,
		AdminPassword: in.AdminPassword.Reveal(), ManagedBy: in.ManagedBy, Metadata: in.Metadata,
	}
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	return c
}
