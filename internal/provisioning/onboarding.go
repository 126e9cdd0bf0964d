package provisioning

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// This file has the methods of Service for those who hold an invitation. They have no key, only
// the token of the mail.

// Invited is an invitation, and the tenant whose administrator it is for.
type Invited struct {
	Status    invitation.Status
	ExpiresAt time.Time
	Tenant    tenant.Tenant
}

// InvitedView is what a page shows about an invitation.
type InvitedView struct {
	Invited
	ProductName string // Of the blueprint; empty: none.
	Support     string // Address of the blueprint; empty: none.
	Logo        []byte // Of the blueprint's mails, a PNG; nil: none.
	Locale      string // Of the tenant, else of the blueprint.
}

// InspectInvitation returns what a page shows about an invitation, and does not use it up.
// KindNotFound for a text that is no token, or an unknown one.
func (s *Service) InspectInvitation(ctx context.Context, token string) (InvitedView, error) {
	found, _, err := s.findInvitation(ctx, token)
	if err != nil {
		return InvitedView{}, err
	}
	used, err := s.blueprints.UsedBlueprint(ctx, found.Tenant.Blueprint)
	if err != nil {
		return InvitedView{}, err
	}
	view := InvitedView{Invited: found, ProductName: used.Mail.ProductName, Support: used.Mail.Support, Logo: used.Logo(), Locale: found.Tenant.Locale}
	if view.Locale == "" {
		view.Locale = used.Mail.Locale
	}
	return view, nil
}

// AcceptInvitation sets the password of the administrator whom a PENDING invitation is for, once.
// KindNotFound as of InspectInvitation; KindInvalid for a password that breaks a rule; KindConflict
// for an invitation that is not PENDING, and for a tenant that is not ACTIVE.
func (s *Service) AcceptInvitation(ctx context.Context, token string, password tenant.Password) (tenant.Tenant, error) {
	const op = "accept invitation"
	found, hash, err := s.findInvitation(ctx, token)
	if err != nil {
		return tenant.Tenant{}, err
	}
	if found.Status != invitation.StatusPending { // Before the password is hashed, which is slow.
		return tenant.Tenant{}, InvitationError(op, found.Status)
	}
	if err := tenant.CheckPassword(password.Reveal(), found.Tenant.AdminEmail); err != nil {
		return tenant.Tenant{}, &errs.Error{Kind: errs.KindInvalid, Op: op, Fields: []errs.FieldError{{Field: "password", Message: err.Error()}}}
	}
	return s.invitations.AcceptInvitation(ctx, found.Tenant.ID, hash, password)
}

// RenewInvitation sends another invitation in place of one that is EXPIRED, to the registered
// address. Errors of the mail server are as of Invite; KindNotFound as of InspectInvitation;
// KindConflict for an invitation that is not EXPIRED.
func (s *Service) RenewInvitation(ctx context.Context, token string) (Outcome, error) {
	hash, ok := invitation.ParseToken(token)
	if !ok {
		return Outcome{}, errNoInvitation
	}
	return s.invite(ctx, func(inv invitation.Invitation) (tenant.Tenant, MailRef, error) {
		return s.invitations.RenewInvitation(ctx, hash, inv, MailHold)
	})
}

func (s *Service) findInvitation(ctx context.Context, token string) (found Invited, hash [sha256.Size]byte, err error) {
	hash, ok := invitation.ParseToken(token)
	if !ok { // Without a look-up: such a text costs the database nothing.
		return found, hash, errNoInvitation
	}
	found, err = s.invitations.FindInvitation(ctx, hash)
	return found, hash, err
}

var errNoInvitation = ErrNoInvitation("read invitation")

// ErrNoInvitation is the KindNotFound for a token that is unknown.
func ErrNoInvitation(op string) error {
	return errs.Errorf(errs.KindNotFound, op, "the invitation does not exist; open the whole link of the mail, or ask for another invitation")
}

// InvitationError is the KindConflict for an invitation that has the wrong status.
func InvitationError(op string, status invitation.Status) error {
	return errs.Errorf(errs.KindConflict, op, "%s", map[invitation.Status]string{
		invitation.StatusPending:  "the invitation has not expired; use its link",
		invitation.StatusAccepted: "the invitation was used, and works once; sign in with the password that was chosen",
		invitation.StatusExpired:  "the invitation has expired; have a new one sent",
		invitation.StatusRevoked:  "the invitation is not valid any more; use the link of the newest mail, or ask for another invitation",
	}[status])
}
