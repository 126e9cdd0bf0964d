package provisioning_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestService_BlueprintMails: a tenant gets the mails of its blueprint's active revision in its
// locale: at once when another is activated, and also when the blueprint is retired.
func TestService_BlueprintMails(t *testing.T) {
	w := newWorld(t)
	publish := func(greeting string) {
		t.Helper()
		_, err := w.db.Blueprints.Publish(t.Context(), fstest.MapFS{
			"blueprint.yaml":          {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\ncontract: none\nmail: {product_name: Clinic Cloud}\n")},
			"migrations/0001_lab.sql": {Data: []byte("-- +goose Up\nCREATE TABLE x (id int);\n")},
			"mail/welcome.de.txt":     {Data: []byte("Subject: {{.Name}} ist bereit\n\n" + greeting + " {{.FirstName}}\n{{.InvitationURL}}\n")},
			"mail/welcome.de.html":    {Data: []byte("<p>" + greeting + " {{.FirstName}}</p><a href=\"{{.InvitationURL}}\">Passwort</a>\n")},
		}, true)
		if err != nil {
			t.Fatal(err)
		}
	}
	publish("Guten Tag")
	catcher, err := mailcatcher.Start(t.Context(), mailcatcher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = catcher.Close() }()
	mailer, err := mail.New(mail.Options{Blueprints: w.db.Blueprints, Mail: config.Mail{
		Host: catcher.SMTPHost(), Port: catcher.SMTPPort(), From: "no-reply@platform.example", TLS: config.TLSNone, AppURL: "https://app.platform.example",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer mailer.Close(t.Context())
	process := w.process()
	pipeline, err := provisioning.NewPipeline(process, process, mailer, provisioning.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := provisioning.NewService(process, pipeline)
	if err != nil {
		t.Fatal(err)
	}
	wantMails := func(n int, subject, greeting string) {
		t.Helper()
		all := catcher.Messages()
		if len(all) != n {
			t.Fatalf("%d mails, want %d", len(all), n)
		}
		m := all[n-1]
		if m.Subject != subject || m.FromName != "Clinic Cloud" || !strings.Contains(m.Text, greeting) || !strings.Contains(m.HTML, greeting) || !strings.Contains(m.Text, "#invitation=") {
			t.Errorf("from %q, subject %q, text %q; want %q and %q", m.FromName, m.Subject, m.Text, subject, greeting)
		}
	}
	in := clinic()
	in.Blueprint, in.Locale = "clinic", "de-AT"
	out, err := s.Provision(t.Context(), in)
	if err != nil || out.Tenant.Status != tenant.StatusActive || out.Tenant.WelcomeEmail != tenant.WelcomeEmailSent || out.Tenant.Locale != "de-AT" {
		t.Fatalf("%+v, %v", out, err)
	}
	german := in.Name + " ist bereit"
	wantMails(1, german, "Guten Tag "+in.AdminFirstName)
	invite := func() {
		t.Helper()
		if again, err := s.Invite(t.Context(), out.Tenant.ID); err != nil || len(again.Warnings) > 0 {
			t.Fatalf("%+v, %v", again, err)
		}
	}

	publish("Servus")
	invite()
	wantMails(2, german, "Servus "+in.AdminFirstName)
	if got := w.only(); got.BlueprintRevision != 1 {
		t.Errorf("the tenant's schema is of revision %d", got.BlueprintRevision)
	}

	if err := w.db.Blueprints.Retire(t.Context(), "clinic"); err != nil {
		t.Fatal(err)
	}
	invite()
	wantMails(3, german, "Servus "+in.AdminFirstName)

	// Without a locale it is the blueprint's, English, in which there is only the product's mail.
	in.Locale = ""
	if changed, err := s.Update(t.Context(), out.Tenant.ID, in, 0); err != nil || changed.Locale != "" {
		t.Fatalf("%+v, %v", changed, err)
	}
	invite()
	wantMails(4, in.Name+" is ready: choose your password", "is ready on Clinic Cloud")
}
