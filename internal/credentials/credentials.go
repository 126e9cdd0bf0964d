// Package credentials opens, renews and closes logins: short-lived PostgreSQL roles for
// one tenant schema.
package credentials

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// How long a login is valid.
const (
	MinCredentialTTL     = time.Minute
	DefaultCredentialTTL = time.Hour
	MaxCredentialTTL     = 24 * time.Hour
)

// Credential is a login for one tenant's schema only. It has the privileges of the
// tenant's role and expires by itself.
type Credential struct {
	ID         uuid.UUID
	TenantID   uuid.UUID
	Username   string
	Password   tenant.Password // Returned only once; the database stores a verifier.
	SchemaName string          // On the login's search_path.
	Database   string
	Host       string // The address at which the opening process reaches the database.
	Port       int
	ExpiresAt  time.Time // By the database's clock.
}

// Store opens, renews and closes logins.
type Store interface {
	// OpenCredential makes a login for an ACTIVE tenant. KindConflict for any other
	// status.
	OpenCredential(ctx context.Context, tenant uuid.UUID, ttl time.Duration) (Credential, error)
	// RenewCredential extends a login to ttl from now, and returns the new expiry.
	// KindNotFound when it has ended.
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	// CloseCredential ends a login and its sessions at once, and drops it. A missing
	// login is not an error.
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error
}

// Service opens, renews and closes logins. It retries transient errors.
type Service struct {
	store Store
	retry retry.Policy
	clock clock.Clock
}

// New makes a service. A nil clock means clock.System.
func New(store Store, c clock.Clock) *Service {
	if c == nil {
		c = clock.System{}
	}
	return &Service{store: store, retry: retry.Default(), clock: c}
}

// OpenCredential makes a login for a tenant's schema that is valid for ttl; 0 means
// DefaultCredentialTTL. KindInvalid for a ttl out of range, KindNotFound for an unknown
// tenant, KindConflict for one that is not ACTIVE.
func (s *Service) OpenCredential(ctx context.Context, tenant uuid.UUID, ttl time.Duration) (Credential, error) {
	ttl, err := credentialTTL(ttl)
	if err != nil {
		return Credential{}, err
	}
	var c Credential
	for range s.retry.Tries(ctx, s.clock, &err, nil) { // A login whose response was lost expires by itself.
		c, err = s.store.OpenCredential(ctx, tenant, ttl)
	}
	return c, err
}

// RenewCredential extends a login to ttl from now. See OpenCredential; KindNotFound when
// it has ended.
func (s *Service) RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error) {
	ttl, err := credentialTTL(ttl)
	if err != nil {
		return time.Time{}, err
	}
	var expires time.Time
	for range s.retry.Tries(ctx, s.clock, &err, nil) {
		expires, err = s.store.RenewCredential(ctx, tenant, id, ttl)
	}
	return expires, err
}

// CloseCredential ends a login and its sessions. Repeating it succeeds.
func (s *Service) CloseCredential(ctx context.Context, tenant, id uuid.UUID) (err error) {
	for range s.retry.Tries(ctx, s.clock, &err, nil) {
		err = s.store.CloseCredential(ctx, tenant, id)
	}
	return err
}

func credentialTTL(ttl time.Duration) (time.Duration, error) {
	if ttl == 0 {
		return DefaultCredentialTTL, nil
	}
	if err := CheckCredentialTTL(ttl); err != nil {
		return 0, &errs.Error{Kind: errs.KindInvalid, Op: "open login", Fields: []errs.FieldError{{Field: "ttlSeconds", Message: err.Error()}}}
	}
	return ttl, nil
}

// CheckCredentialTTL checks how long a login is to be valid.
func CheckCredentialTTL(ttl time.Duration) error {
	if ttl < MinCredentialTTL || ttl > MaxCredentialTTL {
		return fmt.Errorf("is %v; a login is valid for at least a minute and at most 24 hours, and can be renewed", ttl)
	}
	return nil
}
