package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// maxIdempotencyScopeLength is the longest name of whose key it is that the registry can store.
const maxIdempotencyScopeLength = 255

// newIdempotency is what an Idempotency-Key means for this caller and request, nil
// without one.
func newIdempotency(c *requestContext, key string, in tenant.Inputs) (*provisioning.Idempotency, error) {
	if key == "" {
		return nil, nil //nolint:nilnil // documented
	}
	// Without the password, which is in no encoding: a fast hash of it would be kept
	// for a day, and could be tried against word lists. So a request that differs in the
	// password alone is answered as the first was.
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
