package apiclient

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// OpenCredential creates a login for a tenant's schema that lasts for r.TTL in whole seconds.
// If the response is lost, the login expires by itself.
func (c *Client) OpenCredential(ctx context.Context, tenantID uuid.UUID, r credentials.Request) (credentials.Credential, error) {
	const op = "open login"
	body, err := ttlBody(op, r.TTL)
	if err != nil {
		return credentials.Credential{}, err
	}
	if r.Reason != "" {
		body["reason"] = r.Reason
	}
	var v dto.Credential
	err = c.call(ctx, request{op: op, method: http.MethodPost, path: tenantPath(tenantID, credentialsSegment), body: body}, &v)
	return v.Credential(), err
}

// RenewCredential extends a login to ttl from now. KindNotFound after its end.
func (c *Client) RenewCredential(ctx context.Context, tenantID, id uuid.UUID, ttl time.Duration) (time.Time, error) {
	const op = "renew login"
	body, err := ttlBody(op, ttl)
	if err != nil {
		return time.Time{}, err
	}
	var v struct {
		ExpiresAt time.Time `json:"expiresAt"`
	}
	err = c.call(ctx, request{
		op: op, method: http.MethodPost, path: tenantPath(tenantID, credentialsSegment, id.String(), "renew"), body: body,
	}, &v)
	return v.ExpiresAt, err
}

// CloseCredential ends a login and its sessions. Repeating the call succeeds.
func (c *Client) CloseCredential(ctx context.Context, tenantID, id uuid.UUID) error {
	return c.call(ctx, request{op: "close login", method: http.MethodDelete, path: tenantPath(tenantID, credentialsSegment, id.String())}, nil)
}

const credentialsSegment = "database-credentials"

// ttlBody returns the request body for a login that lasts for ttl. It checks the limits
// before the conversion: the API's whole seconds cannot show a ttl that exceeds them by a
// fraction.
func ttlBody(op string, ttl time.Duration) (map[string]any, error) {
	if ttl == 0 {
		return map[string]any{}, nil
	}
	if err := credentials.CheckCredentialTTL(ttl); err != nil {
		return nil, &errs.Error{Kind: errs.KindInvalid, Op: op, Fields: []errs.FieldError{{Field: "ttlSeconds", Message: err.Error()}}}
	}
	return map[string]any{"ttlSeconds": ceil(ttl, time.Second)}, nil
}
