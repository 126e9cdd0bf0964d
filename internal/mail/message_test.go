package mail_test

import (
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestMailer_SendWelcome(t *testing.T) {
	t.Parallel()
	b := setup(t, mailcatcher.Options{})
	if err := b.sendWelcome(t); err != nil {
		t.Fatal(err)
	}
	m := b.onlyMessage(t)
	if want := []string{"multipart/alternative", "text/plain", "text/html"}; !slices.Equal(m.Types, want) {
		t.Errorf("types %v, want %v: the last one is what a reader prefers", m.Types, want)
	}
	for name, c := range map[string][2]string{
		"from":       {m.From, "no-reply@platform.example"},
		"from name":  {m.FromName, "Platform"},
		"to":         {strings.Join(m.To, " "), "jane.doe@clinic.example"},
		"to name":    {strings.Join(m.ToNames, " "), "Jane Doe"},
		"subject":    {m.Subject, "St. Mary's Clinic is ready: choose your password"},
		"message id": {m.MessageID, tenantID.String() + ".welcome-1@platform.example"},
		"auto":       {strings.Join(m.Headers["Auto-Submitted"], " "), "auto-generated"},
		"mime":       {strings.Join(m.Headers["Mime-Version"], " "), "1.0"},
		"problem":    {m.ParseError, ""},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is %q, want %q", name, c[0], c[1])
		}
	}
	page, link := "https://app.platform.example/tenant/"+tenantID.String(), "https://app.platform.example/invitation#invitation="+invitationToken
	for _, want := range []string{"Hello Jane Doe,", link, page + "\n", "17 August 2026 13:04 UTC"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the text lacks %q:\n%s", want, m.Text)
		}
	}
	for _, want := range []string{"St. Mary&#39;s Clinic", `href="` + link + `"`, "17 August 2026 13:04 UTC"} {
		if !strings.Contains(m.HTML, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, m.HTML)
		}
	}
	b = setup(t, mailcatcher.Options{})
	b.options.InvitationURL = "https://login.platform.example/welcome"
	if err := b.sendWelcome(t); err != nil {
		t.Fatal(err)
	}
	if own := b.onlyMessage(t); !strings.Contains(own.Text, "https://login.platform.example/welcome#invitation="+invitationToken) {
		t.Errorf("the mail does not lead to the platform's own page:\n%s", own.Text)
	}
	date, err := mail.ParseDate(strings.Join(m.Headers["Date"], ""))
	if err != nil || time.Since(date) > time.Hour {
		t.Errorf("date %v, error %v", m.Headers["Date"], err)
	}
	for _, header := range []string{"User-Agent", "X-Mailer"} {
		if values, exists := m.Headers[header]; exists {
			t.Errorf("%s is %q; want no such header", header, values)
		}
	}
}

func TestMailer_SendFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, mailcatcher.Options{})
	failed := testTenant()
	failed.ProvisioningError = "the database is on fire"
	if err := b.mailer(t).SendFailure(t.Context(), provisioning.FailureMail{Tenant: failed}, patient); err != nil {
		t.Fatal(err)
	}
	m := b.onlyMessage(t)
	if want := tenantID.String() + ".failure-2@platform.example"; m.MessageID != want {
		t.Errorf("message id %q, want %q", m.MessageID, want)
	}
	for _, body := range []string{m.Text, m.HTML} {
		if !strings.Contains(body, tenantID.String()) || strings.Contains(body, "fire") {
			t.Errorf("the mail must name the reference and nothing internal:\n%s", body)
		}
	}
}

func TestMailer_MessageID(t *testing.T) {
	t.Parallel()
	b := setup(t, mailcatcher.Options{})
	first, repeated, next := welcomeMail(testTenant()), welcomeMail(testTenant()), welcomeMail(testTenant())
	repeated.Invitation, next.Serial = "another", 2
	for _, w := range []provisioning.WelcomeMail{first, repeated, next} {
		if err := b.mailer(t).SendWelcome(t.Context(), w, patient); err != nil {
			t.Fatal(err)
		}
	}
	m := b.catcher.Messages()
	if m[0].MessageID != m[1].MessageID {
		t.Errorf("a repetition has the Message-ID %q, the first had %q", m[1].MessageID, m[0].MessageID)
	}
	if m[2].MessageID == m[0].MessageID {
		t.Errorf("another serial has the same Message-ID %q", m[2].MessageID)
	}
}

