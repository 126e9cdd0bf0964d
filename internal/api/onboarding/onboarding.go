// Package onboarding has the page that the link of an invitation leads to, for platforms without
// one of their own.
package onboarding

import (
	_ "embed" // For the page.

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/page"
)

//go:embed invitation.html
var invitationHTML string

// Invitation is the page on which an admin chooses a password. It calls the operations for
// invitations, and shows the logo that they answer.
var Invitation = page.New(invitationHTML, "img-src data:")
