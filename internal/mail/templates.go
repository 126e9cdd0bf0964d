package mail

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Blueprints has the mails of blueprints.
type Blueprints interface {
	// MailBlueprint returns the active revision of a blueprint, also of one that is retired.
	// Changed mails take effect at once, for tenants of every revision.
	MailBlueprint(ctx context.Context, name string) (blueprint.Blueprint, error)
}

//go:embed templates
var templateFiles embed.FS

// productLocale is the language of the product's own mails.
const productLocale = "en"

// productTemplates are the product's own mails.
var productTemplates = func() map[blueprint.MailName]*blueprint.MailTemplate {
	all := map[blueprint.MailName]*blueprint.MailTemplate{}
	for _, name := range blueprint.MailNames() {
		t, err := readTemplate(name)
		if err != nil {
			panic(fmt.Sprintf("the embedded mail %s is broken: %v", name, err)) // A test composes it.
		}
		all[name] = t
	}
	return all
}()

func readTemplate(name blueprint.MailName) (*blueprint.MailTemplate, error) {
	var forms [2][]byte
	for i, ext := range []string{".txt", ".html"} {
		content, err := fs.ReadFile(templateFiles, "templates/"+string(name)+ext)
		if err != nil {
			return nil, err
		}
		forms[i] = content
	}
	return blueprint.NewMailTemplate(productLocale, forms[0], forms[1])
}

// templateFor returns the blueprint's mail in the locale that fits best, or else the product's.
func templateFor(b blueprint.Blueprint, name blueprint.MailName, locale string) (*blueprint.MailTemplate, error) {
	if t, err := b.MailTemplate(name, locale); t != nil || err != nil {
		return t, err
	}
	return productTemplates[name], nil
}

// productSubject is the subject of a template without one of its own.
func productSubject(name blueprint.MailName, data blueprint.MailData) string {
	switch {
	case name == blueprint.MailFailure:
		return data.Name + " could not be set up yet"
	case name == blueprint.MailReminder:
		return data.Name + ": your invitation ends soon"
	case data.InvitationURL != "":
		return data.Name + " is ready: choose your password"
	}
	return data.Name + " is ready"
}

// blueprintTimeout is how long the registry may take to return a blueprint.
const blueprintTimeout = 5 * time.Second

// blueprintOf returns the blueprint whose mails a tenant gets.
func (m *Mailer) blueprintOf(ctx context.Context, name string) (blueprint.Blueprint, error) {
	if m.options.Blueprints == nil || name == "" || name == blueprint.StandardName {
		return blueprint.Standard(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, blueprintTimeout)
	defer cancel()
	b, err := m.options.Blueprints.MailBlueprint(ctx, name)
	if err != nil {
		return b, errs.Wrap(err, errs.KindOf(err), "compose mail", "the mails of the blueprint %s cannot be read: %s", name, errs.SafeMessage(err))
	}
	return b, nil
}
