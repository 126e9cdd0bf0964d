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

// How long a login is good for.
const (
	MinCredentialTTL     = time.Minute
	DefaultCredentialTTL = time.Hour
	MaxCredentialTTL     = 24 * time.Hour
)

// Credential is a login for one tenant's schema, and nothing else, that ends by
// itself. It may do what the tenant's role may do.
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

// Store opens and ends logins.
type Store interface {
	// OpenCredential makes a login for an ACTIVE tenant. KindConflict for one of
	// another status.
	OpenCredential(ctx context.Context, tenant uuid.UUID, ttl time.Duration) (Credential, error)
	// RenewCredential has a login last for ttl from now, and gives its new end.
	// KindNotFound when it has ended.
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	// CloseCredential ends a login at once, with its sessions, and drops it. Of one
	// that is gone it changes nothing.
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error
}

// Service opens, renews and closes logins. It retries transient errors.
type Service struct {
	store Store
	retry retry.Policy
	clock clock.Clock
}

// New makes a service on a store. A nil clock is the system's.
func New(store Store, c clock.Clock) *Service {
	if c == nil {
		c = clock.System{}
	}
	return &Service{store: store, retry: retry.Default(), clock: c}
}

// OpenCredential makes a login for a tenant's schema that is good for ttl, or for
// DefaultCredentialTTL for 0. KindInvalid for a ttl that cannot be, KindNotFound,
// KindConflict for a tenant that is not ACTIVE.
func (s *Service) OpenCredential(ctx context.Context, tenant uuid.UUID, ttl time.Duration) (Credential, error) {
	ttl, err := credentialTTL(ttl)
	if err != nil {
		return Credential{}, err
	}
	var c Credential
	err = s.retryTransient(ctx, func() error {
		c, err = s.store.OpenCredential(ctx, tenant, ttl)
		return err
	})
	return c, err
}

// retryTransient repeats what met a transient fault. A login whose answer was lost ends by itself.
func (s *Service) retryTransient(ctx context.Context, act func() error) error {
	return s.retry.Do(ctx, s.clock, act, nil)
}

// RenewCredential has a login last for ttl from now. See OpenCredential;
// KindNotFound when it has ended.
func (s *Service) RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error) {
	ttl, err := credentialTTL(ttl)
	if err != nil {
		return time.Time{}, err
	}
	var expires time.Time
	err = s.retryTransient(ctx, func() error {
		expires, err = s.store.RenewCredential(ctx, tenant, id, ttl)
		return err
	})
	return expires, err
}

// CloseCredential ends a login, its sessions included. Repeating it is success.
func (s *Service) CloseCredential(ctx context.Context, tenant, id uuid.UUID) error {
	return s.retryTransient(ctx, func() error { return s.store.CloseCredential(ctx, tenant, id) })
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

// CheckCredentialTTL is the rule for how long a login can be good for.
func CheckCredentialTTL(ttl time.Duration) error {
	if ttl < MinCredentialTTL || ttl > MaxCredentialTTL {
		return fmt.Errorf("is %v; a login is good for a minute at least and 24 hours at most, and can be renewed", ttl)
	}
	return nil
}
