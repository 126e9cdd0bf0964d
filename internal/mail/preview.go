package mail

import (
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// Preview renders a mail of a blueprint with sample data, as a tenant with this locale would get
// it; of a mail that the blueprint does not have, the product's.
func Preview(b blueprint.Blueprint, name blueprint.MailName, locale string) (blueprint.RenderedMail, error) {
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
