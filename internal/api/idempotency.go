package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// maxIdempotencyScopeLength is the maximum length of an idempotency scope in the registry.
const maxIdempotencyScopeLength = 255

// newIdempotency returns the idempotency record of this caller and request, nil without an
// Idempotency-Key.
func newIdempotency(c *requestContext, key string, in tenant.Inputs) (*provisioning.Idempotency, error) {
	if key == "" {
		return nil, nil //nolint:nilnil // documented
	}
	// The JSON does not contain the password: a fast hash of it would be stored for a day
	// and could be attacked with word lists. A request that differs only in the password
	// therefore gets the first response.
	normalised, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	scope := string(c.caller.Kind) + " " + c.caller.ID
	if len(scope) > maxIdempotencyScopeLength {
		sum := sha256.Sum256([]byte(scope))
		scope = hex.EncodeToString(sum[:])
	}
	return &provisioning.Idempotency{Scope: scope, Key: key, Hash: sha256.Sum256(normalised)}, nil
}
