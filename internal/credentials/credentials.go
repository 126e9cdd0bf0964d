// Package credentials opens, renews and closes logins: short-lived PostgreSQL roles for
// one tenant schema.
package credentials

import (
	"context"
	"fmt"
	"strings"
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

// Request is what a caller asks for in opening a login.
type Request struct {
	TTL    time.Duration // 0: DefaultCredentialTTL.
	Reason string        // For the audit event; "": none was given.
}

// Store opens, renews, lists and closes logins.
type Store interface {
	// OpenCredential makes a login for an ACTIVE tenant. KindConflict for any other
	// status.
	OpenCredential(ctx context.Context, tenant uuid.UUID, r Request) (Credential, error)
	// RenewCredential extends a login to ttl from now, and returns the new expiry.
	// KindNotFound when it has ended.
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	// ListLogins returns the newest logins of a tenant that have not ended, or of all, the newest first.
	ListLogins(ctx context.Context, tenant uuid.UUID, all bool) ([]Login, error)
	// CloseCredential ends a login and its sessions at once, and drops it. A missing
	// login is not an error.
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error
}

// Service opens, renews and closes logins. It retries transient errors.
type Service struct {
	store         Store
	retry         retry.Policy
	clock         clock.Clock
	requireReason bool
}

// New makes a service. A nil clock means clock.System.
func New(store Store, c clock.Clock) *Service {
	if c == nil {
		c = clock.System{}
	}
	return &Service{store: store, retry: retry.Default(), clock: c}
}

// WithRequiredReasons returns the same service, which opens a login only for a stated reason.
func (s *Service) WithRequiredReasons() *Service {
	strict := *s
	strict.requireReason = true
	return &strict
}

// OpenCredential makes a login for a tenant's schema. KindInvalid for a ttl out of range, and
// for a reason that is missing where one is required, or too long; KindNotFound for an unknown
// tenant, KindConflict for one that is not ACTIVE.
func (s *Service) OpenCredential(ctx context.Context, tenant uuid.UUID, r Request) (Credential, error) {
	r, err := s.normalize(r)
	if err != nil {
		return Credential{}, err
	}
	var c Credential
	for range s.retry.Tries(ctx, s.clock, &err, nil) { // A login whose response was lost expires by itself.
		c, err = s.store.OpenCredential(ctx, tenant, r)
	}
	return c, err
}

// normalize checks a request, reports all that is wrong with it, and fills in defaults.
func (s *Service) normalize(r Request) (Request, error) {
	var broken []errs.FieldError
	ttl, err := credentialTTL(r.TTL)
	broken = append(broken, errs.FieldsOf(err)...)
	reason, err := s.checkReason(r.Reason)
	if err != nil {
		broken = append(broken, errs.FieldError{Field: "reason", Message: err.Error()})
	}
	if len(broken) > 0 {
		return r, &errs.Error{Kind: errs.KindInvalid, Op: "open login", Fields: broken}
	}
	return Request{TTL: ttl, Reason: reason}, nil
}

// checkReason checks and trims the reason for opening a login.
func (s *Service) checkReason(text string) (string, error) {
	switch {
	case text != "":
		reason := strings.TrimSpace(text)
		return reason, tenant.CheckReason(reason)
	case s.requireReason:
		return "", fmt.Errorf("is missing; say why the login is opened, in 1 to %d characters (CREDENTIAL_REASON is required)", tenant.MaxReason)
	}
	return "", nil
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

// ListLogins returns the newest logins of a tenant that have not ended, or of all that were opened,
// the newest first.
func (s *Service) ListLogins(ctx context.Context, tenant uuid.UUID, all bool) ([]Login, error) {
	return s.store.ListLogins(ctx, tenant, all)
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
