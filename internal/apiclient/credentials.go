package apiclient

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// OpenCredential makes a login for a tenant's schema that is good for ttl, or for
// credentials.DefaultCredentialTTL for 0. One whose answer is lost ends by itself.
func (c *Client) OpenCredential(ctx context.Context, tenantID uuid.UUID, ttl time.Duration) (credentials.Credential, error) {
	var v struct {
		ID         uuid.UUID       `json:"id"`
		TenantID   uuid.UUID       `json:"tenantId"`
		Username   string          `json:"username"`
		Password   tenant.Password `json:"password"`
		SchemaName string          `json:"schemaName"`
		Database   string          `json:"database"`
		Host       string          `json:"host"`
		Port       int             `json:"port"`
		ExpiresAt  time.Time       `json:"expiresAt"`
	}
	err := c.call(ctx, request{op: "open login", method: http.MethodPost, path: tenantPath(tenantID, credentialsSegment), body: ttlBody(ttl)}, &v)
	return credentials.Credential(v), err
}

// RenewCredential has a login last for ttl from now. KindNotFound when it has ended.
func (c *Client) RenewCredential(ctx context.Context, tenantID, id uuid.UUID, ttl time.Duration) (time.Time, error) {
	var v struct {
		ExpiresAt time.Time `json:"expiresAt"`
	}
	err := c.call(ctx, request{
		op: "renew login", method: http.MethodPost, path: tenantPath(tenantID, credentialsSegment, id.String(), "renew"), body: ttlBody(ttl),
	}, &v)
	return v.ExpiresAt, err
}

// CloseCredential ends a login, its sessions included. Repeating it is success.
func (c *Client) CloseCredential(ctx context.Context, tenantID, id uuid.UUID) error {
	return c.call(ctx, request{op: "close login", method: http.MethodDelete, path: tenantPath(tenantID, credentialsSegment, id.String())}, nil)
}

const credentialsSegment = "database-credentials"

func ttlBody(ttl time.Duration) map[string]int64 {
	if ttl == 0 {
		return map[string]int64{}
	}
	return map[string]int64{"ttlSeconds": int64(ttl / time.Second)}
}
