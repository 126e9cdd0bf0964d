package signin

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/proxies"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

const (
	// maxSignIns is how often one person can sign in within a minute: each session has a rate limit
	// of its own.
	maxSignIns = 30
	// storeTimeout limits the queries of one call.
	storeTimeout = 10 * time.Second
)

// Options are the settings of a Manager.
type Options struct {
	Authenticator   *auth.Authenticator // Required: the API's, so that limits are shared.
	Sessions        Sessions            // Required.
	RecordRejection func(audit.Event)   // Required: writes to the audit log.

	IdleTimeout time.Duration // A session ends after this time without a request. Required.
	TTL         time.Duration // A session ends after this time in any case. Required.

	OIDC           OIDC            // Default: sign-in is with API keys alone.
	TrustedProxies proxies.Trusted // Proxies whose X-Forwarded-For has the addresses of clients. Default: none.
	Clock          clock.Clock     // Default clock.System.
	Logger         *slog.Logger    // Default slog.Default().
}

// Sessions makes and ends sessions; access.SessionStore does.
type Sessions interface {
	Create(ctx context.Context, hash access.SessionHash, r access.SessionRequest) error
	End(ctx context.Context, hash access.SessionHash) error
	EndAll(ctx context.Context, hash access.SessionHash) (int64, error)
}

// Manager signs people in and out. It is safe for concurrent use.
type Manager struct {
	opts        Options
	auth        *auth.Authenticator
	crossOrigin *http.CrossOriginProtection
	signIns     *limits.RateLimiter // By person.
	exchanges   chan struct{}       // One slot per request for a token.
}

// New returns a Manager. KindInvalid for settings that cannot be used.
func New(o Options) (*Manager, error) {
	invalid := func(message string) (*Manager, error) {
		return nil, errs.Errorf(errs.KindInvalid, "set up sign-in", "%s", message)
	}
	switch {
	case o.Authenticator == nil || o.Sessions == nil || o.RecordRejection == nil:
		return invalid("Authenticator, Sessions or RecordRejection is missing")
	case o.IdleTimeout <= 0 || o.TTL <= 0:
		return invalid("IdleTimeout or TTL is not positive; give how long a session lasts")
	}
	o.Clock = cmp.Or[clock.Clock](o.Clock, clock.System{})
	o.Logger = cmp.Or(o.Logger, slog.Default())
	m := &Manager{
		opts: o, auth: o.Authenticator, crossOrigin: http.NewCrossOriginProtection(),
		signIns: limits.NewRateLimiter(maxSignIns, o.Clock), exchanges: make(chan struct{}, maxExchanges),
	}
	if err := m.checkOIDC(); err != nil {
		return nil, err
	}
	return m, nil
}

// The errors of Current. Any other error means that the registry or the database did not answer.
var (
	// ErrNotSignedIn is the error of a request without a session.
	ErrNotSignedIn = errors.New("you are not signed in; sign in")
	// ErrSessionEnded is the error of a request whose session has ended or timed out, or whose key
	// was revoked or has expired. Forget takes it from the browser.
	ErrSessionEnded = errors.New("your session has ended or timed out; sign in again")
)

// auditUse is the action of a rejected session.
const auditUse audit.Action = "console.use_session"

// Current returns who is signed in, and the token of the session, with which the console calls the
// API. The errors are ErrNotSignedIn, ErrSessionEnded and those of a registry that does not answer.
func (m *Manager) Current(r *http.Request) (auth.Identity, config.Secret, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return auth.Identity{}, "", ErrNotSignedIn
	}
	ctx, cancel := context.WithTimeout(auth.InConsole(r.Context()), storeTimeout)
	defer cancel()
	token := access.SessionPrefix + cookie.Value
	id, err := m.auth.AuthenticateFrom(ctx, m.address(r), token)
	if isRejection(err) {
		m.recordRejection(r, auditUse, audit.Caller{}, err, nil)
		return auth.Identity{}, "", ErrSessionEnded
	}
	if err != nil {
		return auth.Identity{}, "", err
	}
	id.Caller = m.located(r, id.Caller)
	return id, config.Secret(token), nil
}

