package signin

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// maxKey is the most bytes of what somebody gives as a key.
const maxKey = 1024

// WithKey signs a person in with an API key: it makes a session and sets its cookie. An
// *access.AuthError or a *problem.Problem if the key is not accepted, or if the request is from a
// page of another site: that could sign people in with a key that they do not know.
func (m *Manager) WithKey(w http.ResponseWriter, r *http.Request, key config.Secret) error {
	if err := m.crossOrigin.Check(r); err != nil {
		return m.refuse(r, audit.Caller{}, "apikey", &access.AuthError{
			Reason: "another site", Detail: "the form was sent from a page of another site; open the console and sign in there",
		})
	}
	text := strings.TrimSpace(key.Reveal())
	if !strings.HasPrefix(text, access.TokenPrefix) || len(text) > maxKey {
		text = access.TokenPrefix // Malformed, and no token of another kind.
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	id, err := m.auth.AuthenticateFrom(ctx, m.address(r), text)
	if isRejection(err) {
		m.recordRejection(r, access.AuditSignIn, audit.Caller{}, err, map[string]any{"with": "apikey"})
	}
	if err != nil {
		return err
	}
	m.auth.RecordUse(ctx, id)
	return m.signIn(w, r, id)
}

// SignOut ends the session of a request and removes its cookie. It is no error that there is none,
// or that it has ended. If the registry does not answer, the cookie stays, to try again.
func (m *Manager) SignOut(w http.ResponseWriter, r *http.Request) error {
	return m.signOut(w, r, func(ctx context.Context, hash access.SessionHash) error { return m.opts.Sessions.End(ctx, hash) })
}

// SignOutEverywhere is SignOut for all sessions of the person, in all browsers. They are those that
// were made with the same API key, or by the same subject of the issuer.
func (m *Manager) SignOutEverywhere(w http.ResponseWriter, r *http.Request) error {
	return m.signOut(w, r, func(ctx context.Context, hash access.SessionHash) error {
		_, err := m.opts.Sessions.EndAll(ctx, hash)
		return err
	})
}

func (m *Manager) signOut(w http.ResponseWriter, r *http.Request, end func(context.Context, access.SessionHash) error) error {
	id, _, err := m.Current(r)
	if err == nil {
		ctx, cancel := context.WithTimeout(audit.WithCaller(r.Context(), id.Caller), storeTimeout)
		defer cancel()
		err = end(ctx, sessionOf(r))
	}
	if err != nil && !errors.Is(err, ErrNotSignedIn) && !errors.Is(err, ErrSessionEnded) {
		return err
	}
	Forget(w)
	return nil
}
