package dto

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Credential is a login for a tenant's schema. It contains the password in plain text: use
// it only for the one response to the caller that opened the login.
type Credential struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	TenantID   uuid.UUID `json:"tenantId" format:"uuid"`
	Username   string    `json:"username" example:"healthcare_login_x2l5q7c3m4n6p8r1t9v0w2y4z6"`
	Password   string    `json:"password" doc:"Only this response contains it."`
	Host       string    `json:"host" doc:"As the server reaches the database; callers elsewhere may need another name."`
	Port       int       `json:"port" minimum:"1" maximum:"65535"`
	Database   string    `json:"database"`
	SchemaName string    `json:"schemaName" doc:"The schema on the login's search_path."`
	ExpiresAt  time.Time `json:"expiresAt"`
}

// NewCredential converts a login to JSON.
func NewCredential(c credentials.Credential) Credential {
	return Credential{
		ID: c.ID, TenantID: c.TenantID, Username: c.Username, Password: c.Password.Reveal(), Host: c.Host, Port: c.Port,
		Database: c.Database, SchemaName: c.SchemaName, ExpiresAt: c.ExpiresAt.UTC(),
	}
}

// Credential converts back to the domain type.
func (v Credential) Credential() credentials.Credential {
	return credentials.Credential{
		ID: v.ID, TenantID: v.TenantID, Username: v.Username, Password: tenant.Password(v.Password), Host: v.Host, Port: v.Port,
		Database: v.Database, SchemaName: v.SchemaName, ExpiresAt: v.ExpiresAt,
	}
}
