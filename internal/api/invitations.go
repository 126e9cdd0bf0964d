package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The operations of those who hold an invitation need no key. They are limited by address before
// the body is read, and by token after that.
const (
	invitationAddressLimit = 60 // Requests per minute and address.
	invitationTokenLimit   = 10 // Requests per minute and token.
)

// registerInvitationRoutes registers the operations for the page of an invitation.
func (s *Server) registerInvitationRoutes() {
	errorStatuses := []int{http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	register := func(e *endpoint) *endpoint {
		e.method, e.tag, e.invited, e.contentTypes = http.MethodPost, "invitations", true, jsonOnly
		e.errorStatuses = append(errorStatuses, e.errorStatuses...)
		return e
	}
	example := map[string]any{"token": "Zt0M1c9Yq2vGd7bPp3kR5nXsA8hJwLeU4fVoT6yIaQE"} //nolint:gosec // An example, of no invitation.
	registerEndpoint(s, register(&endpoint{
		id: "inspect-invitation", path: "/invitations/inspect", summary: "Show whom an invitation is for",
		description: "For the page that the link in the welcome mail leads to. It needs no key, and does not use the invitation up. Names are in the answer only while the invitation is PENDING or EXPIRED.",
		body:        openapi.SchemaRef[invitationTokenBody], example: example,
	}), s.inspectInvitation)
	registerEndpoint(s, register(&endpoint{
		id: "accept-invitation", path: "/invitations/accept", summary: "Choose the password of a tenant's admin",
		description: "Works once for each invitation. The other invitations of the admin end. Only an argon2id hash of the password is stored, in the tenant's table users.",
		body:        openapi.SchemaRef[acceptInvitationBody], example: map[string]any{"token": example["token"], "password": "correct horse battery staple"},
		errorStatuses: []int{http.StatusConflict, http.StatusNotImplemented},
	}), s.acceptInvitation)
	registerEndpoint(s, register(&endpoint{
		id: "renew-invitation", path: "/invitations/renew", summary: "Send another invitation in place of an expired one",
		description: "The mail goes to the registered address of the admin and to no other.", timeout: rollbackTimeout,
		body: openapi.SchemaRef[invitationTokenBody], example: example, errorStatuses: []int{http.StatusConflict},
	}), s.renewInvitation)
}

type invitationTokenBody struct {
	Token           string `json:"token" minLength:"1" maxLength:"128" doc:"The token of the link in the welcome mail."`
	validate.Errors `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *invitationTokenBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{"token": validate.String(&b.Token)}
}

type acceptInvitationBody struct {
	Token           string `json:"token" minLength:"1" maxLength:"128" doc:"The token of the link in the welcome mail."`
	Password        string `json:"password" minLength:"12" maxLength:"256" writeOnly:"true" format:"password" doc:"12 to 256 characters; must not contain the admin's address."`
	validate.Errors `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *acceptInvitationBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{"token": validate.String(&b.Token), "password": validate.String(&b.Password)}
}

type inspectedInvitationView struct {
	Status      string     `json:"status" enum:"PENDING,ACCEPTED,EXPIRED,REVOKED" doc:"PENDING: it can be accepted. REVOKED: a later one took its place, or the tenant is out of service."`
	TenantName  string     `json:"tenantName,omitempty" doc:"Only of a PENDING or EXPIRED invitation." example:"St. Mary's Clinic"`
	AdminEmail  string     `json:"adminEmail,omitempty" doc:"Only of a PENDING invitation: whom it is for." example:"ada@st-marys.example"`
	ExpiresAt   *time.Time `json:"expiresAt,omitempty" doc:"Only of a PENDING or EXPIRED invitation."`
	ProductName string     `json:"productName,omitempty" doc:"Of the tenant's blueprint." example:"Clinic Cloud"`
	Support     string     `json:"support,omitempty" doc:"Address for questions, of the tenant's blueprint." example:"help@clinic.example"`
	Logo        []byte     `json:"logo,omitempty" doc:"Of the tenant's blueprint, a PNG."`
	RedirectURL string     `json:"redirectUrl,omitempty" doc:"Only of an ACCEPTED invitation: where the admin signs in." example:"https://app.platform.example/tenant/0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
	Locale      string     `json:"locale" doc:"Language of the tenant, or of its blueprint (BCP 47)." example:"de"`
}

func (s *Server) inspectInvitation(ctx context.Context, in *struct{ Body invitationTokenBody }) (*bodyOutput[inspectedInvitationView], error) {
	if err := s.checkToken(in.Body.Errors, in.Body.Token); err != nil {
		return nil, err
	}
	found, err := s.opts.Service.InspectInvitation(ctx, in.Body.Token)
	if err != nil {
		return nil, err
	}
	v := inspectedInvitationView{Status: string(found.Status), ProductName: found.ProductName, Support: found.Support, Logo: found.Logo, Locale: found.Locale}
	if found.Status == invitation.StatusPending || found.Status == invitation.StatusExpired {
		v.TenantName, v.ExpiresAt = found.Tenant.Name, &found.ExpiresAt
	}
	switch found.Status {
	case invitation.StatusPending:
		v.AdminEmail = found.Tenant.AdminEmail
	case invitation.StatusAccepted:
		v.RedirectURL = s.signInURL(found.Tenant)
	case invitation.StatusExpired, invitation.StatusRevoked, invitation.StatusNone:
	}
	return newBodyOutput(v), nil
}

type acceptedView struct {
	TenantID    string `json:"tenantId" format:"uuid"`
	RedirectURL string `json:"redirectUrl,omitempty" doc:"Where the admin signs in; missing where the server has no APP_URL." example:"https://app.platform.example/tenant/0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
}

func (s *Server) acceptInvitation(ctx context.Context, in *struct{ Body acceptInvitationBody }) (*bodyOutput[acceptedView], error) {
	if err := s.checkToken(in.Body.Errors, in.Body.Token); err != nil {
		return nil, err
	}
	t, err := s.opts.Service.AcceptInvitation(ctx, in.Body.Token, tenant.Password(in.Body.Password))
	if err != nil {
		return nil, err
	}
	return newBodyOutput(acceptedView{TenantID: t.ID.String(), RedirectURL: s.signInURL(t)}), nil
}

// signInURL is where the admin of a tenant signs in; empty without an APP_URL.
func (s *Server) signInURL(t tenant.Tenant) string {
	if s.opts.AppURL == "" {
		return ""
	}
	return s.opts.AppURL + "/tenant/" + t.ID.String()
}

type renewedInvitationView struct {
	Status string `json:"status" enum:"sent,pending,failed" doc:"sent: the mail server took the mail. pending: it is on its way, or is sent again after a temporary error. failed: the mail server refused it, and the platform has to correct that."`
}

func (s *Server) renewInvitation(ctx context.Context, in *struct{ Body invitationTokenBody }) (*bodyOutput[renewedInvitationView], error) {
	if err := s.checkToken(in.Body.Errors, in.Body.Token); err != nil {
		return nil, err
	}
	out, err := s.opts.Service.RenewInvitation(ctx, in.Body.Token)
	if err != nil {
		return nil, err
	}
	status := mailOutcome(out)
	if out.Tenant.WelcomeEmail == tenant.WelcomeEmailPending {
		status = "pending" // Also after a temporary error: the mail is sent again.
	}
	return newBodyOutput(renewedInvitationView{status}), nil
}

// checkToken checks the form of a body, and takes one of its token's requests.
func (s *Server) checkToken(broken validate.Errors, token string) error {
	if token == "" {
		broken = broken.Check("token", errors.New("is missing; give the token of the link"))
	}
	if err := broken.Problem(); err != nil {
		return err
	}
	hash, ok := invitation.ParseToken(token)
	if !ok {
		return nil // The service answers that there is none, without a look-up.
	}
	if decision := s.invitationTokenLimiter.Take(string(hash[:])); !decision.Allowed {
		return decision.Problem("too many requests for this invitation; wait as long as Retry-After requires")
	}
	return nil
}

// limitInvited takes one of the requests of an address that needs no key, and names the caller.
func (s *Server) limitInvited(c *requestContext) *problem.Problem {
	c.caller.Kind = audit.CallerInvited
	if decision := s.invitationAddressLimiter.Take(limits.AddressPrefix(c.caller.Address)); !decision.Allowed {
		return decision.Problem("too many requests about invitations came from this address; wait as long as Retry-After requires")
	}
	return nil
}