// Problem returns an error of this package as the API would answer it: with a status, and with a
// detail for the person.
func Problem(err error) *problem.Problem {
	var authErr *access.AuthError
	switch {
	case errors.Is(err, ErrNotSignedIn), errors.Is(err, ErrSessionEnded):
		return problem.New(http.StatusUnauthorized, err.Error())
	case errors.As(err, &authErr):
		return problem.New(http.StatusUnauthorized, authErr.Detail)
	}
	return problem.From(err)
}

// address is the address of a request's client.
func (m *Manager) address(r *http.Request) string { return m.opts.TrustedProxies.ClientAddress(r) }

// located is a caller with the address of its request.
func (m *Manager) located(r *http.Request, c audit.Caller) audit.Caller {
	c.Address = m.address(r)
	return c
}

// isRejection reports whether a caller was rejected, rather than not answered.
func isRejection(err error) bool {
	var (
		authErr *access.AuthError
		limited *problem.Problem
	)
	return errors.As(err, &authErr) || errors.As(err, &limited) && limited.Status < http.StatusInternalServerError
}

// recordRejection records a rejection in the audit log, unless one too many of an address was
// recorded within the minute.
func (m *Manager) recordRejection(r *http.Request, action audit.Action, c audit.Caller, err error, detail map[string]any) {
	recorded := map[string]any{}
	maps.Copy(recorded, detail)
	var (
		authErr *access.AuthError
		limited *problem.Problem
	)
	switch {
	case errors.As(err, &authErr):
		recorded["reason"] = authErr.Reason
		if authErr.Prefix != "" {
			recorded["prefix"] = authErr.Prefix
		}
	case errors.As(err, &limited):
		extra, wanted := limited.Audit()
		if !wanted {
			return
		}
		recorded["reason"] = "too many requests"
		maps.Copy(recorded, extra)
	}
	c.Kind = cmp.Or(c.Kind, audit.CallerAnonymous)
	m.opts.RecordRejection(audit.Event{Action: action, Outcome: audit.OutcomeRejected, Caller: m.located(r, c), Detail: recorded})
}

// refuse counts a refused sign-in of an address and records it. It returns the error for the person.
func (m *Manager) refuse(r *http.Request, c audit.Caller, with string, reason *access.AuthError) error {
	err := cmp.Or[error](m.auth.CountRejection(m.address(r)), reason)
	m.recordRejection(r, access.AuditSignIn, c, err, map[string]any{"with": with})
	return err
}

// signIn makes a session of a person and sets its cookie. The token is a new one at each sign-in,
// so that nobody knows it who gave the browser another one before.
func (m *Manager) signIn(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
	if decision := m.signIns.Take(id.LimitKey()); !decision.Allowed {
		limited := decision.Problem("too many sign-ins of the same person or key; wait as long as Retry-After requires")
		m.recordRejection(r, access.AuditSignIn, id.Caller, limited, nil)
		return limited
	}
	token := access.NewSessionToken()
	hash, _ := access.ParseSession(token.Reveal()) // A new token is well formed.
	request := access.SessionRequest{KeyID: id.KeyID(), IdleTimeout: m.opts.IdleTimeout, TTL: m.opts.TTL, Replaces: sessionOf(r)}
	if id.Caller.Kind != audit.CallerAPIKey {
		request.Subject, request.Name, request.Scopes = id.Caller.ID, id.Caller.Name, id.Scopes
	}
	ctx, cancel := context.WithTimeout(audit.WithCaller(r.Context(), m.located(r, id.Caller)), storeTimeout)
	defer cancel()
	if err := m.opts.Sessions.Create(ctx, hash, request); errs.KindOf(err) == errs.KindNotFound {
		return m.refuse(r, id.Caller, "apikey", &access.AuthError{Reason: "revoked", Detail: errs.SafeMessage(err)})
	} else if err != nil {
		return err
	}
	m.auth.AddSession(hash)
	setCookie(w, sessionCookie, token.Reveal()[len(access.SessionPrefix):], http.SameSiteStrictMode, m.opts.TTL)
	return nil
}