func TestMailer_Addresses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ email, arrives string }{
		"InternationalDomain":   {"jane@klinik-ærø.example", "jane@xn--klinik-r-p0a5p.example"},
		"UpperCaseIsKept":       {"Jane.DOE@Clinic.Example", "Jane.DOE@Clinic.Example"},
		"InternationalTopLevel": {"jane@klinik.рф", "jane@klinik.xn--p1ai"},
		"HyphensInThirdPlace":   {"jane@r3---sn.example", "jane@r3---sn.example"},
		"AlreadyEncoded":        {"jane@xn--bcher-kva.example", "jane@xn--bcher-kva.example"},
		"EveryAtomCharacter":    {"!#$%&'*+-/=?^_`{|}~@clinic.example", "!#$%&'*+-/=?^_`{|}~@clinic.example"},
		"NumbersAndPlusAddress": {"1+2@clinic.example", "1+2@clinic.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tenant.CheckEmail(c.email); err != nil {
				t.Fatalf("validation refuses the address: %v", err)
			}
			b := setup(t, mailcatcher.Options{})
			to := testTenant()
			to.AdminEmail = c.email
			if err := b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient); err != nil {
				t.Fatal(err)
			}
			if got := b.onlyMessage(t).To; !slices.Equal(got, []string{c.arrives}) {
				t.Errorf("it went to %q, want %q", got, c.arrives)
			}
		})
	}
	t.Run("InternationalSender", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{})
		b.options.From = "Plattform Ærø <no-reply@bücher.example>"
		if err := b.sendWelcome(t); err != nil {
			t.Fatal(err)
		}
		m := b.onlyMessage(t)
		if m.From != "no-reply@xn--bcher-kva.example" || m.FromName != "Plattform Ærø" || !strings.HasSuffix(m.MessageID, "@xn--bcher-kva.example") {
			t.Errorf("from %q %q, message id %q", m.FromName, m.From, m.MessageID)
		}
	})
	t.Run("InvalidDomainIsPermanent", func(t *testing.T) {
		t.Parallel()
		b := setup(t, mailcatcher.Options{})
		to := testTenant()
		to.AdminEmail = "jane@\u0301x.example" // Begins with a combining mark.
		wantKind(t, b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient), errs.KindPermanent)
	})
}

func TestMailer_EscapesHostileNames(t *testing.T) {
	t.Parallel()
	for name, hostile := range map[string]string{
		"Punctuation":      "O'Brien & Søn — Klinik",
		"Quotes":           `Robert "Bob" \ Jones`,
		"AngleBrackets":    "<script>alert(1)</script>",
		"SecondAddress":    `x" <evil@attacker.example>, "y`,
		"Comment":          `x" <evil@attacker.example> (`,
		"RightToLeft":      "\u202eevil\u2066",
		"ManyBytes":        strings.Repeat("č", tenant.MaxPersonName),
		"HeaderInjection":  "x\r\nBcc: evil@attacker.example\r\n\r\nbody",
		"LineFeedAlone":    "x\nBcc: evil@attacker.example",
		"CarriageReturn":   "x\rBcc: evil@attacker.example",
		"TemplateSyntax":   "{{.InvitationURL}}",
		"EndOfDataAttempt": "x\r\n.\r\nMAIL FROM:<evil@attacker.example>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, mailcatcher.Options{})
			to := testTenant()
			to.Name, to.AdminFirstName, to.AdminLastName = hostile, hostile, hostile
			// Validation rejects control characters before a mail is composed; the mail
			// must be intact even without validation.
			if err := b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient); err != nil {
				if strings.ContainsAny(hostile, "\r\n") {
					wantKind(t, err, errs.KindPermanent)
					return
				}
				t.Fatal(err)
			}
			m := b.onlyMessage(t)
			if !slices.Equal(m.To, []string{"jane.doe@clinic.example"}) || len(m.ToNames) != 1 || m.ParseError != "" {
				t.Errorf("to %q, names %q, problem %q", m.To, m.ToNames, m.ParseError)
			}
			if _, injected := m.Headers["Bcc"]; injected {
				t.Errorf("a header was injected:\n%s", m.Raw)
			}
			if strings.ContainsAny(hostile, "\r\n") {
				return
			}
			if m.ToNames[0] != hostile+" "+hostile || m.Subject != hostile+" is ready: choose your password" {
				t.Errorf("name %q, subject %q", m.ToNames[0], m.Subject)
			}
			if !strings.Contains(m.Text, hostile+" is ready") || strings.Contains(m.HTML, "<script>") {
				t.Errorf("text %q, HTML %q", m.Text, m.HTML)
			}
			for line := range strings.SplitSeq(m.Raw, "\r\n") {
				if len(line) > 998 {
					t.Errorf("a line of %d bytes; RFC 5322 permits 998", len(line))
				}
			}
		})
	}
}
