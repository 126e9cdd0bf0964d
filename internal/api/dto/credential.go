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

// LoginList are logins of a tenant, without their passwords.
type LoginList struct {
	TenantID uuid.UUID `json:"tenantId" format:"uuid"`
	Logins   []Login   `json:"logins" nullable:"false" doc:"Newest first."`
}

// Login is a login that was opened for a tenant. It has the privileges of the tenant's role.
type Login struct {
	ID        *uuid.UUID `json:"id" format:"uuid" nullable:"true" doc:"Null: a purge deleted it."`
	Username  *string    `json:"username" nullable:"true"`
	Caller    Caller     `json:"caller" doc:"Who opened it."`
	Reason    *string    `json:"reason" nullable:"true" doc:"Null: none was given."`
	Step      *string    `json:"step" nullable:"true" doc:"The blueprint's own step that it is for; null: a caller opened it."`
	OpenedAt  time.Time  `json:"openedAt"`
	ExpiresAt *time.Time `json:"expiresAt" nullable:"true"`
	ClosedAt  *time.Time `json:"closedAt" nullable:"true" doc:"Since when it cannot connect: it was closed, or has expired. Null: it can."`
	EndedAt   *time.Time `json:"endedAt" nullable:"true" doc:"Since when it has no session either. Null: it may have some."`
}

// NewLoginList converts logins to JSON.
func NewLoginList(tenantID uuid.UUID, logins []credentials.Login) LoginList {
	list := LoginList{TenantID: tenantID, Logins: make([]Login, len(logins))}
	for i, l := range logins {
		list.Logins[i] = Login{
			ID: ID(l.CredentialID), Username: Text(l.Username), Caller: NewCaller(l.Caller), Reason: Text(l.Reason), Step: Text(l.Step),
			OpenedAt: l.OpenedAt.UTC(), ExpiresAt: Time(l.ValidUntil), ClosedAt: Time(l.ClosedAt), EndedAt: Time(l.EndedAt),
		}
	}
	return list
}
