package apiclient

import (
	"context"
	"errors"
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// CheckReady sends a minimal request to the server. KindPermanent when the server rejects
// the token or is not a tenant-api; KindTransient when it does not answer.
func (c *Client) CheckReady(ctx context.Context) error {
	response, err := c.send(ctx, request{op: "check tenant-api", method: http.MethodGet, path: tenantsPath, query: map[string]string{"limit": "1"}})
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// RegistryIdentity returns which registry the server works with.
func (c *Client) RegistryIdentity(ctx context.Context) (provisioning.RegistryIdentity, error) {
	var v dto.Registry
	err := c.call(ctx, request{op: "read registry", method: http.MethodGet, path: []string{"admin", "registry"}}, &v)
	return v.Identity(), err
}

// isForbidden reports whether an error means that the token does not permit the operation.
func isForbidden(err error) bool {
	var r *responseError
	return errors.As(err, &r) && r.status == http.StatusForbidden
}

// IsDenied reports whether an error means that the token was rejected or does not permit
// the operation.
func IsDenied(err error) bool {
	var r *responseError
	return errors.As(err, &r) && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden)
}
