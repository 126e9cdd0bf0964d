package mail

import (
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Preview renders a mail of a blueprint with sample data, as a tenant with this locale would get
// it; of a mail that the blueprint does not have, the product's. KindInvalid for a mail that no tenant
// of the blueprint gets.
func Preview(b blueprint.Blueprint, name blueprint.MailName, locale string) (blueprint.RenderedMail, error) {
	if name == blueprint.MailReminder && b.Extends == blueprint.BaseNone {
		return blueprint.RenderedMail{}, errs.Errorf(errs.KindInvalid, "preview mail", "tenants of the blueprint %s get no reminder: it extends none, so nobody is invited", b.Name)
	}
	t, err := templateFor(b, name, locale)
	if err != nil {
		return blueprint.RenderedMail{}, err
	}
	data := b.SampleMailData(name)
	if data.ExpiresAt != "" {
		data.ExpiresAt = formatExpiry(time.Date(2026, 8, 17, 13, 4, 0, 0, time.UTC), t.Locale)
	}
	data.Subject = productSubject(name, data)
	return t.Render(data)
}
