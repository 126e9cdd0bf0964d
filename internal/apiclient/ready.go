package apiclient

import (
	"context"
	"errors"
	"net/http"
)

// CheckReady asks the server for next to nothing. KindPermanent when it does not
// take the token, or is no tenant-api; KindTransient when it does not answer.
func (c *Client) CheckReady(ctx context.Context) error {
	response, err := c.send(ctx, request{op: "check tenant-api", method: http.MethodGet, path: tenantsPath, query: map[string]string{"limit": "1"}})
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// IsDenied reports whether an error is that of a token which is not accepted, or may
// not do what was asked for.
func IsDenied(err error) bool {
	var r *responseError
	return errors.As(err, &r) && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden)
}
